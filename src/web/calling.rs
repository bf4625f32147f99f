//! Who calls the API: found out as for pages, and asked for a proof where a browser could be tricked.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

use super::api::{Caller, Guard, Problem};
use super::auth::Denied;
use super::state::App;
use crate::engine::OpenRun;
use crate::run::ApprovalDecided;

/// The header in which a page of ours brings its token along.
const FORM_TOKEN: &str = "x-csrf-token";

impl Guard for App {
    fn caller(&self, parts: &Parts) -> Result<Caller, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |info| info.0);
        // Called beside the threads that serve, so it may wait.
        let found = tokio::runtime::Handle::current().block_on(self.whoever(&parts.headers, peer));
        let person = found.map_err(denied)?;
        if !matches!(parts.method, Method::GET | Method::HEAD) && !person.is_program() {
            let token = parts.headers.get(FORM_TOKEN);
            let token = token.and_then(|token| token.to_str().ok());
            if !token.is_some_and(|token| person.owns_form(self, token)) {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "no-form-token",
                    "a session alone changes nothing: another site could have sent this",
                )
                .help("send the page's token as `X-CSRF-Token`, or an API token as `Authorization: Bearer …`"));
            }
        }
        Ok(Caller {
            via: person.via(),
            user: person.user,
        })
    }

    fn vouch(&self, decision: &mut ApprovalDecided, run: &OpenRun) -> Result<(), Problem> {
        self.sign(decision, run)
            .map_err(|why| Problem::unexpected(&why))
    }
}

fn denied(denied: Denied) -> Problem {
    match denied {
        Denied::Unknown(why) => Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", why)
            .help("send `Authorization: Bearer …` with an API token, or the key that `flowctl serve` prints"),
        Denied::TooOften => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-often",
            "too many wrong tries",
        )
        .help("wait a minute"),
        Denied::Broken(why) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "approvers-broken", why)
                .help("`flowctl approvers check` says what is wrong")
        }
    }
}
