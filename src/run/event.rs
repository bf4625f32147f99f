//! [`Event`]: what is written to the journal. An interface on disk: see `docs/run-format.md`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::approvers::Pinned;
use crate::flow::Expiry;
use crate::id::NodePath;
use crate::value::{Digest, Object, Value};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number in the journal, from 1.
    pub seq: u64,
    /// When it was written, UTC, milliseconds.
    pub ts: Timestamp,
    /// The round it belongs to, from 1; sending work back begins a new one.
    pub round: u32,
    /// What happened.
    pub payload: Payload,
}

macro_rules! payloads {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// What happened, by kind.
        #[derive(Clone, Debug)]
        pub enum Payload {
            $($(#[doc = $doc])+ $name($name),)+
        }

        impl Payload {
            /// Every word there is on disk.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it on disk.
            #[must_use]
            pub fn word(&self) -> &'static str {
                match self { $(Self::$name(_) => $word,)+ }
            }

            /// The data as JSON.
            ///
            /// # Errors
            /// Never for values that this program makes; serde's signature says it could.
            pub fn to_raw(&self) -> serde_json::Result<Box<RawValue>> {
                serde_json::value::to_raw_value(self)
            }

            /// The value of the record that is in a file of its own.
            #[must_use]
            pub fn external(&self) -> Option<External> {
                match self {
                    Self::NodeSucceeded(data) => data.external,
                    Self::RunSucceeded(data) => data.external,
                    _ => None,
                }
            }

            /// Reads the data of a kind; `Ok(None)` for a kind that this version does not know.
            ///
            /// # Errors
            /// When the data does not have the kind's shape.
            pub fn parse(word: &str, data: &RawValue) -> serde_json::Result<Option<Self>> {
                match word {
                    $($word => serde_json::from_str(data.get()).map(|data| Some(Self::$name(data))),)+
                    _ => Ok(None),
                }
            }
        }

        /// Its data; the word stands beside it.
        impl Serialize for Payload {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(data) => data.serialize(serializer),)+ }
            }
        }

        $(impl From<$name> for Payload {
            fn from(data: $name) -> Self {
                Self::$name(data)
            }
        })+
    };
}

payloads! {
    /// The run began.
    RunStarted = "run_started",
    /// A driver took the run up again.
    RunResumed = "run_resumed",
    /// Edited files were adopted.
    FlowChanged = "flow_changed",
    /// A `when` or `activate` was evaluated.
    ConditionEvaluated = "condition_evaluated",
    /// The items of a `foreach` were frozen.
    ForeachExpanded = "foreach_expanded",
    /// A sub-flow was entered with these inputs.
    SubflowStarted = "subflow_started",
    /// A gate opened.
    ApprovalRequested = "approval_requested",
    /// A gate was answered.
    ApprovalDecided = "approval_decided",
    /// Work was sent back: a node and what depends on it run again.
    Rewound = "rewound",
    /// An answer did not count.
    DecisionRefused = "decision_refused",
    /// A gate's time was up.
    ApprovalExpired = "approval_expired",
    /// An attempt began.
    NodeStarted = "node_started",
    /// A node has its output.
    NodeSucceeded = "node_succeeded",
    /// An attempt failed.
    NodeFailed = "node_failed",
    /// A node does not run.
    NodeBypassed = "node_bypassed",
    /// A running node was stopped by a cancellation.
    NodeCancelled = "node_cancelled",
    /// Somebody asked for the run to be cancelled.
    CancelRequested = "cancel_requested",
    /// Only gates are left to wait for.
    RunPaused = "run_paused",
    /// The files are going to the workspace.
    PublishStarted = "publish_started",
    /// The run ended well.
    RunSucceeded = "run_succeeded",
    /// The run ended with a failure.
    RunFailed = "run_failed",
    /// The run ended with a no.
    RunRejected = "run_rejected",
    /// The run was cancelled.
    RunCancelled = "run_cancelled",
    /// The evidence bundle was closed over the journal up to here.
    RunSealed = "run_sealed",
}

