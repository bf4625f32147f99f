//! All runs, the newest first.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Problem, layout, page};
use crate::engine::{Fleet, Overview};
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::state::App;

/// Runs on a page.
const PAGE: usize = 50;
/// A filter looks at no more runs than this for one page; the next page goes on from there.
const LOOKED_AT: usize = 5_000;
/// What one can filter by.
const STATUSES: [&str; 7] = [
    "running",
    "paused",
    "succeeded",
    "failed",
    "rejected",
    "cancelled",
    "interrupted",
];

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    status: String,
    /// Part of a run's id or of its flow's name.
    text: String,
    /// How many of the newest runs are passed over.
    from: usize,
}

struct Row {
    id: String,
    /// Or why it cannot be read.
    overview: Result<Overview, String>,
}

struct Found {
    rows: Vec<Row>,
    all: usize,
    /// Where the next page begins.
    next: Option<usize>,
    /// Whether it looked at as many as it may.
    cut: bool,
}

fn find(fleet: &Fleet, asked: &Asked) -> Result<Found, Problem> {
    let all = fleet.runs()?;
    let mut rows = Vec::new();
    let mut at = asked.from.min(all.len());
    let stop = at.saturating_add(LOOKED_AT).min(all.len());
    while at < stop && rows.len() < PAGE {
        let dir = &all[at];
        at += 1;
        let overview = Overview::glance(dir).map_err(|error| error.to_string());
        let (status, flow) = match &overview {
            Ok(overview) => (overview.status.as_str(), overview.flow.as_str()),
            Err(_) => ("damaged", ""),
        };
        let wanted = (asked.status.is_empty() || asked.status == status)
            && (asked.text.is_empty()
                || dir.id.as_str().contains(&asked.text)
                || flow.contains(&asked.text));
        if wanted {
            rows.push(Row {
                id: dir.id.to_string(),
                overview,
            });
        }
    }
    Ok(Found {
        cut: rows.len() < PAGE && at < all.len(),
        next: (at < all.len()).then_some(at),
        all: all.len(),
        rows,
    })
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let wanted = asked.clone();
    let fleet = app.fleet.clone();
    let found = app.blocking(move |_| find(&fleet, &wanted)).await?;
    let body = html! {
        h1 { "Runs" }
        (filter(&asked))
        @if found.rows.is_empty() { p.note { (nothing(&found)) } }
        @else { (table(&found.rows)) }
        (pager(&asked, &found))
    };
    let body = layout::whole(&app, &person, "Runs", &body);
    Ok(page(StatusCode::OK, body))
}

fn nothing(found: &Found) -> String {
    match found.all {
        0 => "There are no runs yet; `flowctl run FLOW` starts one.".to_owned(),
        _ if found.cut => {
            format!("None among the {LOOKED_AT} runs looked at; the next page looks further.")
        }
        _ => "No run is like that.".to_owned(),
    }
}

fn filter(asked: &Asked) -> Markup {
    html! {
        form.filter method="get" action="/runs" role="search" {
            label for="status" { "Status" }
            select #status name="status" {
                option value="" { "any" }
                @for status in STATUSES { option value=(status) selected[asked.status == status] { (status) } }
            }
            label for="text" { "Run or flow" }
            input #text type="search" name="text" value=(asked.text);
            button type="submit" { "Filter" }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
    html! {
        table data-live="runs" {
            thead { tr { th scope="col" { "Run" } th scope="col" { "Status" } th scope="col" { "Flow" } th scope="col" { "Started" } th scope="col" { "By" } } }
            tbody {
                @for row in rows {
                    @let link = format!("/runs/{}", encode(&row.id));
                    tr {
                        td { a href=(link) { (row.id) } }
                        @match &row.overview {
                            Ok(overview) => {
                                td {
                                    (layout::status(&overview.status))
                                    @for gate in &overview.waiting {
                                        " " a.review href={ (link) "/review/" (encode(gate)) } { "review " (gate) }
                                    }
                                }
                                td { (overview.flow) }
                                td { (overview.started.chars().take(19).collect::<String>().replace('T', " ")) }
                                td { (overview.by) }
                            }
                            Err(why) => td colspan="4" { (layout::status("damaged")) " " (why) },
                        }
                    }
                }
            }
        }
    }
}

fn pager(asked: &Asked, found: &Found) -> Markup {
    let link = |from: usize| {
        let (status, text) = (encode(&asked.status), encode(&asked.text));
        format!("/runs?status={status}&text={text}&from={from}")
    };
    html! {
        nav.pager aria-label="Pages" {
            @if asked.from > 0 { a href=(link(0)) { "Newest" } }
            span { (found.all) " runs in all" }
            @if let Some(next) = found.next { a href=(link(next)) rel="next" { "Older" } }
        }
    }
}
