//! [`Instance`]: a node as it stands in one run, and the states that it goes through.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::event::{ApprovalDecided, FailureRecord, StagedFile};
use crate::flow::Expiry;
use crate::id::NodePath;
use crate::plan::{NodeId, ScopeId};
use crate::value::Digest;

/// A node instance, numbered in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u32);

impl InstanceId {
    /// The id of the instance at an index.
    #[must_use]
    pub fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("a run has fewer than 2^32 node instances"))
    }
}

/// An entered scope: the run's own flow, or one attempt of a sub-flow node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ContextId(pub(super) usize);

/// Where an instance is in its life. `docs/design.md`, "Node states".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Something before it has not ended, or it is its turn and nothing was done yet.
    Pending,
    /// Its gate is open.
    Waiting,
    /// An attempt is under way; of sub-flows and `foreach`, something inside is.
    Running,
    /// An attempt failed; the next begins at this time.
    Backoff(Timestamp),
    /// It has an output.
    Succeeded,
    /// The last attempt failed.
    Failed,
    /// It does not run in this run.
    Bypassed,
    /// It was stopped.
    Cancelled,
}

impl NodeState {
    /// Whether nothing more happens to the node in this round.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Bypassed | Self::Cancelled
        )
    }

    /// The word in `--json`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            // A node between two attempts has begun and has not ended.
            Self::Running | Self::Backoff(_) => "running",
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Bypassed => "bypassed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where an output is: the journal record that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputRef {
    /// The record.
    pub seq: u64,
    /// Of the output's canonical form.
    pub digest: Digest,
}

/// An open or answered gate.
#[derive(Clone, Debug)]
pub struct Request {
    /// What a decision must name.
    pub digest: Digest,
    /// The record of the request.
    pub seq: u64,
    /// When it was written.
    pub asked: Timestamp,
    /// When its time is up.
    pub deadline: Option<Timestamp>,
    /// What happens then.
    pub on_timeout: Expiry,
    /// The files as they were shown.
    pub files: Arc<[StagedFile]>,
    /// The round in which it was asked.
    pub round: u32,
    /// The yeses so far, each of another person.
    pub yeses: Vec<ApprovalDecided>,
    /// The answer that settled it: the last yes that it takes, a no, or work sent back.
    pub decision: Option<ApprovalDecided>,
}

/// A node in a run.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its path.
    pub path: NodePath,
    /// The node in its scope.
    pub node: NodeId,
    /// The item's index, for one item of a `foreach`.
    pub item: Option<usize>,
    /// Where it is.
    pub state: NodeState,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts failed since the run was last taken up by hand.
    pub failures: u32,
    /// When the current attempt began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its output, once it has one.
    pub output: Option<OutputRef>,
    /// What its output is a function of.
    pub fingerprint: Option<Digest>,
    /// Files it staged for the workspace.
    pub files: Arc<[StagedFile]>,
    /// Documents it staged for the evidence folder.
    pub evidence: Arc<[StagedFile]>,
    /// The entry of the cache that its output came from.
    pub cached: Option<Digest>,
    /// What its tool said of its work besides.
    pub about: Option<Box<RawValue>>,
    /// Why the last attempt failed. Boxed, as is the gate: few of many instances have one.
    pub error: Option<Box<FailureRecord>>,
    /// Why it was bypassed.
    pub reason: Option<String>,
    /// Its gate.
    pub request: Option<Box<Request>>,
    /// The record of `foreach_expanded` or `subflow_started`, where items or inputs are.
    pub entered: Option<u64>,
    /// The records that made the instance what it is, oldest first, for adopting an edit.
    pub(super) records: Vec<u64>,
    pub(super) context: ContextId,
    pub(super) parent_item: Option<InstanceId>,
    /// How many nodes before it have not ended.
    pub(super) waits: usize,
    pub(super) condition: Option<bool>,
    pub(super) items: Option<Range<usize>>,
    pub(super) items_open: usize,
    /// An item of this `foreach` has failed for good: none new is begun.
    pub(super) item_failed: bool,
    pub(super) body: Option<ContextId>,
}

impl Instance {
    pub(super) fn new(path: NodePath, context: ContextId, node: NodeId, waits: usize) -> Self {
        Self {
            path,
            node,
            item: None,
            state: NodeState::Pending,
            attempt: 0,
            failures: 0,
            started: None,
            ended: None,
            output: None,
            fingerprint: None,
            files: Arc::default(),
            evidence: Arc::default(),
            about: None,
            cached: None,
            error: None,
            reason: None,
            request: None,
            entered: None,
            records: Vec::new(),
            context,
            parent_item: None,
            waits,
            condition: None,
            items: None,
            items_open: 0,
            item_failed: false,
            body: None,
        }
    }

    /// Whether a human said yes at this node's gate.
    #[must_use]
    pub fn approved(&self) -> bool {
        self.request.as_ref().is_some_and(|request| {
            request
                .decision
                .as_ref()
                .is_some_and(|decision| decision.decision == super::event::Decision::Approved)
        })
    }
}

/// An entered scope.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) scope: ScopeId,
    /// The sub-flow node; none for the run's own flow.
    pub(super) parent: Option<InstanceId>,
    /// The instance of the scope's first node; the others follow in file order.
    pub(super) first: usize,
    /// Nodes that have not ended.
    pub(super) open: usize,
    /// Attempts under way inside, at any depth.
    pub(super) active: usize,
    /// The failure that ends it: nothing new starts inside.
    pub(super) failing: Option<InstanceId>,
}
