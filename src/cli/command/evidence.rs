//! `flowctl evidence …`.

use super::{Result, export};
use crate::cli::args::{Evidence, EvidenceCommand};
use crate::cli::output::Output;
use crate::engine::Engine;

pub(super) fn evidence(engine: &Engine, args: &Evidence, output: &mut Output) -> Result {
    match &args.command {
        EvidenceCommand::Export(args) => export::export(engine, args, output),
    }
}
