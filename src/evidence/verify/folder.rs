//! The whole folder: index, ledger, node logs, documents, and which bundles belong where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::bundle::{HISTORY, MANIFEST};
use super::super::envelope;
use super::super::folder::{index_statement, log_path};
use super::super::index::{BUNDLES, INDEX, INDEX_ENVELOPE, Index, LEDGER, LOCK, LOGS, open_object};
use super::super::is_document;
use super::super::ledger::Entry;
use super::{Check, Seal};
use crate::id::RunId;
use crate::value::Digest;

/// What the ledger names, without what is in each of its entries.
#[derive(Default)]
pub(super) struct Survey {
    entries: u64,
    /// The paths of node logs.
    logs: BTreeSet<String>,
    /// The last document of each path.
    documents: BTreeMap<String, Digest>,
    /// Whose bundle is in the place of a name.
    tops: BTreeMap<String, RunId>,
    /// The entry that closed the last bundle of a run under a name.
    closed: BTreeMap<(String, RunId), u64>,
    /// The last closing of a run.
    last: BTreeMap<RunId, u64>,
}

impl Survey {
    fn add(&mut self, entry: Entry) {
        self.entries += 1;
        self.logs
            .extend(entry.logs.keys().map(|name| log_path(name)));
        self.documents.extend(entry.documents);
        if let Some(closed) = entry.bundle {
            self.tops.insert(closed.name.clone(), entry.run.clone());
            self.last.insert(entry.run.clone(), entry.n);
            self.closed.insert((closed.name, entry.run), entry.n);
        }
    }

    /// The entry that closed a run for the last time.
    pub(super) fn last(&self, run: &RunId) -> Option<u64> {
        self.last.get(run).copied()
    }

    fn dir(&self, name: &str, run: &RunId) -> String {
        if self.tops.get(name) == Some(run) {
            format!("{BUNDLES}{name}/")
        } else {
            format!("{BUNDLES}{name}/{HISTORY}{run}/")
        }
    }

    /// Where the bundle is that an entry closed, unless a later one took its place.
    pub(super) fn closes(&self, entry: &Entry) -> Option<String> {
        let name = &entry.bundle.as_ref()?.name;
        let key = (name.clone(), entry.run.clone());
        (self.closed.get(&key) == Some(&entry.n)).then(|| self.dir(name, &entry.run))
    }

    fn dirs(&self) -> BTreeSet<String> {
        let closed = self.closed.keys();
        closed.map(|(name, run)| self.dir(name, run)).collect()
    }
}

