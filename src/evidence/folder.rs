//! [`Folder`]: the evidence folder while somebody writes it, under its lock.
//!
//! Everything in the folder is a function of the ledger and the journals. A writing first puts its
//! entry into the ledger, then carries it out, then says so in the index: what the ledger holds
//! beyond the index is carried out by whoever comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::bundle::{self, Bundle, HISTORY, Parts};
use super::index::{BUNDLES, INDEX, INDEX_ENVELOPE, Index, Indexed, LEDGER, LOGS};
use super::ledger::{Appended, Closed, Entry, write};
use super::material::Material;
use super::record::{self, Chain};
use super::story::Story;
use super::{Error, PublicKey, Signer, envelope};
use crate::id::RunId;
use crate::store::sync_dir;
use crate::value::Digest;

/// What a writing is to add.
pub(super) struct Draft {
    /// The last journal record that it covers.
    pub(super) upto: u64,
    /// Journal records by the log that they go to.
    pub(super) logs: BTreeMap<String, Vec<u64>>,
    /// The bundle to close.
    pub(super) close: Option<Close>,
}

/// A bundle that is to be closed.
pub(super) struct Close {
    pub(super) subject: String,
    pub(super) graph: String,
    pub(super) signer: Option<PublicKey>,
    /// What was signed before.
    pub(super) envelopes: BTreeMap<String, String>,
    /// A later writing puts another in its place: its digest is known, and it is not made.
    pub(super) superseded: Option<Digest>,
}

/// A writing, worked out and not begun.
pub(super) struct Prepared {
    pub(super) entry: Entry,
    pub(super) bundle: Option<Bundle>,
    logs: BTreeMap<String, Vec<u8>>,
}

struct Log {
    hasher: Sha256,
    bytes: u64,
    records: u64,
    head: String,
    /// What stands behind the part that the index knows.
    rest: Vec<u8>,
}

/// The evidence folder.
pub(super) struct Folder {
    root: PathBuf,
    index: Index,
    /// Carried out.
    pub(super) entries: Vec<Entry>,
    /// In the ledger, and not carried out.
    pub(super) pending: Vec<Entry>,
    ledger: Log,
    logs: BTreeMap<String, Log>,
}

