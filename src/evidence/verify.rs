//! Verifying: what the evidence folder says of itself, recomputed, without anything else.
//!
//! A file is judged by itself first (its own chain, its own hash) and by the index, so that the
//! file that was changed is the one that is named. Only files that are as they were written are
//! then compared with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bundle::{
    self, DECISIONS, ENVELOPE, HISTORY, JOURNAL, MANIFEST, OSCAL_ENVELOPE, PUBLISHED, Parts, SUMS,
};
use super::folder::{index_statement, log_path};
use super::index::{
    BUNDLES, INDEX, INDEX_ENVELOPE, Index, Indexed, LEDGER, LOCK, LOGS, open_object,
};
use super::ledger::Entry;
use super::material::project;
use super::record::{Chain, text};
use super::story::Story;
use super::{PublicKey, envelope};
use crate::id::{NodePath, RunId};
use crate::run::Payload;
use crate::store::Record;
use crate::value::{Digest, Object};

/// Files, on disk or in memory.
pub enum Tree {
    /// A folder.
    Disk(PathBuf),
    /// Files by path.
    Memory(BTreeMap<String, Vec<u8>>),
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to what was verified.
    pub path: String,
    /// From 1, where it is a line.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Who signed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Nobody.
    Unsigned,
    /// Somebody who is trusted, by the name that the list of trusted keys gives.
    Trusted(String),
    /// A key that is not among the trusted ones, by its fingerprint.
    Unknown(String),
    /// A signature that this build cannot check.
    Unchecked,
}

/// What verifying found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong; nothing is when it is intact.
    pub findings: Vec<Finding>,
    /// Files that were looked at.
    pub files: usize,
    /// Records of node logs that were looked at.
    pub records: usize,
    /// Who signed the index; `None` when a bundle was verified alone.
    pub index: Option<Seal>,
    /// The bundles: path, run, how the run ended, who signed.
    pub bundles: Vec<(String, String, String, Seal)>,
}

impl Tree {
    /// Every file, and what is neither file nor folder, and folders with nothing in them.
    fn list(&self) -> (Vec<String>, Vec<(String, &'static str)>) {
        match self {
            Self::Memory(files) => (files.keys().cloned().collect(), Vec::new()),
            Self::Disk(root) => {
                let (mut files, mut odd) = (Vec::new(), Vec::new());
                walk(root, "", &mut files, &mut odd);
                files.sort();
                (files, odd)
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Memory(files) => files
                .get(path)
                .cloned()
                .ok_or_else(|| "it is missing".to_owned()),
            Self::Disk(root) => {
                let target = root.join(path);
                match fs::symlink_metadata(&target) {
                    Ok(found) if found.is_file() => {
                        fs::read(&target).map_err(|error| format!("it cannot be read: {error}"))
                    }
                    Ok(_) => Err("it is no file".to_owned()),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Err("it is missing".to_owned())
                    }
                    Err(error) => Err(format!("it cannot be read: {error}")),
                }
            }
        }
    }
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<String>, odd: &mut Vec<(String, &'static str)>) {
    let mut empty = true;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        empty = false;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), &format!("{path}/"), files, odd),
            Ok(kind) if kind.is_file() => files.push(path),
            _ => odd.push((path, "it is no file and no folder")),
        }
    }
    if empty && !prefix.is_empty() {
        odd.push((prefix.to_owned(), "nobody wrote this folder"));
    }
}

