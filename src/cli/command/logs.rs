//! `flowctl logs`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use super::Result;
use crate::cli::args::Logs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Engine, log_file};
use crate::id::NodePath;
use crate::store::{RunDir, RunLock};

pub(super) fn logs(engine: &Engine, args: &Logs, output: &mut Output) -> Result {
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    if let Some(node) = &args.node
        && run.state.find(&NodePath::from(node)).is_none()
    {
        return Err(Failure::usage(format!("the run has no node `{node}`"))
            .help("`flowctl show RUN` lists its nodes"));
    }
    let mut seen: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut printed = print_new(&dir, args.node.as_deref(), &mut seen, output)?;
    while args.follow && RunLock::holder(&dir.lock()).is_some() {
        std::thread::sleep(Duration::from_millis(200));
        printed |= print_new(&dir, args.node.as_deref(), &mut seen, output)?;
    }
    printed |= print_new(&dir, args.node.as_deref(), &mut seen, output)?;
    if !printed {
        output.say("nothing was printed; `flowctl show` shows results");
    }
    Ok(Exit::SUCCESS)
}

/// Prints what was added to the logs; of several nodes, each line with its node's name.
fn print_new(
    dir: &RunDir,
    node: Option<&str>,
    seen: &mut BTreeMap<PathBuf, u64>,
    output: &mut Output,
) -> std::result::Result<bool, Failure> {
    let mut printed = false;
    let mut paths: Vec<PathBuf> = match node {
        Some(node) => vec![log_file(dir, node)],
        None => fs::read_dir(dir.logs())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect(),
    };
    paths.sort();
    for path in paths {
        let start = seen.entry(path.clone()).or_default();
        let mut bytes = Vec::new();
        let read = fs::File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(*start))?;
            file.read_to_end(&mut bytes)
        });
        if read.is_err() || bytes.is_empty() {
            continue;
        }
        *start += bytes.len() as u64;
        printed = true;
        if node.is_some() {
            output.bytes(&bytes)?;
            continue;
        }
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(|line| format!("{name}: {line}")).collect();
        output.data(&lines.join("\n"))?;
    }
    Ok(printed)
}
