//! `flowctl logs`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Result;
use crate::cli::args::Logs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Engine, is_driven, log_file};
use crate::id::NodePath;
use crate::store::RunDir;
use crate::tool::put_aside;

/// How much of a log is read at once.
const PART: u64 = 1024 * 1024;

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
    while args.follow && is_driven(&dir) {
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
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect(),
    };
    paths.sort();
    for path in paths {
        let name = match node {
            Some(_) => None,
            None => path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        };
        let mut from = seen.get(&path).copied();
        let length = fs::metadata(&path).map_or(0, |found| found.len());
        // At first, and when the log that was followed was put aside meanwhile.
        if from.is_none_or(|from| length < from) {
            let (end, some) = print_from(
                &put_aside(&path),
                from.unwrap_or(0),
                name.as_deref(),
                output,
            )?;
            printed |= some;
            if some || end > 0 || from.is_some() {
                from = Some(0);
            }
        }
        let (end, some) = print_from(&path, from.unwrap_or(0), name.as_deref(), output)?;
        printed |= some;
        seen.insert(path, end);
    }
    Ok(printed)
}

/// Prints a file from a place on, in parts, so that its size does not matter. Gives the place up to
/// which it was printed, and whether there was anything.
fn print_from(
    path: &Path,
    from: u64,
    name: Option<&str>,
    output: &mut Output,
) -> std::result::Result<(u64, bool), Failure> {
    let Ok(mut file) = fs::File::open(path) else {
        return Ok((from, false));
    };
    if file.seek(SeekFrom::Start(from)).is_err() {
        return Ok((from, false));
    }
    let (mut at, mut part) = (from, Vec::new());
    loop {
        part.clear();
        let read = Read::by_ref(&mut file).take(PART).read_to_end(&mut part);
        if read.is_err() || part.is_empty() {
            break;
        }
        // A part that goes on ends with a line, if it holds an end of one.
        if part.len() as u64 == PART
            && let Some(end) = part.iter().rposition(|byte| *byte == b'\n')
        {
            part.truncate(end + 1);
        }
        at += part.len() as u64;
        if file.seek(SeekFrom::Start(at)).is_err() {
            break;
        }
        match name {
            None => output.foreign(&part)?,
            Some(name) => {
                let text = String::from_utf8_lossy(&part);
                let lines: Vec<String> =
                    text.lines().map(|line| format!("{name}: {line}")).collect();
                output.data(&lines.join("\n"))?;
            }
        }
    }
    Ok((at, at > from))
}
