//! What every request must keep to before anything looks at it, and what every answer says.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;

use super::pages;
use super::state::App;

/// How long a request may take; what is sent bit by bit (events) may take longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest path with its question.
const LONGEST_URI: usize = 8 * 1024;

/// What browsers may do with a page: load from here, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Lets a request through, or says why not.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    // What only reads: a form that comes bit by bit is not waited for.
    let is_events = request.method() == Method::GET && request.uri().path().ends_with("/events");
    let mut response = match refusal(&app, &request) {
        Some((status, why)) => pages::refused(status, why, is_api),
        None if is_events => caught(next.run(request), is_api).await,
        None => match tokio::time::timeout(PATIENCE, caught(next.run(request), is_api)).await {
            Ok(response) => response,
            Err(_) => pages::refused(
                StatusCode::REQUEST_TIMEOUT,
                "it took too long; ask again",
                is_api,
            ),
        },
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer`, browsers send forms as if from nowhere.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A panic ends its request and nothing else: whoever asked is told, and the log says what it was.
async fn caught(answer: impl Future<Output = Response>, is_api: bool) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied();
            let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let said = said.unwrap_or("it says nothing of itself");
            tracing::error!("a request panicked; please report it: {said}");
            pages::refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "something went wrong on the server; its log says what",
                is_api,
            )
        }
    }
}

fn refusal(app: &App, request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let uri = request.uri();
    if uri
        .path_and_query()
        .is_some_and(|whole| whole.as_str().len() > LONGEST_URI)
    {
        return Some((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    // A page of another name that leads here is not one of ours.
    if !is_ours(app, headers) {
        return Some((
            StatusCode::MISDIRECTED_REQUEST,
            "this server is not reached by that name; `--public-url` says by which it is",
        ));
    }
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if changes && is_from_elsewhere(app, headers) {
        return Some((
            StatusCode::FORBIDDEN,
            "another site sent this, and it was not done",
        ));
    }
    None
}

fn is_ours(app: &App, headers: &HeaderMap) -> bool {
    let Some(host) = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
    else {
        return false;
    };
    let port = app.config.listen.port();
    let own = app.config.listen.ip();
    let own = if own.is_ipv6() {
        format!("[{own}]:{port}")
    } else {
        format!("{own}:{port}")
    };
    let public = app.base();
    let public = public.split_once("://").map_or("", |(_, rest)| rest);
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    host == own
        || host.eq_ignore_ascii_case(public)
        || loopback.iter().any(|name| host == format!("{name}:{port}"))
}

/// Whether a browser says that another site made it send this.
fn is_from_elsewhere(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text("origin") else {
        return false;
    };
    let host = text("host").unwrap_or_default();
    origin != app.base()
        && origin != format!("http://{host}")
        && origin != format!("https://{host}")
}

/// Whether somebody looks at it.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let text = |what: &'static str| async move {
            assert!(what.is_empty(), "{what}");
            Response::default()
        };
        for (is_api, kind) in [
            (true, "application/problem+json"),
            (false, "text/html; charset=utf-8"),
        ] {
            let answer = caught(text("a secret"), is_api).await;
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            let body = axum::body::to_bytes(answer.into_body(), 100_000)
                .await
                .unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }
        assert_eq!(caught(text(""), true).await.status(), StatusCode::OK);
    }
}
