//! [`Caller`]: who calls, as a [`Guard`] found out.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Api, Problem};
use crate::engine::OpenRun;
use crate::run::ApprovalDecided;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user, as decisions and runs name them.
    pub user: String,
    /// How it is known who they are, for the record of a decision; none in single-user mode.
    pub via: Option<String>,
}

/// Finds out who calls, and vouches for them. Whoever serves the API brings one along: sessions, tokens and
/// proxies are not the API's business.
pub trait Guard: Send + Sync {
    /// Who calls. Of a request that changes something, this also says that the caller means it: by a token,
    /// or by a session with its proof against forged requests.
    ///
    /// # Errors
    /// What is answered instead.
    fn caller(&self, parts: &Parts) -> Result<Caller, Problem>;

    /// Puts the server's word under a decision, if its word is asked for.
    ///
    /// # Errors
    /// When it cannot.
    fn vouch(&self, _decision: &mut ApprovalDecided, _run: &OpenRun) -> Result<(), Problem> {
        Ok(())
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        // What checks a token computes for a while.
        let (guard, parts) = (api.guard.clone(), parts.clone());
        let found = tokio::task::spawn_blocking(move || guard.caller(&parts)).await;
        found.unwrap_or_else(|error| Err(Problem::unexpected(&error)))
    }
}
