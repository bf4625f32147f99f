//! The index: every file of the evidence folder with its digest, written last.
//!
//! A writing changes only the entries of the files that it wrote itself, so that damage to another
//! file is never taken over as if it belonged there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::value::{Digest, Object};

/// The index itself.
pub(super) const INDEX: &str = "index.json";
/// What is signed over it.
pub(super) const INDEX_ENVELOPE: &str = "index.intoto.json";
/// The ledger.
pub(super) const LEDGER: &str = "ledger.jsonl";
/// The lock, always empty.
pub(super) const LOCK: &str = ".lock";
/// The node logs.
pub(super) const LOGS: &str = "runs/";
/// The bundles.
pub(super) const BUNDLES: &str = "bundles/";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Indexed {
    /// 64 hex digits.
    pub(super) sha256: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Lines, of a file of records that grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<u64>,
    /// The hash of its last record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<String>,
}

impl Indexed {
    /// A file that is written once.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Digest::of(bytes).hex(),
            bytes: bytes.len() as u64,
            records: None,
            head: None,
        }
    }

    /// Whether a file is this one.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.sha256 == Digest::of(bytes).hex()
    }
}

/// Every file but the index, its envelope and the lock, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The files.
    pub(super) files: BTreeMap<String, Indexed>,
}

impl Index {
    /// The index as it is written.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("v".to_owned(), json!(1));
        object.insert("files".to_owned(), json!(self.files));
        seal_object(object)
    }

    /// Reads an index; only one text stands for it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let object = open_object(bytes)?;
        if object.get("v") != Some(&json!(1)) {
            return Err("it has another format version".to_owned());
        }
        let files = object.get("files").cloned().unwrap_or_default();
        let files = serde_json::from_value(files).map_err(|error| error.to_string())?;
        let index = Self { files };
        // Members that nobody knows, and files in another order.
        if index.encode() == bytes {
            Ok(index)
        } else {
            Err("it is not as flowctl writes it".to_owned())
        }
    }

    /// The files below a folder, `/` at its end.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Indexed)> {
        self.files
            .range(folder.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(folder))
    }
}

/// A document of ours: its last member is its own hash.
pub(super) fn seal_object(mut object: Object) -> Vec<u8> {
    let hash = Digest::of_json(&object).hex();
    object.insert("hash".to_owned(), json!(hash));
    pretty(&Value::Object(object))
}

/// Reads a document that [`seal_object`] wrote, without its hash.
pub(super) fn open_object(bytes: &[u8]) -> Result<Object, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    if pretty(&value) != bytes {
        return Err("it is not as flowctl writes it".to_owned());
    }
    let Value::Object(mut object) = value else {
        return Err("it is no object".to_owned());
    };
    let Some(Value::String(hash)) = object.shift_remove("hash") else {
        return Err("it has no hash".to_owned());
    };
    if Digest::of_json(&object).hex() == hash {
        Ok(object)
    } else {
        Err("its hash does not match it".to_owned())
    }
}

/// JSON for people and machines.
pub(super) fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("JSON becomes JSON");
    bytes.push(b'\n');
    bytes
}
