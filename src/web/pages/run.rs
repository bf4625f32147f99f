//! One run: where it is, what it waits for, its flow, nodes and files.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::review::when;
use super::{Problem, layout, page};
use crate::engine::{Change, Engine, OpenRun, Review, ReviewedFile};
use crate::flow::show_duration;
use crate::run::{InstanceId, Payload};
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::graph;
use crate::web::state::App;

/// Rows of the list of nodes; a run may have a hundred thousand.
const NODES: usize = 500;
/// Lines of what happened.
const TOLD: usize = 300;

struct Shown {
    run: OpenRun,
    files: Result<Review, String>,
    status: &'static str,
    now: Timestamp,
}

impl Shown {
    fn of(engine: &Engine, run: &str) -> Result<Self, Problem> {
        let dir = engine.layout.find(run)?;
        let run = engine.read_run(&dir)?;
        let files = Review::of(&run, engine.layout.workspace());
        Ok(Self {
            files: files.map_err(|error| error.to_string()),
            status: run.status_word(),
            now: engine.now(),
            run,
        })
    }
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    let shown = app.blocking(move |engine| Shown::of(engine, &run)).await?;
    let title = format!("Run {}", shown.run.id());
    let body = layout::whole(&app, &person, &title, &body(&app, &person, &shown));
    Ok(page(StatusCode::OK, body))
}

fn body(app: &App, person: &Person, shown: &Shown) -> Markup {
    let run = &shown.run;
    let base = format!("/runs/{}", encode(run.id().as_str()));
    let ended = run.state.status().ended();
    html! {
        p.crumbs { a href="/runs" { "Runs" } " / " (run.id()) }
        div data-follow=[(!ended).then(|| run.id().as_str())] {
            h1 { (run.started.flow) " " span data-live="status" aria-live="polite" { (layout::status(shown.status)) } }
            p.lead {
                "Run " code { (run.id()) } ", started by " strong { (run.started.by) } " at " (when(run.told.started_at)) " from " code { (run.started.path) }
                ". Round " (run.state.round()) "."
            }
            div data-live="now" { (now(shown, &base)) }
            section { h2 { "Flow" } div data-live="graph" { (graph::draw(run)) } }
            section { h2 { "Nodes" } div data-live="nodes" { (nodes(shown, &base)) } }
            section { h2 { "Files" } div data-live="files" { (files(shown, &base)) } }
            section { h2 { "What happened" } div data-live="told" { (told(run)) } }
            section { h2 { "Inputs" } (inputs(run)) }
            div data-live="acts" { (acts(app, person, shown, &base)) }
        }
    }
}

fn now(shown: &Shown, base: &str) -> Markup {
    let run = &shown.run;
    html! {
        @for id in run.state.waiting() {
            @let instance = run.state.instance(id);
            @let request = instance.request.as_deref();
            p.ask {
                a.button href={ (base) "/review/" (encode(instance.path.as_str())) } { "Review " (instance.path) }
                @if let Some(request) = request {
                    " waits for " (run.state.quorum(&run.compiled.plan, id) - request.yeses.len()) " yes"
                    @if let Some(deadline) = request.deadline { ", until " (when(deadline)) }
                }
            }
        }
        @if let Some((node, message, help)) = run.state.failure() {
            p.problem role="alert" {
                @if let Some(node) = node { code { (node) } ": " }
                (message)
                @if let Some(help) = help { br; (help) }
            }
        }
        @if let Some((gate, by, reason)) = run.state.rejection() {
            p.problem { "Rejected" @if let Some(by) = by { " by " strong { (by) } } " at " code { (gate) } ": " (reason) }
        }
        @if shown.status == "interrupted" {
            p.note { "Nobody drives this run now." }
        }
    }
}

/// What can be asked of the run as it is.
fn acts(app: &App, person: &Person, shown: &Shown, base: &str) -> Markup {
    let acts: &[(&str, &str)] = match shown.status {
        "running" | "paused" => &[("cancel", "Cancel the run")],
        "interrupted" => &[("resume", "Go on"), ("cancel", "Cancel the run")],
        "failed" => &[("retry", "Try again what failed")],
        _ => &[],
    };
    html! {
        @if !acts.is_empty() {
            form.buttons method="post" {
                input type="hidden" name="token" value=(person.form_token(app));
                @for (what, label) in acts {
                    button type="submit" formaction={ (base) "/do/" (what) } { (label) }
                }
            }
        }
    }
}

fn duration(shown: &Shown, id: InstanceId) -> Option<String> {
    let instance = shown.run.state.instance(id);
    let started = instance.started?;
    let ended = instance.ended.unwrap_or(shown.now);
    let took = std::time::Duration::try_from(ended.duration_since(started)).ok()?;
    Some(show_duration(took))
}

