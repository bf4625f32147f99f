//! [`Folder`]: the evidence folder while somebody writes it, under its lock.
//!
//! Everything in the folder is a function of the ledger and the journals. A writing first puts its
//! entry into the ledger, then carries it out, then says so in the index: what the ledger holds
//! beyond the index is carried out by whoever comes next.
//!
//! A writing reads and writes as much as it adds, however much is there: of files that grow it
//! reads the last record, and of what was written of the same run before, what is beside that run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::bundle::{self, Bundle, Parts};
use super::head::Head;
use super::index::{Grown, INDEX, INDEX_ENVELOPE, Index, LEDGER, LOGS};
use super::ledger::{self, Appended, Closed, Entry, write};
use super::lines::Lines;
use super::material::Material;
use super::node_log::is_log_name;
use super::placing::Top;
use super::record::{self, Chain};
use super::story::Story;
use super::{Error, PublicKey, Signer, envelope};
use crate::store::{Layout, RunDir, open_regular_with, read_regular, sync_dir};
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
    known: Grown,
    /// What stands behind the part that the index knows.
    rest: Vec<u8>,
}

/// The evidence folder.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    /// Where the runs are; `None` of a folder that is made from nothing, which knows all of itself.
    pub(super) layout: Option<Layout>,
    pub(super) index: Index,
    /// How far the index goes that is on disk.
    written: Head,
    /// Carried out since it was opened.
    pub(super) entries: Vec<Entry>,
    /// In the ledger, and not carried out.
    pub(super) pending: Vec<Entry>,
    /// When the last entry was.
    pub(super) last: Option<Timestamp>,
    logs: BTreeMap<String, Log>,
    /// The bundles that were put in their places since it was opened.
    pub(super) tops: BTreeMap<String, Top>,
}

