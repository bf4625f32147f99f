//! One node of a run: its output, what it printed, why it failed.

use std::io::{Read as _, Seek as _, SeekFrom};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::review::when;
use super::{Problem, layout, page};
use crate::engine::{Engine, NodeInput, OpenRun, log_file};
use crate::id::NodePath;
use crate::run::{InstanceId, NodeFailed};
use crate::value::Value;
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::state::App;

/// How much of an output is shown.
const OUTPUT: usize = 64 * 1024;
/// A value that is no longer than this is not folded.
const SHORT: usize = 160;
/// How much of the end of a log is shown.
const LOG: u64 = 32 * 1024;

struct Shown {
    run: OpenRun,
    id: InstanceId,
    inputs: Vec<NodeInput>,
    output: Option<Value>,
    about: Option<Value>,
    failure: Option<NodeFailed>,
    /// The end of what it printed, and whether there is more before.
    log: Option<(String, bool)>,
}

impl Shown {
    fn of(engine: &Engine, run: &str, node: &NodePath) -> Result<Self, Problem> {
        let dir = engine.layout.find(run)?;
        let run = engine.read_run(&dir)?;
        let id = run.state.find(node);
        let id = id.ok_or_else(|| Problem::not_found(format!("node `{node}` in this run")))?;
        let log = tail(&log_file(&dir, node.as_str()));
        let plan = &run.compiled.plan;
        let log = log.map(|(text, more)| (engine.without_secrets(plan, &text), more));
        Ok(Self {
            inputs: run.inputs_of(engine, id),
            output: run.output(id)?,
            about: run.about(id),
            failure: run.failure(id)?,
            log,
            id,
            run,
        })
    }
}

fn tail(path: &std::path::Path) -> Option<(String, bool)> {
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let from = length.saturating_sub(LOG);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG).read_to_end(&mut bytes).ok()?;
    Some((String::from_utf8_lossy(&bytes).into_owned(), from > 0))
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Path((run, node)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let path = NodePath::from(node.as_str());
    let shown = app
        .blocking(move |engine| Shown::of(engine, &run, &path))
        .await?;
    let title = format!(
        "{} of run {}",
        shown.run.state.instance(shown.id).path,
        shown.run.id()
    );
    let body = layout::whole(&app, &person, &title, &body(&shown));
    Ok(page(StatusCode::OK, body))
}

/// JSON for people, cut when it is long.
fn pretty(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= OUTPUT)
        .last();
    let shown = &text[..end.filter(|_| text.len() > OUTPUT).unwrap_or(text.len())];
    html! {
        pre { code { (shown) } }
        @if shown.len() < text.len() { p.note { "The first " (shown.len()) " of " (text.len()) " bytes; `flowctl show RUN NODE --json` prints all." } }
    }
}

/// What it is given, and where that comes from.
fn inputs(shown: &Shown) -> Markup {
    html! {
        @if !shown.inputs.is_empty() {
            section {
                h2 { "Inputs" }
                dl.inputs {
                    @for input in &shown.inputs {
                        dt { code { (input.name) } @if let Some(from) = &input.from { span.hint { " from " code { (from) } } } }
                        dd {
                            @match &input.value {
                                Ok(value) => (given(value)),
                                Err(why) => p.note { (why) },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A value: as it is when it is short, else folded.
fn given(value: &Value) -> Markup {
    let text = value.to_string();
    html! {
        @if text.len() <= SHORT { code { (text) } }
        @else {
            details {
                summary { code { (text.chars().take(SHORT / 2).collect::<String>()) "…" } " " span.hint { (text.len()) " bytes" } }
                (pretty(value))
            }
        }
    }
}

fn body(shown: &Shown) -> Markup {
    let run = &shown.run;
    let instance = run.state.instance(shown.id);
    let base = format!("/runs/{}", encode(run.id().as_str()));
    let gate = run.state.node(&run.compiled.plan, shown.id).gate.is_some();
    html! {
        p.crumbs { a href="/runs" { "Runs" } " / " a href=(base) { (run.id()) } " / " (instance.path) }
        h1 { (instance.path) " " (layout::status(run.state.word(shown.id))) }
        ul.facts {
            @if instance.attempt > 0 { li { "attempt " strong { (instance.attempt) } } }
            @if let Some(started) = instance.started { li { "began " (when(started)) } }
            @if let Some(ended) = instance.ended { li { "ended " (when(ended)) } }
            @if instance.cached.is_some() { li { "taken from the cache" } }
            @if gate { li { a href={ (base) "/review/" (encode(instance.path.as_str())) } { "its gate" } } }
            @if let Some(rewind) = run.state.feedback(&run.compiled.plan, shown.id) { li { "round " (rewind.round) ", after " (rewind.by) " said: " (rewind.feedback) } }
        }
        @if let Some(reason) = &instance.reason { p.note { (reason) } }
        @if let Some(failure) = &shown.failure {
            div.problem {
                p { "Attempt " (failure.attempt) " failed: " (failure.error.message) }
                @if let Some(help) = &failure.error.help { p { (help) } }
                @if let Some(found) = &failure.findings { details { summary { "What it had found" } pre { code { (found.get()) } } } }
            }
        }
        (inputs(shown))
        section {
            h2 { "Output" }
            @match &shown.output { Some(output) => (pretty(output)), None => p { "None yet." } }
        }
        @if let Some((log, more)) = &shown.log {
            section {
                h2 { "Log" }
                @if *more { p.note { "The end of it; `flowctl logs " (run.id()) " " (instance.path) "` prints all." } }
                pre tabindex="0" { code { (log) } }
            }
        }
        @if let Some(about) = &shown.about { section { h2 { "About" } (pretty(about)) } }
        @if !instance.files.is_empty() {
            section {
                h2 { "Files" }
                ul.files { @for file in instance.files.iter() {
                    li { a href={ (base) "/files/" (encode(&file.path)) } { code { (file.path) } } " " span.hint { (file.bytes) " bytes" } }
                } }
            }
        }
    }
}