fn nodes(shown: &Shown, base: &str) -> Markup {
    let run = &shown.run;
    let walk = run.state.walk(&run.compiled.plan);
    html! {
        table {
            thead { tr { th scope="col" { "Node" } th scope="col" { "Status" } th scope="col" { "Took" } th scope="col" { "Attempt" } th scope="col" { "Says" } } }
            tbody {
                @for id in walk.iter().take(NODES) {
                    @let instance = run.state.instance(*id);
                    tr {
                        td { a href={ (base) "/nodes/" (encode(instance.path.as_str())) } { (instance.path) } }
                        td { (layout::status(run.state.word(*id))) }
                        td { @if let Some(took) = duration(shown, *id) { (took) } }
                        td { @if instance.attempt > 0 { (instance.attempt) } }
                        td {
                            @if instance.cached.is_some() { "from the cache " }
                            @if let Some(reason) = &instance.reason { (reason) }
                            @if let Some(error) = &instance.error { (error.message) }
                        }
                    }
                }
            }
        }
        @if walk.len() > NODES { p.note { "The first " (NODES) " of " (walk.len()) " nodes; `flowctl show` lists all." } }
    }
}

fn files(shown: &Shown, base: &str) -> Markup {
    html! {
        @match &shown.files {
            Err(why) => p.problem { (why) },
            Ok(review) if review.files.is_empty() => p { "No node has made a file for the workspace." },
            Ok(review) => (folder(&review.files, 0, base)),
        }
    }
}

/// The files below a folder, as a tree: of each path, `depth` parts are above. Sorted by path.
fn folder(files: &[ReviewedFile], depth: usize, base: &str) -> Markup {
    let part = |file: &ReviewedFile| -> (String, bool) {
        let mut parts = file.file.path.split('/').skip(depth);
        let first = parts.next().unwrap_or_default().to_owned();
        (first, parts.next().is_some())
    };
    html! {
        ul.files {
            @for group in files.chunk_by(|one, other| part(one) == part(other)) {
                @let (name, is_folder) = part(&group[0]);
                li {
                    @if is_folder {
                        @let path = group[0].file.path.split('/').take(depth + 1).collect::<Vec<_>>().join("/");
                        details open[group.len() <= 40] data-key=(path) {
                            summary { code { (name) "/" } " " span.hint { (group.len()) } }
                            (folder(group, depth + 1, base))
                        }
                    } @else {
                        @for file in group {
                            a href={ (base) "/files/" (encode(&file.file.path)) } { code { (name) } }
                            " " span.hint {
                                @match file.change { Change::Added => "new", Change::Modified => "changed", Change::Unchanged => "as it is" }
                                ", " (file.file.bytes) " bytes, by " (file.node)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The latest of what happened, the last first: nodes that began and ended, answers, closings.
fn told(run: &OpenRun) -> Markup {
    let mut lines: Vec<(Timestamp, Markup)> = Vec::new();
    for id in run.state.walk(&run.compiled.plan) {
        let instance = run.state.instance(id);
        if let Some(started) = instance.started {
            lines.push((started, html! { code { (instance.path) } " began" @if instance.attempt > 1 { ", attempt " (instance.attempt) } }));
        }
        if let Some(ended) = instance.ended {
            lines.push((
                ended,
                html! { code { (instance.path) } " " (run.state.word(id)) },
            ));
        }
        if let Some(request) = &instance.request {
            lines.push((
                request.asked,
                html! { code { (instance.path) } " asked for approval, in round " (request.round) },
            ));
        }
    }
    lines.extend(
        run.told
            .events
            .iter()
            .map(|event| (event.ts, line(&event.payload))),
    );
    lines.push((
        run.told.started_at,
        html! { strong { (run.started.by) } " started the run" },
    ));
    lines.sort_by_key(|(at, _)| *at);
    let all = lines.len();
    html! {
        ol.told reversed start=(all) {
            @for (at, text) in lines.iter().rev().take(TOLD) { li { (when(*at)) " " (text) } }
        }
        @if all > TOLD { p.note { "The latest " (TOLD) " of " (all) "." } }
    }
}

fn line(payload: &Payload) -> Markup {
    html! {
        @match payload {
            Payload::ApprovalDecided(data) => {
                strong { (data.by) } " " (data.decision.word()) " " code { (data.node) } " (" (data.identity) ")"
                @if let Some(comment) = &data.comment { ": " (comment) }
            }
            Payload::DecisionRefused(data) => { "an answer of " strong { (data.decision.by) } " to " code { (data.decision.node) } " did not count: " (data.reason) }
            Payload::Rewound(data) => { "round " (data.round) " began at " code { (data.target) } }
            Payload::CancelRequested(data) => { strong { (data.by) } " asked for the run to be cancelled" }
            Payload::RunSealed(data) => { "the evidence was closed: " code { (data.bundle) } }
            other => { (other.word()) }
        }
    }
}

fn inputs(run: &OpenRun) -> Markup {
    html! {
        @if run.started.inputs.is_empty() { p { "None." } }
        @else {
            dl { @for (name, value) in &run.started.inputs { dt { code { (name) } } dd { code { (value) } } } }
        }
    }
}
