//! Carrying out actions: what a node needs is put together here, and its end is journaled here.

use std::sync::Arc;

use serde_json::json;

use super::attempt::{Report, Work, run};
use super::driver::Driver;
use super::error::Error;
use super::host::NodeHost;
use super::observer::Observer;
use super::publish::{self, base_digest, manifest};
use super::scope::{At, RunScope};
use crate::expr::{Binding, EvalError, Secrets, Use};
use crate::plan::{PlanNode, Step};
use crate::port::{Effect, Failure, FailureKind};
use crate::run::{
    Action, ApprovalExpired, ApprovalRequested, ConditionEvaluated, FailureRecord, ForeachExpanded,
    InstanceId, NodeBypassed, NodeCancelled, NodeFailed, NodeStarted, NodeSucceeded,
    PublishStarted, RunCancelled, RunFailed, RunPaused, RunRejected, RunSealed, RunSucceeded,
    StagedFile, SubflowStarted,
};
use crate::tool::{LogFile, ProcessSpec};
use crate::value::{Digest, Object, Value, to_text};

/// More items than this in one `foreach` is taken for a mistake.
const MAX_ITEMS: usize = 100_000;

impl Driver {
    pub(super) async fn carry_out(
        &mut self,
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
            Action::Ask(id) => self.ask(id, observer)?,
            Action::Expire(id) => self.expire(id, observer)?,
            Action::Expand(id) => self.expand(id, observer)?,
            Action::Enter(id) => self.enter(id, observer)?,
            Action::Start(id) => self.start_attempt(id, observer)?,
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
                };
                self.node_failed(node, &failure, observer)?;
            }
            Action::Pause => self.pause(observer).await?,
            Action::Publish => self.publish(observer).await?,
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
            Action::Seal => self.seal(observer).await?,
        }
        Ok(())
    }

    fn scope(&self, at: Option<At>, approval: Option<Value>, secrets: Secrets) -> RunScope<'_> {
        RunScope {
            plan: &self.plan,
            state: &self.state,
            journal: &self.journal,
            values: &self.values,
            inputs: &self.started.inputs,
            env: &self.started.env,
            run: self.dir.id.as_str(),
            variable: self.engine.variable,
            at,
            approval,
            secrets,
        }
    }

    fn condition(&self, id: InstanceId) -> Result<bool, EvalError> {
        let node = self.state.node(&self.plan, id);
        let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
        if let Some(when) = &node.when {
            return when.holds(&scope);
        }
        match &node.activate {
            Some(activate) => Ok(activate.when.eval(&scope)? == activate.is),
            None => Ok(true),
        }
    }

    /// The decision at a node's own gate, as tools and expressions see it.
    fn approval(&self, id: InstanceId) -> Option<Value> {
        let holder = self.state.foreach_of(id).unwrap_or(id);
        let request = self.state.instance(holder).request.as_ref()?;
        let decision = request.decision.as_ref()?;
        Some(json!({
            "decision": decision.decision,
            "by": decision.by,
            "at": decision.at.to_string(),
            "comment": decision.comment,
            "identity": decision.identity,
            "digest": decision.digest.to_string(),
            "round": self.state.round(),
            "gate": decision.node.as_str(),
        }))
    }

    /// Resolves a node's inputs. Required ports that are null because their node has no output
    /// were dealt with before; optional ones are left out.
    fn inputs(
        &self,
        id: InstanceId,
        secrets: Secrets,
        skip_approval: bool,
    ) -> Result<Object, Failure> {
        let node = self.state.node(&self.plan, id);
        let scope = self.scope(Some(At::Node(id)), self.approval(id), secrets);
        let all_items = node.foreach.is_some() && self.state.instance(id).item.is_none();
        let mut inputs = Object::new();
        for wire in &node.inputs {
            // A `foreach` itself has no item: such inputs are its items' own.
            if all_items && wire.binding.uses().iter().any(Use::is_item) {
                continue;
            }
            if skip_approval && wire.binding.uses().iter().any(Use::is_approval) {
                continue;
            }
            let value = wire
                .binding
                .eval(&scope)
                .map_err(|error| Failure::new(format!("its input `{}`: {error}", wire.port)))?;
            // A closed tool's optional input that comes from a node without output is left out.
            let from_nothing = value.is_null()
                && !wire.required
                && wire.binding.uses().iter().any(|used| used.node().is_some());
            if from_nothing && !is_open(node) {
                continue;
            }
            if let Some(violation) = wire.schema.check(&value).into_iter().next() {
                return Err(Failure::new(format!(
                    "its input `{}` does not fit: {violation}",
                    wire.port
                ))
                .help("`flowctl show RUN NODE` shows what the node before gave"));
            }
            inputs.insert(wire.port.clone(), value);
        }
        Ok(inputs)
    }

    /// What an output is a function of: tool, content and inputs, with secrets by name.
    pub(super) fn fingerprint(&self, id: InstanceId) -> Result<Digest, Failure> {
        let node = self.state.node(&self.plan, id);
        let inputs = self.inputs(id, Secrets::Name, false)?;
        // A `foreach` itself is also a function of what its items are functions of.
        let items: Vec<_> = self
            .state
            .items(id)
            .map(|item| self.state.instance(item).fingerprint)
            .collect();
        Ok(Digest::of_json(&json!({
            "tool": node.kind(),
            "content": node.digest().to_string(),
            "inputs": inputs,
            "items": items,
            "approval": self.approval(id),
        })))
    }

    fn ask(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
        let inputs = match self.inputs(id, Secrets::Name, true) {
            Ok(inputs) => inputs,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let files = match self.staged_before(id) {
            Ok(files) => files,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let node = self.state.node(&self.plan, id);
        let gate = node.gate.clone().unwrap_or_default();
        let deadline = gate
            .timeout
            .and_then(|timeout| self.engine.now().checked_add(timeout).ok());
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
        };
        self.emit(request, true, observer)?;
        Ok(())
    }

    /// The files of the nodes before one, with what is in the workspace in their place now.
    fn staged_before(&self, id: InstanceId) -> Result<Vec<StagedFile>, Failure> {
        let before = self.state.ancestors(&self.plan, id);
        let found = manifest(&self.plan, &self.state, before.into_iter())
            .map_err(|conflict| Failure::new(conflict.message).help(conflict.help))?;
        found
            .into_iter()
            .map(|(path, (file, _))| {
                let base = base_digest(self.engine.layout.workspace(), &path)
                    .map_err(|reason| Failure::new(format!("`{path}` cannot be read: {reason}")))?;
                Ok(StagedFile { base, ..file })
            })
            .collect()
    }

    fn expire(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
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

    fn expand(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
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

    fn enter(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
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

    fn start_attempt(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
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
        let work = match self.work(id, key) {
            Ok(work) => work,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let timeout = self.state.node(&self.plan, id).timeout;
        self.in_flight.insert(id);
        let task = run(
            id,
            attempt,
            work,
            timeout,
            Arc::clone(&self.blobs),
            self.engine.layout.workspace().to_owned(),
            self.cancel.1.clone(),
        );
        let reports = self.reports.0.clone();
        tokio::spawn(async move {
            // Nobody listens when the driver has stopped, and nothing is lost then.
            reports.send(task.await).ok();
        });
        Ok(())
    }

    fn work(&self, id: InstanceId, key: String) -> Result<Work, Failure> {
        let node = self.state.node(&self.plan, id);
        let inputs = self.inputs(id, Secrets::Reveal, false)?;
        let path = self.state.instance(id).path.clone();
        let log = Some(LogFile::lazy(log_file(&self.dir, path.as_str())));
        match &node.step {
            Step::Tool(tool) => {
                let staged = if tool.effect == Effect::Effectful {
                    self.staged_before(id)?
                } else {
                    Vec::new()
                };
                let host = self.host(staged, log);
                Ok(Work::Tool {
                    tool: tool.clone(),
                    inputs,
                    approval: self.approval(id),
                    key,
                    host: Box::new(host),
                    schemas: self.compiled.output_schemas(),
                })
            }
            Step::Process(process) => {
                let scope = self.scope(Some(At::Node(id)), self.approval(id), Secrets::Reveal);
                let text = |binding: &Binding, what: &str| {
                    binding
                        .eval(&scope)
                        .map(|value| to_text(&value))
                        .map_err(|error| Failure::new(format!("its {what}: {error}")))
                };
                let argv: Vec<String> = process
                    .command
                    .iter()
                    .map(|word| text(word, "command"))
                    .collect::<Result<_, _>>()?;
                if argv.iter().any(|word| word.contains('\0')) {
                    return Err(Failure::new("its command holds a NUL byte"));
                }
                let workspace = self.engine.layout.workspace();
                let cwd = match &process.cwd {
                    Some(cwd) => {
                        let cwd = text(cwd, "`cwd`")?;
                        if std::path::Path::new(&cwd).components().any(|part| {
                            !matches!(
                                part,
                                std::path::Component::Normal(_) | std::path::Component::CurDir
                            )
                        }) {
                            return Err(Failure::new(format!(
                                "its `cwd`, `{cwd}`, leads out of the workspace"
                            )));
                        }
                        workspace.join(cwd)
                    }
                    None => workspace.to_owned(),
                };
                let mut env = vec![
                    ("FLOWCTL_RUN_ID".to_owned(), self.dir.id.to_string()),
                    ("FLOWCTL_NODE".to_owned(), path.to_string()),
                    ("FLOWCTL_IDEMPOTENCY_KEY".to_owned(), key),
                ];
                for (name, value) in &process.env {
                    env.push((name.clone(), text(value, "`env`")?));
                }
                let stdin =
                    serde_json::to_vec(&inputs).map_err(|error| Failure::new(error.to_string()))?;
                let spec = ProcessSpec {
                    argv,
                    cwd,
                    env,
                    stdin,
                    timeout: node.timeout,
                    log,
                };
                // Asking for what is before every node of a long chain would take the square of it.
                let staged = if self.state.has_files() {
                    self.staged_before(id)?
                } else {
                    Vec::new()
                };
                let log = spec.log.clone();
                Ok(Work::Process {
                    host: (!staged.is_empty()).then(|| Box::new(self.host(staged, log))),
                    spec: Box::new(spec),
                    output: process.output,
                })
            }
            Step::Flow(_) | Step::Gate => Err(Failure::new("it runs nothing of its own")),
        }
    }

    fn host(&self, staged: Vec<StagedFile>, log: Option<LogFile>) -> NodeHost {
        NodeHost::new(
            Arc::clone(&self.compiled.registry),
            Arc::clone(&self.blobs),
            staged,
            self.dir.path.join("scratch"),
            self.engine.clock,
            self.engine.variable,
            tokio::runtime::Handle::current(),
            self.cancel.1.clone(),
            log,
        )
    }

    /// An attempt came back.
    pub(super) fn report(
        &mut self,
        report: Report,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        self.in_flight.remove(&report.id);
        let id = report.id;
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
        let fingerprint = match self.fingerprint(id) {
            Ok(fingerprint) => fingerprint,
            Err(failure) => return self.node_failed(id, &failure, observer),
        };
        let effectful = self.state.node(&self.plan, id).effect() == Effect::Effectful;
        let size = success.raw.get().len();
        let event = NodeSucceeded {
            node: self.state.instance(id).path.clone(),
            attempt: report.attempt,
            digest: success.digest,
            fingerprint,
            effectful,
            files: success.files,
            evidence: success.evidence,
            subject: success.subject,
            output: success.raw,
        };
        let seq = self.emit(event, effectful, observer)?;
        self.values.borrow_mut().insert(seq, success.output, size);
        Ok(())
    }

    pub(super) fn node_failed(
        &mut self,
        id: InstanceId,
        failure: &Failure,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let timed_out = failure.kind == FailureKind::Timeout;
        let retry_at = self
            .state
            .retry_at(&self.plan, id, timed_out, self.engine.now());
        let event = NodeFailed {
            node: self.state.instance(id).path.clone(),
            attempt: self.state.instance(id).attempt,
            error: FailureRecord {
                kind: if timed_out { "timeout" } else { "error" }.to_owned(),
                message: failure.message.clone(),
                help: failure.help.clone(),
            },
            retry_at,
        };
        self.emit(event, retry_at.is_none(), observer)?;
        Ok(())
    }

    /// Puts together what is inside a sub-flow or `foreach`; or takes a gate's answer as output.
    fn complete(&mut self, id: InstanceId, observer: &mut dyn Observer) -> Result<(), Error> {
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
        let event = NodeSucceeded {
            node: self.state.instance(id).path.clone(),
            attempt: self.state.instance(id).attempt.max(1),
            digest: Digest::of_json(&output),
            fingerprint,
            effectful: false,
            files: Arc::new([]),
            evidence: Arc::new([]),
            subject: None,
            output: raw,
        };
        let seq = self.emit(event, false, observer)?;
        self.values.borrow_mut().insert(seq, Arc::new(output), size);
        Ok(())
    }

    fn composed(&self, id: InstanceId) -> Result<Value, EvalError> {
        let node = self.state.node(&self.plan, id);
        let instance = self.state.instance(id);
        if node.foreach.is_some() && instance.item.is_none() {
            let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
            let items = self
                .state
                .items(id)
                .map(|item| match self.state.instance(item).output {
                    Some(output) => scope.value(output.seq),
                    None => Ok(Value::Null),
                });
            return items.collect::<Result<Vec<_>, _>>().map(Value::Array);
        }
        match &node.step {
            Step::Flow(sub) => {
                let scope = self.scope(Some(At::Inside(id)), None, Secrets::Name);
                let outputs: Result<Object, EvalError> = self
                    .plan
                    .scope(*sub)
                    .outputs
                    .iter()
                    .map(|(name, output)| Ok((name.clone(), output.eval(&scope)?)))
                    .collect();
                outputs.map(Value::Object)
            }
            _ => Ok(self.approval(id).unwrap_or(Value::Null)),
        }
    }

    async fn pause(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let waiting = self
            .state
            .waiting()
            .map(|id| self.state.instance(id).path.clone())
            .collect();
        self.emit(RunPaused { waiting }, true, observer)?;
        self.journal.sync().await?;
        self.project()
    }

    /// Writes what is new in the journal to the node logs.
    fn project(&self) -> Result<(), Error> {
        let records = crate::store::read(&self.dir.journal())?.records;
        crate::evidence::project(
            &self.engine.layout,
            &self.dir.id,
            &records,
            &|path| self.is_evidence(path),
            &self.blobs,
        )?;
        Ok(())
    }

    fn is_evidence(&self, path: &crate::id::NodePath) -> bool {
        self.state
            .find(path)
            .is_some_and(|id| self.state.node(&self.plan, id).evidence)
    }

    async fn publish(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let scope = self.scope(None, None, Secrets::Name);
        let outputs: Result<Object, EvalError> = self
            .plan
            .root()
            .outputs
            .iter()
            .map(|(name, output)| Ok((name.clone(), output.eval(&scope)?)))
            .collect();
        drop(scope);
        let failed = |message: String, help: Option<String>| RunFailed {
            node: None,
            message,
            help,
        };
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(error) => {
                self.emit(
                    failed(format!("the flow's outputs have no value: {error}"), None),
                    true,
                    observer,
                )?;
                return Ok(());
            }
        };
        let all = self.state.walk(&self.plan);
        let (files, not_reviewed) = match manifest(&self.plan, &self.state, all.iter().copied()) {
            Ok(found) => self.reviewed(found.into_values().map(|(file, _)| file).collect()),
            Err(conflict) => {
                self.emit(
                    failed(conflict.message, Some(conflict.help)),
                    true,
                    observer,
                )?;
                return Ok(());
            }
        };
        let workspace = self.engine.layout.workspace().to_owned();
        self.journal.sync().await?;
        let mut result = publish::check(&workspace, &files, &self.blobs);
        if result.is_ok() && !files.is_empty() {
            self.emit(
                PublishStarted {
                    files: files.clone(),
                    not_reviewed,
                },
                true,
                observer,
            )?;
            self.journal.sync().await?;
            result = publish::write(&workspace, &files, &self.blobs);
        }
        match result {
            Ok(()) => self.emit(RunSucceeded { outputs }, true, observer)?,
            Err(conflict) => self.emit(
                failed(conflict.message, Some(conflict.help)),
                true,
                observer,
            )?,
        };
        self.journal.sync().await?;
        Ok(())
    }

    /// Gives every file the base that an approver saw, and names those that none saw.
    fn reviewed(&self, files: Vec<StagedFile>) -> (Vec<StagedFile>, Vec<String>) {
        let mut not_reviewed = Vec::new();
        let approved: Vec<_> = self
            .state
            .walk(&self.plan)
            .into_iter()
            .map(|id| self.state.instance(id))
            .filter(|instance| instance.approved())
            .collect();
        let files = files
            .into_iter()
            .map(|file| {
                let mut seen = approved.iter().filter_map(|instance| {
                    let request = instance.request.as_ref()?;
                    request
                        .files
                        .iter()
                        .find(|shown| shown.path == file.path && shown.sha256 == file.sha256)
                });
                if let Some(shown) = seen.next_back() {
                    StagedFile {
                        base: shown.base,
                        ..file
                    }
                } else {
                    not_reviewed.push(file.path.clone());
                    file
                }
            })
            .collect();
        (files, not_reviewed)
    }

    async fn seal(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        self.journal.sync().await?;
        self.project()?;
        let subject = self.state.subject().map_or_else(
            || crate::slug::Slug::of(&self.started.flow).to_string(),
            str::to_owned,
        );
        let graph = self.plan.show(crate::plan::Format::Mermaid);
        let sealed = crate::evidence::seal(
            &self.engine.layout,
            &self.dir,
            &subject,
            &graph,
            &self.blobs,
        )?;
        self.emit(
            RunSealed {
                bundle: sealed.path,
                manifest: sealed.manifest,
            },
            true,
            observer,
        )?;
        self.journal.sync().await?;
        Ok(())
    }
}

fn is_open(node: &PlanNode) -> bool {
    match &node.step {
        Step::Tool(tool) => tool.signature.open,
        Step::Process(_) | Step::Gate => true,
        Step::Flow(_) => false,
    }
}

/// A node path as a file name.
fn file_name(path: &str) -> String {
    path.replace('/', ".")
}

/// Where what a node prints is kept.
#[must_use]
pub fn log_file(run: &crate::store::RunDir, node: &str) -> std::path::PathBuf {
    run.logs().join(format!("{}.log", file_name(node)))
}
