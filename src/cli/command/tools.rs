//! `flowctl tools`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Result;
use crate::cli::args::Tools;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::port::{Effect, Port};

pub(super) fn tools(engine: &Engine, args: &Tools, output: &mut Output) -> Result {
    let tools = engine.live_registry().summaries();
    if args.json {
        let port = |port: &Port| json!({ "name": port.name, "required": port.required, "contract": port.contract, "schema": port.schema, "description": port.description });
        let all: Value = tools
            .iter()
            .map(|tool| {
                json!({
                    "kind": tool.kind, "name": tool.name, "tool": tool.tool, "summary": tool.summary, "origin": tool.origin,
                    "effect": effect(tool.effect),
                    "inputs": tool.signature.inputs.iter().map(port).collect::<Value>(),
                    "outputs": tool.signature.outputs.iter().map(port).collect::<Value>(),
                })
            })
            .collect();
        output.json(&serde_json::to_string_pretty(&all).expect("JSON becomes text"))?;
        return Ok(Exit::SUCCESS);
    }
    let mut text = String::new();
    for tool in tools {
        let runs = if tool.tool == tool.name {
            String::new()
        } else {
            format!(" runs {},", tool.tool)
        };
        _ = writeln!(
            text,
            "{} {}:{runs} {}, from {}",
            tool.kind,
            tool.name,
            effect(tool.effect),
            tool.origin
        );
        if !tool.summary.is_empty() {
            _ = writeln!(text, "  {}", tool.summary);
        }
        let ports = |ports: &[Port]| {
            let names: Vec<String> = ports.iter().map(shown).collect();
            if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            }
        };
        _ = writeln!(text, "  takes {}", ports(&tool.signature.inputs));
        _ = writeln!(text, "  gives {}", ports(&tool.signature.outputs));
    }
    output.data(&text)?;
    Ok(Exit::SUCCESS)
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure => "pure",
        Effect::Effectful => "effectful",
    }
}

fn shown(port: &Port) -> String {
    let optional = if port.required { "" } else { "?" };
    match &port.contract {
        Some(contract) => format!("{}{optional}: {contract}", port.name),
        None => format!("{}{optional}", port.name),
    }
}
