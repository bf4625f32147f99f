//! The node logs, read side by side along the ledger, which says which record comes next in which.
//!
//! What a log holds of a run is kept until its bundle was closed for the last time, and compared
//! with the journal there. So no more is held than of runs that went on at the same time.

use std::collections::BTreeMap;
use std::io::BufReader;

use serde_json::Value;

use super::super::folder::log_path;
use super::super::index::{Grown, LEDGER};
use super::super::ledger::Entry;
use super::super::record::{Records, text};
use super::Check;
use super::folder::Survey;
use super::part::Part;
use crate::id::RunId;
use crate::value::Object;

/// A line of a node log.
pub(super) struct LogLine {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) record: Object,
}

/// What is held of the logs while they are read.
#[derive(Default)]
struct Held {
    /// Of runs that are closed later on.
    lines: BTreeMap<RunId, Vec<LogLine>>,
    /// Of records that a bundle has, and that came into a log after it was closed.
    late: BTreeMap<RunId, Vec<LogLine>>,
    /// Up to which record the last bundle of a run goes, and where it is.
    closed: BTreeMap<RunId, (u64, String)>,
}

impl<'a> Check<'a> {
    /// Judges a file of records by itself, and by the index.
    pub(super) fn grown(&mut self, path: &str, known: Option<&Grown>) {
        let Some(mut records) = self.records(path) else {
            return;
        };
        let mut broken = None;
        while let Some(record) = records.checked() {
            if let Err(message) = record {
                broken = Some(message);
                break;
            }
        }
        let found = records.read;
        let line = |number: u64| usize::try_from(number).ok();
        if let Some(message) = broken {
            return self.wrong(path, line(found.records), message);
        }
        let Some(known) = known.filter(|known| **known != found) else {
            return;
        };
        match known.records.cmp(&found.records) {
            std::cmp::Ordering::Greater => self.wrong(
                path,
                line(found.records + 1),
                format!("the end is missing: the index says {} lines", known.records),
            ),
            std::cmp::Ordering::Less => self.wrong(
                path,
                line(known.records + 1),
                "it was added: the index does not know it",
            ),
            std::cmp::Ordering::Equal => self.wrong(
                path,
                None,
                "it is another chain than the one that the index names",
            ),
        }
    }

    /// Reads ledger and logs together, and verifies each bundle where it was closed. `dirs` are the
    /// files of each bundle.
    pub(super) fn along(&mut self, survey: &Survey, dirs: &BTreeMap<String, Vec<&String>>) {
        let mut cursors: BTreeMap<String, Option<Records<BufReader<Part<'a>>>>> = BTreeMap::new();
        let mut held = Held::default();
        let Some(mut ledger) = self.records(LEDGER) else {
            return;
        };
        while let Some(record) = ledger.trusted() {
            let Ok(entry) = Entry::of(&record) else {
                return;
            };
            for (name, log) in &entry.logs {
                let path = log_path(name);
                if !cursors.contains_key(name) {
                    let cursor = self.records(&path);
                    cursors.insert(name.clone(), cursor);
                }
                let Some(cursor) = cursors.get_mut(name).and_then(Option::as_mut) else {
                    continue;
                };
                match read(&path, cursor, &entry, &log.seq, &log.head) {
                    Ok(lines) => {
                        self.report.records += lines.len();
                        hold(&mut held, survey, &entry, lines);
                    }
                    Err((line, message)) => {
                        self.wrong(&path, Some(line), message);
                        cursors.insert(name.clone(), None);
                    }
                }
            }
            if let Some(dir) = survey.closes(&entry) {
                let files = dirs.get(&dir).map_or(&[][..], Vec::as_slice);
                let lines = held.lines.get(&entry.run).map_or(&[][..], Vec::as_slice);
                self.bundle(&dir, files, Some(&entry), lines);
                if survey.last(&entry.run) == Some(entry.n) {
                    held.lines.remove(&entry.run);
                    held.closed.insert(entry.run.clone(), (entry.upto, dir));
                }
            }
        }
        for (name, cursor) in cursors {
            if let Some(mut cursor) = cursor
                && cursor.trusted().is_some()
            {
                self.wrong(
                    &log_path(&name),
                    usize::try_from(cursor.read.records).ok(),
                    "nobody announced it in the ledger",
                );
            }
        }
        for (run, lines) in held.late {
            if let Some((_, dir)) = held.closed.get(&run) {
                self.late(dir, &run, &lines);
            }
        }
    }
}

/// Reads what an entry says of one log: these records, and this hash at the end.
fn read<R: std::io::BufRead>(
    path: &str,
    cursor: &mut Records<R>,
    entry: &Entry,
    seqs: &[u64],
    head: &str,
) -> Result<Vec<LogLine>, (usize, String)> {
    let mut lines = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let found = cursor.trusted();
        let line = usize::try_from(cursor.read.records).unwrap_or(usize::MAX);
        let run = &entry.run;
        let Some(record) = found else {
            let message = format!("the end is missing: record {seq} of run {run} and what follows");
            return Err((line + 1, message));
        };
        let stated = record.get("seq").and_then(Value::as_u64);
        if text(&record, "run") != run.as_str() || stated != Some(*seq) {
            return Err((line, format!("record {seq} of run {run} should be here")));
        }
        lines.push(LogLine {
            path: path.to_owned(),
            line,
            record,
        });
    }
    match lines.last() {
        Some(last) if text(&last.record, "hash") != head => {
            let message = format!(
                "it is not the record that entry {} of the ledger names",
                entry.n
            );
            Err((last.line, message))
        }
        _ => Ok(lines),
    }
}

/// Keeps lines for as long as there is something to come that they are compared with.
fn hold(held: &mut Held, survey: &Survey, entry: &Entry, lines: Vec<LogLine>) {
    let run = &entry.run;
    if survey.last(run).is_some_and(|last| entry.n <= last) {
        held.lines.entry(run.clone()).or_default().extend(lines);
    } else if let Some((upto, _)) = held.closed.get(run) {
        // A run that went on after its bundle was closed has later records in the logs.
        let known = lines
            .into_iter()
            .filter(|line| line.record.get("seq").and_then(Value::as_u64) <= Some(*upto));
        held.late.entry(run.clone()).or_default().extend(known);
    }
}
