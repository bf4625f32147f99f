//! `flowctl completions`.

use clap::CommandFactory as _;

use super::Result;
use crate::cli::args::{Args, Completions};
use crate::cli::exit::Exit;
use crate::cli::output::Output;

pub(super) fn completions(args: &Completions, output: &mut Output) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "flowctl", &mut script);
    output.bytes(&script)?;
    Ok(Exit::SUCCESS)
}
