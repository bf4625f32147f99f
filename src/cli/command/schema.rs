//! `flowctl schema`.

use super::Result;
use crate::cli::args::Schema;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

pub(super) fn schema(args: &Schema, output: &mut Output) -> Result {
    let names = || {
        ["flow", "approvers"]
            .into_iter()
            .chain(crate::contracts::NAMES.iter().copied())
    };
    if args.list {
        output.data(&names().collect::<Vec<_>>().join("\n"))?;
        return Ok(Exit::SUCCESS);
    }
    let schema = match args.name.as_str() {
        "flow" => Some(crate::flow::json_schema()),
        "approvers" => Some(crate::approvers::json_schema()),
        name => crate::contracts::schema(name),
    };
    let Some(schema) = schema else {
        let help = match crate::diagnostic::nearest(&args.name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is {}", crate::diagnostic::or_list(names())),
        };
        return Err(Failure::usage(format!("there is no schema `{}`", args.name)).help(help));
    };
    output.json(&serde_json::to_string_pretty(&schema).expect("JSON becomes text"))?;
    Ok(Exit::SUCCESS)
}
