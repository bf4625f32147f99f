//! [`RunState::apply`]: the one place where a run changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::event::{Decision, Event, FailureRecord, FlowChanged, Payload};
use super::instance::{ContextId, Instance, InstanceId, NodeState, OutputRef, Request};
use super::ready::Stage;
use super::rewind::Rewind;
use super::state::{RunState, Status};
use crate::flow::Expiry;
use crate::id::NodePath;
use crate::plan::{Plan, Step};

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

/// A run that begins anew on an edited plan: of all that was before `flow_changed`, the kept events
/// are folded in, in order, and the ids of decisions stay known; everything else is history.
#[derive(Debug)]
pub struct Adoption {
    state: RunState,
    kept: BTreeSet<u64>,
}

impl Adoption {
    /// Begins. `changed` is the `flow_changed`, and `plan` the edited one.
    #[must_use]
    pub fn new(plan: &Plan, changed: &FlowChanged) -> Self {
        Self {
            state: RunState::new(plan),
            kept: changed.kept.iter().copied().collect(),
        }
    }

    /// Takes the next event from before `flow_changed`.
    ///
    /// # Errors
    /// As [`RunState::apply`].
    pub fn before(&mut self, plan: &Plan, event: &Event) -> Result<(), IllegalTransition> {
        let state = &mut self.state;
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
        if let Payload::Rewound(data) = &event.payload {
            state.rewinds.push(Rewind::of(data));
            state.round = state.round.max(data.round);
        }
        if self.kept.contains(&event.seq) {
            state.apply(plan, event)?;
        }
        state.set_durable(plan, event.seq);
        Ok(())
    }

    /// Comes to `flow_changed` itself.
    #[must_use]
    pub fn done(mut self, seq: u64) -> RunState {
        self.state.last_seq = seq;
        self.state
    }
}

impl RunState {
    /// Folds an event in.
    ///
    /// `flow_changed` is not folded here: it needs the new plan, see [`Adoption`].
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
                instance.request = Some(Box::new(Request {
                    digest: data.digest,
                    seq: event.seq,
                    asked: event.ts,
                    deadline: data.deadline,
                    on_timeout: data.on_timeout,
                    files: Arc::from(data.files.as_slice()),
                    round: event.round,
                    yeses: Vec::new(),
                    decision: None,
                }));
                self.waiting.insert(id);
                self.status = Status::Running;
            }
            Payload::ApprovalDecided(data) => {
                let id = self.find_path(&data.node)?;
                if self.instance(id).state != NodeState::Waiting {
                    return Err(format!("`{}` does not wait", data.node));
                }
                self.decisions.insert(data.id.clone());
                let quorum = self.quorum(plan, id);
                let instance = self.instance_mut(id);
                let request = instance.request.as_mut().ok_or("there is no request")?;
                if request.digest != data.digest {
                    return Err("the decision names another digest".to_owned());
                }
                instance.records.push(event.seq);
                if data.decision == Decision::Approved {
                    request.yeses.push(data.clone());
                    if request.yeses.len() < quorum {
                        return Ok(());
                    }
                }
                request.decision = Some(data.clone());
                instance.state = NodeState::Pending;
                self.waiting.remove(&id);
                self.status = Status::Running;
                match data.decision {
                    Decision::Approved => self.make_ready(plan, id),
                    Decision::SentBack => {
                        self.back_to(plan, id, data)?;
                        self.sent_back = Some(data.clone());
                    }
                    Decision::Rejected => {
                        let reason = data.comment.clone().unwrap_or_default();
                        self.rejection = Some((data.node.clone(), Some(data.by.clone()), reason));
                    }
                }
            }
            Payload::Rewound(data) => self.rewound(plan, data, event.seq)?,
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
                        instance.error = Some(Box::new(error));
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
                instance.cached = data.cached;
                instance.about.clone_from(&data.about);
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
                instance.error = Some(Box::new(data.error.clone()));
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
    pub(super) fn forget(&mut self, id: InstanceId) {
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
        self.instances.reserve(count);
        self.paths.reserve(count);
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
}
