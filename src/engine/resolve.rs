//! What a node needs before it can start: its scope, inputs, fingerprint, files and work.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::attempt::{Beside, LightCall, RemoteCall, ToolCall, Work, is_small};
use super::driver::Driver;
use super::ending::given;
use super::host::NodeHost;
use super::kept::Kept;
use super::publish::manifest;
use super::scope::{At, RunScope};
use super::target::base_digest;
use crate::expr::{Binding, EvalError, Head, Secrets, Use};
use crate::flow::Dialect;
use crate::plan::{PlanNode, Step};
use crate::port::{Effect, Failure};
use crate::python_value;
use crate::run::{InstanceId, StagedFile};
use crate::tool::{Asked, LogFile, ProcessSpec, RUN_DIR, Redactor, run_dir_value};
use crate::value::{Digest, Object, Value, to_text};

impl Driver {
    pub(super) fn scope(
        &self,
        at: Option<At>,
        approval: Option<Value>,
        secrets: Secrets,
    ) -> RunScope<'_> {
        RunScope {
            plan: &self.plan,
            state: &self.state,
            kept: self.kept(),
            values: &self.values,
            inputs: &self.started.inputs,
            env: &self.started.env,
            run: self.dir.id.as_str(),
            engine: &self.engine,
            at,
            approval,
            secrets,
        }
    }

    /// What was written down, to read values back.
    pub(super) fn kept(&self) -> Kept<'_> {
        Kept {
            run: &self.dir.id,
            places: self.journal.places(),
            blobs: &self.blobs,
        }
    }

    pub(super) fn condition(&self, id: InstanceId) -> Result<bool, EvalError> {
        let node = self.state.node(&self.plan, id);
        let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
        if let Some(when) = &node.when {
            return when.holds(&scope);
        }
        match &node.activate {
            Some(activate) => {
                let value = activate.when.eval(&scope)?;
                Ok(match self.plan.scope(self.state.scope_of(id)).dialect {
                    Dialect::Flowctl => value == activate.is,
                    Dialect::PromptFlow => python_value::equal(&value, &activate.is),
                })
            }
            None => Ok(true),
        }
    }

    /// The decision at a node's own gate, as tools and expressions see it.
    pub(super) fn approval(&self, id: InstanceId) -> Option<Value> {
        let holder = self.state.foreach_of(id).unwrap_or(id);
        let request = self.state.instance(holder).request.as_ref()?;
        let decision = request.decision.as_ref()?;
        let mut approval = json!({
            "decision": decision.decision,
            "by": decision.by,
            "at": decision.at.to_string(),
            "comment": decision.comment,
            "identity": decision.identity,
            "digest": decision.digest.to_string(),
            "round": request.round,
            "gate": decision.node.as_str(),
        });
        let gate = self.state.node(&self.plan, holder).gate.as_ref()?;
        if !gate.form.is_empty() {
            let filled = decision.form.as_ref();
            let fields = gate.form.iter().map(|(name, field)| {
                let given = filled.and_then(|form| form.get(name));
                let value = given.or(field.default.as_ref());
                (name.clone(), value.cloned().unwrap_or(Value::Null))
            });
            approval["form"] = Value::Object(fields.collect());
        }
        if gate.quorum > 1 {
            let said = request.yeses.iter().map(|yes| {
                json!({ "by": yes.by, "at": yes.at.to_string(), "comment": yes.comment, "identity": yes.identity })
            });
            approval["approvals"] = said.collect();
        }
        Some(approval)
    }

    /// Resolves a node's inputs. Required ports that are null because their node has no output
    /// were dealt with before; optional ones are left out.
    pub(super) fn inputs(
        &self,
        id: InstanceId,
        secrets: Secrets,
        skip_approval: bool,
    ) -> Result<Object, Failure> {
        let node = self.state.node(&self.plan, id);
        let scope = self.scope(Some(At::Node(id)), self.approval(id), secrets);
        let dialect = self.plan.scope(self.state.scope_of(id)).dialect;
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
            if dialect == Dialect::PromptFlow
                && let Some(reference) = wire.binding.whole()
                && let Head::Output(name) = &reference.head
                && !scope.has_output(name)
            {
                // Of what was bypassed no path is taken. A parameter with a default keeps it.
                if wire.required {
                    inputs.insert(wire.port.clone(), Value::Null);
                }
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
            // A secret's name stands in for it here, and need not look like it.
            let named = secrets == Secrets::Name && wire.binding.uses().iter().any(Use::is_secret);
            if let (false, Some(violation)) = (named, wire.schema.check(&value).into_iter().next())
            {
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
        let items = self.state.items(id).map(|item| {
            let fingerprint = self.state.instance(item).fingerprint;
            fingerprint.map_or(Value::Null, |digest| digest.to_string().into())
        });
        let of: Object = [
            ("tool", Value::from(node.kind())),
            ("content", node.digest().to_string().into()),
            ("inputs", Value::Object(inputs)),
            ("items", items.collect()),
            ("approval", self.approval(id).unwrap_or_default()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        Ok(Digest::of_value(&Value::Object(of)))
    }

    /// The files of the nodes before one, with what is in the workspace in their place now.
    pub(super) fn staged_before(&self, id: InstanceId) -> Result<Vec<StagedFile>, Failure> {
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

    pub(super) fn work(
        &self,
        id: InstanceId,
        key: String,
        redactor: &Redactor,
    ) -> Result<Work, Failure> {
        let node = self.state.node(&self.plan, id);
        let inputs = self.inputs(id, Secrets::Reveal, false)?;
        let path = self.state.instance(id).path.clone();
        let log = || Some(LogFile::lazy(log_file(&self.dir, path.as_str())));
        match &node.step {
            Step::Tool(tool) if self.compiled.registry.is_asked(&tool.name) => {
                let cached = self.cached(id, &inputs)?;
                let draft = self.compiled.registry.drafts(&tool.name).map(|tool| {
                    // A draft is pure: no files of other nodes, and nothing to keep.
                    Box::new(ToolCall {
                        tool,
                        inputs: inputs.clone(),
                        approval: self.approval(id),
                        key: key.clone(),
                        host: self.host(Vec::new(), log(), redactor),
                        schemas: self.compiled.output_schemas(),
                        cached: None,
                    })
                });
                Ok(Work::Beside(Beside::Remote(Box::new(RemoteCall {
                    tool: tool.clone(),
                    cached,
                    asked: Asked {
                        inputs,
                        approval: self.approval(id),
                        key,
                        log: log(),
                        redactor: redactor.clone(),
                        line: self.line(id),
                        about: if self.compiled.registry.wants_about(&tool.name) {
                            self.about_inputs(id)
                        } else {
                            BTreeMap::new()
                        },
                        draft: None,
                    },
                    draft,
                    registry: Arc::clone(&self.compiled.registry),
                    schemas: self.compiled.output_schemas(),
                }))))
            }
            // It asks nothing of the world, so that there is nothing to put together for it.
            Step::Tool(tool)
                if node.timeout.is_none()
                    && !node.cache
                    && self.compiled.registry.is_light(&tool.name)
                    && is_small(inputs.values()) =>
            {
                Ok(Work::Light(Box::new(LightCall {
                    tool: tool.clone(),
                    inputs,
                })))
            }
            Step::Tool(tool) => {
                let staged = if tool.effect == Effect::Effectful {
                    self.staged_before(id)?
                } else {
                    Vec::new()
                };
                let host = self.host(staged, log(), redactor);
                let cached = self.cached(id, &inputs)?;
                Ok(Work::Beside(Beside::Tool(Box::new(ToolCall {
                    tool: tool.clone(),
                    inputs,
                    approval: self.approval(id),
                    key,
                    host,
                    schemas: self.compiled.output_schemas(),
                    cached,
                }))))
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
                    (RUN_DIR.to_owned(), run_dir_value(&self.dir.path)),
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
                    log: log(),
                    redactor: redactor.clone(),
                };
                // Asking for what is before every node of a long chain would take the square of it.
                let staged = if self.state.has_files() {
                    self.staged_before(id)?
                } else {
                    Vec::new()
                };
                let log = spec.log.clone();
                Ok(Work::Beside(Beside::Process {
                    host: (!staged.is_empty()).then(|| Box::new(self.host(staged, log, redactor))),
                    spec: Box::new(spec),
                    output: process.output,
                }))
            }
            Step::Flow(_) | Step::Gate => Err(Failure::new("it runs nothing of its own")),
        }
    }

    /// What the nodes that inputs are the outputs of said of their work besides.
    fn about_inputs(&self, id: InstanceId) -> BTreeMap<String, Value> {
        let scope = self.scope(Some(At::Node(id)), None, Secrets::Name);
        let about = |wire: &crate::plan::Wire| {
            let Head::Output(name) = &wire.binding.whole()?.head else {
                return None;
            };
            let about = self.state.instance(scope.find(name)?).about.as_ref()?;
            let about = serde_json::from_str(about.get()).ok()?;
            Some((wire.port.clone(), about))
        };
        let node = self.state.node(&self.plan, id);
        node.inputs.iter().filter_map(about).collect()
    }

    /// The item of the outermost `foreach` around a node: of a batch, the line.
    fn line(&self, id: InstanceId) -> u64 {
        let around = std::iter::successors(Some(id), |at| self.state.around(*at));
        let items = around.filter_map(|at| self.state.instance(at).item);
        items.last().map_or(0, |item| item as u64)
    }

    pub(super) fn host(
        &self,
        staged: Vec<StagedFile>,
        log: Option<LogFile>,
        redactor: &Redactor,
    ) -> NodeHost {
        NodeHost::new(
            Arc::clone(&self.compiled.registry),
            Arc::clone(&self.blobs),
            staged,
            &self.dir,
            self.engine.clock,
            self.engine.variable,
            tokio::runtime::Handle::current(),
            self.cancel.1.clone(),
            log,
            redactor.clone(),
        )
    }

    pub(super) fn composed(&self, id: InstanceId) -> Result<Value, EvalError> {
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
                    .map(|(name, output)| {
                        let value = output.eval(&scope)?;
                        // What aggregations read of a line is no output of it.
                        let inner = name.starts_with("${");
                        let value = if inner { value } else { given(name, value)? };
                        Ok((name.clone(), value))
                    })
                    .collect();
                outputs.map(Value::Object)
            }
            _ => Ok(self.approval(id).unwrap_or(Value::Null)),
        }
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
