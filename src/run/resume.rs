//! Taking a run up again: what nobody finished is to be made again, what failed to be tried again.

use super::instance::{InstanceId, NodeState};
use super::state::{RunState, Status};
use crate::plan::{Fallback, Plan};

impl RunState {
    /// A driver takes the run up: attempts that nobody finished are to be made again, and what
    /// failed is to be tried again.
    pub(super) fn resumed(&mut self, plan: &Plan) {
        let was_failed = self.status == Status::Failed;
        self.status = Status::Running;
        self.sealed = false;
        self.publishing = None;
        self.failure = None;
        self.running.clear();
        for context in &mut self.contexts {
            context.active = 0;
        }
        self.todo.clear();
        self.startable.clear();
        self.backoff.clear();
        self.waiting.clear();
        let walk = self.walk(plan);
        // Parents come before what is inside them, so that one pass decides what is still alive:
        // the inside of a failed sub-flow whose failure was handled is history.
        for &id in walk.iter().filter(|_| was_failed) {
            if !self.alive(id) {
                continue;
            }
            let context = self.instance(id).context;
            self.context_mut(context).failing = None;
            let item = self.instance(id).item.is_some();
            let handled = match self.node(plan, id).on_error {
                Fallback::Fail => false,
                Fallback::Continue => true,
                // It stands in for the `foreach`, not for an item; and the `foreach` has not ended.
                Fallback::Node(_) => !item,
            };
            let instance = self.instance_mut(id);
            if !instance.state.ended() {
                // Its end was overtaken by the end of what it is inside.
                instance.item_failed = false;
            }
            if instance.state == NodeState::Failed && !handled {
                instance.failures = 0;
                instance.item_failed = false;
                let inside = instance.body.is_some() || instance.items.is_some();
                instance.state = if inside {
                    NodeState::Running
                } else {
                    NodeState::Pending
                };
            }
        }
        for &id in &walk {
            if !self.alive(id) {
                continue;
            }
            if self.instance(id).state == NodeState::Running && !self.is_composite(plan, id) {
                self.instance_mut(id).state = NodeState::Pending;
            }
            let held = self.held(id);
            match self.instance(id).state {
                NodeState::Pending if self.instance(id).waits == 0 && !held => {
                    self.make_ready(plan, id);
                }
                NodeState::Running => self.inside_changed(plan, id),
                NodeState::Waiting if !held => {
                    self.waiting.insert(id);
                }
                NodeState::Backoff(at) if !held => {
                    self.backoff.insert((at, id));
                }
                _ => {}
            }
        }
    }

    /// Whether everything around an instance is under way.
    pub(super) fn alive(&self, id: InstanceId) -> bool {
        self.around(id)
            .is_none_or(|around| self.instance(around).state == NodeState::Running)
    }
}
