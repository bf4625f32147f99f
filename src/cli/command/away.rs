//! Runs on Restate: giving one there, and following it.

use super::Result;
use super::drive::{Manner, conclude};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Away, Driver, Engine};
use crate::store::RunDir;

/// Where a server takes requests that was started without being told otherwise.
pub(super) const INGRESS: &str = "http://127.0.0.1:8080";

/// Gives a run to Restate, and follows it until it pauses or ends.
#[cfg(feature = "restate")]
pub(super) fn give(driver: Driver, ingress: &str, manner: Manner, output: &mut Output) -> Result {
    let engine = driver.engine().clone();
    let dir = driver.dir().clone();
    let seen = driver.state().last_seq();
    let submit = crate::engine::restate::Submit {
        ingress: ingress.to_owned(),
        jobs: usize::from(manner.concurrency),
    };
    super::drive::runtime()?.block_on(engine.give_away(driver, &submit))?;
    if !manner.json {
        output.say(&format!("  on Restate at {ingress}"));
    }
    follow(&engine, &dir, seen, manner, output)
}

/// Follows a run that Restate has, until it pauses or ends.
#[cfg(feature = "restate")]
pub(super) fn follow(
    engine: &Engine,
    dir: &RunDir,
    seen: u64,
    manner: Manner,
    output: &mut Output,
) -> Result {
    let runtime = super::drive::runtime()?;
    let stop = {
        let _inside = runtime.enter();
        crate::cli::signals::stop()
    };
    let ended = {
        let run = engine.read_run(dir)?;
        let mut progress =
            crate::cli::progress::Progress::new(output, &run.compiled.plan, manner.json);
        runtime.block_on(engine.follow_away(dir, seen, &mut progress, stop))?
    };
    if ended == crate::engine::Ended::Interrupted && Away::has(dir)?.is_some() {
        output.say(&format!(
            "run {} goes on on Restate; `flowctl show {}` tells how far it is",
            dir.id, dir.id
        ));
        return Ok(Exit::from(ended));
    }
    let run = engine.read_run(dir)?;
    conclude(&run, ended, manner, output)
}

/// Gives a run once more that Restate has already, which changes nothing, and follows it.
#[cfg(feature = "restate")]
pub(super) fn again(
    engine: &Engine,
    dir: &RunDir,
    note: &Away,
    manner: Manner,
    output: &mut Output,
) -> Result {
    super::drive::runtime()?.block_on(engine.begin(note))?;
    let run = engine.read_run(dir)?;
    if run.state.status() == crate::run::Status::Paused {
        return conclude(&run, crate::engine::Ended::Paused, manner, output);
    }
    let seen = run.state.last_seq();
    drop(run);
    follow(engine, dir, seen, manner, output)
}

/// Has a run given back.
#[cfg(feature = "restate")]
pub(super) fn back(engine: &Engine, dir: &RunDir, note: &Away) -> std::result::Result<(), Failure> {
    Ok(super::drive::runtime()?.block_on(engine.take_back(dir, note))?)
}

#[cfg(not(feature = "restate"))]
pub(super) fn give(
    driver: Driver,
    _ingress: &str,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    drop(driver);
    Err(missing())
}

#[cfg(not(feature = "restate"))]
pub(super) fn follow(
    _engine: &Engine,
    _dir: &RunDir,
    _seen: u64,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    Err(missing())
}

#[cfg(not(feature = "restate"))]
pub(super) fn again(
    _engine: &Engine,
    _dir: &RunDir,
    _note: &Away,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    Err(missing())
}

#[cfg(not(feature = "restate"))]
pub(super) fn back(
    _engine: &Engine,
    _dir: &RunDir,
    _note: &Away,
) -> std::result::Result<(), Failure> {
    Err(missing())
}

/// What whoever wants Restate is told by a program without it.
#[cfg(not(feature = "restate"))]
pub(super) fn missing() -> Failure {
    Failure::usage("this flowctl was built without Restate")
        .help("`cargo install --path . --features restate` builds one with it")
}

/// Refuses what this program cannot do, before anything is begun.
#[cfg(feature = "restate")]
pub(super) fn check() -> std::result::Result<(), Failure> {
    Ok(())
}

#[cfg(not(feature = "restate"))]
pub(super) fn check() -> std::result::Result<(), Failure> {
    Err(missing())
}
