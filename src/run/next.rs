//! [`RunState::next`]: what is now to be done.

use jiff::Timestamp;

use super::instance::{ContextId, InstanceId, NodeState};
use super::ready::Stage;
use super::state::{RunState, Status};
use crate::id::NodePath;
use crate::plan::Plan;

/// Something for the driver to do. Carrying it out brings an event, and only that changes the
/// state: asking again before gives the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Evaluate `when` or `activate`; bring `condition_evaluated`.
    Evaluate(InstanceId),
    /// Bring `node_bypassed`.
    Bypass(InstanceId, String),
    /// Open the gate; bring `approval_requested`.
    Ask(InstanceId),
    /// The gate's time is up; bring `approval_expired`.
    Expire(InstanceId),
    /// Freeze the items; bring `foreach_expanded`.
    Expand(InstanceId),
    /// Resolve the sub-flow's inputs; bring `subflow_started`.
    Enter(InstanceId),
    /// Bring `node_started`, run an attempt, bring its end.
    Start(InstanceId),
    /// Put the output together from what is inside; bring `node_succeeded`.
    Complete(InstanceId),
    /// Something inside failed; bring `node_failed`.
    Fail {
        /// The sub-flow or `foreach`.
        node: InstanceId,
        /// What failed inside.
        cause: InstanceId,
    },
    /// Bring `rewound`: work is sent back, and nothing runs any more.
    Rewind,
    /// Bring `run_paused`.
    Pause,
    /// Publish the files; bring `run_succeeded` or `run_failed`.
    Publish,
    /// Bring `run_failed`, for this instance.
    FinishFailed(InstanceId),
    /// Bring `run_rejected`.
    FinishRejected(NodePath),
    /// Bring `run_cancelled`.
    FinishCancelled,
    /// Close the evidence; bring `run_sealed`.
    Seal,
}

/// What is to be done, and when to ask again if nothing happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// To be done now, in this order.
    pub actions: Vec<Action>,
    /// The earliest deadline or retry.
    pub wake_at: Option<Timestamp>,
}

impl RunState {
    /// What is to be done now; at most `slots` attempts are started.
    #[must_use]
    pub fn next(&self, plan: &Plan, now: Timestamp, slots: usize) -> Next {
        if self.status.ended() {
            let actions = if self.sealed {
                Vec::new()
            } else {
                vec![Action::Seal]
            };
            return Next {
                actions,
                wake_at: None,
            };
        }
        if self.cancelling.is_some() {
            let actions = if self.running.is_empty() {
                vec![Action::FinishCancelled]
            } else {
                Vec::new()
            };
            return Next {
                actions,
                wake_at: None,
            };
        }
        if let Some((gate, _, _)) = &self.rejection {
            let actions = if self.running.is_empty() {
                vec![Action::FinishRejected(gate.clone())]
            } else {
                Vec::new()
            };
            return Next {
                actions,
                wake_at: None,
            };
        }
        if self.sent_back.is_some() {
            // What is under way comes to its end first: an effect half made helps nobody.
            let actions = if self.running.is_empty() && self.unreleased.is_empty() {
                vec![Action::Rewind]
            } else {
                Vec::new()
            };
            return Next {
                actions,
                wake_at: None,
            };
        }
        let mut next = Next::default();
        for &id in &self.todo {
            next.actions.push(match self.stage(plan, id) {
                Stage::Bypass(reason) => Action::Bypass(id, reason),
                Stage::Evaluate => Action::Evaluate(id),
                Stage::Ask => Action::Ask(id),
                Stage::Expand => Action::Expand(id),
                Stage::Enter => Action::Enter(id),
                Stage::Complete => Action::Complete(id),
                Stage::Fail(cause) => Action::Fail { node: id, cause },
                Stage::Start | Stage::Inside => continue,
            });
        }
        let due = self
            .backoff
            .iter()
            .filter(|(at, id)| *at <= now || self.clock_went_back(*id, *at, now))
            .map(|(_, id)| *id);
        for id in due.clone().filter(|id| self.is_composite(plan, *id)) {
            next.actions.push(Action::Enter(id));
        }
        let leaves = due
            .filter(|id| !self.is_composite(plan, *id))
            .chain(self.startable.iter().copied());
        next.actions.extend(leaves.take(slots).map(Action::Start));
        for &id in &self.waiting {
            if let Some(deadline) = self
                .instance(id)
                .request
                .as_ref()
                .and_then(|request| request.deadline)
            {
                if deadline <= now {
                    next.actions.push(Action::Expire(id));
                } else {
                    next.wake_at = Some(next.wake_at.map_or(deadline, |at| at.min(deadline)));
                }
            }
        }
        if let Some((at, _)) = self.backoff.iter().find(|(at, _)| *at > now) {
            next.wake_at = Some(next.wake_at.map_or(*at, |wake| wake.min(*at)));
        }
        let busy =
            !next.actions.is_empty() || !self.running.is_empty() || !self.unreleased.is_empty();
        if busy || !self.startable.is_empty() {
            return next;
        }
        let root = self.context(ContextId(0));
        if let Some(failed) = root.failing {
            next.actions.push(Action::FinishFailed(failed));
        } else if root.open == 0 {
            next.actions.push(Action::Publish);
        } else if self.backoff.is_empty()
            && !self.waiting.is_empty()
            && self.status != Status::Paused
        {
            next.actions.push(Action::Pause);
        }
        next
    }

