//! `flowctl validate`.

use serde_json::json;

use super::Result;
use super::drive::with_code;
use super::run::flow_file;
use crate::cli::args::{ReportFormat, Validate};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::render;
use crate::diagnostic::Diagnostics;
use crate::engine::Engine;

pub(super) fn validate(engine: &Engine, args: &Validate, output: &mut Output) -> Result {
    let mut all = Diagnostics::default();
    let mut files = Vec::new();
    let engine = &with_code(engine, &args.code);
    for file in &args.files {
        let file = &flow_file(file)?;
        let (valid, problems) = match engine.compile(file) {
            Ok((compiled, mut warnings)) => match engine.check_policy(&compiled.plan) {
                Ok(_) => (true, warnings),
                Err(crate::engine::Error::Invalid(problems)) => {
                    warnings.extend(problems);
                    (false, warnings)
                }
                Err(error) => return Err(error.into()),
            },
            Err(problems) => (false, problems),
        };
        files.push(json!({ "path": file, "valid": valid }));
        if args.format == ReportFormat::Text {
            if !problems.is_empty() {
                output.say_styled(render::text(&problems).trim_end());
            }
            if valid {
                output.say(&format!("{file}: valid"));
            }
        }
        all.extend(problems);
    }
    if args.format == ReportFormat::Json {
        let report = json!({ "files": files, "diagnostics": render::json(&all) });
        output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
    }
    Ok(if all.has_errors() {
        Exit::INVALID
    } else {
        Exit::SUCCESS
    })
}
