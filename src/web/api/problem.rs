//! [`Problem`]: what went wrong, as RFC 9457 says it.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::diagnostic::Diagnostics;
use crate::engine::Error;
use crate::store;

/// An answer that is no success.
#[derive(Clone, Debug)]
pub struct Problem(Box<Said>);

#[derive(Clone, Debug)]
struct Said {
    status: StatusCode,
    code: &'static str,
    detail: String,
    help: Option<String>,
    diagnostics: Option<Value>,
}

impl Problem {
    /// A problem with a stable code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Said {
            status,
            code,
            detail: detail.into(),
            help: None,
            diagnostics: None,
        }))
    }

    /// The same, with what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(super) fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(super) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Something that should not happen. What it was is in the log: it may say more than a caller is to know.
    pub(in crate::web) fn unexpected(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("a request failed: {error}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unexpected",
            "something went wrong on the server",
        )
        .help("the server's log says what")
    }

    fn invalid(problems: &Diagnostics) -> Self {
        let all: Vec<Value> = problems
            .iter()
            .map(|problem| {
                let place = problem.primary.source.position(problem.primary.span.start);
                json!({
                    "code": problem.code.slug(), "message": problem.message, "help": problem.help,
                    "file": problem.primary.source.path, "line": place.line, "column": place.column,
                })
            })
            .collect();
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "the flow or its inputs are invalid",
        );
        problem.0.diagnostics = Some(all.into());
        problem
    }

    /// The document.
    fn body(&self) -> Value {
        let mut body = json!({
            "type": "about:blank",
            "title": self.0.status.canonical_reason().unwrap_or("Error"),
            "status": self.0.status.as_u16(),
            "code": self.0.code,
            "detail": self.0.detail,
            "help": self.0.help,
        });
        if let Some(diagnostics) = &self.0.diagnostics {
            body["diagnostics"] = diagnostics.clone();
        }
        body
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Invalid(problems) => Self::invalid(problems),
            Error::Store(store) => Self::of_store(store),
            Error::Refused(_) => Self::refused("refused", error.to_string()),
            Error::Secrets(_) => Self::refused("missing-secrets", error.to_string())
                .help("give them to the server: variables or `--secrets-file`"),
            Error::Replay(_) | Error::Record { .. } | Error::Output { .. } => {
                Self::damaged(error.to_string())
            }
            _ => Self::unexpected(&error),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Self::of_store(&error)
    }
}

impl Problem {
    fn of_store(error: &store::Error) -> Self {
        match error {
            store::Error::Damaged { .. }
            | store::Error::Diverged { .. }
            | store::Error::NotItsName { .. }
            | store::Error::NewerFormat { .. } => Self::damaged(error.to_string()),
            store::Error::Exists(_) => Self::refused("exists", error.to_string()),
            store::Error::NoSuchRun(_) => Self::missing(error.to_string()),
            store::Error::Locked { .. } => Self::refused("driven-elsewhere", error.to_string()),
            store::Error::Io { .. } | store::Error::Writer(_) => Self::unexpected(error),
        }
    }

    fn damaged(detail: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail)
            .help("nothing was changed; restore the file from a copy")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if self.0.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::missing(format!("there is nothing at `{}`", uri.path()))
        .help("`GET /api/v1/openapi.json` says what there is")
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("`{}` does not take `{method}`", uri.path()),
    )
    .help("`GET /api/v1/openapi.json` says what it takes")
}
