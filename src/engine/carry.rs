//! Carrying out actions: what a node needs is put together here, and its end is journaled here.

use std::sync::Arc;

use serde_json::json;

use super::attempt::Report;
use super::crew::Job;
use super::driver::Driver;
use super::error::Error;
use super::ground::{Ground, Start};
use super::kept::place;
use super::observer::Observer;
use super::resolve::with_bases;
use super::scope::At;
use crate::expr::Secrets;
use crate::plan::Step;
use crate::port::{Effect, Failure, FailureKind};
use crate::run::{
    Action, ApprovalExpired, ApprovalRequested, ConditionEvaluated, FailureRecord, ForeachExpanded,
    InstanceId, NodeBypassed, NodeCancelled, NodeFailed, NodeStarted, NodeSucceeded, Rewound,
    RunCancelled, RunFailed, RunRejected, SubflowStarted,
};
use crate::value::{Digest, Value};

/// More items than this in one `foreach` is taken for a mistake.
const MAX_ITEMS: usize = 100_000;

impl Driver {
    pub(super) async fn carry_out(
        &mut self,
        ground: &mut impl Ground,
        action: Action,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        match action {
            Action::Bypass(id, reason) => {
                let node = self.state.instance(id).path.clone();
                self.emit(NodeBypassed { node, reason }, false, observer)?;
            }
            Action::Evaluate(id) => match self.condition(id) {
                Ok(holds) => {
                    let node = self.state.instance(id).path.clone();
                    self.emit(ConditionEvaluated { node, holds }, false, observer)?;
                }
                Err(error) => self.node_failed(id, &Failure::new(error.to_string()), observer)?,
            },
            Action::Ask(id) => {
                // What a gate is about is on disk before anybody is asked about it.
                self.journal.sync().await?;
                self.ask(ground, id, observer).await?;
            }
            Action::Expire(id) => self.expire(id, observer)?,
            Action::Expand(id) => self.expand(id, observer)?,
            Action::Enter(id) => self.enter(id, observer)?,
            Action::Start(id) => self.start_attempt(ground, id, observer).await?,
            Action::Complete(id) => self.complete(id, observer)?,
            Action::Fail { node, cause } => {
                let inside = self.state.instance(cause);
                let message = inside
                    .error
                    .as_ref()
                    .map_or_else(String::new, |error| format!(": {}", error.message));
                let failure = Failure {
                    kind: FailureKind::Error,
                    message: format!("`{}` failed{message}", inside.path),
                    help: inside.error.as_ref().and_then(|error| error.help.clone()),
                    findings: None,
                };
                self.node_failed(node, &failure, observer)?;
            }
            Action::Rewind => self.rewind(observer)?,
            Action::Pause => self.pause(ground, observer).await?,
            Action::Publish => self.publish(ground, observer).await?,
            Action::FinishFailed(id) => {
                let instance = self.state.instance(id);
                let (node, error) = (instance.path.clone(), instance.error.clone());
                let message = error
                    .as_ref()
                    .map_or_else(|| "it failed".to_owned(), |error| error.message.clone());
                let help = error.and_then(|error| error.help);
                self.emit(
                    RunFailed {
                        node: Some(node),
                        message,
                        help,
                    },
                    true,
                    observer,
                )?;
            }
            Action::FinishRejected(node) => {
                let (by, reason) = self
                    .state
                    .rejection()
                    .map_or((None, String::new()), |(_, by, reason)| {
                        (by.clone(), reason.clone())
                    });
                self.emit(RunRejected { node, by, reason }, true, observer)?;
            }
            Action::FinishCancelled => {
                let by = self.state.cancelling().unwrap_or_default().to_owned();
                self.emit(RunCancelled { by }, true, observer)?;
            }
            Action::Seal => self.seal(ground, observer).await?,
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        ground: &mut impl Ground,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let inputs = match self.inputs(id, Secrets::Name, true) {
            Ok(inputs) => inputs,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let staged = match self.manifest_before(id) {
            Ok(staged) => staged,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let workspace = self.engine.layout.workspace().to_owned();
        let looked = ground.step("look at the workspace", move || {
            Ok(with_bases(staged, &workspace))
        });
        let files = match looked.await? {
            Ok(files) => files,
            Err(message) => return self.node_failed(id, &Failure::new(message), observer),
        };
        let node = self.state.node(&self.plan, id);
        let gate = node.gate.clone().unwrap_or_default();
        let mut inputs = inputs;
        // A yes to a `foreach` is a yes to these items; they are frozen right after it, from the
        // same outputs.
        if let Some(foreach) = &node.foreach {
            let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
            match foreach.eval(&scope) {
                Ok(items) => {
                    inputs.insert("foreach".to_owned(), items);
                }
                Err(error) => {
                    let failure = Failure::new(error.to_string());
                    return self.node_failed(id, &failure, observer);
                }
            }
        }
        let deadline = gate
            .timeout
            .and_then(|timeout| self.now().checked_add(timeout).ok());
        let path = self.state.instance(id).path.clone();
        let digest = Digest::of_json(&json!({
            "flow": self.compiled.digest.to_string(),
            "node": path.as_str(),
            "round": self.state.round(),
            "inputs": inputs,
            "files": files,
        }));
        let request = ApprovalRequested {
            node: path,
            digest,
            deadline,
            on_timeout: gate.on_timeout,
            inputs: Value::Object(inputs),
            files,
            form: gate.form_schema(),
            approvers: gate.approvers,
            quorum: gate.quorum,
            separation_of_duties: gate.separation_of_duties,
        };
        self.emit(request, true, observer)?;
        Ok(())
    }

    /// Begins a new round: somebody sent work back.
    fn rewind(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let Some(decision) = self.state.sent_back().cloned() else {
            return Ok(());
        };
        let Some(target) = decision.target else {
            return Ok(());
        };
        let event = Rewound {
            node: decision.node,
            target,
            feedback: decision.comment.unwrap_or_default(),
            by: decision.by,
            round: self.state.round() + 1,
        };
        self.emit(event, true, observer)?;
        Ok(())
    }

    pub(super) fn expire(
        &mut self,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let instance = self.state.instance(id);
        let Some((deadline, on_timeout)) = instance
            .request
            .as_ref()
            .and_then(|request| Some((request.deadline?, request.on_timeout)))
        else {
            return Ok(());
        };
        let node = instance.path.clone();
        self.emit(
            ApprovalExpired {
                node,
                deadline,
                on_timeout,
            },
            true,
            observer,
        )?;
        Ok(())
    }

    pub(super) fn expand(
        &mut self,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let node = self.state.node(&self.plan, id);
        let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
        let items = match node.foreach.as_ref().map(|foreach| foreach.eval(&scope)) {
            Some(Ok(Value::Array(items))) if items.len() <= MAX_ITEMS => Ok(items),
            Some(Ok(Value::Array(items))) => Err(format!(
                "`foreach` has {} items; at most {MAX_ITEMS} are run",
                items.len()
            )),
            Some(Ok(other)) => Err(format!(
                "`foreach` needs a list, and this is {}",
                crate::value::type_name(&other)
            )),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Vec::new()),
        };
        drop(scope);
        match items {
            Ok(items) => {
                let path = self.state.instance(id).path.clone();
                let size = 64 * items.len();
                let value = Arc::new(Value::Array(items.clone()));
                let seq = self.emit(ForeachExpanded { node: path, items }, false, observer)?;
                self.values.borrow_mut().insert(seq, value, size);
                Ok(())
            }
            Err(message) => self.node_failed(id, &Failure::new(message), observer),
        }
    }

    pub(super) fn enter(
        &mut self,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let Step::Flow(scope) = self.state.node(&self.plan, id).step else {
            return Ok(());
        };
        let mut inputs = match self.inputs(id, Secrets::Name, false) {
            Ok(inputs) => inputs,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        for (name, input) in &self.plan.scope(scope).inputs {
            if let (false, Some(default)) = (inputs.contains_key(name), &input.default) {
                inputs.insert(name.clone(), default.clone());
            }
            if let (Some(kind), Some(value)) = (input.kind, inputs.get_mut(name)) {
                match kind.coerce(value) {
                    Ok(coerced) => *value = coerced,
                    Err(reason) => {
                        let failure = Failure::new(format!("its input `{name}`: {reason}"));
                        return self.node_failed(id, &failure, observer);
                    }
                }
            }
        }
        let attempt = self.state.instance(id).attempt + 1;
        let node = self.state.instance(id).path.clone();
        let value = Value::Object(inputs.clone());
        let size = 64 * inputs.len();
        let event = SubflowStarted {
            node,
            attempt,
            inputs,
        };
        let seq = self.emit(event, false, observer)?;
        // Nodes inside read the inputs before the record need be on disk.
        self.values.borrow_mut().insert(seq, Arc::new(value), size);
        Ok(())
    }

    async fn start_attempt(
        &mut self,
        ground: &mut impl Ground,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        if let Some(missing) = &self.missing_secrets {
            return Err(Error::Secrets(missing.clone()));
        }
        let attempt = self.state.instance(id).attempt + 1;
        let path = self.state.instance(id).path.clone();
        let key = Digest::of_parts([
            self.dir.id.as_str().as_bytes(),
            path.as_str().as_bytes(),
            &self.state.round().to_be_bytes(),
        ])
        .hex();
        // Written, not awaited: a start that is lost is a start that is made again.
        self.emit(
            NodeStarted {
                node: path,
                attempt,
                key: key.clone(),
            },
            false,
            observer,
        )?;
        ground
            .begin(self, Start { id, attempt, key }, observer)
            .await
    }

    /// Lets the attempts begin whose start was journaled: first it is written, at once for all of them.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.to_begin.is_empty() {
            return Ok(());
        }
        self.journal.flush()?;
        let reports = &self.reports.0;
        let begun = self.to_begin.drain(..);
        let jobs: Vec<Job> = begun
            .filter_map(|attempt| attempt.begin(reports.clone()))
            .collect();
        if jobs.is_empty() {
            return Ok(());
        }
        self.crew.give(jobs).map_err(Error::Threads)
    }

    /// An attempt came back.
    pub(super) fn report(
        &mut self,
        report: Report,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let id = report.id;
        let known = self.in_flight.remove(&id).flatten();
        if !self.expects(id, report.attempt) {
            return Ok(());
        }
        if self.state.cancelling().is_some() && (report.stopped || report.result.is_err()) {
            let node = self.state.instance(id).path.clone();
            self.emit(NodeCancelled { node }, false, observer)?;
            return Ok(());
        }
        let success = match report.result {
            Ok(success) => success,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let fingerprint = match known.map_or_else(|| self.fingerprint(id), Ok) {
            Ok(fingerprint) => fingerprint,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let effectful = self.state.node(&self.plan, id).effect() == Effect::Effectful;
        let event = NodeSucceeded {
            node: self.state.instance(id).path.clone(),
            attempt: report.attempt,
            digest: success.digest,
            fingerprint,
            effectful,
            files: success.files,
            evidence: success.evidence,
            subject: success.subject,
            about: success
                .about
                .map(|about| serde_json::value::to_raw_value(&about).expect("JSON becomes JSON")),
            external: success.external,
            cached: success.cached,
            output: success.raw,
        };
        let seq = self.emit(event, effectful, observer)?;
        self.values
            .borrow_mut()
            .insert(seq, success.output, success.size);
        Ok(())
    }

    pub(super) fn node_failed(
        &mut self,
        id: InstanceId,
        failure: &Failure,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        // What was kept cannot be read: that is no failure of the node, and must not become one.
        if let Some(broken) = self.values.borrow_mut().broken.take() {
            return Err(broken);
        }
        let timed_out = failure.kind == FailureKind::Timeout;
        let retry_at = self.state.retry_at(&self.plan, id, timed_out, self.now());
        let event = NodeFailed {
            node: self.state.instance(id).path.clone(),
            attempt: self.state.instance(id).attempt,
            error: FailureRecord {
                kind: if timed_out { "timeout" } else { "error" }.to_owned(),
                message: failure.message.clone(),
                help: failure.help.clone(),
            },
            findings: failure
                .findings
                .as_ref()
                .map(|found| serde_json::value::to_raw_value(found).expect("JSON becomes JSON")),
            retry_at,
        };
        self.emit(event, retry_at.is_none(), observer)?;
        Ok(())
    }

    /// Puts together what is inside a sub-flow or `foreach`; or takes a gate's answer as output.
    pub(super) fn complete(
        &mut self,
        id: InstanceId,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let output = match self.composed(id) {
            Ok(output) => output,
            Err(error) => return self.node_failed(id, &Failure::new(error.to_string()), observer),
        };
        let fingerprint = match self.fingerprint(id) {
            Ok(fingerprint) => fingerprint,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let raw = serde_json::value::to_raw_value(&output).expect("JSON becomes JSON");
        let size = raw.get().len();
        let (external, raw) = place(raw, &self.blobs)?;
        let event = NodeSucceeded {
            node: self.state.instance(id).path.clone(),
            attempt: self.state.instance(id).attempt.max(1),
            digest: Digest::of_value(&output),
            fingerprint,
            effectful: false,
            files: Arc::default(),
            evidence: Arc::default(),
            subject: None,
            about: None,
            external,
            cached: None,
            output: raw,
        };
        let seq = self.emit(event, false, observer)?;
        self.values.borrow_mut().insert(seq, Arc::new(output), size);
        Ok(())
    }
}
