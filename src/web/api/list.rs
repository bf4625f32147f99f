//! `GET /runs`: the runs of the workspace, newest first, page by page.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::take::Asked;
use super::{Api, Caller, Problem};
use crate::engine::Overview;

/// Runs on a page, when nobody says how many.
const PAGE: usize = 50;
/// The most that are on a page.
const MOST: usize = 500;
/// So many are looked at for a page at most, however few of them are wanted: the page is then shorter, and
/// says where to go on.
const LOOKED_AT: usize = 2_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    status: Option<String>,
    flow: Option<String>,
    waiting: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn runs(
    State(api): State<Api>,
    _: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    api.beside(move |api| page(api, &wanted)).await.map(Json)
}

fn page(api: &Api, wanted: &Wanted) -> Result<Value, Problem> {
    let all = api.fleet.runs()?;
    let from = match &wanted.cursor {
        None => 0,
        Some(cursor) => {
            let at = all.iter().position(|run| run.id.as_str() == cursor);
            1 + at.ok_or_else(|| {
                Problem::bad("bad-cursor", "the run of the cursor is no longer there")
                    .help("begin again without `cursor`")
            })?
        }
    };
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, MOST);
    let mut found = Vec::new();
    let mut last = None;
    let rest = all.iter().skip(from);
    let more = all.len().saturating_sub(from);
    let mut looked_at = 0;
    for run in rest.take(LOOKED_AT) {
        looked_at += 1;
        last = Some(run.id.to_string());
        let line = match Overview::glance(run) {
            Ok(overview) => {
                let fits = wanted
                    .status
                    .as_ref()
                    .is_none_or(|status| *status == overview.status)
                    && wanted
                        .flow
                        .as_ref()
                        .is_none_or(|flow| *flow == overview.flow)
                    && wanted
                        .waiting
                        .is_none_or(|waits| waits != overview.waiting.is_empty());
                if !fits {
                    continue;
                }
                json!({
                    "run": run.id, "status": overview.status, "flow": overview.flow, "by": overview.by,
                    "started": overview.started, "waiting": overview.waiting, "last": overview.last.to_string(),
                })
            }
            Err(error) => {
                let fits = wanted
                    .status
                    .as_ref()
                    .is_none_or(|status| status == "damaged")
                    && wanted.flow.is_none()
                    && wanted.waiting != Some(true);
                if !fits {
                    continue;
                }
                json!({ "run": run.id, "status": "damaged", "error": error.to_string() })
            }
        };
        found.push(line);
        if found.len() >= limit {
            break;
        }
    }
    let next = last.filter(|_| looked_at < more);
    Ok(json!({ "runs": found, "next": next }))
}