    /// Whether the time is now so far before the failure that is waited out that the wait would be more
    /// than doubled. Somebody has set the clock back; nobody meant the wait to last until it is the
    /// same time again.
    fn clock_went_back(&self, id: InstanceId, at: Timestamp, now: Timestamp) -> bool {
        let failed = self.instance(id).ended;
        failed.is_some_and(|failed| failed.duration_since(now) > at.duration_since(failed))
    }

    /// Whether an action of an earlier answer is still to be done: carrying out one may have made
    /// another void.
    #[must_use]
    pub fn is_due(&self, plan: &Plan, action: &Action) -> bool {
        let at = |id: InstanceId, wanted: &dyn Fn(Stage) -> bool| {
            self.todo.contains(&id) && wanted(self.stage(plan, id))
        };
        let open = !self.status.ended()
            && self.cancelling.is_none()
            && self.rejection.is_none()
            && self.sent_back.is_none();
        match action {
            Action::Bypass(id, _) => open && at(*id, &|stage| matches!(stage, Stage::Bypass(_))),
            Action::Evaluate(id) => open && at(*id, &|stage| stage == Stage::Evaluate),
            Action::Ask(id) => open && at(*id, &|stage| stage == Stage::Ask),
            Action::Expand(id) => open && at(*id, &|stage| stage == Stage::Expand),
            Action::Enter(id) => {
                let again = matches!(self.instance(*id).state, NodeState::Backoff(at) if self.backoff.contains(&(at, *id)));
                open && (again || at(*id, &|stage| stage == Stage::Enter))
            }
            Action::Complete(id) => open && at(*id, &|stage| stage == Stage::Complete),
            Action::Fail { node, .. } => {
                open && at(*node, &|stage| matches!(stage, Stage::Fail(_)))
            }
            Action::Start(id) => {
                let again = matches!(self.instance(*id).state, NodeState::Backoff(at) if self.backoff.contains(&(at, *id)));
                open && (again || self.startable.contains(id))
            }
            Action::Expire(id) => open && self.waiting.contains(id),
            // These come alone.
            Action::Rewind
            | Action::Pause
            | Action::Publish
            | Action::FinishFailed(_)
            | Action::FinishRejected(_)
            | Action::FinishCancelled
            | Action::Seal => true,
        }
    }

    /// When the next attempt of a node may begin that has just failed; `None` when this failure
    /// is final.
    #[must_use]
    pub fn retry_at(
        &self,
        plan: &Plan,
        id: InstanceId,
        timed_out: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let instance = self.instance(id);
        if instance.state != NodeState::Running || self.cancelling.is_some() {
            return None;
        }
        // Of a `foreach`, the items are repeated, each on its own.
        let node = self.node(plan, id);
        if node.foreach.is_some() && instance.item.is_none() {
            return None;
        }
        let retry = node.retry.as_ref()?;
        let repeats = if timed_out {
            retry.on.timeout
        } else {
            retry.on.error
        };
        let failures = instance.failures + 1;
        (repeats && failures < retry.attempts)
            .then(|| now.checked_add(retry.backoff.wait(failures)).ok())
            .flatten()
    }
}
