//! Starting a run, from a form made of the flow's inputs.

use std::path::Path;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::field::field;
use super::{Problem, layout, page, to};
use crate::engine::{Begin, Engine, Error};
use crate::flow::InputDecl;
use crate::value::Object;
use crate::web::auth::Person;
use crate::web::form::encode;
use crate::web::state::App;

/// Flows that are listed.
const MOST: usize = 500;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    flow: String,
}

/// The flow files of the workspace's `flows` and of its own folder.
fn flows(engine: &Engine) -> Vec<String> {
    let workspace = engine.layout.workspace();
    let mut found: Vec<String> = Vec::new();
    for folder in ["flows", ""] {
        let entries = std::fs::read_dir(workspace.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries.take(10_000) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = Path::new(folder).join(&name).to_string_lossy().into_owned();
            let is_flow = [".yaml", ".yml"].iter().any(|end| name.ends_with(end))
                && std::fs::read_to_string(entry.path())
                    .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "nodes:"));
            if is_flow {
                found.push(path);
            } else if entry.path().join("flow.dag.yaml").is_file() {
                found.push(format!("{path}/flow.dag.yaml"));
            }
        }
    }
    found.sort();
    found.truncate(MOST);
    found
}

/// What the form of a flow shows.
struct Asking {
    flow: String,
    description: String,
    inputs: Vec<(String, InputDecl)>,
}

fn ask(engine: &Engine, flow: &str) -> Result<Asking, Problem> {
    let path = engine.flow_below(flow)?;
    let (compiled, _) = engine
        .compile(&path)
        .map_err(|problems| invalid(&Error::Invalid(problems)))?;
    let scope = compiled.plan.root();
    Ok(Asking {
        flow: flow.to_owned(),
        description: scope.name.clone(),
        inputs: scope
            .inputs
            .iter()
            .map(|(name, input)| (name.clone(), input.clone()))
            .collect(),
    })
}

/// What is wrong with a flow or with what it was given, in one line for each.
fn invalid(error: &Error) -> Problem {
    let text = match error {
        Error::Invalid(problems) => {
            let lines = problems.iter().map(|problem| {
                let label = &problem.primary.text;
                let label = if label.is_empty() {
                    String::new()
                } else {
                    format!(" ({label})")
                };
                format!("{}{label}", problem.message)
            });
            lines.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    Problem::new(StatusCode::BAD_REQUEST, text)
}

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if asked.flow.is_empty() {
        let flows = app.blocking(flows).await;
        let body = html! {
            h1 { "Start a run" }
            @if flows.is_empty() { p.note { "There is no flow in `flows/`; `flowctl init` writes one." } }
            ul.files { @for flow in flows { li { a href={ "/start?flow=" (encode(&flow)) } { code { (flow) } } } } }
        };
        let body = layout::whole(&app, &person, "Start a run", &body);
        return Ok(page(StatusCode::OK, body));
    }
    let asking = app.blocking(move |engine| ask(engine, &asked.flow)).await?;
    let body = form(&app, &person, &asking);
    let body = layout::whole(&app, &person, "Start a run", &body);
    Ok(page(StatusCode::OK, body))
}

fn form(app: &App, person: &Person, asking: &Asking) -> Markup {
    html! {
        p.crumbs { a href="/start" { "Start a run" } " / " (asking.flow) }
        h1 { (asking.description) }
        section {
            form method="post" action="/start" {
                input type="hidden" name="token" value=(person.form_token(app));
                input type="hidden" name="flow" value=(asking.flow);
                @for (name, input) in &asking.inputs {
                    (field(name, &input.schema, input.default.as_ref(), input.default.is_none()))
                }
                div.buttons { button.yes type="submit" { "Start" } }
                p.hint { "Lists and mappings are written as JSON or YAML; lists of words also with commas." }
            }
        }
    }
}

pub(in crate::web) async fn start(
    State(app): State<App>,
    person: Person,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let given = |name: &str| {
        sent.iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.clone())
    };
    person.check_form(&app, &given("token").unwrap_or_default())?;
    let flow = given("flow").unwrap_or_default();
    let by = person.user.clone();
    let fleet = app.fleet.clone();
    let run = app.blocking(move |engine| {
        let asking = ask(engine, &flow)?;
        let mut inputs = Object::new();
        for (name, input) in &asking.inputs {
            let text = sent
                .iter()
                .find(|(known, _)| *known == format!("form.{name}"));
            let is_box = input.schema["type"] == "boolean";
            match text.map(|(_, text)| text.as_str()) {
                _ if is_box => {
                    inputs.insert(name.clone(), text.is_some().into());
                }
                // Left out: the default, or a problem that says so.
                None | Some("") => {}
                Some(text) => {
                    let value = input.read(text).map_err(|why| {
                        Problem::new(StatusCode::BAD_REQUEST, format!("`{name}`: {why}"))
                    })?;
                    inputs.insert(name.clone(), value);
                }
            }
        }
        let begin = Begin {
            flow,
            inputs,
            id: None,
            by,
        };
        fleet.start(&begin).map_err(|error| invalid(&error))
    });
    let run = run.await?;
    Ok(to(&format!("/runs/{}", encode(run.as_str()))))
}
