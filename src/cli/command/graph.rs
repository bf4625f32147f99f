//! `flowctl graph`.

use super::Result;
use super::drive::with_code;
use super::run::flow_file;
use crate::cli::args::{Graph, GraphFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::plan::Format;

pub(super) fn graph(engine: &Engine, args: &Graph, output: &mut Output) -> Result {
    let (compiled, _) = with_code(engine, &args.code)
        .compile(&flow_file(&args.flow)?)
        .map_err(Failure::Diagnostics)?;
    let format = match args.format {
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Dot => Format::Dot,
        GraphFormat::Text => Format::Text,
    };
    output.data(&compiled.plan.show(format))?;
    Ok(Exit::SUCCESS)
}