/// Data of `run_started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunStarted {
    /// The flow's name.
    pub flow: String,
    /// The flow file as the user named it.
    pub path: String,
    /// Digest of the snapshot of flow, sub-flows and skills.
    pub snapshot: Digest,
    /// Resolved inputs: given ones and defaults.
    pub inputs: Object,
    /// The environment variables that the flow names, as they were.
    pub env: Object,
    /// Who started it: the operating-system user, or who is at the web page.
    pub by: String,
    /// The version of flowctl.
    pub version: String,
    /// Who could approve when the run began; later edits of `approvers.yaml` only take away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Box<Pinned>>,
}

/// Data of `run_resumed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunResumed {
    /// Who resumed it.
    pub by: String,
}

/// Data of `flow_changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowChanged {
    /// Digest of the new snapshot.
    pub snapshot: Digest,
    /// The events whose results stay, by `seq`; all others before this one are history only.
    pub kept: Vec<u64>,
    /// The nodes whose results do not stay, and why.
    pub stale: Vec<Stale>,
    /// Who adopted the edit.
    pub by: String,
}

/// A node whose result no longer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The node.
    pub node: NodePath,
    /// Why.
    pub why: String,
}

/// Data of `condition_evaluated`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConditionEvaluated {
    /// The node.
    pub node: NodePath,
    /// Whether it runs.
    pub holds: bool,
}

/// Data of `foreach_expanded`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForeachExpanded {
    /// The node.
    pub node: NodePath,
    /// The items, in order.
    pub items: Vec<Value>,
}

/// Data of `subflow_started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubflowStarted {
    /// The node.
    pub node: NodePath,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The sub-flow's inputs: given ones and defaults.
    pub inputs: Object,
}

/// Data of `approval_requested`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// The gate's node.
    pub node: NodePath,
    /// What a decision must name: the digest of what is asked.
    pub digest: Digest,
    /// When the gate's time is up.
    pub deadline: Option<Timestamp>,
    /// What happens then.
    pub on_timeout: Expiry,
    /// The node's resolved inputs, without secrets.
    pub inputs: Value,
    /// The staged files, and what was in the workspace in their place.
    pub files: Vec<StagedFile>,
    /// Who may answer: users and `@groups`; whoever is in `approvers.yaml` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many must say yes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub quorum: u32,
    /// Whether those who asked for the run may not answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separation_of_duties: bool,
    /// What a yes must fill in, as a JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_one(quorum: &u32) -> bool {
    *quorum == 1
}

/// A yes, a no, or once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Not yet: an earlier node is to run again, with what was said.
    SentBack,
}

impl Decision {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::SentBack => "sent back",
        }
    }
}

/// Data of `approval_decided`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecided {
    /// The gate's node.
    pub node: NodePath,
    /// The decision's own id.
    pub id: String,
    /// The digest that the decision names.
    pub digest: Digest,
    /// Yes or no.
    pub decision: Decision,
    /// Who.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
    /// What they said.
    pub comment: Option<String>,
    /// What they filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Object>,
    /// The node that is to run again, of work that is sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<NodePath>,
    /// How the server that took the answer knew who it was: `token ID`, `proxy HEADER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// How it is known who they are: `unverified`, `ssh-key` and the fingerprint of the key, or
    /// `server`, the fingerprint of its key, and how it knew.
    pub identity: String,
    /// What they signed, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignedStatement>,
}

/// A statement and the SSH signature over its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatement {
    /// The decision as it was signed, to the byte.
    pub statement: String,
    /// The signature as `ssh-keygen -Y sign` writes it.
    pub ssh: String,
}

/// Data of `rewound`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rewound {
    /// The gate.
    pub node: NodePath,
    /// The node that runs again, with all that depends on it.
    pub target: NodePath,
    /// What was said.
    pub feedback: String,
    /// Who said it.
    pub by: String,
    /// The round that begins.
    pub round: u32,
}

/// Data of `decision_refused`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRefused {
    /// The decision as it came.
    pub decision: ApprovalDecided,
    /// Why it does not count.
    pub reason: String,
}

/// Data of `approval_expired`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovalExpired {
    /// The gate's node.
    pub node: NodePath,
    /// The deadline that passed.
    pub deadline: Timestamp,
    /// What follows from it.
    pub on_timeout: Expiry,
}

/// Data of `node_started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStarted {
    /// The node.
    pub node: NodePath,
    /// The attempt, from 1, over all drivers.
    pub attempt: u32,
    /// The idempotency key: the same for every attempt of a round.
    pub key: String,
}

