//! Sending work back: a node and all that depends on it begin anew, in a new round.

use std::collections::BTreeSet;

use super::event::{ApprovalDecided, Rewound};
use super::instance::{ContextId, Instance, InstanceId, NodeState};
use super::state::{RunState, Status};
use crate::id::NodePath;
use crate::plan::{Fallback, NodeId, Plan};

/// Work that was sent back once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The gate.
    pub gate: NodePath,
    /// The node that ran again.
    pub target: NodePath,
    /// What was said.
    pub feedback: String,
    /// Who said it.
    pub by: String,
    /// The round that began.
    pub round: u32,
}

impl Rewind {
    pub(super) fn of(data: &Rewound) -> Self {
        Self {
            gate: data.node.clone(),
            target: data.target.clone(),
            feedback: data.feedback.clone(),
            by: data.by.clone(),
            round: data.round,
        }
    }
}

impl RunState {
    /// The answer that sends work back, until that has happened.
    #[must_use]
    pub fn sent_back(&self) -> Option<&ApprovalDecided> {
        self.sent_back.as_ref()
    }

    /// Every time that work was sent back, oldest first.
    #[must_use]
    pub fn rewinds(&self) -> &[Rewind] {
        &self.rewinds
    }

    /// How many must say yes at a gate.
    #[must_use]
    pub fn quorum(&self, plan: &Plan, id: InstanceId) -> usize {
        let gate = self.node(plan, id).gate.as_ref();
        gate.map_or(1, |gate| gate.quorum as usize).max(1)
    }

    /// The nodes to which a gate can send work back: those before it in its own flow and in the
    /// flows around that, nearest flow first and in file order.
    #[must_use]
    pub fn targets(&self, plan: &Plan, gate: InstanceId) -> Vec<InstanceId> {
        let mut found = Vec::new();
        let mut from = Some(gate);
        while let Some(id) = from {
            let context = self.instance(id).context;
            let before = closure(
                &plan.scope(self.context(context).scope).before,
                self.instance(id).node,
            );
            found.extend(before.into_iter().map(|node| self.at(context, node)));
            from = self.context(context).parent;
        }
        found
    }

    /// What was said when the work of a node, or of one before it, was last sent back.
    #[must_use]
    pub fn feedback(&self, plan: &Plan, id: InstanceId) -> Option<&Rewind> {
        self.rewinds.iter().rev().find(|rewind| {
            let target = self.find(&rewind.target);
            target.is_some_and(|target| self.begins_with(plan, target, id))
        })
    }

    /// Whether a node begins anew when another does: it is that, depends on it, or is inside one that
    /// does.
    pub(super) fn begins_with(&self, plan: &Plan, target: InstanceId, id: InstanceId) -> bool {
        let context = self.instance(target).context;
        let mut at = Some(id);
        while let Some(id) = at {
            if self.instance(id).context == context {
                let after = &plan.scope(self.context(context).scope).after;
                let (from, to) = (self.instance(target).node, self.instance(id).node);
                return from == to || closure(after, from).contains(&to);
            }
            at = self.context(self.instance(id).context).parent;
        }
        false
    }

    /// The node that a decision sends work back to.
    pub(super) fn back_to(
        &self,
        plan: &Plan,
        gate: InstanceId,
        decision: &ApprovalDecided,
    ) -> Result<InstanceId, String> {
        let target = decision
            .target
            .as_ref()
            .ok_or("it does not say to which node work is sent back")?;
        self.find(target)
            .filter(|target| self.targets(plan, gate).contains(target))
            .ok_or_else(|| format!("`{target}` is no node before `{}`", decision.node))
    }

    pub(super) fn rewound(&mut self, plan: &Plan, data: &Rewound, seq: u64) -> Result<(), String> {
        let decision = self.sent_back.take().ok_or("no work was sent back")?;
        if decision.node != data.node || decision.target.as_ref() != Some(&data.target) {
            return Err("another answer sends work back".to_owned());
        }
        if !self.running.is_empty() {
            return Err("nodes are still running".to_owned());
        }
        if data.round != self.round + 1 {
            return Err(format!("it is round {}", self.round));
        }
        let gate = self
            .find(&data.node)
            .ok_or_else(|| format!("there is no node `{}`", data.node))?;
        let target = self.back_to(plan, gate, &decision)?;
        self.rewinds.push(Rewind::of(data));
        self.round = data.round;
        self.status = Status::Running;
        // Whoever sent it back has waited for all that is before it to be on disk.
        self.set_durable(plan, seq);
        self.begin_anew(plan, target);
        Ok(())
    }

    /// Takes a node and all that depends on it back to before they began.
    fn begin_anew(&mut self, plan: &Plan, target: InstanceId) {
        let context = self.instance(target).context;
        let scope = plan.scope(self.context(context).scope);
        let mut again = closure(&scope.after, self.instance(target).node);
        again.insert(self.instance(target).node);
        self.forgive(context, &again);
        for &node in &again {
            let id = self.at(context, node);
            self.forget_inside(id);
            self.forget(id);
            self.drop_paths_inside(plan, id);
            if self.is_released(plan, id) {
                self.context_mut(context).open += 1;
            }
            let path = self.instance(id).path.clone();
            *self.instance_mut(id) = Instance::new(path, context, node, 0);
        }
        for &node in &again {
            let before = &scope.before[node.index()];
            let waits = before
                .iter()
                .filter(|before| !self.is_released(plan, self.at(context, **before)))
                .count();
            self.instance_mut(self.at(context, node)).waits = waits;
        }
        for &node in &again {
            let id = self.at(context, node);
            if self.instance(id).waits == 0 && !self.held(id) {
                self.make_ready(plan, id);
            }
        }
    }

    /// A failure inside what begins anew is none any more, here and in the flows around.
    fn forgive(&mut self, context: ContextId, again: &BTreeSet<NodeId>) {
        let inside = |state: &Self, cause: InstanceId| {
            std::iter::successors(Some(cause), |at| state.around(*at)).any(|at| {
                let instance = state.instance(at);
                instance.context == context && again.contains(&instance.node)
            })
        };
        let mut at = Some(context);
        while let Some(context) = at {
            let failing = self.context(context).failing;
            if failing.is_some_and(|cause| inside(self, cause)) {
                self.context_mut(context).failing = None;
            }
            let parent = self.context(context).parent;
            at = parent.map(|parent| self.instance(parent).context);
        }
    }

    fn drop_paths_inside(&mut self, plan: &Plan, id: InstanceId) {
        let mut inside: Vec<InstanceId> = vec![id];
        while let Some(id) = inside.pop() {
            let within: Vec<InstanceId> = self.items(id).chain(self.children(plan, id)).collect();
            for within in within {
                let path = self.instance(within).path.clone();
                self.paths.remove(&path);
                inside.push(within);
            }
        }
    }

    /// Whether those after a node no longer wait for it.
    fn is_released(&self, plan: &Plan, id: InstanceId) -> bool {
        match self.instance(id).state {
            NodeState::Succeeded | NodeState::Bypassed => true,
            NodeState::Failed => self.node(plan, id).on_error != Fallback::Fail,
            _ => false,
        }
    }
}

/// All that can be reached from a node, without itself.
fn closure(edges: &[Vec<NodeId>], from: NodeId) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::new();
    let mut stack = edges[from.index()].clone();
    while let Some(node) = stack.pop() {
        if found.insert(node) {
            stack.extend(&edges[node.index()]);
        }
    }
    found
}
