//! Runs on Restate: giving one there, and following it.

use super::Result;
use super::drive::{Manner, conclude};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Away, Driver, Ended, Engine};
use crate::run::Status;
use crate::store::RunDir;

/// Where a server takes requests that was started without being told otherwise.
pub(super) const INGRESS: &str = "http://127.0.0.1:8080";

/// Gives a run to Restate, and follows it until it pauses or ends.
pub(super) fn give(driver: Driver, ingress: &str, manner: Manner, output: &mut Output) -> Result {
    let engine = driver.engine().clone();
    let dir = driver.dir().clone();
    let (seen, status) = (driver.state().last_seq(), driver.state().status());
    let submit = crate::engine::restate::Submit {
        ingress: ingress.to_owned(),
        jobs: usize::from(manner.concurrency),
    };
    super::drive::runtime()?.block_on(engine.give_away(driver, &submit))?;
    if !manner.json {
        output.say(&format!("  on Restate at {ingress}"));
    }
    follow_on(&engine, &dir, (seen, status), manner, output)
}

/// Follows a run from where it stood, unless there it waits for people: nothing happens then.
fn follow_on(
    engine: &Engine,
    dir: &RunDir,
    (seen, status): (u64, Status),
    manner: Manner,
    output: &mut Output,
) -> Result {
    if status == Status::Paused {
        let run = engine.read_run(dir)?;
        return conclude(&run, Ended::Paused, manner, output);
    }
    follow(engine, dir, seen, manner, output)
}

/// Follows a run that Restate has, until it pauses or ends.
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
    if ended == Ended::Interrupted && Away::has(dir)?.is_some() {
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
pub(super) fn again(
    engine: &Engine,
    dir: &RunDir,
    note: &Away,
    manner: Manner,
    output: &mut Output,
) -> Result {
    super::drive::runtime()?.block_on(engine.begin(note))?;
    let state = engine.read_run(dir)?.state;
    let stood = (state.last_seq(), state.status());
    follow_on(engine, dir, stood, manner, output)
}

/// Takes a run back that somebody has ended on Restate; says whether it was so.
pub(super) fn reclaim(
    engine: &Engine,
    dir: &RunDir,
    note: &Away,
) -> std::result::Result<bool, Failure> {
    Ok(super::drive::runtime()?.block_on(engine.reclaim(dir, note))?)
}

/// Has a run given back.
pub(super) fn back(engine: &Engine, dir: &RunDir, note: &Away) -> std::result::Result<(), Failure> {
    Ok(super::drive::runtime()?.block_on(engine.take_back(dir, note))?)
}

/// What whoever wants Restate is told by a program without it; this one has it.
pub(super) fn missing() -> Option<Failure> {
    None
}