/// Verifies an evidence folder, or a bundle alone. `None` when it is neither.
#[must_use]
pub fn verify(tree: &Tree, trusted: &[PublicKey]) -> Option<Report> {
    let mut check = Check {
        tree,
        trusted,
        report: Report::default(),
        bad: BTreeSet::new(),
    };
    let (files, odd) = tree.list();
    let is_bundle = files.iter().any(|path| path == MANIFEST || path == JOURNAL);
    let is_folder = [INDEX, LEDGER]
        .iter()
        .any(|name| files.iter().any(|path| path == name))
        || files
            .iter()
            .any(|path| path.starts_with(LOGS) || path.starts_with(BUNDLES));
    check.report.files = files.iter().filter(|path| *path != LOCK).count();
    for (path, message) in odd {
        check.wrong(&path, None, message);
    }
    if is_folder {
        check.folder(&files);
    } else if is_bundle {
        let alone: Vec<&String> = files
            .iter()
            .filter(|path| !path.starts_with(HISTORY))
            .collect();
        check.bundle("", &alone, None);
        let mut histories: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for path in files.iter().filter(|path| path.starts_with(HISTORY)) {
            let end = path[HISTORY.len()..]
                .find('/')
                .map_or(path.len(), |end| HISTORY.len() + end + 1);
            histories.entry(&path[..end]).or_default().push(path);
        }
        for (dir, files) in histories {
            check.bundle(dir, &files, None);
        }
    } else {
        return None;
    }
    let mut report = check.report;
    report
        .findings
        .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    report.findings.dedup();
    Some(report)
}

struct Check<'a> {
    tree: &'a Tree,
    trusted: &'a [PublicKey],
    report: Report,
    /// Files that are not as they were written: nothing follows from them.
    bad: BTreeSet<String>,
}

/// A bundle as the ledger names it.
struct Named<'a> {
    entry: &'a Entry,
    /// Entries of the same run, for its node logs.
    own: Vec<&'a Entry>,
}