impl Folder {
    /// A folder with nothing in it.
    pub(super) fn empty(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            index: Index::default(),
            entries: Vec::new(),
            pending: Vec::new(),
            ledger: Log::new(),
            logs: BTreeMap::new(),
        }
    }

    /// Reads index and ledger.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let mut folder = Self::empty(root);
        let Some(bytes) = read(&root.join(LEDGER))? else {
            let nothing = fs::read_dir(root).is_ok_and(|entries| {
                entries
                    .flatten()
                    .all(|entry| entry.file_name() == super::index::LOCK)
            });
            if nothing {
                return Ok(folder);
            }
            return Err(folder.changed(LEDGER, "it is missing, and other evidence is there"));
        };
        if let Some(bytes) = read(&root.join(INDEX))? {
            folder.index =
                Index::decode(&bytes).map_err(|message| folder.changed(INDEX, &message))?;
        }
        let chain = Chain::read(&bytes);
        let known = folder.index.files.get(LEDGER);
        let base = known.map_or(0, |known| {
            usize::try_from(known.bytes).unwrap_or(usize::MAX)
        });
        // A last line that does not end was never written to its end, unless the index knows it.
        if let Some((line, message)) = chain.broken
            && (chain.good < base || bytes[chain.good..].contains(&b'\n'))
        {
            return Err(folder.damaged(LEDGER, line, message));
        }
        if base > chain.good || known.is_some_and(|known| !known.fits(&bytes[..base])) {
            return Err(folder.changed(LEDGER, "it is not the one that the index names"));
        }
        let done = known.and_then(|known| known.records).unwrap_or(0);
        folder.ledger.add(
            &bytes[..base],
            done,
            known.and_then(|known| known.head.clone()),
        );
        if chain.good < bytes.len() {
            let file = fs::OpenOptions::new().write(true).open(root.join(LEDGER));
            file.and_then(|file| {
                file.set_len(chain.good as u64)?;
                file.sync_all()
            })
            .map_err(crate::store::Error::io(
                "cut the torn end of",
                &root.join(LEDGER),
            ))?;
        }
        for (number, record) in chain.records.iter().enumerate() {
            let entry =
                Entry::of(record).map_err(|message| folder.damaged(LEDGER, number + 1, message))?;
            if (number as u64) < done {
                folder.entries.push(entry);
            } else {
                folder.pending.push(entry);
            }
        }
        Ok(folder)
    }

    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    fn changed(&self, path: &str, message: &str) -> Error {
        Error::Changed {
            path: self.shown(path),
            message: message.to_owned(),
        }
    }

    fn damaged(&self, path: &str, line: usize, message: String) -> Error {
        Error::Damaged {
            path: self.shown(path),
            line,
            message,
        }
    }

    /// The journal records of a run that are in logs already.
    pub(super) fn done(&self, run: &RunId) -> BTreeSet<u64> {
        let entries = self.entries.iter().chain(&self.pending);
        entries
            .filter(|entry| entry.run == *run)
            .flat_map(|entry| entry.logs.values().flat_map(|log| log.seq.iter().copied()))
            .collect()
    }

    /// A log as the index knows it.
    fn log(&mut self, name: &str) -> Result<&mut Log, Error> {
        if !self.logs.contains_key(name) {
            let path = log_path(name);
            let bytes = read(&self.root.join(&path))?.unwrap_or_default();
            let mut log = Log::new();
            if let Some(known) = self.index.files.get(&path) {
                let base = usize::try_from(known.bytes).unwrap_or(usize::MAX);
                if !bytes.get(..base).is_some_and(|base| known.fits(base)) {
                    let chain = Chain::read(&bytes);
                    return Err(match chain.broken {
                        Some((line, message)) => self.damaged(&path, line, message),
                        None => self.changed(&path, "it is not the one that the index names"),
                    });
                }
                log.add(
                    &bytes[..base],
                    known.records.unwrap_or(0),
                    known.head.clone(),
                );
                log.rest = bytes[base..].to_vec();
            } else {
                log.rest = bytes;
            }
            self.logs.insert(name.to_owned(), log);
        }
        Ok(self.logs.get_mut(name).expect("it was put there"))
    }

    /// Works a writing out; nothing is written. `None` when a bundle cannot be signed.
    pub(super) fn prepare(
        &mut self,
        material: &Material,
        draft: &Draft,
        signer: Option<&Signer>,
    ) -> Result<Option<Prepared>, Error> {
        let run = &material.run;
        let gone = |seq: u64| Error::Changed {
            path: format!("run {run}"),
            message: format!("its journal has no record {seq} that is evidence"),
        };
        let mut logs = BTreeMap::new();
        let mut appended = BTreeMap::new();
        let mut documents = BTreeMap::new();
        // In the order of the journal, so that the last of two documents of one path counts.
        let mut order: Vec<(u64, &String)> = draft
            .logs
            .iter()
            .flat_map(|(name, seqs)| seqs.iter().map(move |seq| (*seq, name)))
            .collect();
        order.sort_unstable();
        for (seq, name) in order {
            let (projected, with) = material.projected(seq).ok_or_else(|| gone(seq))?;
            if !appended.contains_key(name) {
                let head = self.log(name)?.head.clone();
                appended.insert(
                    name.clone(),
                    Appended {
                        seq: Vec::new(),
                        head,
                    },
                );
            }
            let log = appended.get_mut(name).expect("it was put there");
            let (line, hash) = record::chain(projected.body, &log.head);
            log.seq.push(seq);
            log.head = hash;
            logs.entry(name.clone())
                .or_insert_with(Vec::new)
                .extend(line);
            documents.extend(with);
        }
        let ts = material.upto(draft.upto).last().map(|record| record.ts);
        let ts = ts.ok_or_else(|| gone(draft.upto))?;
        let mut bundle = None;
        let mut closed = None;
        if let Some(close) = &draft.close {
            // A subject is a slug already; a flow's name may be anything.
            let name = crate::slug::Slug::of(&close.subject).to_string();
            let manifest = match close.superseded {
                Some(manifest) => manifest,
                None => match self.build(material, draft.upto, close, &name, signer)? {
                    Some(made) => bundle.insert(made).manifest,
                    None => return Ok(None),
                },
            };
            closed = Some(Closed {
                subject: close.subject.clone(),
                name,
                manifest,
                signer: close.signer.as_ref().map(PublicKey::openssh),
            });
        }
        let entry = Entry {
            v: 1,
            n: self.entries.len() as u64 + 1,
            ts: self.entries.last().map_or(ts, |before| before.ts.max(ts)),
            run: run.clone(),
            upto: draft.upto,
            logs: appended,
            documents,
            bundle: closed,
        };
        Ok(Some(Prepared {
            entry,
            bundle,
            logs,
        }))
    }

    #[expect(clippy::unused_self, reason = "it belongs to the folder")]
    fn build(
        &self,
        material: &Material,
        upto: u64,
        close: &Close,
        name: &str,
        signer: Option<&Signer>,
    ) -> Result<Option<Bundle>, Error> {
        let records = material.upto(upto);
        let story = Story::of(&material.run, records);
        let mut documents = BTreeMap::new();
        for file in &story.evidence {
            if super::is_document(&file.path) {
                documents.insert(file.path.clone(), material.document(file.sha256)?);
            }
        }
        let parts = Parts {
            run: &material.run,
            subject: &close.subject,
            name,
            story: &story,
            journal_head: records.last().map_or("", |record| &record.hash),
            signer: close.signer.as_ref(),
        };
        Ok(bundle::build(
            &parts,
            material.bytes_upto(upto),
            &documents,
            &close.graph,
            signer,
            &close.envelopes,
        ))
    }

    /// Puts an entry into the ledger: from here on it will be carried out.
    pub(super) fn announce(&mut self, entry: &Entry) -> Result<(), Error> {
        let (line, _) = record::chain(entry.object(), &self.ledger.head);
        append(&self.root.join(LEDGER), &line)?;
        Ok(())
    }

    /// Carries an entry out; done again, it changes nothing.
    pub(super) fn perform(&mut self, material: &Material, prepared: Prepared) -> Result<(), Error> {
        let Prepared {
            entry,
            bundle,
            logs,
        } = prepared;
        for (name, fresh) in logs {
            let path = log_path(&name);
            let target = self.root.join(&path);
            let added = entry.logs.get(&name);
            let records = added.map_or(0, |added| added.seq.len() as u64);
            let head = added.map(|added| added.head.clone());
            let log = self.log(&name)?;
            if log.rest.starts_with(&fresh) {
                log.rest.drain(..fresh.len());
            } else if fresh.starts_with(&log.rest) {
                append(&target, &fresh[log.rest.len()..])?;
                log.rest.clear();
            } else {
                return Err(self.changed(&path, "it ends with lines that nobody announced"));
            }
            log.add(&fresh, records, head);
            let indexed = log.indexed();
            self.index.files.insert(path, indexed);
        }
        for (path, digest) in &entry.documents {
            match material.document(*digest) {
                Ok(bytes) => self.put(path, &bytes)?,
                // A later document takes its place; if none does, verifying says so.
                Err(Error::Changed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match (&entry.bundle, bundle) {
            (Some(closed), Some(bundle)) => self.place(closed, &entry.run, &bundle)?,
            // A bundle that a later one of its run replaced is not made, but it did take its place: the
            // one before it is history from then on.
            (Some(closed), None) => {
                for path in self.step_aside(closed, &entry.run)? {
                    self.remove(&path)?;
                }
            }
            (None, _) => {}
        }
        let (line, head) = record::chain(entry.object(), &self.ledger.head);
        self.ledger.add(&line, 1, Some(head));
        self.index
            .files
            .insert(LEDGER.to_owned(), self.ledger.indexed());
        self.entries.push(entry);
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        write(&self.root.join(path), bytes)?;
        self.index.files.insert(path.to_owned(), Indexed::of(bytes));
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), Error> {
        let target = self.root.join(path);
        match fs::remove_file(&target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::store::Error::io("remove", &target)(error).into());
            }
            _ => {}
        }
        self.index.files.remove(path);
        // Folders that have become empty; others stay.
        let mut folder = target.parent();
        while let Some(dir) = folder.filter(|dir| *dir != self.root) {
            if fs::remove_dir(dir).is_err() {
                break;
            }
            folder = dir.parent();
        }
        Ok(())
    }

    /// Copies the bundle of an earlier run to `history/<run>/`, complete before anything of it is
    /// written over; gives its files where they still are.
    fn step_aside(&mut self, closed: &Closed, run: &RunId) -> Result<Vec<String>, Error> {
        let top = format!("{BUNDLES}{}/", closed.name);
        let history = format!("{top}{HISTORY}");
        let before = self
            .entries
            .iter()
            .rev()
            .find(|entry| {
                let other = entry.bundle.as_ref();
                other.is_some_and(|other| other.name == closed.name)
            })
            .map(|entry| entry.run.clone());
        let there: Vec<(String, Indexed)> = self
            .index
            .below(&top)
            .filter(|(path, _)| !path.starts_with(&history))
            .map(|(path, indexed)| (path[top.len()..].to_owned(), indexed.clone()))
            .collect();
        if let Some(before) = before.filter(|before| before != run) {
            for (path, known) in &there {
                let moved = format!("{history}{before}/{path}");
                let mut found = [format!("{top}{path}"), moved.clone()]
                    .into_iter()
                    .filter_map(|from| fs::read(self.root.join(from)).ok());
                let Some(bytes) = found.find(|bytes| known.fits(bytes)) else {
                    let path = format!("{top}{path}");
                    return Err(self.changed(&path, "it is not the one that the index names"));
                };
                self.put(&moved, &bytes)?;
            }
        }
        let there = there.into_iter().map(|(path, _)| format!("{top}{path}"));
        Ok(there.collect())
    }

    /// Puts a bundle in its place; the one of an earlier run steps aside.
    fn place(&mut self, closed: &Closed, run: &RunId, bundle: &Bundle) -> Result<(), Error> {
        let there = self.step_aside(closed, run)?;
        let top = format!("{BUNDLES}{}/", closed.name);
        for (path, bytes) in &bundle.files {
            if path != bundle::MANIFEST {
                self.put(&format!("{top}{path}"), bytes)?;
            }
        }
        // The manifest comes last: with it, the bundle is whole.
        if let Some(manifest) = bundle.files.get(bundle::MANIFEST) {
            self.put(&format!("{top}{}", bundle::MANIFEST), manifest)?;
        }
        let own = format!("{top}{HISTORY}{run}/");
        let stale: Vec<String> = there
            .into_iter()
            .filter(|path| !bundle.files.contains_key(&path[top.len()..]))
            // An earlier bundle of the same run: its journal is the beginning of this one's.
            .chain(self.index.below(&own).map(|(path, _)| path.clone()))
            .collect();
        for path in stale {
            self.remove(&path)?;
        }
        Ok(())
    }

    /// Writes the ledger in one go, for a folder that was made from nothing.
    pub(super) fn write_ledger(&mut self) -> Result<(), Error> {
        let (bytes, _) = super::ledger::lines(&self.entries);
        write(&self.root.join(LEDGER), &bytes)
    }

    /// Says in the index what was carried out, and signs it. `kept` is an envelope of before.
    /// Gives whether it is signed now.
    pub(super) fn conclude(
        &mut self,
        signer: Option<&Signer>,
        kept: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let bytes = self.index.encode();
        let target = self.root.join(INDEX_ENVELOPE);
        let text = signer.map(|signer| {
            envelope::sign(&self.statement(&bytes, &signer.public()), signer).into_bytes()
        });
        let kept = kept.filter(|kept| {
            envelope::signer_of(kept).is_some_and(|key| {
                envelope::check(kept, &self.statement(&bytes, &key), &key).is_ok()
            })
        });
        let text = text.or_else(|| kept.map(<[u8]>::to_vec));
        // An envelope of the index before would be taken for damage; none at all is the truth.
        if read(&target)?.is_some_and(|now| Some(&now) != text.as_ref()) {
            fs::remove_file(&target).map_err(crate::store::Error::io("remove", &target))?;
        }
        write(&self.root.join(INDEX), &bytes)?;
        if let Some(text) = &text {
            write(&target, text)?;
        }
        Ok(text.is_some())
    }

    fn statement(&self, index: &[u8], key: &PublicKey) -> Vec<u8> {
        index_statement(index, self.entries.len() as u64, &self.ledger.head, key)
    }
}

