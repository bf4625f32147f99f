//! One run: as `flowctl show --json` gives it, its nodes, and its files.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::take::{InPath, run};
use super::{Api, Caller, Problem};
use crate::engine::{Change, FleetState, Review};
use crate::id::NodePath;
use crate::store::Blobs;

pub(super) async fn show(
    State(api): State<Api>,
    _: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Problem> {
    let shown = api.beside(move |api| {
        let open = api.engine.read_run(&run(&api.engine, &id)?)?;
        Ok(open.report(open.status_word())?)
    });
    shown.await.map(Json)
}

pub(super) async fn node(
    State(api): State<Api>,
    _: Caller,
    InPath((id, path)): InPath<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let shown = api.beside(move |api| {
        let open = api.engine.read_run(&run(&api.engine, &id)?)?;
        let found = open.state.find(&NodePath::from(path.as_str()));
        let found = found.ok_or_else(|| {
            let shown: String = path.chars().take(100).collect();
            Problem::missing(format!("the run has no node `{shown}`"))
        })?;
        Ok(open.report_node(&api.engine, found)?)
    });
    shown.await.map(Json)
}

pub(super) async fn files(
    State(api): State<Api>,
    _: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Problem> {
    let listed = api.beside(move |api| {
        let open = api.engine.read_run(&run(&api.engine, &id)?)?;
        let review = Review::of(&open, api.engine.layout.workspace())?;
        let files: Vec<Value> = review
            .files
            .iter()
            .map(|found| {
                let change = match found.change {
                    Change::Added => "added",
                    Change::Modified => "modified",
                    Change::Unchanged => "unchanged",
                };
                json!({
                    "path": found.file.path, "node": found.node, "sha256": found.file.sha256, "bytes": found.file.bytes,
                    "base": found.file.base, "change": change, "text": found.after.is_some(),
                })
            })
            .collect();
        Ok(json!({ "run": open.id(), "files": files }))
    });
    listed.await.map(Json)
}

/// The content of a file of the run: only what nodes have staged, found by name in their lists, and read by
/// content. No path of the caller's ever reaches the disk.
pub(super) async fn file(
    State(api): State<Api>,
    _: Caller,
    InPath((id, path)): InPath<(String, String)>,
) -> Result<Response, Problem> {
    let (digest, content) = api
        .beside(move |api| {
            let dir = run(&api.engine, &id)?;
            let open = api.engine.read_run(&dir)?;
            let walk = open.state.walk(&open.compiled.plan);
            let staged = walk
                .iter()
                .rev()
                .flat_map(|id| open.state.instance(*id).files.iter());
            let mut staged = staged.filter(|file| file.path == path);
            let file = staged.next().ok_or_else(|| {
                let shown: String = path.chars().take(100).collect();
                Problem::missing(format!("the run has no file `{shown}`"))
            })?;
            let content = Blobs::new(dir.files()).get(file.sha256)?;
            Ok((file.sha256, content))
        })
        .await?;
    let kind = if std::str::from_utf8(&content).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    };
    let tag = HeaderValue::from_str(&format!("\"{}\"", digest.hex()));
    let tag = tag.map_err(|error| Problem::unexpected(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::ETAG, tag),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        ),
    ];
    Ok((StatusCode::OK, headers, content).into_response())
}

pub(super) async fn me(caller: Caller) -> Json<Value> {
    Json(json!({ "user": caller.user, "via": caller.via }))
}

/// Whether it is there. Nothing that tells of runs: nobody is asked who they are.
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// What the drivers in this process do.
pub(super) async fn fleet(State(api): State<Api>, _: Caller) -> Json<Value> {
    let runs: Vec<Value> = api
        .fleet
        .standings()
        .into_iter()
        .map(|standing| {
            let (state, reason, at) = match standing.state {
                FleetState::Driven => ("driven", None, None),
                FleetState::Queued => ("queued", None, None),
                FleetState::Paused { deadline } => ("paused", None, deadline),
                FleetState::Elsewhere { holder } => ("elsewhere", Some(holder), None),
                FleetState::Troubled { reason, again } => ("troubled", Some(reason), again),
                FleetState::Stopped => ("stopped", None, None),
            };
            json!({
                "run": standing.run, "state": state, "since": standing.since.to_string(),
                "reason": reason, "until": at.map(|at| at.to_string()),
            })
        })
        .collect();
    let limits = api.fleet.limits();
    Json(json!({
        "concurrency": limits.concurrency, "max_runs": limits.runs, "nodes": api.fleet.nodes(), "runs": runs,
    }))
}
