//! A file that a run would publish, or has: its content, and what it changes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::diff::{self, FileDiff};
use super::{Problem, layout, page};
use crate::engine::{Change, Review, ReviewedFile};
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::highlight;
use crate::web::state::App;

/// How much of a file is shown.
const MOST: usize = 512 * 1024;

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Path((run, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let wanted = run.clone();
    let name = path.clone();
    // Only what the run itself lists: a path that leads elsewhere is in no list.
    let file: ReviewedFile = app
        .blocking(move |engine| {
            let dir = engine.layout.find(&wanted)?;
            let open = engine.read_run(&dir)?;
            let review = Review::of(&open, engine.layout.workspace())?;
            let mut files = review.files.into_iter();
            files
                .find(|file| file.file.path == name)
                .ok_or_else(|| Problem::not_found(format!("file `{name}` in this run")))
        })
        .await?;
    let base = format!("/runs/{}", encode(&run));
    let note = match file.change {
        Change::Added => "new",
        Change::Modified => "changed",
        Change::Unchanged => "as it is",
    };
    let body = html! {
        p.crumbs { a href="/runs" { "Runs" } " / " a href=(base) { (run) } " / " (path) }
        h1 { code { (path) } }
        ul.facts {
            li { (note) } li { strong { (file.file.bytes) } " bytes" }
            li { "made by " a href={ (base) "/nodes/" (encode(&file.node)) } { (file.node) } }
            li { code { (file.file.sha256) } }
        }
        @if file.change == Change::Modified {
            (diff::show(&FileDiff { path: path.clone(), before: file.before.clone(), after: file.after.clone(), note }, true))
        }
        @match &file.after {
            None => p.note { "It is no text." },
            Some(text) if text.len() > MOST => p.note { "It is too long to be shown here; `flowctl review` shows it." },
            Some(text) => div.scroll tabindex="0" role="region" aria-label="Content" { pre.code { code { (highlight::show(&path, text)) } } },
        }
    };
    Ok(page(
        StatusCode::OK,
        layout::whole(&app, &person, &path, &body),
    ))
}
