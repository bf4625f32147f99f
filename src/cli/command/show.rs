//! `flowctl show`.

use std::fmt::Write as _;
use std::time::Duration;

use super::Result;
use crate::cli::args::Show;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::report;
use crate::engine::{Delivered, Engine, OpenRun};
use crate::flow::show_duration;
use crate::id::NodePath;
use crate::run::{Instance, Payload};

/// How much of an input is shown.
const INPUT: usize = 160;

pub(super) fn show(engine: &Engine, args: &Show, output: &mut Output) -> Result {
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    let status = run.status_word();
    let text = match &args.node {
        Some(node) => one_node(engine, &run, node, args.json, output)?,
        None if args.json => {
            serde_json::to_string_pretty(&report::json(&run, status)?).expect("JSON becomes text")
        }
        None => whole(&run, status, output),
    };
    if args.json {
        output.json(&text)?;
    } else {
        output.data(&text)?;
    }
    Ok(if args.exit_status {
        Exit::of_status(status)
    } else {
        Exit::SUCCESS
    })
}

fn whole(run: &OpenRun, status: &str, output: &Output) -> String {
    let mut text = format!("run {} of {}: {status}\n", run.id(), run.started.flow);
    let started = run.told.started_at;
    _ = writeln!(
        text,
        "started by {} at {started}, from {}",
        run.started.by, run.started.path
    );
    for (name, value) in &run.started.inputs {
        _ = writeln!(text, "  {name} = {value}");
    }
    text.push('\n');
    let walk = run.state.walk(&run.compiled.plan);
    let width = walk
        .iter()
        .map(|id| run.state.instance(*id).path.as_str().chars().count())
        .max()
        .unwrap_or(0);
    for id in walk {
        let instance = run.state.instance(id);
        let note = note(instance);
        // The table keeps its form; the whole message is shown with the node.
        let note = match note.split_once('\n') {
            Some((first, _)) => format!("{first} …"),
            None => note,
        };
        _ = writeln!(
            text,
            "  {:<width$}  {:<10}{note}",
            instance.path.as_str(),
            run.state.word(id)
        );
    }
    for line in decisions(run) {
        _ = writeln!(text, "{line}");
    }
    if let Some((node, message, help)) = run.state.failure() {
        let of = node
            .as_ref()
            .map_or_else(String::new, |node| format!("`{node}`: "));
        _ = writeln!(text, "\nfailed: {of}{message}");
        if let Some(help) = help {
            let help = report::concrete(help, run.id().as_str(), node.as_ref(), output);
            _ = writeln!(text, "help: {help}");
        }
    }
    if let Some(bundle) = report::bundle(run) {
        _ = writeln!(text, "\nevidence {bundle}");
    }
    for line in not_told(run) {
        _ = writeln!(text, "{line}");
    }
    text
}

/// The notifications that did not arrive.
fn not_told(run: &OpenRun) -> Vec<String> {
    // What cannot be read says nothing of the run.
    let lines = crate::engine::notified(&run.dir).unwrap_or_default();
    let line = |event: &str, told: &Delivered| {
        let error = told.error.as_ref()?;
        let times = match told.attempts {
            0 | 1 => String::new(),
            attempts => format!(" ({attempts} attempts)"),
        };
        Some(format!(
            "\n{} was not told that the run is {event}{times}: {error}",
            told.to
        ))
    };
    lines
        .iter()
        .flat_map(|all| all.told.iter().filter_map(|told| line(&all.event, told)))
        .collect()
}

fn note(instance: &Instance) -> String {
    let took = instance
        .started
        .zip(instance.ended)
        .and_then(|(started, ended)| Duration::try_from(ended.duration_since(started)).ok());
    let mut notes: Vec<String> = took.map(show_duration).into_iter().collect();
    if instance.attempt > 1 {
        notes.push(format!("attempt {}", instance.attempt));
    }
    if instance.cached.is_some() {
        notes.push("cached".to_owned());
    }
    if !instance.files.is_empty() {
        notes.push(format!("{} files", instance.files.len()));
    }
    notes.extend(instance.reason.clone());
    if let Some(error) = &instance.error {
        notes.push(error.message.clone());
    }
    notes.join(", ")
}

fn decisions(run: &OpenRun) -> Vec<String> {
    let line = |payload: &Payload| match payload {
        Payload::ApprovalDecided(data) => {
            let verb = data.decision.word();
            let comment = data
                .comment
                .as_deref()
                .map_or_else(String::new, |comment| format!(": {comment}"));
            Some(format!(
                "\n`{}` {verb} by {} ({}) at {}{comment}",
                data.node, data.by, data.identity, data.at
            ))
        }
        Payload::Rewound(data) => Some(format!(
            "\nround {} began at `{}`, sent back by {}",
            data.round, data.target, data.by
        )),
        Payload::DecisionRefused(data) => Some(format!(
            "\nan answer of {} to `{}` was refused: {}",
            data.decision.by, data.decision.node, data.reason
        )),
        _ => None,
    };
    run.told
        .events
        .iter()
        .filter_map(|event| line(&event.payload))
        .collect()
}

fn one_node(
    engine: &Engine,
    run: &OpenRun,
    name: &str,
    as_json: bool,
    screen: &Output,
) -> std::result::Result<String, Failure> {
    let Some(id) = run.state.find(&NodePath::from(name)) else {
        let walk = run.state.walk(&run.compiled.plan);
        let paths: Vec<&str> = walk
            .iter()
            .map(|id| run.state.instance(*id).path.as_str())
            .collect();
        let help = match crate::diagnostic::nearest(name, paths.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "there is {}",
                crate::diagnostic::or_list(paths.iter().copied())
            ),
        };
        return Err(Failure::usage(format!("the run has no node `{name}`")).help(help));
    };
    let instance = run.state.instance(id);
    let output = run.output(id)?;
    let found = run.findings(id)?;
    if as_json {
        let object = run.report_node(engine, id)?;
        return Ok(serde_json::to_string_pretty(&object).expect("JSON becomes text"));
    }
    let mut text = format!(
        "{} of run {}: {}",
        instance.path,
        run.id(),
        run.state.word(id)
    );
    let note = note(instance);
    if !note.is_empty() {
        _ = write!(text, " ({note})");
    }
    text.push('\n');
    if let Some(help) = instance
        .error
        .as_ref()
        .and_then(|error| error.help.as_ref())
    {
        let help = report::concrete(help, run.id().as_str(), Some(&instance.path), screen);
        _ = writeln!(text, "help: {help}");
    }
    if let Some(request) = &instance.request {
        _ = writeln!(text, "asks for approval of {}", request.digest);
    }
    for input in run.inputs_of(engine, id) {
        _ = match &input.value {
            Ok(value) => writeln!(text, "  {} = {}", input.name, cut(&value.to_string())),
            Err(why) => writeln!(text, "  {}: {why}", input.name),
        };
    }
    for file in instance.files.iter() {
        _ = writeln!(text, "  {} ({} bytes)", file.path, file.bytes);
    }
    if let Some(found) = found {
        _ = writeln!(
            text,
            "what it had found:\n{}",
            serde_json::to_string_pretty(&found).expect("JSON becomes text")
        );
    }
    if let Some(output) = output {
        _ = writeln!(
            text,
            "{}",
            serde_json::to_string_pretty(&output).expect("JSON becomes text")
        );
    }
    Ok(text)
}

/// The beginning of a value; `--json` gives all of it.
fn cut(value: &str) -> String {
    match value.char_indices().nth(INPUT) {
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
        None => value.to_owned(),
    }
}