/// What is signed of an index.
pub(super) fn index_statement(index: &[u8], entries: u64, head: &str, key: &PublicKey) -> Vec<u8> {
    envelope::statement(
        [(INDEX, Digest::of(index))],
        envelope::INDEX,
        &json!({ "entries": entries, "ledger_head": head, "signer": key.openssh() }),
    )
}

impl Log {
    fn new() -> Self {
        Self {
            hasher: Sha256::new(),
            bytes: 0,
            records: 0,
            head: record::FIRST.to_owned(),
            rest: Vec::new(),
        }
    }

    fn add(&mut self, bytes: &[u8], records: u64, head: Option<String>) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.records += records;
        if let Some(head) = head {
            self.head = head;
        }
    }

    fn indexed(&self) -> Indexed {
        let digest: [u8; 32] = self.hasher.clone().finalize().into();
        Indexed {
            sha256: Digest::from_bytes(digest).hex(),
            bytes: self.bytes,
            records: Some(self.records),
            head: Some(self.head.clone()),
        }
    }
}

/// The path of a node's log.
pub(super) fn log_path(name: &str) -> String {
    format!("{LOGS}{name}.jsonl")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(crate::store::Error::io("read", path)(error).into()),
    }
}

/// Appends to a file, durably.
fn append(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(crate::store::Error::io("append to", path))?;
    if let Some(parent) = path.parent() {
        sync_dir(parent)?;
    }
    Ok(())
}
