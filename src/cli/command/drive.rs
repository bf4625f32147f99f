//! Driving a run to where it ends or pauses, for all commands that do.

use super::{Result, batch};
use crate::cli::args::{Code, Secrets};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::{report, signals, who};
use crate::engine::{
    self, Compiled, Driver, Ended, Engine, Limits, Notice, Observer as _, OpenRun, Results,
    SecretsFile,
};

/// Nodes at the same time, when nobody says otherwise.
pub(super) const CONCURRENCY: u16 = 16;

/// How to drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) concurrency: u16,
    pub(super) json: bool,
    /// Print the outputs of a run that has ended well.
    pub(super) outputs: bool,
}

/// The engine, with the secrets of the file that the user names.
pub(super) fn with_secrets(
    engine: &Engine,
    args: &Secrets,
) -> std::result::Result<Engine, Failure> {
    let mut engine = engine.clone();
    // An empty variable names no file.
    let named = args.secrets_file.as_deref();
    if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
        engine.secrets = SecretsFile::open(path)
            .map_err(|(message, help)| Failure::usage(message).help(help))?;
        who::keep_to_itself();
    }
    Ok(engine)
}

/// The engine, with what code beside flows is to run with.
pub(super) fn with_code(engine: &Engine, args: &Code) -> Engine {
    let mut engine = engine.clone();
    engine.surroundings.python.clone_from(&args.python);
    engine.surroundings.environment.clone_from(&args.env);
    engine
        .surroundings
        .connections
        .clone_from(&args.connections);
    engine
}

/// Makes the runtime of the program.
pub(super) fn runtime() -> std::result::Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(
            std::thread::available_parallelism()
                .map_or(2, std::num::NonZero::get)
                .min(4),
        )
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::UNEXPECTED, format!("cannot start: {error}")))
}

/// Drives, and says what came of it.
pub(super) fn drive(
    mut driver: Driver,
    adopt: Option<Compiled>,
    manner: Manner,
    output: &mut Output,
) -> Result {
    let runtime = runtime()?;
    let engine = driver.engine().clone();
    let stop = {
        let _inside = runtime.enter();
        signals::stop()
    };
    let ended = {
        let mut progress = Progress::new(output, driver.plan(), manner.json);
        runtime.block_on(async {
            if let Some(edited) = adopt {
                driver.adopt(edited, &mut progress).await?;
            }
            driver
                .drive(
                    Limits::alone(usize::from(manner.concurrency)),
                    stop.clone(),
                    &mut progress,
                )
                .await
        })
    };
    // The lock goes before the report, so that nobody is told of a run that is still held.
    let run = driver.close();
    if let (Ok(ended), Ok(run)) = (&ended, &run)
        && *ended != Ended::Interrupted
    {
        tell(&runtime, &engine, run, stop, output);
    }
    // A pure tool that does not end must not hold the program.
    runtime.shutdown_background();
    let ended = ended?;
    let run = run?;
    let said = conclude(&run, ended, manner, output);
    // The program ends now: of a run of many nodes, putting every piece of memory back takes longer
    // than leaving all of it to the system. Nothing in here writes when it goes.
    std::mem::forget(run);
    said
}

/// Tells whom the flow says. That it is told does not depend on it, nor does its end.
fn tell(
    runtime: &tokio::runtime::Runtime,
    engine: &Engine,
    run: &OpenRun,
    stop: tokio::sync::watch::Receiver<bool>,
    output: &mut Output,
) {
    match runtime.block_on(engine::tell(engine, run, None, stop)) {
        Ok(failures) => {
            for failure in failures {
                output.say(&format!("warning: {failure}"));
            }
        }
        Err(error) => output.say(&format!("warning: what was told cannot be noted: {error}")),
    }
}

/// Says where a run is that nobody drives any more.
pub(super) fn conclude(run: &OpenRun, ended: Ended, manner: Manner, output: &mut Output) -> Result {
    let status = match ended {
        Ended::Interrupted => "interrupted",
        _ => run.state.status().word(),
    };
    if let Some(results) = Results::of(run)? {
        let dir = run.dir.path.join("batch");
        let exit = batch::conclude(&dir, run, &results, status, manner.json, output)?;
        return Ok(if ended == Ended::Succeeded {
            exit
        } else {
            ended.into()
        });
    }
    if manner.json {
        output.json(
            &serde_json::to_string_pretty(&report::json(run, status)?).expect("JSON becomes text"),
        )?;
    } else {
        report::closing(run, status, output);
        if manner.outputs
            && let Some(outputs) = run.outputs()?.filter(|outputs| !outputs.is_empty())
        {
            output.json(&serde_json::to_string_pretty(&outputs).expect("JSON becomes text"))?;
        }
    }
    Ok(ended.into())
}

/// Tells that files were edited since the run began.
pub(super) fn tell_edited(driver: &Driver, edited: &Compiled, output: &mut Output) {
    let stale = driver
        .stale(edited)
        .into_iter()
        .map(|stale| (stale.node.to_string(), stale.why))
        .collect();
    Progress::new(output, driver.plan(), false).notice(&Notice::Edited { stale });
}
