//! What a program without the feature `restate` says to whoever wants it.

use super::Result;
use super::drive::Manner;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Away, Driver, Engine};
use crate::store::RunDir;

/// Where a server takes requests that was started without being told otherwise.
pub(super) const INGRESS: &str = "http://127.0.0.1:8080";

pub(super) fn give(
    driver: Driver,
    _ingress: &str,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    drop(driver);
    Err(without())
}

pub(super) fn follow(
    _engine: &Engine,
    _dir: &RunDir,
    _seen: u64,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    Err(without())
}

pub(super) fn again(
    _engine: &Engine,
    _dir: &RunDir,
    _note: &Away,
    _manner: Manner,
    _output: &mut Output,
) -> Result {
    Err(without())
}

pub(super) fn reclaim(
    _engine: &Engine,
    _dir: &RunDir,
    _note: &Away,
) -> std::result::Result<bool, Failure> {
    Err(without())
}

pub(super) fn back(
    _engine: &Engine,
    _dir: &RunDir,
    _note: &Away,
) -> std::result::Result<(), Failure> {
    Err(without())
}

fn without() -> Failure {
    Failure::usage("this flowctl was built without Restate")
        .help("`cargo install --path . --features restate` builds one with it")
}

/// The same, before anything is begun.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the other program has nothing to say"
)]
pub(super) fn missing() -> Option<Failure> {
    Some(without())
}
