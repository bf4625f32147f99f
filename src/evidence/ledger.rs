//! The ledger: in which order evidence was written, and what each writing added.
//!
//! `ledger.jsonl` is written before what it announces: a crash in between leaves an entry that the
//! next writing carries out. What it says is also kept beside the run (`evidence.jsonl`, a
//! [`Receipt`] per entry), so that the order survives the loss of the evidence folder.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::node_log::is_log_name;
use super::record;
use crate::id::RunId;
use crate::slug::Slug;
use crate::store::{RunDir, read_regular, replace};
use crate::value::{Digest, Object};

/// One writing of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The major version of the format.
    pub(super) v: u64,
    /// Its number, from 1.
    pub(super) n: u64,
    /// When the last journal record that it covers was written; never before the entry before.
    pub(super) ts: Timestamp,
    /// The run.
    pub(super) run: RunId,
    /// The last journal record that it covers.
    pub(super) upto: u64,
    /// What was appended to which node log.
    pub(super) logs: BTreeMap<String, Appended>,
    /// Documents of nodes, by path.
    pub(super) documents: BTreeMap<String, Digest>,
    /// The bundle that was closed.
    pub(super) bundle: Option<Closed>,
}

/// Records that were appended to a node log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Appended {
    /// The journal records.
    pub(super) seq: Vec<u64>,
    /// The hash of the log's last record then.
    pub(super) head: String,
}

/// A bundle that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Closed {
    /// What the run is about.
    pub(super) subject: String,
    /// The folder below `bundles/`.
    pub(super) name: String,
    /// Of `manifest.json`.
    pub(super) manifest: Digest,
    /// The public key that signed it, as `OpenSSH` writes it.
    pub(super) signer: Option<String>,
}

impl Entry {
    /// The entry as a record, without its place in the chain.
    pub(super) fn object(&self) -> Object {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => object,
            _ => Object::new(),
        }
    }

    /// Reads an entry from its record.
    pub(super) fn of(record: &Object) -> Result<Self, String> {
        let mut record = record.clone();
        record.shift_remove("prev_hash");
        record.shift_remove("hash");
        let entry: Self =
            serde_json::from_value(Value::Object(record)).map_err(|error| error.to_string())?;
        if entry.v != 1 {
            return Err(format!("it has the format version {}", entry.v));
        }
        entry.names()?;
        Ok(entry)
    }

    /// Whether every name in it is one that flowctl gives: paths are made of them.
    fn names(&self) -> Result<(), String> {
        RunId::parse(self.run.as_str())?;
        if let Some(name) = self.logs.keys().find(|name| !is_log_name(name)) {
            return Err(format!("`{}` is no name of a log", name.escape_debug()));
        }
        if let Some(path) = self.documents.keys().find(|path| !super::is_document(path)) {
            return Err(format!("`{}` is no document", path.escape_debug()));
        }
        match &self.bundle {
            Some(closed) if closed.name != Slug::of(&closed.subject).as_str() => Err(format!(
                "`{}` is not the name of a bundle about `{}`",
                closed.name.escape_debug(),
                closed.subject.escape_debug()
            )),
            _ => Ok(()),
        }
    }
}

/// An entry with what else is needed to make it again; kept beside the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    /// The entry.
    pub(super) entry: Entry,
    /// The graph that the summary shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) graph: String,
    /// What was signed with the key of that time, by path in the bundle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) envelopes: BTreeMap<String, String>,
}

/// The receipts of a run; what is torn or unreadable is left out, since the order can be derived.
pub(super) fn receipts(run: &RunDir) -> Vec<Receipt> {
    let bytes = read_regular(&run.evidence()).unwrap_or_default();
    of(run, &String::from_utf8_lossy(&bytes))
}

fn of(run: &RunDir, text: &str) -> Vec<Receipt> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|receipt: &Receipt| receipt.entry.run == run.id && receipt.entry.names().is_ok())
        .collect()
}

/// The receipts of a run, if each of them can be read; none when nothing was ever written.
pub(super) fn whole(run: &RunDir) -> Option<Vec<Receipt>> {
    let bytes = match read_regular(&run.evidence()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    let text = String::from_utf8(bytes).ok()?;
    let receipts = of(run, &text);
    (receipts.len() == text.lines().count()).then_some(receipts)
}

/// Keeps the receipts of a run.
pub(super) fn keep(run: &RunDir, receipts: &[Receipt]) -> Result<(), Error> {
    let mut bytes = Vec::new();
    for receipt in receipts {
        serde_json::to_writer(&mut bytes, receipt).expect("plain data becomes JSON");
        bytes.push(b'\n');
    }
    write(&run.evidence(), &bytes)
}

/// Writes a file unless it is as it should be.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if read_regular(path).is_ok_and(|now| now == bytes) {
        return Ok(());
    }
    Ok(replace(path, bytes)?)
}

/// The lines of a ledger and the hash of the last.
pub(super) fn lines<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> (Vec<u8>, String) {
    let mut bytes = Vec::new();
    let mut head = record::FIRST.to_owned();
    for entry in entries {
        let (line, hash) = record::chain(entry.object(), &head);
        bytes.extend(line);
        head = hash;
    }
    (bytes, head)
}