/// A file that a node staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Relative to the workspace.
    pub path: String,
    /// Of its content.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
    /// What was at that path in the workspace: nothing, or a digest.
    pub base: Option<Digest>,
}

/// Data of `node_succeeded`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeSucceeded {
    /// The node.
    pub node: NodePath,
    /// The attempt that succeeded.
    pub attempt: u32,
    /// Digest of the output's canonical form.
    pub digest: Digest,
    /// Digest of tool, content and resolved inputs: what the output is a function of.
    pub fingerprint: Digest,
    /// Whether the node touched the world, so that it must never run again.
    pub effectful: bool,
    /// Files for the workspace.
    #[serde(deserialize_with = "files")]
    pub files: Arc<[StagedFile]>,
    /// Documents for the evidence folder.
    #[serde(deserialize_with = "files")]
    pub evidence: Arc<[StagedFile]>,
    /// What the run is about, if this node says so.
    pub subject: Option<String>,
    /// The entry of the cache that all of this came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Digest>,
    /// What the tool says of its work besides: tokens used, metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Box<RawValue>>,
    /// Where the output is, when it is too large for a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The output, or null when it is elsewhere. Last, so that readers of the rest may stop before it.
    pub output: Box<RawValue>,
}

/// Most nodes have no files, and a long journal is read faster when those do not each hold an empty
/// list of their own.
fn files<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<[StagedFile]>, D::Error> {
    let files = Vec::deserialize(from)?;
    Ok(if files.is_empty() {
        Arc::default()
    } else {
        files.into()
    })
}

/// A value in a file of its own: `files/SHA256` in the run's folder, `outputs/SHA256.json` in its
/// evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// Of the file.
    pub sha256: Digest,
    /// Its length.
    pub bytes: u64,
}

impl External {
    /// An output of more bytes than this, as JSON, is kept in a file of its own.
    pub const ABOVE: usize = 1024 * 1024;

    /// The value as a document of the evidence.
    #[must_use]
    pub fn document(&self) -> StagedFile {
        StagedFile {
            path: format!("{}{}.json", Self::FOLDER, self.sha256.hex()),
            sha256: self.sha256,
            bytes: self.bytes,
            base: None,
        }
    }

    /// Where such documents lie.
    pub const FOLDER: &'static str = "outputs/";
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// `error` or `timeout`.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Data of `node_failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeFailed {
    /// The node.
    pub node: NodePath,
    /// The attempt that failed.
    pub attempt: u32,
    /// Why.
    pub error: FailureRecord,
    /// What the tool had found, in the form of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Box<RawValue>>,
    /// When the next attempt may begin; none means that this was the last.
    pub retry_at: Option<Timestamp>,
}

/// Data of `node_bypassed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeBypassed {
    /// The node.
    pub node: NodePath,
    /// Why it does not run.
    pub reason: String,
}

/// Data of `node_cancelled`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeCancelled {
    /// The node.
    pub node: NodePath,
}

/// Data of `cancel_requested`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CancelRequested {
    /// The request's own id.
    pub id: String,
    /// Who.
    pub by: String,
}

/// Data of `run_paused`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPaused {
    /// The gates that wait.
    pub waiting: Vec<NodePath>,
}

/// Data of `publish_started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublishStarted {
    /// Every file that goes to the workspace, with what may stand in its place.
    pub files: Vec<StagedFile>,
    /// Paths that no approver saw in this form.
    pub not_reviewed: Vec<String>,
}

/// Data of `run_succeeded`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunSucceeded {
    /// Where the outputs are, when they are too large for a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The flow's outputs; nothing when they are elsewhere.
    pub outputs: Object,
}

/// Data of `run_failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunFailed {
    /// The node that failed; none when publishing or the outputs did.
    pub node: Option<NodePath>,
    /// Why.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Data of `run_rejected`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRejected {
    /// The gate.
    pub node: NodePath,
    /// Who said no; none when time did.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

/// Data of `run_cancelled`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunCancelled {
    /// Who asked for it.
    pub by: String,
}

/// Data of `run_sealed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunSealed {
    /// The bundle, relative to the workspace.
    pub bundle: String,
    /// Digest of its manifest.
    pub manifest: Digest,
}