impl Folder {
    /// A folder with nothing in it.
    pub(super) fn empty(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            layout: None,
            index: Index::default(),
            written: Head::of(&Index::default()),
            entries: Vec::new(),
            pending: Vec::new(),
            last: None,
            logs: BTreeMap::new(),
            tops: BTreeMap::new(),
        }
    }

    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    pub(super) fn changed(&self, path: &str, message: &str) -> Error {
        Error::Changed {
            path: self.shown(path),
            message: message.to_owned(),
        }
    }

    pub(super) fn damaged(&self, path: &str, line: usize, message: String) -> Error {
        Error::Damaged {
            path: self.shown(path),
            line,
            message,
        }
    }

    /// A file of records is not what the index says: where, which needs all of it.
    pub(super) fn differs(&self, path: &str) -> Error {
        match read(&self.root.join(path)) {
            Ok(bytes) => match Chain::read(&bytes.unwrap_or_default()).broken {
                Some((line, message)) => self.damaged(path, line, message),
                None => self.changed(path, "it is not the one that the index names"),
            },
            Err(error) => error,
        }
    }

    /// What was written of a run before, in order. That is beside the run, where each part is
    /// looked up in the ledger; if it cannot be relied on, or is not to be, all of the ledger is
    /// read. `resumed` says that a driver was here before.
    pub(super) fn entries_of(
        &self,
        run: &RunDir,
        resumed: bool,
        thorough: bool,
    ) -> Result<Vec<Entry>, Error> {
        let Some(mut lines) = Lines::open(&self.root.join(LEDGER))? else {
            return Ok(Vec::new());
        };
        let end = self.index.ledger.bytes;
        if !thorough && let Some(receipts) = ledger::whole(run) {
            let mut found = Vec::with_capacity(receipts.len());
            for receipt in receipts {
                if !named(&mut lines, end, &receipt.entry)? {
                    return self.entries_of(run, resumed, true);
                }
                found.push(receipt.entry);
            }
            if !found.is_empty() || !resumed {
                return Ok(found);
            }
        }
        let of = format!("\"run\":{}", serde_json::json!(run.id));
        let entries = self.search(&mut lines, &of)?;
        Ok(entries
            .into_iter()
            .filter(|entry| entry.run == run.id)
            .collect())
    }

    /// The entries whose lines hold a text.
    pub(super) fn search(&self, lines: &mut Lines, text: &str) -> Result<Vec<Entry>, Error> {
        let finder = |line: &[u8]| {
            let mut windows = line.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        let mut entries = Vec::new();
        for line in lines.search(self.index.ledger.bytes, finder)? {
            let entry = record::open(&line).and_then(|record| Entry::of(&record));
            entries.push(entry.map_err(|_| self.differs(LEDGER))?);
        }
        Ok(entries)
    }

    /// A log as the index knows it.
    fn log(&mut self, name: &str) -> Result<&mut Log, Error> {
        if !self.logs.contains_key(name) {
            let path = log_path(name);
            let known = self.index.logs.get(name).cloned().unwrap_or_default();
            let rest = match Lines::open(&self.root.join(&path))? {
                None if known.records > 0 => return Err(self.differs(&path)),
                None => Vec::new(),
                Some(mut lines) => {
                    self.tail(&path, &mut lines, &known)?;
                    lines.after(known.bytes)?
                }
            };
            self.logs.insert(name.to_owned(), Log { known, rest });
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
            if !is_log_name(name) {
                let message = format!("`{}` is no name of a log", name.escape_debug());
                return Err(Error::Changed {
                    path: format!("run {run}"),
                    message,
                });
            }
            let (projected, with) = material.projected(seq).ok_or_else(|| gone(seq))?;
            if !appended.contains_key(name) {
                let head = self.log(name)?.known.head.clone();
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
        // Found before anything is announced, so that nothing is left half done.
        for (name, fresh) in &logs {
            let rest = &self.log(name)?.rest;
            if !rest.starts_with(fresh) && !fresh.starts_with(rest) {
                let message = "it ends with lines that nobody announced";
                return Err(self.changed(&log_path(name), message));
            }
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
            n: self.index.ledger.records + 1,
            ts: self.last.map_or(ts, |before| before.max(ts)),
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
        let output = |digest| material.document(digest).ok();
        let story = Story::of(&material.run, records, &output);
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
        let (line, _) = record::chain(entry.object(), &self.index.ledger.head);
        if let Some(layout) = self
            .layout
            .as_ref()
            .filter(|layout| Head::read(layout).is_none())
        {
            self.written.clone().writing().keep(layout)?;
        }
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
            let head = added.map_or_else(String::new, |added| added.head.clone());
            let log = self.log(&name)?;
            if log.rest.starts_with(&fresh) {
                log.rest.drain(..fresh.len());
            } else if fresh.starts_with(&log.rest) {
                append(&target, &fresh[log.rest.len()..])?;
                log.rest.clear();
            } else {
                return Err(self.changed(&path, "it ends with lines that nobody announced"));
            }
            log.known.add(&fresh, records, &head);
            let known = log.known.clone();
            self.index.logs.insert(name, known);
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
            (Some(closed), None) => self.step_aside(closed, &entry.run)?,
            (None, _) => {}
        }
        let (line, head) = record::chain(entry.object(), &self.index.ledger.head);
        self.index.ledger.add(&line, 1, &head);
        self.last = Some(entry.ts);
        self.entries.push(entry);
        Ok(())
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        write(&self.root.join(path), bytes)
    }

    pub(super) fn remove(&self, path: &str) -> Result<(), Error> {
        let target = self.root.join(path);
        match fs::remove_file(&target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::store::Error::io("remove", &target)(error).into());
            }
            _ => {}
        }
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
        let target = self.root.join(INDEX_ENVELOPE);
        let before = read(&target)?;
        let kept = kept.and_then(|kept| {
            let key = envelope::signer_of(kept)?;
            self.index.signed_by(Some(&key));
            let statement = self.statement(&self.index.encode(), &key);
            let fits = envelope::check(kept, &statement, &key).is_ok();
            fits.then(|| kept.to_vec())
        });
        if signer.is_some() || kept.is_none() {
            self.index.signed_by(signer.map(Signer::public).as_ref());
        }
        let bytes = self.index.encode();
        let text = signer.map(|signer| {
            envelope::sign(&self.statement(&bytes, &signer.public()), signer).into_bytes()
        });
        let text = text.or(kept);
        // An envelope of the index before would be taken for damage; none at all is the truth.
        if before.is_some_and(|now| Some(&now) != text.as_ref()) {
            if let Some(layout) = &self.layout {
                self.written.clone().writing().keep(layout)?;
            }
            fs::remove_file(&target).map_err(crate::store::Error::io("remove", &target))?;
        }
        write(&self.root.join(INDEX), &bytes)?;
        if let Some(text) = &text {
            write(&target, text)?;
        }
        self.written = Head::of(&self.index);
        if let Some(layout) = &self.layout {
            self.written.keep(layout)?;
        }
        Ok(text.is_some())
    }

    /// Takes the index that was found on disk.
    pub(super) fn take(&mut self, index: Index) {
        self.written = Head::of(&index);
        self.index = index;
    }

    /// Says how far this folder goes, which was made elsewhere and has taken its place.
    pub(super) fn left(&self, layout: &Layout) -> Result<(), Error> {
        Head::of(&self.index).keep(layout)
    }

    pub(super) fn statement(&self, index: &[u8], key: &PublicKey) -> Vec<u8> {
        let ledger = &self.index.ledger;
        index_statement(index, ledger.records, &ledger.head, key)
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

/// Whether the ledger holds an entry.
pub(super) fn named(lines: &mut Lines, end: u64, entry: &Entry) -> Result<bool, Error> {
    let line = lines.numbered(entry.n, end)?.unwrap_or_default();
    let found = record::open(&line).and_then(|record| Entry::of(&record));
    Ok(found.is_ok_and(|found| found == *entry))
}

/// The path of a node's log.
pub(super) fn log_path(name: &str) -> String {
    format!("{LOGS}{name}.jsonl")
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_regular(path) {
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
        let mut options = fs::OpenOptions::new();
        let mut file = open_regular_with(options.append(true).create(true), path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(crate::store::Error::io("append to", path))?;
    if let Some(parent) = path.parent() {
        sync_dir(parent)?;
    }
    Ok(())
}
