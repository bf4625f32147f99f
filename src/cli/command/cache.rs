//! `flowctl cache`.

use serde_json::json;

use super::Result;
use crate::cli::args::{CacheAction, CacheArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::flow::parse_duration;
use crate::store::Cache;

pub(super) fn cache(engine: &Engine, args: &CacheArgs, output: &mut Output) -> Result {
    let cache = Cache::new(engine.layout.cache());
    match &args.action {
        None => list(&cache, args.json, output),
        Some(CacheAction::Clear(clear)) => {
            let age = match &clear.older_than {
                None => std::time::Duration::ZERO,
                Some(text) => parse_duration(text).ok_or_else(|| {
                    Failure::usage(format!("`{text}` is not a duration"))
                        .help("write `12h` or `30d`")
                })?,
            };
            let before = engine
                .now()
                .checked_sub(age)
                .unwrap_or(jiff::Timestamp::MIN);
            let cleared = cache.clear(before)?;
            if args.json {
                output.json(&json!(cleared).to_string())?;
            } else {
                output.say(&format!(
                    "removed {}, {} bytes",
                    entries(cleared.entries),
                    cleared.bytes
                ));
            }
            Ok(Exit::SUCCESS)
        }
    }
}

fn list(cache: &Cache, json: bool, output: &mut Output) -> Result {
    let (found, damaged) = cache.entries()?;
    let total: u64 = found.iter().map(|entry| entry.bytes).sum();
    if json {
        let report = json!({ "entries": found, "bytes": total, "damaged": damaged });
        output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
        return Ok(Exit::SUCCESS);
    }
    for entry in &found {
        output.data(&format!(
            "{}  {}  {} bytes  {}",
            &entry.key.hex()[..16],
            entry.created,
            entry.bytes,
            entry.tool
        ))?;
    }
    let broken = match damaged {
        0 => String::new(),
        count => format!(", and {count} damaged"),
    };
    output.say(&format!("{}{broken}, {total} bytes", entries(found.len())));
    Ok(Exit::SUCCESS)
}

fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}
