//! `flowctl runs`.

use std::fmt::Write as _;

use serde_json::json;

use super::Result;
use crate::cli::args::Runs;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::engine::{Engine, Overview};

pub(super) fn runs(engine: &Engine, args: &Runs, output: &mut Output) -> Result {
    let mut shown = Vec::new();
    for dir in engine.layout.all_runs()? {
        let overview = Overview::glance(&dir);
        if args.waiting
            && overview
                .as_ref()
                .is_ok_and(|overview| overview.waiting.is_empty())
        {
            continue;
        }
        shown.push((dir, overview));
        if args.limit.is_some_and(|limit| shown.len() >= limit) {
            break;
        }
    }
    if args.json {
        for (dir, overview) in &shown {
            let line = match overview {
                Ok(overview) => json!({
                    "run": dir.id, "status": overview.status, "flow": overview.flow, "by": overview.by,
                    "started": overview.started, "waiting": overview.waiting,
                }),
                Err(error) => {
                    json!({ "run": dir.id, "status": "damaged", "error": error.to_string() })
                }
            };
            output.json(&line.to_string())?;
        }
        return Ok(Exit::SUCCESS);
    }
    if shown.is_empty() {
        output.say(if args.waiting {
            "no run waits for an answer"
        } else {
            "there are no runs; start one with `flowctl run FLOW`"
        });
        return Ok(Exit::SUCCESS);
    }
    let width = shown
        .iter()
        .map(|(dir, _)| dir.id.as_str().len())
        .max()
        .unwrap_or(3)
        .max(3);
    let mut text = format!(
        "{:<width$}  {:<11}  {:<20}  {}\n",
        "RUN", "STATUS", "STARTED", "FLOW"
    );
    for (dir, overview) in &shown {
        match overview {
            Ok(overview) => {
                // To the second is enough for people.
                let started: String = overview.started.chars().take(19).chain(['Z']).collect();
                let waiting = if overview.waiting.is_empty() {
                    String::new()
                } else {
                    format!(" (waits: {})", overview.waiting.join(", "))
                };
                _ = writeln!(
                    text,
                    "{:<width$}  {:<11}  {started:<20}  {}{waiting}",
                    dir.id.as_str(),
                    overview.status,
                    overview.flow
                );
            }
            Err(error) => {
                _ = writeln!(
                    text,
                    "{:<width$}  {:<11}  {error}",
                    dir.id.as_str(),
                    "damaged"
                );
            }
        }
    }
    output.data(text.trim_end())?;
    Ok(Exit::SUCCESS)
}
