//! `flowctl run` and `flowctl resume`.

use std::path::{Path, PathBuf};

use super::drive::{
    CONCURRENCY, Manner, conclude, drive, runtime, tell_edited, with_code, with_secrets,
};
use super::{Result, away};
use crate::cli::args::{On, Resume, Run};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::{render, report};
use crate::diagnostic::Diagnostics;
use crate::engine::{Away, Compiled, Driver, Ended, Engine};
use crate::flow::{Dialect, Part, Selection};
use crate::id::RunId;
use crate::run::Status;
use crate::value::{Object, Value};

pub(super) fn run(engine: &Engine, args: &Run, output: &mut Output) -> Result {
    let mut engine = with_code(
        &with_secrets(engine, &args.drive.secrets)?,
        &args.drive.code,
    );
    engine.surroundings.selection = Selection {
        variant: args.variant.clone(),
        part: args.node.clone().map_or(Part::Whole, Part::Node),
    };
    let engine = &engine;
    if args.on == On::Restate
        && let Some(missing) = away::missing()
    {
        return Err(missing);
    }
    let id = args
        .run_id
        .as_deref()
        .map(RunId::parse)
        .transpose()
        .map_err(Failure::usage)?;
    let (compiled, warnings) = match engine.compile(&flow_file(&args.flow)?) {
        Ok(compiled) => compiled,
        Err(problems) => return invalid(problems, args.drive.json, output),
    };
    if !warnings.is_empty() {
        output.say_styled(render::text(&warnings).trim_end());
    }
    let mut given = read_inputs(args, &compiled)?;
    if args.node.is_some() {
        by_reference(&compiled, &mut given)?;
    }
    if compiled.plan.root().dialect == Dialect::PromptFlow {
        // As in Prompt Flow, whose callers pass whole rows of data.
        let declared = &compiled.plan.root().inputs;
        given.retain(|name, _| {
            let known = declared.contains_key(name);
            if !known {
                output.say(&format!(
                    "warning: the flow has no input `{name}`; it is left out"
                ));
            }
            known
        });
    }
    let driver = match engine.start(compiled, &given, id) {
        Ok(driver) => driver,
        Err(crate::engine::Error::Invalid(problems)) => {
            return invalid(problems, args.drive.json, output);
        }
        Err(error) => return Err(error.into()),
    };
    if !args.drive.json {
        output.say(&format!(
            "run {} of {}",
            driver.dir().id,
            driver.plan().root().name
        ));
    }
    let manner = Manner {
        concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
        json: args.drive.json,
        outputs: true,
    };
    if args.on == On::Restate {
        let given = args.restate_url.as_ref();
        let ingress = given.or(engine.distance.ingress.as_ref());
        let ingress = ingress.map_or(away::INGRESS, String::as_str).to_owned();
        return away::give(driver, &ingress, manner, output);
    }
    drive(driver, None, manner, output)
}

pub(super) fn invalid(problems: Diagnostics, json: bool, output: &mut Output) -> Result {
    if json {
        output.json(
            &serde_json::to_string_pretty(&report::invalid(&problems)).expect("JSON becomes text"),
        )?;
    }
    Err(Failure::Diagnostics(problems))
}

/// Inputs of a single node that are given as they are written in the flow: `fetch.output`, also
/// for `${fetch.output.url}`, and `inputs.x`.
fn by_reference(compiled: &Compiled, given: &mut Object) -> std::result::Result<(), Failure> {
    let mut used = Vec::new();
    for (name, input) in &compiled.plan.root().inputs {
        let Some(reference) = input.reads.as_ref().filter(|_| !given.contains_key(name)) else {
            continue;
        };
        let exact = reference.to_string();
        let exact = exact.trim_start_matches("${").trim_end_matches('}');
        let head = reference.head.to_string();
        let value = if let Some(value) = given.get(exact) {
            used.push(exact.to_owned());
            value.clone()
        } else if let Some(value) = given.get(&head) {
            used.push(head.clone());
            reference.path.apply(value).map_err(|message| {
                Failure::usage(format!(
                    "`{exact}` cannot be taken of `-i {head}=…`: {message}"
                ))
            })?
        } else {
            continue;
        };
        given.insert(name.clone(), value);
    }
    given.retain(|name, _| !used.contains(name));
    Ok(())
}

