//! `flowctl run` and `flowctl resume`.

use super::Result;
use super::drive::{Manner, conclude, drive, tell_edited, with_secrets};
use crate::cli::args::{Resume, Run};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{render, report};
use crate::diagnostic::Diagnostics;
use crate::engine::{Compiled, Ended, Engine};
use crate::id::RunId;
use crate::run::Status;
use crate::value::{Object, Value};

pub(super) fn run(engine: &Engine, args: &Run, output: &mut Output) -> Result {
    let engine = &with_secrets(engine, &args.drive.secrets)?;
    let id = args
        .run_id
        .as_deref()
        .map(RunId::parse)
        .transpose()
        .map_err(Failure::usage)?;
    let (compiled, warnings) = match engine.compile(&args.flow) {
        Ok(compiled) => compiled,
        Err(problems) => return invalid(problems, args.drive.json, output),
    };
    if !warnings.is_empty() {
        output.say_styled(render::text(&warnings).trim_end());
    }
    let given = read_inputs(args, &compiled)?;
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
        concurrency: args.drive.concurrency,
        json: args.drive.json,
        outputs: true,
    };
    drive(driver, None, manner, output)
}

fn invalid(problems: Diagnostics, json: bool, output: &mut Output) -> Result {
    if json {
        output.json(
            &serde_json::to_string_pretty(&report::invalid(&problems)).expect("JSON becomes text"),
        )?;
    }
    Err(Failure::Diagnostics(problems))
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
    let engine = &with_secrets(engine, &args.drive.secrets)?;
    let dir = engine.layout.find(&args.run)?;
    let manner = Manner {
        concurrency: args.drive.concurrency,
        json: args.drive.json,
        outputs: true,
    };
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
    drive(driver, adopt, manner, output)
}
