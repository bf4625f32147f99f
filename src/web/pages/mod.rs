//! The pages: one file for each, and here what all of them share.

pub(super) mod diff;
pub(super) mod field;
pub(super) mod file;
pub(super) mod layout;
pub(super) mod login;
pub(super) mod node;
pub(super) mod review;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod start;

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde_json::json;

use super::auth::Denied;
use crate::engine::Error;

/// What does not come out of journals.
const ASSETS: &[(&str, &str, &str)] = &[
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    ),
    (
        "live.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/live.js"),
    ),
];

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some((_, kind, text)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return nothing_here().await;
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}

/// A page as an answer.
pub(super) fn page(status: StatusCode, markup: Markup) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, markup.into_string()).into_response()
}

/// What went wrong, for people.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use crate::store::Error as Store;
        let status = match &error {
            Error::Store(Store::NoSuchRun(_)) => StatusCode::NOT_FOUND,
            Error::Refused(_) => StatusCode::CONFLICT,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<crate::store::Error> for Problem {
    fn from(error: crate::store::Error) -> Self {
        Self::from(Error::Store(error))
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        refused(problem.status, &problem.message, false)
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into()
    }
}

/// A request that was not carried out.
pub(super) fn refused(status: StatusCode, why: &str, is_api: bool) -> Response {
    if is_api {
        let title = status.canonical_reason().unwrap_or("Error");
        let code = title.to_ascii_lowercase().replace(' ', "-");
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": why, "help": null,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        return (status, kind, Json(body)).into_response();
    }
    let title = status.canonical_reason().unwrap_or("It did not work");
    let body = html! {
        h1 { (title) }
        p { (why) }
        p { a href="/" { "All runs" } }
    };
    page(status, layout::bare(title, &body))
}

pub(super) fn denied(denied: &Denied, is_api: bool) -> Response {
    match denied {
        Denied::Unknown(why) => refused(StatusCode::UNAUTHORIZED, why, is_api),
        Denied::TooOften => refused(
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tries; wait a minute",
            is_api,
        ),
        Denied::Broken(why) => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("`approvers.yaml` cannot be read, so nobody is let in: {why}"),
            is_api,
        ),
    }
}

/// To the login, and back afterwards.
pub(super) fn to_login(next: &str) -> Response {
    let next = super::form::encode(next);
    to(&format!("/login?next={next}"))
}

/// To another page, by `GET`.
pub(super) fn to(path: &str) -> Response {
    let Ok(path) = HeaderValue::from_str(path) else {
        return refused(StatusCode::BAD_REQUEST, "there is no such address", false);
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

pub(super) async fn nothing_here() -> Response {
    refused(
        StatusCode::NOT_FOUND,
        "there is nothing at this address",
        false,
    )
}

pub(super) async fn not_so() -> Response {
    let why = "this address is not asked in this way";
    refused(StatusCode::METHOD_NOT_ALLOWED, why, false)
}
