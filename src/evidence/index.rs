//! The index: how far the ledger and each node log go, written last.
//!
//! It holds their lengths, and the hashes of their last records, which cover everything before.
//! Whatever else is in the evidence folder is named by the ledger, with its digest: documents by
//! their own, the files of a bundle by that of its manifest. So its size does not grow with runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PublicKey;
use super::node_log::is_log_name;
use super::record::FIRST;
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

/// A file, as a manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// 64 hex digits.
    pub(super) sha256: String,
    /// Its length.
    pub(super) bytes: u64,
}

impl Listed {
    /// Whether a file is this one.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.sha256 == Digest::of(bytes).hex()
    }
}

/// How far a file of records goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grown {
    /// Its length.
    pub(super) bytes: u64,
    /// Lines.
    pub(super) records: u64,
    /// The hash of its last record.
    pub(super) head: String,
}

impl Default for Grown {
    fn default() -> Self {
        Self {
            bytes: 0,
            records: 0,
            head: FIRST.to_owned(),
        }
    }
}

impl Grown {
    /// Goes on by whole records.
    pub(super) fn add(&mut self, bytes: &[u8], records: u64, head: &str) {
        self.bytes += bytes.len() as u64;
        self.records += records;
        head.clone_into(&mut self.head);
    }
}

/// How far everything goes that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The ledger.
    pub(super) ledger: Grown,
    /// The node logs, by name.
    pub(super) logs: BTreeMap<String, Grown>,
    /// Who signs it, as in a manifest: its signature cannot be taken away unseen. Older ones do not say.
    pub(super) signature: Option<Value>,
}

/// What an index or a manifest says of its signature.
pub(super) fn signature(key: Option<&PublicKey>, envelope: &str) -> Value {
    match key {
        None => json!("unsigned"),
        Some(key) => {
            json!({ "keyid": key.fingerprint(), "key": key.openssh(), "envelope": envelope })
        }
    }
}

impl Index {
    /// The fingerprint of the key that signs it.
    pub(super) fn keyid(&self) -> Option<&str> {
        self.signature.as_ref()?["keyid"].as_str()
    }

    /// Who signs it from now on.
    pub(super) fn signed_by(&mut self, key: Option<&PublicKey>) {
        self.signature = Some(signature(key, INDEX_ENVELOPE));
    }

    /// The index as it is written.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("v".to_owned(), json!(1));
        object.insert("ledger".to_owned(), json!(self.ledger));
        object.insert("logs".to_owned(), json!(self.logs));
        if let Some(signature) = &self.signature {
            object.insert("signature".to_owned(), signature.clone());
        }
        seal_object(object)
    }

    /// Reads an index; only one text stands for it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut object = open_object(bytes)?;
        if object.get("v") != Some(&json!(1)) {
            return Err("it has another format version".to_owned());
        }
        let member =
            |object: &mut Object, name: &str| object.shift_remove(name).unwrap_or_default();
        let read = |error: serde_json::Error| error.to_string();
        let index = Self {
            ledger: serde_json::from_value(member(&mut object, "ledger")).map_err(read)?,
            logs: serde_json::from_value(member(&mut object, "logs")).map_err(read)?,
            signature: object.shift_remove("signature"),
        };
        if let Some(name) = index.logs.keys().find(|name| !is_log_name(name)) {
            return Err(format!("`{}` is no name of a log", name.escape_debug()));
        }
        // Members that nobody knows, and logs in another order.
        if index.encode() == bytes {
            Ok(index)
        } else {
            Err("it is not as flowctl writes it".to_owned())
        }
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