impl Check<'_> {
    pub(super) fn folder(&mut self, files: &[String]) {
        let index = self.index();
        if files.iter().any(|path| path == LOCK)
            && self.tree.read(LOCK).is_ok_and(|bytes| !bytes.is_empty())
        {
            self.wrong(LOCK, None, "it is not empty");
        }
        self.grown(LEDGER, index.as_ref().map(|index| &index.ledger));
        self.logs(index.as_ref(), files);
        let survey = self.survey();
        let dirs = self.dirs(files);
        if let Some(survey) = &survey {
            self.added(survey, files);
            self.documents(&survey.documents);
            self.along(survey, &dirs);
        } else {
            // Each bundle still says what belongs into it.
            for (dir, files) in &dirs {
                self.bundle(dir, files, None, &[]);
            }
            self.documents_of_bundles(&dirs, files);
        }
        let entries = survey.map(|survey| survey.entries);
        self.report.index = Some(self.index_seal(index.as_ref(), entries, files));
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

    /// Judges every node log by itself, and by the index.
    fn logs(&mut self, index: Option<&Index>, files: &[String]) {
        let mut logs: BTreeSet<String> = files
            .iter()
            .filter(|path| path.starts_with(LOGS))
            .cloned()
            .collect();
        let known: BTreeMap<String, _> = index.map_or_else(BTreeMap::new, |index| {
            let logs = index.logs.iter();
            logs.map(|(name, log)| (log_path(name), log)).collect()
        });
        logs.extend(known.keys().cloned());
        for path in logs {
            if index.is_some() && !known.contains_key(&path) {
                self.wrong(
                    &path,
                    None,
                    "the index does not name it: it was added, or renamed",
                );
            } else {
                self.grown(&path, known.get(&path).copied());
            }
        }
    }

    fn survey(&mut self) -> Option<Survey> {
        let mut survey = Survey::default();
        let mut records = self.records(LEDGER)?;
        let mut wrong = None;
        while let Some(record) = records.trusted() {
            match Entry::of(&record) {
                Ok(entry) if entry.n == records.read.records => survey.add(entry),
                Ok(entry) => wrong = Some(format!("it is numbered {}", entry.n)),
                Err(message) => wrong = Some(message),
            }
            if wrong.is_some() {
                break;
            }
        }
        let line = usize::try_from(records.read.records).ok();
        if let Some(message) = wrong {
            self.wrong(LEDGER, line, message);
            return None;
        }
        Some(survey)
    }

    /// Finds what the ledger does not name.
    fn added(&mut self, survey: &Survey, files: &[String]) {
        let own = [INDEX, INDEX_ENVELOPE, LEDGER, LOCK];
        let bundles = survey.dirs();
        for path in files
            .iter()
            .filter(|path| !self.bad.contains(*path))
            .collect::<Vec<_>>()
        {
            let message = if path.starts_with(BUNDLES) {
                if bundle_dir(path).is_none_or(|dir| bundles.contains(&dir)) {
                    continue;
                }
                "the ledger names no such bundle: it was added, or moved"
            } else if own.contains(&path.as_str())
                || survey.logs.contains(path)
                || survey.documents.contains_key(path)
            {
                continue;
            } else {
                "the ledger does not name it: it was added, or renamed"
            };
            self.wrong(path, None, message);
        }
    }

    /// Compares the documents with the ledger: the last one of a path counts.
    fn documents(&mut self, documents: &BTreeMap<String, Digest>) {
        for (path, digest) in documents {
            if let Some(bytes) = self.good(path)
                && Digest::of(&bytes) != *digest
            {
                self.wrong(path, None, "it is not the document that the ledger names");
            }
        }
    }

    /// Compares the documents with those of the bundles, when the ledger is damaged: each was made
    /// by a run, and is in its bundle if that was closed.
    fn documents_of_bundles(&mut self, dirs: &BTreeMap<String, Vec<&String>>, files: &[String]) {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for dir in dirs.keys() {
            let Some(bytes) = self.good(&format!("{dir}{MANIFEST}")) else {
                continue;
            };
            let manifest = open_object(&bytes).unwrap_or_default();
            let listed = manifest.get("files").and_then(Value::as_object);
            for (name, file) in listed.into_iter().flatten() {
                if is_document(name)
                    && let Some(digest) = file["sha256"].as_str()
                {
                    known
                        .entry(name.clone())
                        .or_default()
                        .insert(digest.to_owned());
                }
            }
        }
        for path in files {
            if let Some(known) = known.get(path)
                && let Some(bytes) = self.good(path)
                && !known.contains(&Digest::of(&bytes).hex())
            {
                self.wrong(path, None, "it is not the document of any bundle");
            }
        }
    }

    /// The files of each bundle.
    fn dirs<'f>(&mut self, files: &'f [String]) -> BTreeMap<String, Vec<&'f String>> {
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
        dirs
    }

    fn index_seal(
        &mut self,
        index: Option<&Index>,
        entries: Option<u64>,
        files: &[String],
    ) -> Seal {
        let says = index.and_then(|index| index.signature.as_ref());
        let keyid = index.and_then(Index::keyid);
        if !files.iter().any(|path| path == INDEX_ENVELOPE) {
            if let Some(keyid) = keyid {
                let message = format!("it is missing, and the index says that {keyid} signed it");
                self.wrong(INDEX_ENVELOPE, None, message);
            }
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
        if says.is_some() && keyid != Some(&key.fingerprint()) {
            let message = "the index does not say that this key signed it";
            self.wrong(INDEX_ENVELOPE, None, message);
            return Seal::Unsigned;
        }
        let (Some(_), Ok(raw)) = (index, self.tree.read(INDEX)) else {
            return Seal::Unsigned;
        };
        // The ledger may be damaged, and the index still says how many entries it had.
        let (count, head) = index.map_or((entries.unwrap_or(0), ""), |index| {
            (index.ledger.records, &index.ledger.head)
        });
        let statement = index_statement(&raw, count, head, &key);
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
