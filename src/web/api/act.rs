//! What changes something besides answers: beginning a run, cancelling it, having it go on.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::take::{InPath, Said, run};
use super::{Api, Caller, Problem, ROOT};
use crate::engine::{Begin, Verdict};
use crate::id::RunId;
use crate::value::Object;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    flow: String,
    #[serde(default)]
    inputs: Object,
    run: Option<String>,
}

/// A body without anything in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Said(wanted): Said<Wanted>,
) -> Result<Response, Problem> {
    let started = api.beside(move |api| {
        let id = wanted.run.as_deref().map(RunId::parse).transpose();
        let id = id.map_err(|why| Problem::bad("bad-run-id", why))?;
        Ok(api.fleet.start(&Begin {
            flow: wanted.flow,
            inputs: wanted.inputs,
            id,
            by: caller.user,
        })?)
    });
    let id = started.await?;
    let place = HeaderValue::from_str(&format!("{ROOT}/runs/{id}"));
    let place = place.map_err(|error| Problem::unexpected(&error))?;
    let body = Json(json!({ "run": id }));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], body).into_response())
}

pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath<String>,
    _: Said<Nothing>,
) -> Result<Response, Problem> {
    let dir = api.beside(move |api| run(&api.engine, &id)).await?;
    let verdict = api.fleet.cancel(&dir, &caller.user).await?;
    said(&verdict, &dir.id, "not-cancelled")
}

pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath<String>,
    _: Said<Nothing>,
) -> Result<Response, Problem> {
    let resumed = api.beside(move |api| {
        let dir = run(&api.engine, &id)?;
        api.fleet.resume(&dir, &caller.user)?;
        Ok(dir.id)
    });
    let body = json!({ "run": resumed.await?, "verdict": "accepted" });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    InPath(id): InPath<String>,
    _: Said<Nothing>,
) -> Result<Response, Problem> {
    let retried = api.beside(move |api| {
        let dir = run(&api.engine, &id)?;
        api.fleet.retry(&dir, &caller.user)?;
        Ok(dir.id)
    });
    let body = json!({ "run": retried.await?, "verdict": "accepted" });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// What became of a request, truthfully.
pub(super) fn said(
    verdict: &Verdict,
    run: &RunId,
    code: &'static str,
) -> Result<Response, Problem> {
    match verdict {
        Verdict::Accepted => Ok(Json(json!({ "run": run, "verdict": "accepted" })).into_response()),
        Verdict::Queued => {
            let body = Json(json!({ "run": run, "verdict": "queued" }));
            Ok((StatusCode::ACCEPTED, body).into_response())
        }
        Verdict::Refused(reason) => Err(Problem::refused(code, reason.clone())),
    }
}