/// The flow file: of a folder, the `flow.dag.yaml` in it, as Prompt Flow's users name flows.
pub(super) fn flow_file(given: &str) -> std::result::Result<String, Failure> {
    let dir = Path::new(given);
    if !dir.is_dir() {
        return Ok(given.to_owned());
    }
    let there: Vec<PathBuf> = ["flow.dag.yaml", "flow.dag.yml"]
        .iter()
        .map(|name| dir.join(name))
        .filter(|path| path.is_file())
        .collect();
    match there.as_slice() {
        [one] => Ok(one.to_string_lossy().into_owned()),
        [] => Err(
            Failure::usage(format!("`{given}` is a folder without a `flow.dag.yaml`"))
                .help("name the flow file"),
        ),
        _ => Err(Failure::usage(format!(
            "`{given}` has both a `flow.dag.yaml` and a `flow.dag.yml`"
        ))
        .help("name the one that is meant")),
    }
}

/// The inputs of the file, then those of `-i`.
fn read_inputs(args: &Run, compiled: &Compiled) -> std::result::Result<Object, Failure> {
    let mut inputs = Object::new();
    if let Some(path) = &args.inputs {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
        let source = crate::yaml::decode(&shown, bytes).map_err(Failure::Diagnostics)?;
        let mut problems = Diagnostics::default();
        let node = crate::yaml::load(&source, &mut problems);
        if problems.has_errors() {
            return Err(Failure::Diagnostics(problems));
        }
        match node.map(|node| node.to_value()) {
            Some(Value::Object(object)) => inputs = object,
            Some(Value::Null) | None => {}
            Some(other) => {
                let what = crate::value::type_name(&other);
                return Err(Failure::usage(format!(
                    "`{shown}` is {what}, and inputs are a mapping"
                ))
                .help("write `name: value` lines"));
            }
        }
    }
    for pair in &args.input {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(
                Failure::usage(format!("`-i {pair}` has no `=`")).help("write `-i NAME=VALUE`")
            );
        };
        let value = match compiled.plan.root().inputs.get(name) {
            Some(input) => input.read(text).map_err(|message| {
                Failure::usage(format!("`-i {name}=…` cannot be read: {message}"))
                    .help(format!("give {}", input.expects()))
            })?,
            // Refused with the other inputs, where near names are known.
            None => Value::String(text.to_owned()),
        };
        inputs.insert(name.to_owned(), value);
    }
    Ok(inputs)
}

pub(super) fn resume(engine: &Engine, args: &Resume, output: &mut Output) -> Result {
    let engine = &with_code(
        &with_secrets(engine, &args.drive.secrets)?,
        &args.drive.code,
    );
    let dir = engine.layout.find(&args.run)?;
    let manner = Manner {
        concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
        json: args.drive.json,
        outputs: true,
    };
    let before = Away::of(&dir)?;
    if let Some(note) = before.as_ref().filter(|note| note.open) {
        if away::reclaim(engine, &dir, note)? {
            output.say("note: somebody had ended it on Restate; it is given there once more");
        } else if args.accept_changes {
            away::back(engine, &dir, note)?;
        } else {
            return away::again(engine, &dir, note, manner, output);
        }
    }
    let driver = engine.take_up(&dir, "resume")?;
    let status = driver.state().status();
    let ended = match status {
        Status::Succeeded if driver.state().sealed() => Some(Ended::Succeeded),
        Status::Rejected if driver.state().sealed() => Some(Ended::Rejected),
        Status::Cancelled if driver.state().sealed() => Some(Ended::Cancelled),
        _ => None,
    };
    if let Some(ended) = ended {
        let run = driver.close()?;
        if args.drive.json {
            return conclude(&run, ended, manner, output);
        }
        output.say(&format!(
            "run {} is {} already; nothing was done",
            dir.id,
            status.word()
        ));
        return Ok(ended.into());
    }
    let mut adopt = None;
    match driver.edited() {
        Ok(Some(edited)) if args.accept_changes => adopt = Some(edited),
        Ok(Some(edited)) => tell_edited(&driver, &edited, output),
        Ok(None) if args.accept_changes => output.say("note: nothing was edited since the run began"),
        Ok(None) => {}
        Err(problems) if args.accept_changes => return invalid(problems, args.drive.json, output),
        Err(_) => output.say("note: the flow's files were edited since the run began and have errors now; the run goes on with what it began with"),
    }
    let Some(note) = before else {
        return drive(driver, adopt, manner, output);
    };
    // Where it was it goes on.
    let driver = match adopt {
        Some(edited) => adopted(driver, edited, manner, output)?,
        None => driver,
    };
    away::give(driver, &note.ingress, manner, output)
}

/// Adopts an edit without driving.
fn adopted(
    mut driver: Driver,
    edited: Compiled,
    manner: Manner,
    output: &mut Output,
) -> std::result::Result<Driver, Failure> {
    let mut progress = Progress::new(output, driver.plan(), manner.json);
    runtime()?.block_on(driver.adopt(edited, &mut progress))?;
    drop(progress);
    Ok(driver)
}
