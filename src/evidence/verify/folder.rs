//! The whole folder: index, ledger, node logs, documents, and which bundles belong where.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::bundle::HISTORY;
use super::super::envelope;
use super::super::folder::{index_statement, log_path};
use super::super::index::{BUNDLES, INDEX, INDEX_ENVELOPE, Index, LEDGER, LOCK, LOGS};
use super::super::ledger::Entry;
use super::super::record::{Chain, text};
use super::{Check, LogLine, Seal, difference};
use crate::id::RunId;
use crate::value::Digest;

impl Check<'_> {
    pub(super) fn folder(&mut self, files: &[String]) {
        let index = self.index();
        if let Some(index) = &index {
            self.indexed(index, files);
        }
        if files.iter().any(|path| path == LOCK)
            && self.tree.read(LOCK).is_ok_and(|bytes| !bytes.is_empty())
        {
            self.wrong(LOCK, None, "it is not empty");
        }
        let entries = self.ledger();
        if let Some(entries) = &entries {
            self.logs(entries, files);
            self.documents(entries);
        }
        self.bundles(entries.as_deref(), files);
        self.report.index = Some(self.index_seal(index.as_ref(), entries.as_deref(), files));
    }

    fn index(&mut self) -> Option<Index> {
        let bytes = self.good(INDEX)?;
        match Index::decode(&bytes) {
            Ok(index) => Some(index),
            Err(message) => {
                self.wrong(INDEX, None, message);
                None
            }
        }
    }

    /// Compares every file with the index.
    fn indexed(&mut self, index: &Index, files: &[String]) {
        for path in files {
            let ours = [INDEX, INDEX_ENVELOPE, LOCK].contains(&path.as_str());
            if !ours && !index.files.contains_key(path) {
                self.wrong(
                    path,
                    None,
                    "the index does not name it: it was added, or renamed",
                );
            }
        }
        for (path, known) in &index.files {
            let Some(bytes) = self.good(path) else {
                continue;
            };
            if known.fits(&bytes) {
                continue;
            }
            let (line, message) = difference(path, known, &bytes);
            self.wrong(path, line, message);
        }
    }

    fn ledger(&mut self) -> Option<Vec<Entry>> {
        let bytes = self.good(LEDGER)?;
        let chain = Chain::read(&bytes);
        if let Some((line, message)) = chain.broken {
            self.wrong(LEDGER, Some(line), message);
            return None;
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(chain.records.len());
        for (at, record) in chain.records.iter().enumerate() {
            match Entry::of(record) {
                Ok(entry) if entry.n == at as u64 + 1 => entries.push(entry),
                Ok(entry) => {
                    self.wrong(LEDGER, Some(at + 1), format!("it is numbered {}", entry.n));
                    return None;
                }
                Err(message) => {
                    self.wrong(LEDGER, Some(at + 1), message);
                    return None;
                }
            }
        }
        Some(entries)
    }

    /// Compares the node logs with the ledger: the same records in the same order.
    fn logs(&mut self, entries: &[Entry], files: &[String]) {
        let mut expected: BTreeMap<String, Vec<(&RunId, u64)>> = BTreeMap::new();
        let mut heads: BTreeMap<String, Vec<(usize, &str, u64)>> = BTreeMap::new();
        for entry in entries {
            for (name, log) in &entry.logs {
                let path = log_path(name);
                let list = expected.entry(path.clone()).or_default();
                list.extend(log.seq.iter().map(|seq| (&entry.run, *seq)));
                let at = list.len();
                heads
                    .entry(path)
                    .or_default()
                    .push((at, &log.head, entry.n));
            }
        }
        for path in files.iter().filter(|path| path.starts_with(LOGS)) {
            if !expected.contains_key(path) && !self.bad.contains(path) {
                self.wrong(
                    path,
                    None,
                    "the ledger does not name it: it was added, or renamed",
                );
            }
        }
        for (path, expected) in expected {
            let Some(bytes) = self.good(&path) else {
                continue;
            };
            let chain = Chain::read(&bytes);
            if let Some((line, message)) = chain.broken {
                self.wrong(&path, Some(line), message);
                continue;
            }
            self.report.records += chain.records.len();
            if let Some(at) = (0..chain.records.len().max(expected.len())).find(|at| {
                let found = chain.records.get(*at).map(|record| {
                    (
                        text(record, "run"),
                        record.get("seq").and_then(Value::as_u64),
                    )
                });
                found
                    != expected
                        .get(*at)
                        .map(|(run, seq)| (run.as_str(), Some(*seq)))
            }) {
                let message = match expected.get(at) {
                    Some((run, seq)) if at >= chain.records.len() => {
                        format!("the end is missing: record {seq} of run {run} and what follows")
                    }
                    Some((run, seq)) => format!("record {seq} of run {run} should be here"),
                    None => "nobody announced it in the ledger".to_owned(),
                };
                self.wrong(&path, Some(at + 1), message);
                continue;
            }
            let mut as_named = true;
            for (at, head, n) in heads.remove(&path).unwrap_or_default() {
                let found = at.checked_sub(1).and_then(|at| chain.records.get(at));
                if found.is_none_or(|record| text(record, "hash") != head) {
                    self.wrong(
                        &path,
                        Some(at),
                        format!("it is not the record that entry {n} of the ledger names"),
                    );
                    as_named = false;
                    break;
                }
            }
            if as_named {
                for (at, record) in chain.records.into_iter().enumerate() {
                    let run = RunId::from(text(&record, "run"));
                    self.lines.entry(run).or_default().push(LogLine {
                        path: path.clone(),
                        line: at + 1,
                        record,
                    });
                }
            }
        }
    }

    /// Compares the documents with the ledger: the last one of a path counts.
    fn documents(&mut self, entries: &[Entry]) {
        let last: BTreeMap<&String, Digest> = entries
            .iter()
            .flat_map(|entry| entry.documents.iter().map(|(path, digest)| (path, *digest)))
            .collect();
        for (path, digest) in last {
            if let Some(bytes) = self.good(path)
                && Digest::of(&bytes) != digest
            {
                self.wrong(path, None, "it is not the document that the ledger names");
            }
        }
    }

    /// Verifies every bundle, and that the right ones are in the right places.
    fn bundles(&mut self, entries: Option<&[Entry]>, files: &[String]) {
        let mut dirs: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for path in files.iter().filter(|path| path.starts_with(BUNDLES)) {
            match bundle_dir(path) {
                Some(dir) => dirs.entry(dir).or_default().push(path),
                None if !self.bad.contains(path) => {
                    self.wrong(path, None, "it belongs to no bundle");
                }
                None => {}
            }
        }
        let mut named: BTreeMap<String, &Entry> = BTreeMap::new();
        if let Some(entries) = entries {
            let mut tops: BTreeMap<&str, &Entry> = BTreeMap::new();
            let mut lasts: BTreeMap<(&str, &RunId), &Entry> = BTreeMap::new();
            for entry in entries {
                if let Some(closed) = &entry.bundle {
                    tops.insert(&closed.name, entry);
                    lasts.insert((&closed.name, &entry.run), entry);
                }
            }
            for ((name, run), entry) in lasts {
                let top = tops.get(name).is_some_and(|top| top.run == *run);
                let dir = if top {
                    format!("{BUNDLES}{name}/")
                } else {
                    format!("{BUNDLES}{name}/{HISTORY}{run}/")
                };
                dirs.entry(dir.clone()).or_default();
                named.insert(dir, entry);
            }
        }
        for (dir, files) in dirs {
            if entries.is_some() && !named.contains_key(&dir) {
                for path in files {
                    if !self.bad.contains(path) {
                        self.wrong(
                            path,
                            None,
                            "the ledger names no such bundle: it was added, or moved",
                        );
                    }
                }
                continue;
            }
            self.bundle(&dir, &files, named.get(&dir).copied());
        }
    }

    fn index_seal(
        &mut self,
        index: Option<&Index>,
        entries: Option<&[Entry]>,
        files: &[String],
    ) -> Seal {
        if !files.iter().any(|path| path == INDEX_ENVELOPE) {
            return Seal::Unsigned;
        }
        let Some(bytes) = self.good(INDEX_ENVELOPE) else {
            return Seal::Unsigned;
        };
        if cfg!(not(feature = "sign")) {
            return Seal::Unchecked;
        }
        let Some(key) = envelope::signer_of(&bytes) else {
            self.wrong(INDEX_ENVELOPE, None, "it is no envelope, or names no key");
            return Seal::Unsigned;
        };
        let (Some(_), Ok(raw)) = (index, self.tree.read(INDEX)) else {
            return Seal::Unsigned;
        };
        // The ledger may be damaged, and the index still says how many entries it had.
        let ledger = index.and_then(|index| index.files.get(LEDGER));
        let count = ledger
            .and_then(|ledger| ledger.records)
            .or(entries.map(|entries| entries.len() as u64));
        let head = ledger
            .and_then(|ledger| ledger.head.clone())
            .unwrap_or_default();
        let statement = index_statement(&raw, count.unwrap_or(0), &head, &key);
        match envelope::check(&bytes, &statement, &key) {
            Ok(()) => self.seal(&key),
            Err(message) => {
                self.wrong(INDEX_ENVELOPE, None, message);
                Seal::Unsigned
            }
        }
    }
}

/// The folder of the bundle that a file belongs to, with `/` at its end.
fn bundle_dir(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let (bundles, name) = (parts.next()?, parts.next()?);
    let next = parts.next()?;
    if format!("{next}/") != HISTORY {
        return Some(format!("{bundles}/{name}/"));
    }
    let run = parts.next()?;
    parts.next()?;
    Some(format!("{bundles}/{name}/{HISTORY}{run}/"))
}
