//! The command line: arguments, progress, rendering of diagnostics, exit codes.
//!
//! Only asks the engine and renders; decides nothing. stdout carries data, stderr everything else.

mod args;
mod command;
mod exit;
mod failure;
mod output;
mod printable;
mod progress;
pub(crate) mod render;
mod report;
mod signals;
mod ssh;
mod who;

pub use exit::Exit;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::engine::Engine;
use crate::evidence::Signer;
use crate::store::Layout;
use crate::tool::Registration;
use args::{Args, LogFormat};
use output::Output;

/// Runs the program and gives its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let program = program_name(args.first());
    let parsed = match Args::try_parse_from(&args) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version go to stdout and are a success; usage errors are 2.
            let code = if error.use_stderr() {
                Exit::USAGE
            } else {
                Exit::SUCCESS
            };
            error.print().ok();
            return code.into();
        }
    };
    if crate::tool::secret_variables().next().is_some() {
        who::keep_to_itself();
    }
    start_log(&parsed);
    let mut output = Output::new(program, parsed.workspace.clone());
    let result =
        engine(&parsed).and_then(|engine| command::run(&engine, parsed.command, &mut output));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => failure.show(&mut output).into(),
    }
}

/// How the user called the program, for "type this next": by name from the PATH, or by its path.
fn program_name(first: Option<&OsString>) -> String {
    let text = first
        .map(|first| first.to_string_lossy().into_owned())
        .unwrap_or_default();
    if text.contains('/') {
        text
    } else {
        "flowctl".to_owned()
    }
}

/// The composition root: here, and only here, the engine learns which personas exist.
///
/// The key is read before anything runs, so that a wrong one costs nothing.
fn engine(args: &Args) -> Result<Engine, failure::Failure> {
    let personas = crate::personas::all()
        .iter()
        .map(|persona| Registration {
            name: persona.name,
            tool: persona.tool,
            summary: persona.summary,
            effect: persona.effect,
            skills: persona.skills,
            signature: persona.signature,
            function: persona.function,
        })
        .collect();
    let signer = args
        .command
        .signing_key()
        .map(|path| {
            Signer::load(path).map_err(|message| {
                let path = path.display();
                failure::Failure::usage(format!(
                    "the signing key `{path}` cannot be used: {message}"
                ))
            })
        })
        .transpose()?;
    Ok(Engine {
        layout: Layout::new(&args.workspace),
        personas,
        contracts: crate::contracts::schema,
        who: who::who(),
        clock: jiff::Timestamp::now,
        secrets: crate::engine::SecretsFile::default(),
        signer: signer.map(std::sync::Arc::new),
        variable: who::variable,
        surroundings: crate::tool::Surroundings {
            variable: who::variable,
            ..crate::tool::Surroundings::default()
        },
        distance: crate::engine::Distance {
            ingress: given("FLOWCTL_RESTATE_URL"),
            token: given("FLOWCTL_RESTATE_TOKEN"),
            object_store: given("FLOWCTL_OBJECT_STORE"),
        },
    })
}

/// A variable that says something.
fn given(name: &str) -> Option<String> {
    who::variable(name).filter(|value| !value.trim().is_empty())
}

fn start_log(args: &Args) {
    use tracing_subscriber::EnvFilter;
    let default = match args.verbose {
        // What the SDK calls a failure is a run that waits.
        0 => "warn,restate_sdk=error",
        1 => "flowctl=info",
        2 => "flowctl=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start, as in tests, is no error: the first one stays.
    let started = match args.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(output::colours()).try_init(),
    };
    started.ok();
}
