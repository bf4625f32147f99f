//! What follows from an end: who may start now, which scope has failed, what leaves the queues.

use super::instance::{ContextId, InstanceId, NodeState};
use super::ready::Stage;
use super::state::RunState;
use crate::plan::{Fallback, NodeId, Plan};

impl RunState {
    pub(super) fn stop_running(&mut self, id: InstanceId) {
        self.forget(id);
        if self.running.remove(&id) {
            self.count_active(id, false);
        }
    }

    /// Counts an attempt in every scope around it.
    pub(super) fn count_active(&mut self, id: InstanceId, begins: bool) {
        let mut at = Some(self.instance(id).context);
        while let Some(context) = at {
            let context = self.context_mut(context);
            context.active = if begins {
                context.active + 1
            } else {
                context.active.saturating_sub(1)
            };
            at = context.parent.map(|parent| self.instance(parent).context);
        }
    }

    /// An instance has ended and may be depended on.
    pub(super) fn release(&mut self, plan: &Plan, id: InstanceId) {
        if !self.current(id) {
            return;
        }
        let (context, node, parent_item) = {
            let instance = self.instance(id);
            (instance.context, instance.node, instance.parent_item)
        };
        if let Some(foreach) = parent_item {
            let foreach_instance = self.instance_mut(foreach);
            foreach_instance.items_open = foreach_instance.items_open.saturating_sub(1);
            self.inside_changed(plan, foreach);
            return;
        }
        let scope = plan.scope(self.context(context).scope);
        let after: &[NodeId] = &scope.after[node.index()];
        for &next in after {
            let next = self.at(context, next);
            let instance = self.instance_mut(next);
            instance.waits = instance.waits.saturating_sub(1);
            if instance.waits == 0 && instance.state == NodeState::Pending && !self.held(next) {
                self.make_ready(plan, next);
            }
        }
        let entered = self.context_mut(context);
        entered.open = entered.open.saturating_sub(1);
        if let Some(parent) = entered.parent {
            self.inside_changed(plan, parent);
        }
    }

    /// Whether an instance belongs to the current attempt of every sub-flow around it. An effect of
    /// an attempt that has failed as a whole may become durable only after that.
    pub(super) fn current(&self, id: InstanceId) -> bool {
        let mut at = self.instance(id).context;
        while let Some(parent) = self.context(at).parent {
            if self.instance(parent).body != Some(at) {
                return false;
            }
            at = self.instance(parent).context;
        }
        true
    }

    /// Something inside a sub-flow or `foreach` has ended: it may now be its own turn.
    pub(super) fn inside_changed(&mut self, plan: &Plan, id: InstanceId) {
        if self.instance(id).state == NodeState::Running && self.stage(plan, id) != Stage::Inside {
            self.todo.insert(id);
        }
    }

    /// After an attempt inside a failing scope has ended, the scope itself may be done.
    pub(super) fn settle(&mut self, plan: &Plan, id: InstanceId) {
        let mut at = Some(id);
        while let Some(id) = at {
            let (context, parent_item) = (self.instance(id).context, self.instance(id).parent_item);
            let around = parent_item.or(self.context(context).parent);
            if let Some(around) = around {
                self.inside_changed(plan, around);
            }
            at = around;
        }
    }

    /// An instance has failed for good.
    pub(super) fn failed(&mut self, plan: &Plan, id: InstanceId) {
        self.forget(id);
        self.instance_mut(id).state = NodeState::Failed;
        let item_of = self.instance(id).parent_item;
        let on_error = self.node(plan, id).on_error;
        match (item_of, on_error) {
            (None, Fallback::Continue | Fallback::Node(_)) | (Some(_), Fallback::Continue) => {
                self.release(plan, id);
            }
            (Some(foreach), _) => {
                // The `foreach` fails when its running items have ended.
                self.instance_mut(foreach).item_failed = true;
                self.purge();
                self.inside_changed(plan, foreach);
                if self.fails_its_scope(plan, foreach) {
                    self.fail_scope(plan, self.instance(foreach).context, id);
                }
            }
            (None, Fallback::Fail) => self.fail_scope(plan, self.instance(id).context, id),
        }
        self.settle(plan, id);
    }

    /// Whether the failure of a sub-flow or `foreach` will be one of the scope around it.
    pub(super) fn fails_its_scope(&self, plan: &Plan, id: InstanceId) -> bool {
        let instance = self.instance(id);
        let node = self.node(plan, id);
        let retries = instance.item.is_some() || node.foreach.is_none();
        let may_retry = retries
            && node
                .retry
                .as_ref()
                .is_some_and(|retry| retry.on.error && instance.failures + 1 < retry.attempts);
        node.on_error == Fallback::Fail && !may_retry
    }

    /// Nothing new starts in a scope, nor in those around it that fail with it.
    pub(super) fn fail_scope(&mut self, plan: &Plan, context: ContextId, cause: InstanceId) {
        let mut at = Some(context);
        while let Some(context) = at {
            let entered = self.context_mut(context);
            if entered.failing.is_some() {
                break;
            }
            entered.failing = Some(cause);
            let parent = entered.parent;
            at = parent
                .filter(|parent| self.fails_its_scope(plan, *parent))
                .and_then(|parent| {
                    // An item fails its `foreach` first, which then fails the scope.
                    match self.instance(parent).parent_item {
                        Some(foreach) if !self.fails_its_scope(plan, foreach) => None,
                        _ => Some(self.instance(parent).context),
                    }
                });
        }
        self.purge();
    }

    /// Takes everything that may no longer start out of the queues.
    pub(super) fn purge(&mut self) {
        let held: Vec<InstanceId> = self
            .todo
            .iter()
            .chain(&self.startable)
            .chain(&self.waiting)
            .chain(self.backoff.iter().map(|(_, id)| id))
            .copied()
            .filter(|id| self.held(*id))
            .collect();
        for id in held {
            // Sub-flows that are under way still have to say that they failed.
            if self.instance(id).body.is_some() || self.instance(id).items.is_some() {
                continue;
            }
            if self.instance(id).state == NodeState::Waiting {
                self.waiting.remove(&id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Pending;
                instance.request = None;
            }
            self.forget(id);
        }
    }

    /// Takes everything inside a sub-flow or `foreach` out of the queues: it has ended as a whole.
    pub(super) fn forget_inside(&mut self, id: InstanceId) {
        if self.instance(id).body.is_none() && self.instance(id).items.is_none() {
            return;
        }
        let queued = self.todo.iter().chain(&self.startable).chain(&self.waiting);
        let queued = queued.chain(self.backoff.iter().map(|(_, queued)| queued));
        let inside: Vec<InstanceId> = queued
            .copied()
            .filter(|queued| {
                std::iter::successors(self.around(*queued), |at| self.around(*at))
                    .any(|at| at == id)
            })
            .collect();
        for queued in inside {
            self.forget(queued);
        }
    }
}
