//! What the services say to each other; kept by Restate, so an interface between versions of workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::inbox::Request;
use crate::id::{NodeName, NodePath};
use crate::run::{External, StagedFile};
use crate::value::{Digest, Value};

/// What was asked of a run, and when it came in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) at: Timestamp,
    pub(super) body: Body,
}

/// What can be asked of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    /// An answer, or a cancellation.
    Request(Request),
    /// The run is to be given back as soon as nothing is under way.
    GiveBack,
}

/// What became of something that was put into the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Put {
    /// The workflow is told.
    Told,
    /// There is no workflow any more.
    Over,
}

/// A value on its way: itself, or where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sent {
    Here(Box<RawValue>),
    Object(External),
}

/// Everything that a worker needs to make one attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) run: String,
    /// The key of its life.
    pub(super) life: String,
    pub(super) path: NodePath,
    /// Where its node is in the plan of the snapshot.
    pub(super) scope: u32,
    pub(super) node: u32,
    pub(super) snapshot: Digest,
    pub(super) attempt: u32,
    pub(super) key: String,
    /// The heads that its expressions read.
    pub(super) heads: BTreeMap<String, Sent>,
    /// All inputs of the flow, if a template wants them.
    pub(super) inputs: Option<Sent>,
    /// All variables that were recorded, if a template wants them.
    pub(super) env: Option<Sent>,
    /// Of the nodes that it asks about, those that have given something.
    pub(super) given: BTreeSet<NodeName>,
    pub(super) approval: Option<Value>,
    pub(super) staged: Vec<StagedFile>,
    pub(super) has_files: bool,
    pub(super) line: u64,
    pub(super) about: BTreeMap<String, Value>,
    pub(super) again: bool,
    /// The pool whose workers make it; without one the common ones do.
    pub(super) pool: Option<String>,
}

/// What an attempt came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Done {
    /// When, by the worker's clock.
    pub(super) at: Timestamp,
    /// Whether it was stopped rather than ended.
    pub(super) stopped: bool,
    pub(super) result: Result<Gave, Failed>,
}

/// A success.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gave {
    pub(super) digest: Digest,
    pub(super) size: usize,
    pub(super) files: Arc<[StagedFile]>,
    pub(super) evidence: Arc<[StagedFile]>,
    pub(super) subject: Option<String>,
    pub(super) about: Option<Value>,
    pub(super) cached: Option<Digest>,
    pub(super) output: Sent,
}

/// A failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) timeout: bool,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) findings: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// Reads what an earlier worker has written, and comes to the same when it writes it again.
    fn is_read<T: Serialize + serde::de::DeserializeOwned>(written: &str) {
        let written = written.replace("DIGEST", DIGEST);
        let read: T = serde_json::from_str(&written).expect("it is read");
        let again: serde_json::Value = serde_json::to_value(&read).expect("it is written");
        let before: serde_json::Value = serde_json::from_str(&written).expect("it is JSON");
        assert_eq!(again, before);
    }

    #[test]
    fn what_restate_has_kept_is_read_by_the_next_version() {
        is_read::<Assignment>(
            r#"{"run":"r","life":"r.0a1b2c3d","path":"Each[1]","scope":0,"node":1,"snapshot":"DIGEST","attempt":2,"key":"k",
            "heads":{"Much.output":{"object":{"sha256":"DIGEST","bytes":3000000}},"item":{"here":1}},"inputs":{"here":{}},
            "env":null,"given":["Much"],"approval":{"decision":"approved"},
            "staged":[{"path":"a.tf","sha256":"DIGEST","bytes":5,"base":null}],"has_files":true,"line":0,"about":{},
            "again":false,"pool":"gpu"}"#,
        );
        is_read::<Done>(
            r#"{"at":"2026-11-23T08:00:00.123Z","stopped":false,"result":{"Ok":{"digest":"DIGEST","size":5,
            "files":[{"path":"a.tf","sha256":"DIGEST","bytes":5,"base":"DIGEST"}],"evidence":[],"subject":null,"about":null,
            "cached":null,"output":{"here":{"stdout":"x"}}}}}"#,
        );
        is_read::<Done>(
            r#"{"at":"2026-11-23T08:00:00Z","stopped":true,"result":{"Err":{"timeout":false,"message":"it was stopped",
            "help":null,"findings":null}}}"#,
        );
        is_read::<Message>(
            r#"{"at":"2026-11-23T08:00:00Z","body":{"request":{"kind":"cancel","id":"1","by":"ada"}}}"#,
        );
        is_read::<Message>(r#"{"at":"2026-11-23T08:00:00Z","body":"give_back"}"#);
        is_read::<Put>(r#""over""#);
    }
}
