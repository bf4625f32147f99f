//! The table of routes: of it the router is made, and the document that describes it.

use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};

use super::{Api, act, answer, events, list, openapi, runs, schemas};

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// As the router writes it: `{*path}` takes slashes.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) handler: fn() -> MethodRouter<Api>,
    /// Parameters of the query and headers.
    pub(super) asks: fn() -> Value,
    /// The name of the schema of its body.
    pub(super) body: Option<&'static str>,
    /// Status, media type and schema of its successes.
    pub(super) gives: &'static [Gives],
    /// Statuses of its problems, besides those that all have.
    pub(super) fails: &'static [u16],
    /// Anybody may call it.
    pub(super) open: bool,
}

/// A success: its status, what it means, its media type and the name of its schema.
pub(super) type Gives = (u16, &'static str, &'static str, &'static str);

const JSON: &str = "application/json";
const OK: u16 = StatusCode::OK.as_u16();

const PLAIN: Route = Route {
    method: "get",
    path: "",
    id: "",
    summary: "",
    handler: || get(runs::health),
    asks: || json!([]),
    body: None,
    gives: &[],
    fails: &[],
    open: false,
};

/// All routes there are.
pub(super) fn all() -> Vec<Route> {
    vec![
        Route {
            path: "/health",
            id: "health",
            summary: "Whether the server is there.",
            gives: &[(OK, "It is.", JSON, "Health")],
            open: true,
            ..PLAIN
        },
        Route {
            path: "/openapi.json",
            id: "openapi",
            summary: "This document.",
            handler: || get(openapi::serve),
            gives: &[(OK, "The document.", JSON, "Any")],
            open: true,
            ..PLAIN
        },
        Route {
            path: "/me",
            id: "me",
            summary: "Who the caller is.",
            handler: || get(runs::me),
            gives: &[(OK, "The caller.", JSON, "Me")],
            ..PLAIN
        },
        Route {
            path: "/fleet",
            id: "fleet",
            summary: "What the drivers in this process do, and what cannot be driven and why.",
            handler: || get(runs::fleet),
            gives: &[(OK, "The runs that are not at their end.", JSON, "Fleet")],
            ..PLAIN
        },
        Route {
            path: "/runs",
            id: "runs",
            summary: "The runs of the workspace, newest first.",
            handler: || get(list::runs).post(act::start),
            asks: schemas::list,
            gives: &[(
                OK,
                "A page; `next` is the cursor of the one after it.",
                JSON,
                "Runs",
            )],
            fails: &[400],
            ..PLAIN
        },
        Route {
            method: "post",
            path: "/runs",
            id: "start",
            summary: "Begins a run of a flow of the workspace.",
            handler: MethodRouter::new,
            body: Some("Start"),
            gives: &[(201, "It has begun, and is on disk.", JSON, "Started")],
            fails: &[400, 409, 413, 415, 422],
            ..PLAIN
        },
        Route {
            path: "/runs/{id}",
            id: "run",
            summary: "A run, as `flowctl show --json` gives it.",
            handler: || get(runs::show),
            gives: &[(OK, "The run.", JSON, "Run")],
            fails: &[404],
            ..PLAIN
        },
        Route {
            path: "/runs/{id}/nodes/{*path}",
            id: "node",
            summary: "A node of a run; `path` is like `QA`, `Build/QA` or `Scan[2]/Fix`.",
            handler: || get(runs::node),
            gives: &[(OK, "The node.", JSON, "Node")],
            fails: &[404],
            ..PLAIN
        },
        Route {
            path: "/runs/{id}/files",
            id: "files",
            summary: "The files that a run publishes, or would.",
            handler: || get(runs::files),
            gives: &[(OK, "The files.", JSON, "Files")],
            fails: &[404, 409],
            ..PLAIN
        },
        Route {
            path: "/runs/{id}/files/{*path}",
            id: "file",
            summary: "The content of one of them.",
            handler: || get(runs::file),
            gives: &[(
                OK,
                "The content: text, or `application/octet-stream`.",
                "*/*",
                "Content",
            )],
            fails: &[404],
            ..PLAIN
        },
        Route {
            path: "/runs/{id}/events",
            id: "events",
            summary: "The journal of a run: a list, or server-sent events with `Accept: text/event-stream`.",
            handler: || get(events::events),
            asks: schemas::events,
            gives: &[
                (
                    OK,
                    "The records after `after`; `next` is the `after` of the next list.",
                    JSON,
                    "Events",
                ),
                (
                    204,
                    "To who follows: the run is at its end, and there is no more.",
                    "",
                    "",
                ),
            ],
            fails: &[400, 404, 503],
            ..PLAIN
        },
        Route {
            method: "post",
            path: "/runs/{id}/cancel",
            id: "cancel",
            summary: "Stops a run for good.",
            handler: || post(act::cancel),
            body: Some("Nothing"),
            gives: &[
                (OK, "It is journaled.", JSON, "Verdict"),
                (
                    202,
                    "It is in the inbox; who drives the run will take it.",
                    JSON,
                    "Verdict",
                ),
            ],
            fails: &[400, 404, 409, 413, 415],
            ..PLAIN
        },
        Route {
            method: "post",
            path: "/runs/{id}/resume",
            id: "resume",
            summary: "Has a run go on that was stopped, interrupted, could not be driven, or failed.",
            handler: || post(act::resume),
            body: Some("Nothing"),
            gives: &[(202, "It goes on when it is its turn.", JSON, "Verdict")],
            fails: &[400, 404, 409, 413, 415],
            ..PLAIN
        },
        Route {
            method: "post",
            path: "/runs/{id}/retry",
            id: "retry",
            summary: "Has a failed run try again what failed.",
            handler: || post(act::retry),
            body: Some("Nothing"),
            gives: &[(202, "It goes on when it is its turn.", JSON, "Verdict")],
            fails: &[400, 404, 409, 413, 415],
            ..PLAIN
        },
        Route {
            method: "post",
            path: "/runs/{id}/decisions",
            id: "decide",
            summary: "Answers a gate. What is acknowledged is journaled.",
            handler: || post(answer::decide),
            asks: schemas::decide,
            body: Some("Decision"),
            gives: &[
                (OK, "It is journaled, and counts.", JSON, "Verdict"),
                (
                    202,
                    "It is in the inbox; who drives the run will judge it.",
                    JSON,
                    "Verdict",
                ),
            ],
            fails: &[400, 404, 409, 413, 415, 422],
            ..PLAIN
        },
    ]
}
