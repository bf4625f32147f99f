//! Logging in and out.

use std::net::SocketAddr;

use axum::Form;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::{denied, layout, page, refused, to};
use crate::web::auth::{COOKIE, Denied, Person, Via};
use crate::web::random;
use crate::web::session::{LASTS, Session};
use crate::web::state::App;

/// What a link or form brings.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Given {
    key: String,
    next: String,
}

impl Given {
    /// Where it goes on: nowhere but here.
    fn next(&self) -> &str {
        let inside = self.next.starts_with('/')
            && !self.next.starts_with("//")
            && !self.next.contains(['\\', '\r', '\n']);
        if inside { &self.next } else { "/" }
    }
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(given): Query<Given>,
) -> Response {
    if given.key.is_empty() {
        return form(&app, &given, None).await;
    }
    // A link ends up in histories and logs. That of this machine is printed for whoever is at it.
    match app.knows_people().await {
        Ok(false) => enter(&app, peer, &headers, &given).await,
        Ok(true) => {
            let why = "a token in a link would be in histories and logs; give it here";
            form(&app, &given, Some(why)).await
        }
        Err(other) => denied(&other, false),
    }
}

pub(in crate::web) async fn log_in(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    enter(&app, peer, &headers, &given).await
}

async fn enter(app: &App, peer: SocketAddr, headers: &HeaderMap, given: &Given) -> Response {
    let from = app.config.proxy.client(headers, peer.ip());
    let person = match app.verify(given.key.trim(), from).await {
        Ok(person) => person,
        Err(Denied::Unknown(why)) => return form(app, given, Some(why)).await,
        Err(other) => return denied(&other, false),
    };
    let Ok(nonce) = random::word() else {
        let why = "the machine gives no random numbers";
        return refused(StatusCode::SERVICE_UNAVAILABLE, why, false);
    };
    let session = Session {
        user: person.user,
        token: match person.via {
            Via::Token(id) => Some(id),
            Via::Local | Via::Proxy(_) => None,
        },
        until: app.engine.now() + LASTS,
        nonce,
    };
    let cookie = app.keys.cookie(&session);
    with_cookie(app, to(given.next()), &cookie, LASTS.as_secs())
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Leaving {
    token: String,
}

pub(in crate::web) async fn log_out(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    Form(given): Form<Leaving>,
) -> Response {
    if !person.owns_form(&app, &given.token) {
        let why = "this form is not yours, or too old";
        return refused(StatusCode::FORBIDDEN, why, false);
    }
    if let Some(session) = app.session(&headers) {
        let own = app.clone();
        let left = app.blocking(move |engine| own.left.add(&session, engine.now()));
        if let Err(error) = left.await {
            // It is left for as long as this process lives.
            tracing::error!("a session that was left cannot be noted: {error}");
        }
    }
    with_cookie(&app, to("/login"), "", 0)
}

fn with_cookie(app: &App, mut response: Response, value: &str, seconds: i64) -> Response {
    // A link in a mail must find the session, and forms have a token of their own: `Lax`.
    let secure = if app.is_https() { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

async fn form(app: &App, given: &Given, wrong: Option<&str>) -> Response {
    let knows_people = match app.knows_people().await {
        Ok(knows) => knows,
        Err(other) => return denied(&other, false),
    };
    let body = html! {
        h1 { "Log in" }
        @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
        form.login method="post" action="/login" {
            input type="hidden" name="next" value=(given.next());
            label for="key" { @if knows_people { "Your token" } @else { "The key of this machine" } }
            input #key type="password" name="key" required autofocus autocomplete="current-password";
            p.hint {
                @if knows_people { "`flowctl approvers token` makes one." }
                @else { "`flowctl serve` printed a link with it." }
            }
            button type="submit" { "Log in" }
        }
    };
    let status = if wrong.is_some() {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    page(status, layout::bare("Log in", &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, goes) in [
            ("/runs/a?b=c", "/runs/a?b=c"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("", "/"),
        ] {
            let given = Given {
                key: String::new(),
                next: next.to_owned(),
            };
            assert_eq!(given.next(), goes);
        }
    }
}
