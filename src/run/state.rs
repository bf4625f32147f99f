//! [`RunState`]: everything that is known of a run, and questions about it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use jiff::Timestamp;

use super::event::ApprovalDecided;
use super::instance::{Context, ContextId, Instance, InstanceId, NodeState, OutputRef};
use super::rewind::Rewind;
use crate::id::{NodeName, NodePath};
use crate::plan::{Fallback, NodeId, Plan, PlanNode, ScopeId, Step};

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not ended, and not waiting for humans alone.
    Running,
    /// Only gates are left to wait for.
    Paused,
    /// Ended well; its files are in the workspace.
    Succeeded,
    /// Ended with a failure; `resume` tries again what failed.
    Failed,
    /// Ended with a no.
    Rejected,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// Whether the run has ended.
    #[must_use]
    pub fn ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Cancelled
        )
    }

    /// The word in `--json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run, folded from its events.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(super) status: Status,
    pub(super) round: u32,
    pub(super) last_seq: u64,
    pub(super) contexts: Vec<Context>,
    pub(super) instances: Vec<Instance>,
    /// Looked up twice for each event, in replays of long journals most of all.
    pub(super) paths: HashMap<NodePath, InstanceId, foldhash::fast::RandomState>,
    /// Instances whose turn it is for something other than starting an attempt.
    pub(super) todo: BTreeSet<InstanceId>,
    /// Instances whose next attempt may begin.
    pub(super) startable: BTreeSet<InstanceId>,
    pub(super) waiting: BTreeSet<InstanceId>,
    pub(super) backoff: BTreeSet<(Timestamp, InstanceId)>,
    pub(super) running: BTreeSet<InstanceId>,
    /// Ends of effectful nodes that are not known to be durable: nothing may depend on them yet.
    pub(super) unreleased: VecDeque<(u64, InstanceId)>,
    pub(super) durable: u64,
    /// The no that ends the run: gate, who, why.
    pub(super) rejection: Option<(NodePath, Option<String>, String)>,
    /// The answer that sends work back, until that has happened.
    pub(super) sent_back: Option<ApprovalDecided>,
    /// Every time that work was sent back, oldest first.
    pub(super) rewinds: Vec<Rewind>,
    pub(super) cancelling: Option<String>,
    pub(super) publishing: Option<u64>,
    pub(super) sealed: bool,
    pub(super) decisions: HashSet<String>,
    pub(super) subject: Option<String>,
    pub(super) has_files: bool,
    pub(super) failure: Option<(Option<NodePath>, String, Option<String>)>,
    pub(super) outputs_seq: Option<u64>,
}

