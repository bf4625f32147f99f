//! `flowctl init`.

use super::Result;
use crate::cli::args::Init;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::store::replace;
use crate::tool::{builtin_flows, builtin_skills};

pub(super) fn init(args: &Init, output: &mut Output) -> Result {
    let schema = serde_json::to_string_pretty(&crate::flow::json_schema())
        .expect("JSON becomes text")
        + "\n";
    let files: Vec<(String, Vec<u8>)> = builtin_flows()
        .iter()
        .map(|(path, bytes)| (format!("flows/{path}"), bytes.to_vec()))
        .chain(
            builtin_skills()
                .iter()
                .map(|(path, bytes)| (format!("skills/{path}"), bytes.to_vec())),
        )
        .chain([("schemas/flow.schema.json".to_owned(), schema.into_bytes())])
        .collect();
    let (mut written, mut same, mut edited) = (0, 0, Vec::new());
    for (path, bytes) in &files {
        match std::fs::read(args.dir.join(path)) {
            Ok(now) if now == *bytes => same += 1,
            Ok(_) if !args.force => edited.push(path.as_str()),
            _ => {}
        }
    }
    if !edited.is_empty() {
        let names = crate::diagnostic::or_list(edited.iter().copied());
        return Err(Failure::new(
            Exit::UNEXPECTED,
            format!("these files are there and were edited: {names}"),
        )
        .help("nothing was written; `--force` overwrites them, another folder leaves them alone"));
    }
    for (path, bytes) in &files {
        let target = args.dir.join(path);
        if std::fs::read(&target).is_ok_and(|now| now == *bytes) {
            continue;
        }
        replace(&target, bytes)?;
        written += 1;
    }
    output.say(&format!(
        "{}: {written} files written, {same} were there already",
        args.dir.display()
    ));
    let flow = args.dir.join("flows/infra-product.yaml");
    let flow = if args.dir == std::path::Path::new(".") {
        "flows/infra-product.yaml".to_owned()
    } else {
        flow.display().to_string()
    };
    output.say(&format!(
        "  run it   {}",
        output.next(&format!("run {flow}"))
    ));
    Ok(Exit::SUCCESS)
}
