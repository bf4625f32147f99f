//! [`RunState::apply`]: the one place where a run changes.

use std::sync::Arc;

use super::event::{Decision, Event, FailureRecord, Payload};
use super::instance::{ContextId, Instance, InstanceId, NodeState, OutputRef, Request};
use super::ready::Stage;
use super::state::{RunState, Status};
use crate::flow::Expiry;
use crate::id::NodePath;
use crate::plan::{Fallback, NodeId, Plan, Step};

/// An event that cannot have happened here: the journal is not one of this plan, or is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} (`{event}`) cannot follow what is before it: {message}")]
pub struct IllegalTransition {
    /// The record.
    pub seq: u64,
    /// Its kind.
    pub event: String,
    /// Why.
    pub message: String,
}

impl RunState {
    /// Folds an event in.
    ///
    /// `flow_changed` is not folded here: it needs the new plan, see [`RunState::adopt`].
    ///
    /// # Errors
    /// [`IllegalTransition`]; the state is then unusable.
    pub fn apply(&mut self, plan: &Plan, event: &Event) -> Result<(), IllegalTransition> {
        self.fold(plan, event)
            .map_err(|message| IllegalTransition {
                seq: event.seq,
                event: event.payload.word().to_owned(),
                message,
            })?;
        self.last_seq = self.last_seq.max(event.seq);
        Ok(())
    }

    /// Begins anew on an edited plan: of all that was before `flow_changed`, the kept events are
    /// folded in, in order, and the ids of decisions stay known; everything else is history.
    ///
    /// # Errors
    /// As [`RunState::apply`].
    pub fn adopt(
        plan: &Plan,
        changed: &Event,
        before: &[Event],
    ) -> Result<Self, IllegalTransition> {
        let Payload::FlowChanged(change) = &changed.payload else {
            return Err(IllegalTransition {
                seq: changed.seq,
                event: changed.payload.word().to_owned(),
                message: "it adopts no edit".to_owned(),
            });
        };
        let mut state = Self::new(plan);
        let kept: std::collections::BTreeSet<u64> = change.kept.iter().copied().collect();
        for event in before {
            state.round = state.round.max(event.round);
            match &event.payload {
                Payload::ApprovalDecided(data) => _ = state.decisions.insert(data.id.clone()),
                Payload::DecisionRefused(data) => {
                    _ = state.decisions.insert(data.decision.id.clone());
                }
                Payload::CancelRequested(data) => _ = state.decisions.insert(data.id.clone()),
                Payload::NodeSucceeded(data) if state.subject.is_none() => {
                    state.subject.clone_from(&data.subject);
                }
                _ => {}
            }
            if kept.contains(&event.seq) {
                state.apply(plan, event)?;
            }
            state.set_durable(plan, event.seq);
        }
        state.last_seq = changed.seq;
        Ok(state)
    }

    /// Says that every record up to `seq` is on disk, so that what depends on it may start.
    pub fn set_durable(&mut self, plan: &Plan, seq: u64) {
        self.durable = self.durable.max(seq);
        while let Some(&(first, id)) = self.unreleased.front() {
            if first > self.durable {
                break;
            }
            self.unreleased.pop_front();
            self.release(plan, id);
        }
    }