impl Check<'_> {
    fn wrong(&mut self, path: &str, line: Option<usize>, message: impl Into<String>) {
        self.bad.insert(path.to_owned());
        self.report.findings.push(Finding {
            path: path.to_owned(),
            line,
            message: message.into(),
        });
    }

    /// A file that is as it was written.
    fn good(&mut self, path: &str) -> Option<Vec<u8>> {
        if self.bad.contains(path) {
            return None;
        }
        match self.tree.read(path) {
            Ok(bytes) => Some(bytes),
            Err(message) => {
                self.wrong(path, None, message);
                None
            }
        }
    }

    fn folder(&mut self, files: &[String]) {
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
        self.bundles(entries.as_deref(), files, index.is_some());
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
            for (at, head, n) in heads.remove(&path).unwrap_or_default() {
                let found = at.checked_sub(1).and_then(|at| chain.records.get(at));
                if found.is_none_or(|record| text(record, "hash") != head) {
                    self.wrong(
                        &path,
                        Some(at),
                        format!("it is not the record that entry {n} of the ledger names"),
                    );
                    break;
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
    fn bundles(&mut self, entries: Option<&[Entry]>, files: &[String], indexed: bool) {
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
        let mut named: BTreeMap<String, Named<'_>> = BTreeMap::new();
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
                let own = entries.iter().filter(|own| own.run == *run).collect();
                dirs.entry(dir.clone()).or_default();
                named.insert(dir, Named { entry, own });
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
            // Without an index, the manifest says which files there are.
            _ = indexed;
            self.bundle(&dir, &files, named.get(&dir));
        }
    }

    /// Verifies one bundle; `dir` ends with `/` unless it is the folder that was given.
    fn bundle(&mut self, dir: &str, files: &[&String], named: Option<&Named<'_>>) {
        let at = |name: &str| format!("{dir}{name}");
        let manifest_path = at(MANIFEST);
        let Some(bytes) = self.good(&manifest_path) else {
            return;
        };
        let manifest = match open_object(&bytes) {
            Ok(manifest) => manifest,
            Err(message) => return self.wrong(&manifest_path, None, message),
        };
        if manifest.get("v").and_then(Value::as_u64) != Some(1) {
            return self.wrong(&manifest_path, None, "it has another format version");
        }
        if let Some(named) = named
            && let Some(closed) = &named.entry.bundle
            && closed.manifest != Digest::of(&bytes)
        {
            return self.wrong(
                &manifest_path,
                None,
                format!(
                    "it is not the manifest that entry {} of the ledger names",
                    named.entry.n
                ),
            );
        }
        let stated = self.stated(dir, &manifest, files);
        let run = RunId::from(text(&manifest, "run"));
        let Some(journal) = stated.get(JOURNAL) else {
            if !self.bad.contains(&at(JOURNAL)) {
                self.wrong(&manifest_path, None, "it names no journal");
            }
            return;
        };
        let recovered = match crate::store::verify(Path::new(JOURNAL), journal) {
            Ok(recovered) if recovered.torn == 0 => recovered,
            Ok(recovered) => {
                return self.wrong(
                    &at(JOURNAL),
                    Some(recovered.records.len() + 1),
                    "it does not end",
                );
            }
            Err(crate::store::Error::Damaged { line, message, .. }) => {
                return self.wrong(&at(JOURNAL), Some(line), message);
            }
            Err(error) => return self.wrong(&at(JOURNAL), None, error.to_string()),
        };
        if recovered.run != run.as_str() {
            return self.wrong(
                &at(JOURNAL),
                Some(1),
                format!(
                    "it belongs to run `{}`, and the manifest to `{run}`",
                    recovered.run
                ),
            );
        }
        let story = Story::of(&run, &recovered.records);
        let signature = manifest.get("signature").cloned().unwrap_or_default();
        let (key, unreadable) = signer(&signature);
        let parts = Parts {
            run: &run,
            subject: text(&manifest, "subject"),
            name: &crate::slug::Slug::of(text(&manifest, "subject")).to_string(),
            story: &story,
            journal_head: recovered.records.last().map_or("", |record| &record.hash),
            signer: key.as_ref(),
        };
        self.reprojected(dir, &parts, &bytes, &stated, unreadable);
        self.judged(&at(JOURNAL), &recovered.records);
        if let Some(named) = named {
            self.compared(&at(JOURNAL), &run, &recovered.records, &named.own);
        }
        let seal = self.bundle_seal(dir, &parts, &bytes, &stated, unreadable);
        self.sums(dir, files);
        let status = text(&manifest, "status").to_owned();
        let shown = if dir.is_empty() {
            "."
        } else {
            dir.trim_end_matches('/')
        };
        self.report
            .bundles
            .push((shown.to_owned(), run.to_string(), status, seal));
    }

    /// The files that a manifest names, as far as they are what it says; others do not belong there.
    fn stated(
        &mut self,
        dir: &str,
        manifest: &Object,
        files: &[&String],
    ) -> BTreeMap<String, Vec<u8>> {
        let mut stated = BTreeMap::new();
        let empty = Object::new();
        let listed = manifest
            .get("files")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        for (name, known) in listed {
            let path = format!("{dir}{name}");
            let Some(bytes) = self.good(&path) else {
                continue;
            };
            let known: Result<Indexed, _> = serde_json::from_value(known.clone());
            match known {
                Ok(known) if known.fits(&bytes) => {
                    stated.insert(name.clone(), bytes);
                }
                Ok(known) => {
                    let (line, message) = difference(name, &known, &bytes);
                    self.wrong(&path, line, message.replace("index", "manifest"));
                }
                Err(error) => self.wrong(&format!("{dir}{MANIFEST}"), None, error.to_string()),
            }
        }
        let signed = manifest.get("signature").is_some_and(Value::is_object);
        for path in files {
            let name = &path[dir.len()..];
            let document = name.strip_suffix(OSCAL_ENVELOPE);
            let ours = [MANIFEST, SUMS].contains(&name)
                || (signed
                    && (name == ENVELOPE
                        || document.is_some_and(|name| listed.contains_key(name))));
            if !ours && !listed.contains_key(name) && !self.bad.contains(*path) {
                self.wrong(
                    path,
                    None,
                    "the manifest does not name it: it was added, or renamed",
                );
            }
        }
        stated
    }

    /// What follows from the journal must be what is there.
    fn reprojected(
        &mut self,
        dir: &str,
        parts: &Parts<'_>,
        manifest: &[u8],
        stated: &BTreeMap<String, Vec<u8>>,
        unreadable: bool,
    ) {
        for (name, expected) in [
            (DECISIONS, parts.decisions()),
            (PUBLISHED, parts.published()),
        ] {
            let path = format!("{dir}{name}");
            if self.bad.contains(&path) {
                continue;
            }
            let found = stated.get(name);
            if found != expected.as_ref() {
                let line = match (found, &expected) {
                    (Some(found), Some(expected)) => Some(first_difference(found, expected)),
                    _ => None,
                };
                self.wrong(&path, line, "it is not what the journal tells");
            }
        }
        for file in &parts.story.evidence {
            if super::is_document(&file.path)
                && stated
                    .get(&file.path)
                    .is_some_and(|bytes| Digest::of(bytes) != file.sha256)
            {
                self.wrong(
                    &format!("{dir}{}", file.path),
                    None,
                    "it is not the document that the journal names",
                );
            }
        }
        let whole = serde_json::from_slice::<Value>(manifest).unwrap_or_default();
        let listed = whole["files"].as_object().map_or(0, Object::len);
        if listed != stated.len() || unreadable {
            return;
        }
        let again = parts.manifest(
            stated
                .iter()
                .map(|(path, bytes)| (path, Digest::of(bytes), bytes.len() as u64)),
        );
        if again != manifest {
            let line = first_difference(manifest, &again);
            self.wrong(
                &format!("{dir}{MANIFEST}"),
                Some(line),
                "it is not what the journal tells",
            );
        }
    }

    /// Recomputes what approvals were about, and that each answer names it.
    fn judged(&mut self, path: &str, records: &[Record]) {
        let mut flow = None;
        let mut asked: BTreeMap<NodePath, Digest> = BTreeMap::new();
        for record in records {
            let line = usize::try_from(record.seq).ok();
            let payload = match Payload::parse(&record.event, &record.data) {
                Ok(Some(payload)) => payload,
                Ok(None) => continue,
                Err(error) => {
                    self.wrong(path, line, format!("its data cannot be read: {error}"));
                    continue;
                }
            };
            match payload {
                Payload::RunStarted(data) => flow = Some(data.snapshot),
                Payload::FlowChanged(data) => flow = Some(data.snapshot),
                Payload::ApprovalRequested(data) => {
                    let digest = Digest::of_json(&serde_json::json!({
                        "flow": flow.map(|flow| flow.to_string()),
                        "node": data.node.as_str(),
                        "round": record.round,
                        "inputs": data.inputs,
                        "files": data.files,
                    }));
                    if digest != data.digest {
                        self.wrong(path, line, format!("what `{}` asks for has the digest {digest}, and the request says {}", data.node, data.digest));
                    }
                    asked.insert(data.node, data.digest);
                }
                Payload::ApprovalDecided(data) if asked.get(&data.node) != Some(&data.digest) => {
                    self.wrong(
                        path,
                        line,
                        format!(
                            "the decision of {} at `{}` names {}, which is not what was asked",
                            data.by, data.node, data.digest
                        ),
                    );
                }
                Payload::NodeSucceeded(data) => {
                    let output: Value = serde_json::from_str(data.output.get()).unwrap_or_default();
                    if Digest::of_json(&output) != data.digest {
                        self.wrong(
                            path,
                            line,
                            format!(
                                "the output of `{}` does not have the digest that it states",
                                data.node
                            ),
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// Compares the node logs with the journal.
    fn compared(&mut self, journal: &str, run: &RunId, records: &[Record], own: &[&Entry]) {
        if self.bad.contains(journal) {
            return;
        }
        let mut logs: BTreeMap<&String, BTreeSet<u64>> = BTreeMap::new();
        for entry in own {
            for (name, log) in &entry.logs {
                logs.entry(name).or_default().extend(&log.seq);
            }
        }
        for (name, seqs) in logs {
            let path = log_path(name);
            let Some(bytes) = self.good(&path) else {
                continue;
            };
            for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
                let Ok(Value::Object(mut found)) = serde_json::from_slice(line) else {
                    continue;
                };
                let seq = found.get("seq").and_then(Value::as_u64);
                let Some(seq) =
                    seq.filter(|seq| text(&found, "run") == run.as_str() && seqs.contains(seq))
                else {
                    continue;
                };
                let record = usize::try_from(seq)
                    .ok()
                    .and_then(|seq| records.get(seq.checked_sub(1)?));
                // A run that went on after its bundle was closed has later records in the logs.
                let Some(record) = record else {
                    continue;
                };
                found.shift_remove("prev_hash");
                found.shift_remove("hash");
                if project(run, record).is_none_or(|(projected, _)| projected.body != found) {
                    self.wrong(
                        &path,
                        Some(at + 1),
                        format!("it is not what record {seq} of the journal of run {run} tells"),
                    );
                    break;
                }
            }
        }
    }

    fn bundle_seal(
        &mut self,
        dir: &str,
        parts: &Parts<'_>,
        manifest: &[u8],
        stated: &BTreeMap<String, Vec<u8>>,
        unreadable: bool,
    ) -> Seal {
        if unreadable {
            return Seal::Unchecked;
        }
        let Some(key) = parts.signer else {
            return Seal::Unsigned;
        };
        let documents: BTreeMap<String, Vec<u8>> = stated
            .iter()
            .filter(|(name, _)| super::is_document(name))
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect();
        for (name, statement) in parts.statements(manifest, &documents) {
            let path = format!("{dir}{name}");
            if let Some(bytes) = self.good(&path)
                && let Err(message) = envelope::check(&bytes, &statement, key)
            {
                self.wrong(&path, None, message);
            }
        }
        self.seal(key)
    }

    fn seal(&self, key: &PublicKey) -> Seal {
        match self.trusted.iter().find(|trusted| trusted.is(key)) {
            Some(trusted) => Seal::Trusted(trusted.name()),
            None => Seal::Unknown(key.fingerprint()),
        }
    }

    fn sums(&mut self, dir: &str, files: &[&String]) {
        let path = format!("{dir}{SUMS}");
        let Some(bytes) = self.good(&path) else {
            return;
        };
        let others: Vec<&&String> = files.iter().filter(|file| ***file != path).collect();
        // A file that was changed is named already; the sums say the same of it.
        if others.iter().any(|file| self.bad.contains(**file)) {
            return;
        }
        let mut found = BTreeMap::new();
        for file in others {
            if let Some(bytes) = self.good(file) {
                found.insert(file[dir.len()..].to_owned(), bytes);
            }
        }
        let expected = bundle::sums_of(&found);
        if expected != bytes {
            let line = first_difference(&bytes, &expected);
            self.wrong(&path, Some(line), "it does not say what the files are");
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

/// The key of a manifest's `signature`, and whether it names one that cannot be read here.
fn signer(signature: &Value) -> (Option<PublicKey>, bool) {
    match signature["key"].as_str() {
        None => (None, false),
        Some(key) => {
            let key = PublicKey::parse(key).ok();
            let unreadable = key.is_none();
            (key, unreadable)
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

/// Where a file is not what the index says.
fn difference(path: &str, known: &Indexed, bytes: &[u8]) -> (Option<usize>, String) {
    if path.ends_with(".jsonl") {
        let chain = Chain::read(bytes);
        if let Some((line, message)) = chain.broken {
            return (Some(line), message);
        }
        let found = chain.records.len();
        return match known
            .records
            .map(|known| usize::try_from(known).unwrap_or(usize::MAX))
        {
            Some(known) if known > found => (
                Some(found + 1),
                format!("the end is missing: the index says {known} lines"),
            ),
            Some(known) if known < found => (
                Some(known + 1),
                "it was added: the index does not know it".to_owned(),
            ),
            _ => (
                None,
                "it is another chain than the one that the index names".to_owned(),
            ),
        };
    }
    if path.ends_with(JOURNAL) {
        match crate::store::verify(Path::new(path), bytes) {
            Err(crate::store::Error::Damaged { line, message, .. }) => {
                return (Some(line), message);
            }
            Ok(recovered) if recovered.torn > 0 => {
                return (
                    Some(recovered.records.len() + 1),
                    "it does not end".to_owned(),
                );
            }
            _ => {}
        }
    }
    let length = bytes.len() as u64;
    if length == known.bytes {
        (None, "its content is not what the index says".to_owned())
    } else {
        (
            None,
            format!("it has {length} bytes, and the index says {}", known.bytes),
        )
    }
}

/// The first line in which two texts differ, from 1.
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    a[..same].split(|byte| *byte == b'\n').count()
}