impl RunState {
    /// A run of a plan before anything happened.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut state = Self {
            status: Status::Running,
            round: 1,
            last_seq: 0,
            contexts: Vec::new(),
            instances: Vec::new(),
            paths: HashMap::default(),
            todo: BTreeSet::new(),
            startable: BTreeSet::new(),
            waiting: BTreeSet::new(),
            backoff: BTreeSet::new(),
            running: BTreeSet::new(),
            unreleased: VecDeque::new(),
            durable: 0,
            rejection: None,
            sent_back: None,
            rewinds: Vec::new(),
            cancelling: None,
            publishing: None,
            sealed: false,
            decisions: HashSet::new(),
            subject: None,
            has_files: false,
            failure: None,
            outputs_seq: None,
        };
        state.enter(plan, plan.root_id(), None);
        state
    }

    /// Where the run is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The current round, from 1.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.round
    }

    /// The last event folded in.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Whether the evidence bundle is closed over the run's end.
    #[must_use]
    pub fn sealed(&self) -> bool {
        self.sealed
    }

    /// What the run is about, once a node said so.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Whether any node has staged files.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.has_files
    }

    /// Why the run failed: the node, the message, what to do.
    #[must_use]
    pub fn failure(&self) -> Option<&(Option<NodePath>, String, Option<String>)> {
        self.failure.as_ref()
    }

    /// Why the run was rejected: the gate, who said no, and the reason.
    #[must_use]
    pub fn rejection(&self) -> Option<&(NodePath, Option<String>, String)> {
        self.rejection.as_ref()
    }

    /// Who asked for the run to be cancelled.
    #[must_use]
    pub fn cancelling(&self) -> Option<&str> {
        self.cancelling.as_deref()
    }

    /// The record of `run_succeeded`, which holds the outputs.
    #[must_use]
    pub fn outputs_seq(&self) -> Option<u64> {
        self.outputs_seq
    }

    /// The record of `publish_started`, when publishing has begun and not ended.
    #[must_use]
    pub fn publishing(&self) -> Option<u64> {
        self.publishing
    }

    /// Whether a decision or request of this id was folded in, accepted or refused.
    #[must_use]
    pub fn knows_decision(&self, id: &str) -> bool {
        self.decisions.contains(id)
    }

    /// An instance.
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.instances[id.0 as usize]
    }

    pub(super) fn instance_mut(&mut self, id: InstanceId) -> &mut Instance {
        &mut self.instances[id.0 as usize]
    }

    pub(super) fn context(&self, id: ContextId) -> &Context {
        &self.contexts[id.0]
    }

    pub(super) fn context_mut(&mut self, id: ContextId) -> &mut Context {
        &mut self.contexts[id.0]
    }

    /// The instance at a path.
    #[must_use]
    pub fn find(&self, path: &NodePath) -> Option<InstanceId> {
        self.paths.get(path).copied()
    }

    /// The node that an instance is of.
    #[must_use]
    pub fn node<'p>(&self, plan: &'p Plan, id: InstanceId) -> &'p PlanNode {
        let instance = self.instance(id);
        plan.scope(self.context(instance.context).scope)
            .node(instance.node)
    }

    /// The scope that an instance stands in.
    #[must_use]
    pub fn scope_of(&self, id: InstanceId) -> ScopeId {
        self.context(self.instance(id).context).scope
    }

    /// The records whose results an instance holds: condition, items, sub-flow inputs, decision,
    /// output or bypass. Starts and failures are not among them.
    #[must_use]
    pub fn records_of(&self, id: InstanceId) -> &[u64] {
        &self.instance(id).records
    }

    /// The word for an instance's state: what is still open inside something that has ended was
    /// cancelled with it.
    #[must_use]
    pub fn word(&self, id: InstanceId) -> &'static str {
        let own = self.instance(id);
        let mut around = self.around(id);
        while let (false, Some(outer)) = (own.state.ended(), around) {
            if self.instance(outer).state.ended() {
                return NodeState::Cancelled.word();
            }
            around = self.around(outer);
        }
        own.state.word()
    }

    /// The sub-flow node that an instance stands in, with the item it is for.
    #[must_use]
    pub fn parent(&self, id: InstanceId) -> Option<InstanceId> {
        self.context(self.instance(id).context).parent
    }

    /// The `foreach` node that an item instance belongs to.
    #[must_use]
    pub fn foreach_of(&self, id: InstanceId) -> Option<InstanceId> {
        self.instance(id).parent_item
    }

    /// The item instances of an expanded `foreach` node, in order.
    pub fn items(&self, id: InstanceId) -> impl Iterator<Item = InstanceId> + use<> {
        self.instance(id)
            .items
            .clone()
            .unwrap_or(0..0)
            .map(InstanceId::of)
    }

    /// The instances of the nodes inside an entered sub-flow instance, in file order.
    pub fn children(
        &self,
        plan: &Plan,
        id: InstanceId,
    ) -> impl Iterator<Item = InstanceId> + use<> {
        let range = self.instance(id).body.map_or(0..0, |body| {
            let context = self.context(body);
            context.first..context.first + plan.scope(context.scope).nodes.len()
        });
        range.map(InstanceId::of)
    }

    /// The instance of a node beside another, in the same scope.
    #[must_use]
    pub fn sibling(&self, id: InstanceId, node: NodeId) -> InstanceId {
        self.at(self.instance(id).context, node)
    }

    pub(super) fn at(&self, context: ContextId, node: NodeId) -> InstanceId {
        InstanceId::of(self.context(context).first + node.index())
    }

    /// The instance of a node of the run's own flow.
    #[must_use]
    pub fn root_instance(&self, node: NodeId) -> InstanceId {
        self.at(ContextId(0), node)
    }

    /// The instance of a node inside an entered sub-flow.
    #[must_use]
    pub fn child(&self, id: InstanceId, node: NodeId) -> Option<InstanceId> {
        self.instance(id).body.map(|body| self.at(body, node))
    }

    /// Every live instance, depth first in file order: a node, its items, what is inside.
    #[must_use]
    pub fn walk(&self, plan: &Plan) -> Vec<InstanceId> {
        let mut found = Vec::with_capacity(self.instances.len());
        let mut stack: Vec<InstanceId> = (0..plan.root().nodes.len())
            .rev()
            .map(InstanceId::of)
            .collect();
        while let Some(id) = stack.pop() {
            found.push(id);
            let inside: Vec<_> = self.items(id).chain(self.children(plan, id)).collect();
            stack.extend(inside.into_iter().rev());
        }
        found
    }

    /// The gates that wait, in file order.
    pub fn waiting(&self) -> impl Iterator<Item = InstanceId> {
        self.waiting.iter().copied()
    }

    /// The instances with an attempt under way.
    pub fn running(&self) -> impl Iterator<Item = InstanceId> {
        self.running.iter().copied()
    }

    /// The output that stands for a node: its own, or that of its fallback.
    #[must_use]
    pub fn output_of(&self, plan: &Plan, id: InstanceId) -> Option<OutputRef> {
        let mut id = id;
        // A chain of fallbacks is no longer than its scope.
        for _ in 0..=plan.scope(self.scope_of(id)).nodes.len() {
            let instance = self.instance(id);
            match (&instance.state, self.node(plan, id).on_error) {
                (NodeState::Succeeded, _) => return instance.output,
                (NodeState::Failed, Fallback::Node(fallback)) => id = self.sibling(id, fallback),
                _ => return None,
            }
        }
        None
    }

    /// The node of that name in the scope of an instance; `None` looks in the run's own flow.
    #[must_use]
    pub fn named(
        &self,
        plan: &Plan,
        beside: Option<InstanceId>,
        name: &NodeName,
    ) -> Option<InstanceId> {
        let context = beside.map_or(ContextId(0), |id| self.instance(id).context);
        let node = plan.scope(self.context(context).scope).find(name)?;
        Some(self.at(context, node))
    }

    /// Every instance that comes before another, nearest scope first: the nodes before it in its
    /// own scope at any distance, what is inside those, and the same for the sub-flow around it.
    #[must_use]
    pub fn ancestors(&self, plan: &Plan, id: InstanceId) -> BTreeSet<InstanceId> {
        let mut found = BTreeSet::new();
        let mut from = Some(id);
        while let Some(id) = from {
            let context = self.instance(id).context;
            let scope = plan.scope(self.context(context).scope);
            let mut stack: Vec<NodeId> = scope.before[self.instance(id).node.index()].clone();
            while let Some(node) = stack.pop() {
                if found.insert(self.at(context, node)) {
                    stack.extend(&scope.before[node.index()]);
                }
            }
            from = self.context(context).parent;
        }
        let mut inside: Vec<InstanceId> = found.iter().copied().collect();
        while let Some(id) = inside.pop() {
            for child in self.items(id).chain(self.children(plan, id)) {
                if found.insert(child) {
                    inside.push(child);
                }
            }
        }
        found
    }

    pub(super) fn enter(
        &mut self,
        plan: &Plan,
        scope_id: ScopeId,
        parent: Option<InstanceId>,
    ) -> ContextId {
        let scope = plan.scope(scope_id);
        let context = ContextId(self.contexts.len());
        let first = self.instances.len();
        self.contexts.push(Context {
            scope: scope_id,
            parent,
            first,
            open: scope.nodes.len(),
            active: 0,
            failing: None,
        });
        self.instances.reserve(scope.nodes.len());
        self.paths.reserve(scope.nodes.len());
        for (at, node) in scope.nodes.iter().enumerate() {
            let path = match parent {
                None => NodePath::from(node.name.as_str()),
                Some(parent) => self.instance(parent).path.child(&node.name),
            };
            let id = InstanceId::of(self.instances.len());
            self.paths.insert(path.clone(), id);
            self.instances.push(Instance::new(
                path,
                context,
                NodeId::of(at),
                scope.before[at].len(),
            ));
        }
        for at in 0..scope.nodes.len() {
            if self.instances[first + at].waits == 0 {
                self.make_ready(plan, InstanceId::of(first + at));
            }
        }
        context
    }

    /// Whether a node runs something inside it rather than an attempt of its own.
    pub(super) fn is_composite(&self, plan: &Plan, id: InstanceId) -> bool {
        let node = self.node(plan, id);
        matches!(node.step, Step::Flow(_))
            || (node.foreach.is_some() && self.instance(id).item.is_none())
    }
}