    fn fold(&mut self, plan: &Plan, event: &Event) -> Result<(), String> {
        if self.status.ended()
            && !matches!(
                event.payload,
                Payload::RunResumed(_) | Payload::RunSealed(_) | Payload::DecisionRefused(_)
            )
        {
            return Err(format!("the run is {}", self.status.word()));
        }
        match &event.payload {
            Payload::RunStarted(_) => {
                if event.seq != 1 {
                    return Err("a run starts once".to_owned());
                }
            }
            Payload::RunResumed(_) => self.resumed(plan),
            Payload::FlowChanged(_) => return Err("it needs the changed plan".to_owned()),
            Payload::ConditionEvaluated(data) => {
                let id = self.at_stage(plan, &data.node, |stage| *stage == Stage::Evaluate)?;
                self.instance_mut(id).condition = Some(data.holds);
                self.instance_mut(id).records.push(event.seq);
                self.again(plan, id);
            }
            Payload::ForeachExpanded(data) => {
                let id = self.at_stage(plan, &data.node, |stage| *stage == Stage::Expand)?;
                self.expand(plan, id, data.items.len(), event);
            }
            Payload::SubflowStarted(data) => {
                let id = self.find_path(&data.node)?;
                let retried = matches!(self.instance(id).state, NodeState::Backoff(_));
                if !retried && self.stage(plan, id) != Stage::Enter {
                    return Err(format!("`{}` is not to be entered", data.node));
                }
                let Step::Flow(scope) = self.node(plan, id).step else {
                    return Err(format!("`{}` is no sub-flow", data.node));
                };
                self.forget(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Running;
                instance.attempt = data.attempt;
                instance.started = Some(event.ts);
                instance.entered = Some(event.seq);
                instance.records.push(event.seq);
                let body = self.enter(plan, scope, Some(id));
                self.instance_mut(id).body = Some(body);
                // An empty sub-flow has ended already.
                self.inside_changed(plan, id);
            }
            Payload::ApprovalRequested(data) => {
                let id = self.at_stage(plan, &data.node, |stage| *stage == Stage::Ask)?;
                self.forget(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Waiting;
                instance.request = Some(Request {
                    digest: data.digest,
                    seq: event.seq,
                    deadline: data.deadline,
                    on_timeout: data.on_timeout,
                    files: Arc::from(data.files.as_slice()),
                    decision: None,
                });
                self.waiting.insert(id);
                self.status = Status::Running;
            }
            Payload::ApprovalDecided(data) => {
                let id = self.find_path(&data.node)?;
                if self.instance(id).state != NodeState::Waiting {
                    return Err(format!("`{}` does not wait", data.node));
                }
                self.decisions.insert(data.id.clone());
                let instance = self.instance_mut(id);
                let request = instance.request.as_mut().ok_or("there is no request")?;
                if request.digest != data.digest {
                    return Err("the decision names another digest".to_owned());
                }
                request.decision = Some(data.clone());
                instance.records.push(event.seq);
                instance.state = NodeState::Pending;
                self.waiting.remove(&id);
                self.status = Status::Running;
                match data.decision {
                    Decision::Approved => self.make_ready(plan, id),
                    Decision::Rejected => {
                        let reason = data.comment.clone().unwrap_or_default();
                        self.rejection = Some((data.node.clone(), Some(data.by.clone()), reason));
                    }
                }
            }
            Payload::DecisionRefused(data) => {
                self.decisions.insert(data.decision.id.clone());
            }
            Payload::ApprovalExpired(data) => {
                let id = self.find_path(&data.node)?;
                if self.instance(id).state != NodeState::Waiting {
                    return Err(format!("`{}` does not wait", data.node));
                }
                self.waiting.remove(&id);
                self.status = Status::Running;
                match data.on_timeout {
                    Expiry::Reject => {
                        self.instance_mut(id).state = NodeState::Pending;
                        self.rejection = Some((
                            data.node.clone(),
                            None,
                            "nobody answered in time".to_owned(),
                        ));
                    }
                    Expiry::Fail => {
                        let error = FailureRecord {
                            kind: "timeout".to_owned(),
                            message: "nobody answered in time".to_owned(),
                            help: Some("resume the run to ask again".to_owned()),
                        };
                        let instance = self.instance_mut(id);
                        instance.error = Some(error);
                        instance.ended = Some(event.ts);
                        self.failed(plan, id);
                    }
                }
            }
            Payload::NodeStarted(data) => {
                let id = self.find_path(&data.node)?;
                if !self.startable.contains(&id)
                    && !matches!(self.instance(id).state, NodeState::Backoff(_))
                {
                    return Err(format!(
                        "`{}` is {} and not to be started",
                        data.node,
                        self.instance(id).state.word()
                    ));
                }
                self.forget(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Running;
                instance.attempt = data.attempt;
                instance.started = Some(event.ts);
                instance.ended = None;
                self.running.insert(id);
                self.count_active(id, true);
                self.status = Status::Running;
            }
            Payload::NodeSucceeded(data) => {
                let id = self.find_path(&data.node)?;
                // A kept result of an earlier plan comes without its start.
                if self.instance(id).state.ended() {
                    return Err(format!(
                        "`{}` has {} already",
                        data.node,
                        self.instance(id).state.word()
                    ));
                }
                self.stop_running(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Succeeded;
                instance.attempt = data.attempt;
                instance.ended = Some(event.ts);
                instance.output = Some(OutputRef {
                    seq: event.seq,
                    digest: data.digest,
                });
                instance.records.push(event.seq);
                instance.fingerprint = Some(data.fingerprint);
                instance.files = Arc::clone(&data.files);
                instance.evidence = Arc::clone(&data.evidence);
                instance.error = None;
                self.has_files |= !data.files.is_empty();
                if self.subject.is_none() {
                    self.subject.clone_from(&data.subject);
                }
                // What is put together from what is inside is no effect of its own: that is durable.
                let effectful = data.effectful;
                if effectful && event.seq > self.durable {
                    self.unreleased.push_back((event.seq, id));
                } else {
                    self.release(plan, id);
                }
                self.settle(plan, id);
            }
            Payload::NodeFailed(data) => {
                let id = self.find_path(&data.node)?;
                let state = &self.instance(id).state;
                if !matches!(state, NodeState::Running | NodeState::Pending) {
                    return Err(format!("`{}` is {}", data.node, state.word()));
                }
                self.stop_running(id);
                self.forget_inside(id);
                let instance = self.instance_mut(id);
                instance.attempt = data.attempt;
                instance.failures += 1;
                instance.ended = Some(event.ts);
                instance.error = Some(data.error.clone());
                match data.retry_at {
                    Some(at) => {
                        instance.state = NodeState::Backoff(at);
                        // What is inside a failed attempt of a sub-flow is history.
                        instance.body = None;
                        if !self.held(id) {
                            self.backoff.insert((at, id));
                        }
                        self.settle(plan, id);
                    }
                    None => self.failed(plan, id),
                }
            }
            Payload::NodeBypassed(data) => {
                let id = self.find_path(&data.node)?;
                if self.instance(id).state != NodeState::Pending {
                    return Err(format!(
                        "`{}` is {}",
                        data.node,
                        self.instance(id).state.word()
                    ));
                }
                self.forget(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Bypassed;
                instance.reason = Some(data.reason.clone());
                instance.records.push(event.seq);
                instance.ended = Some(event.ts);
                self.release(plan, id);
            }
            Payload::NodeCancelled(data) => {
                let id = self.find_path(&data.node)?;
                self.stop_running(id);
                let instance = self.instance_mut(id);
                instance.state = NodeState::Cancelled;
                instance.ended = Some(event.ts);
            }
            Payload::CancelRequested(data) => {
                self.decisions.insert(data.id.clone());
                self.cancelling = Some(data.by.clone());
                self.status = Status::Running;
            }
            Payload::RunPaused(_) => self.status = Status::Paused,
            Payload::PublishStarted(_) => {
                if self.context(ContextId(0)).open > 0 {
                    return Err("nodes are still to run".to_owned());
                }
                self.publishing = Some(event.seq);
            }
            Payload::RunSucceeded(_) => {
                self.publishing = None;
                self.outputs_seq = Some(event.seq);
                self.end(Status::Succeeded);
            }
            Payload::RunFailed(data) => {
                self.failure = Some((data.node.clone(), data.message.clone(), data.help.clone()));
                self.publishing = None;
                self.withdraw_gates();
                self.end(Status::Failed);
            }
            Payload::RunRejected(_) => {
                self.withdraw_gates();
                self.end(Status::Rejected);
            }
            Payload::RunCancelled(_) => {
                for id in (0..self.instances.len()).map(InstanceId::of) {
                    if !self.instance(id).state.ended() {
                        self.instance_mut(id).state = NodeState::Cancelled;
                    }
                }
                self.end(Status::Cancelled);
            }
            Payload::RunSealed(_) => self.sealed = true,
        }
        Ok(())
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        self.sealed = false;
        self.todo.clear();
        self.startable.clear();
        self.waiting.clear();
        self.backoff.clear();
    }

    /// Open gates of a run that has ended otherwise are withdrawn: no answer counts any more.
    fn withdraw_gates(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let instance = self.instance_mut(id);
            instance.state = NodeState::Pending;
            instance.request = None;
        }
    }

    fn find_path(&self, path: &NodePath) -> Result<InstanceId, String> {
        self.find(path)
            .ok_or_else(|| format!("there is no node `{path}`"))
    }

    fn at_stage(
        &self,
        plan: &Plan,
        path: &NodePath,
        is: impl Fn(&Stage) -> bool,
    ) -> Result<InstanceId, String> {
        let id = self.find_path(path)?;
        let instance = self.instance(id);
        if instance.state != NodeState::Pending || instance.waits > 0 || !is(&self.stage(plan, id))
        {
            return Err(format!("it is not the turn of `{path}`"));
        }
        Ok(id)
    }

    /// Takes an instance out of every queue.
    fn forget(&mut self, id: InstanceId) {
        self.todo.remove(&id);
        self.startable.remove(&id);
        self.waiting.remove(&id);
        if let NodeState::Backoff(at) = self.instance(id).state {
            self.backoff.remove(&(at, id));
        }
    }

    /// Judges an instance anew.
    fn again(&mut self, plan: &Plan, id: InstanceId) {
        self.forget(id);
        if !self.held(id) {
            self.make_ready(plan, id);
        }
    }

    fn expand(&mut self, plan: &Plan, id: InstanceId, count: usize, event: &Event) {
        self.forget(id);
        let (node, context, path) = {
            let instance = self.instance(id);
            (instance.node, instance.context, instance.path.clone())
        };
        let first = self.instances.len();
        for index in 0..count {
            let item_path = path.item(index);
            let item_id = InstanceId::of(self.instances.len());
            self.paths.insert(item_path.clone(), item_id);
            let mut item = Instance::new(item_path, context, node, 0);
            item.item = Some(index);
            item.parent_item = Some(id);
            self.instances.push(item);
        }
        let instance = self.instance_mut(id);
        instance.state = NodeState::Running;
        instance.started = Some(event.ts);
        instance.entered = Some(event.seq);
        instance.records.push(event.seq);
        instance.attempt = 1;
        instance.items = Some(first..first + count);
        instance.items_open = count;
        for item in self.items(id) {
            self.make_ready(plan, item);
        }
        self.inside_changed(plan, id);
    }

    fn stop_running(&mut self, id: InstanceId) {
        self.forget(id);
        if self.running.remove(&id) {
            self.count_active(id, false);
        }
    }

    /// Counts an attempt in every scope around it.
    fn count_active(&mut self, id: InstanceId, begins: bool) {
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
    fn release(&mut self, plan: &Plan, id: InstanceId) {
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
    fn current(&self, id: InstanceId) -> bool {
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
    fn inside_changed(&mut self, plan: &Plan, id: InstanceId) {
        if self.instance(id).state == NodeState::Running && self.stage(plan, id) != Stage::Inside {
            self.todo.insert(id);
        }
    }

    /// After an attempt inside a failing scope has ended, the scope itself may be done.
    fn settle(&mut self, plan: &Plan, id: InstanceId) {
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
    fn failed(&mut self, plan: &Plan, id: InstanceId) {
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
    fn fails_its_scope(&self, plan: &Plan, id: InstanceId) -> bool {
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
    fn fail_scope(&mut self, plan: &Plan, context: ContextId, cause: InstanceId) {
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
    fn purge(&mut self) {
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
    fn forget_inside(&mut self, id: InstanceId) {
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

    /// A driver takes the run up: attempts that nobody finished are to be made again, and what
    /// failed is to be tried again.
    fn resumed(&mut self, plan: &Plan) {
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
            let handled = self.node(plan, id).on_error != Fallback::Fail;
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
    fn alive(&self, id: InstanceId) -> bool {
        self.around(id)
            .is_none_or(|around| self.instance(around).state == NodeState::Running)
    }
}
