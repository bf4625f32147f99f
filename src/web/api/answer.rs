//! `POST /runs/{id}/decisions`: an answer to a gate, acknowledged once it is journaled.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::act::said;
use super::take::{InPath, Said, run};
use super::{Api, Caller, Problem};
use crate::engine::{Answer, Request};
use crate::id::NodePath;
use crate::run::Decision;
use crate::store::RunDir;
use crate::value::{Digest, Object};

/// The longest key of a caller.
const LONGEST_KEY: usize = 200;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    node: String,
    digest: String,
    decision: Decision,
    comment: Option<String>,
    form: Option<Object>,
    target: Option<String>,
}

pub(super) async fn decide(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    Said(decided): Said<Decided>,
) -> Result<Response, Problem> {
    let key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if !key.is_empty() && key.len() <= LONGEST_KEY => Some(key.to_owned()),
        Some(_) => {
            let why = format!("`Idempotency-Key` is 1 to {LONGEST_KEY} letters of ASCII");
            return Err(Problem::bad("bad-key", why));
        }
    };
    let (dir, request) = api
        .beside(move |api| {
            let dir = run(&api.engine, &id)?;
            let request = request(api, &dir, &caller, decided, key.as_deref())?;
            Ok((dir, request))
        })
        .await?;
    let verdict = api.fleet.ask(&dir, request).await?;
    said(&verdict, &dir.id, "decision-refused")
}

fn request(
    api: &Api,
    dir: &RunDir,
    caller: &Caller,
    decided: Decided,
    key: Option<&str>,
) -> Result<Request, Problem> {
    let wrong = |code, why: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, why);
    let comment = decided.comment.filter(|comment| !comment.trim().is_empty());
    if comment.is_none() && decided.decision != Decision::Approved {
        return Err(wrong(
            "comment-missing",
            "a no needs a reason: say why in `comment`",
        ));
    }
    if (decided.decision == Decision::SentBack) != decided.target.is_some() {
        return Err(wrong(
            "bad-target",
            "`target` is the node to which work is sent back: with `sent_back`, and only then",
        ));
    }
    let digest = Digest::parse(&decided.digest)
        .ok_or_else(|| wrong("bad-digest", "`digest` is `sha256:` and 64 hex digits"))?;
    let open = api.engine.read_run(dir)?;
    let answer = Answer {
        node: NodePath::from(decided.node.as_str()),
        decision: decided.decision,
        digest: Some(digest),
        comment,
        form: decided.form,
        target: decided.target.as_deref().map(NodePath::from),
        by: caller.user.clone(),
        via: caller.via.clone(),
    };
    let said = serde_json::to_string(&(
        &answer.node,
        answer.decision,
        &digest,
        &answer.comment,
        &answer.form,
        &answer.target,
    ))
    .map_err(|error| Problem::unexpected(&error))?;
    let mut decision = answer.decide(&api.engine, &open);
    if let Some(key) = key {
        // The same answer of the same person under the same key is the same answer, and nobody else's.
        let name = [dir.id.as_str(), &caller.user, key, &said].join("\0");
        decision.id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string();
    }
    api.guard.vouch(&mut decision, &open)?;
    Ok(Request::Decision {
        decision: Box::new(decision),
    })
}
