//! [`Bench`]: where an attempt is put together, whether the driver that wants it is in this process or on
//! another machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::{Beside, LightCall, RemoteCall, ToolCall, Work, is_small};
use super::compiled::Compiled;
use super::environment::Engine;
use super::host::NodeHost;
use super::resolve::log_file;
use crate::expr::{Binding, Head, Scope, Secrets, Use};
use crate::flow::Dialect;
use crate::id::{NodeName, NodePath};
use crate::plan::{PlanNode, Step, Wire};
use crate::port::{Effect, Failure};
use crate::run::StagedFile;
use crate::store::{Blobs, RunDir};
use crate::tool::{Asked, Cancel, LogFile, ProcessSpec, RUN_DIR, Redactor, run_dir_value};
use crate::value::{Object, Value, to_text};

/// What the expressions of a node see.
pub(super) trait Sight: Scope {
    /// Whether a node, or its stand-in, has given something.
    fn has_output(&self, name: &NodeName) -> bool;
}

/// What is known of the run around one attempt.
pub(super) trait Seat {
    /// What the node's expressions see.
    fn sight(&self, secrets: Secrets) -> Box<dyn Sight + '_>;
    /// The decision at the node's own gate.
    fn approval(&self) -> Option<Value>;
    /// The files of the nodes before it.
    fn staged(&self) -> Result<Vec<StagedFile>, Failure>;
    /// Whether any node has given files; cheaper than to ask for them.
    fn has_files(&self) -> bool;
    /// Of a batch, the line.
    fn line(&self) -> u64;
    /// What the nodes before it said of their work besides, by port.
    fn about(&self) -> BTreeMap<String, Value>;
    /// Whether it is done again because somebody sent it back.
    fn again(&self) -> bool;
}

/// Everything else that an attempt is put together from.
pub(super) struct Bench<'a> {
    pub(super) engine: &'a Engine,
    pub(super) compiled: &'a Compiled,
    pub(super) dir: &'a RunDir,
    pub(super) blobs: &'a Arc<Blobs>,
    pub(super) cancel: &'a Cancel,
    pub(super) redactor: &'a Redactor,
    pub(super) node: &'a PlanNode,
    pub(super) path: &'a NodePath,
    pub(super) dialect: Dialect,
    pub(super) key: &'a str,
}

/// Resolves a node's inputs, but for those that read what is to be skipped. Required ports that are
/// null because their node has no output were dealt with before; optional ones are left out.
pub(super) fn inputs(
    node: &PlanNode,
    dialect: Dialect,
    scope: &dyn Sight,
    secrets: Secrets,
    skip: &dyn Fn(&Use<'_>) -> bool,
) -> Result<Object, Failure> {
    let mut inputs = Object::new();
    for wire in &node.inputs {
        if wire.binding.reads(skip) {
            continue;
        }
        if let Some(value) = input(node, wire, dialect, scope, secrets)? {
            inputs.insert(wire.port.clone(), value);
        }
    }
    Ok(inputs)
}

/// One of them; none when it is left out.
pub(super) fn input(
    node: &PlanNode,
    wire: &Wire,
    dialect: Dialect,
    scope: &dyn Sight,
    secrets: Secrets,
) -> Result<Option<Value>, Failure> {
    if dialect == Dialect::PromptFlow
        && let Some(reference) = wire.binding.whole()
        && let Head::Output(name) = &reference.head
        && !scope.has_output(name)
    {
        // Of what was bypassed no path is taken. A parameter with a default keeps it.
        return Ok(wire.required.then_some(Value::Null));
    }
    let value = wire
        .binding
        .eval(scope)
        .map_err(|error| Failure::new(format!("its input `{}`: {error}", wire.port)))?;
    // A closed tool's optional input that comes from a node without output is left out.
    let from_nothing =
        value.is_null() && !wire.required && wire.binding.reads(|used| used.node().is_some());
    if from_nothing && !is_open(node) {
        return Ok(None);
    }
    // A secret's name stands in for it here, and need not look like it.
    let named = secrets == Secrets::Name && wire.binding.reads_secret();
    if let (false, Some(violation)) = (named, wire.schema.check(&value).into_iter().next()) {
        return Err(Failure::new(format!(
            "its input `{}` does not fit: {violation}",
            wire.port
        ))
        .help("`flowctl show RUN NODE` shows what the node before gave"));
    }
    Ok(Some(value))
}

fn is_open(node: &PlanNode) -> bool {
    match &node.step {
        Step::Tool(tool) => tool.signature.open,
        Step::Process(_) | Step::Gate => true,
        Step::Flow(_) => false,
    }
}

impl Bench<'_> {
    /// The node's inputs.
    pub(super) fn inputs(&self, seat: &dyn Seat, secrets: Secrets) -> Result<Object, Failure> {
        let sight = seat.sight(secrets);
        inputs(self.node, self.dialect, &*sight, secrets, &|_| false)
    }

    /// Puts an attempt together.
    pub(super) fn work(&self, seat: &dyn Seat) -> Result<Work, Failure> {
        let Self { node, path, .. } = *self;
        let key = self.key.to_owned();
        let inputs = self.inputs(seat, Secrets::Reveal)?;
        let log = || Some(LogFile::lazy(log_file(self.dir, path.as_str())));
        match &node.step {
            Step::Tool(tool) if self.compiled.registry.is_asked(&tool.name) => {
                let cached = self.cached(seat, &inputs)?;
                let draft = self.compiled.registry.drafts(&tool.name).map(|tool| {
                    // A draft is pure: no files of other nodes, and nothing to keep.
                    Box::new(ToolCall {
                        tool,
                        inputs: inputs.clone(),
                        approval: seat.approval(),
                        key: key.clone(),
                        host: self.host(Vec::new(), log()),
                        schemas: self.compiled.output_schemas(),
                        cached: None,
                    })
                });
                Ok(Work::Beside(Beside::Remote(Box::new(RemoteCall {
                    tool: tool.clone(),
                    cached,
                    asked: Asked {
                        inputs,
                        approval: seat.approval(),
                        key,
                        log: log(),
                        redactor: self.redactor.clone(),
                        line: seat.line(),
                        about: if self.compiled.registry.wants_about(&tool.name) {
                            seat.about()
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
                // Asking for what is before every node of a long chain would take the square of it.
                let staged = if tool.effect == Effect::Effectful && seat.has_files() {
                    seat.staged()?
                } else {
                    Vec::new()
                };
                let host = self.host(staged, log());
                let cached = self.cached(seat, &inputs)?;
                Ok(Work::Beside(Beside::Tool(Box::new(ToolCall {
                    tool: tool.clone(),
                    inputs,
                    approval: seat.approval(),
                    key,
                    host,
                    schemas: self.compiled.output_schemas(),
                    cached,
                }))))
            }
            Step::Process(process) => {
                let scope = seat.sight(Secrets::Reveal);
                let text = |binding: &Binding, what: &str| {
                    binding
                        .eval(&*scope)
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
                    redactor: self.redactor.clone(),
                };
                let staged = if seat.has_files() {
                    seat.staged()?
                } else {
                    Vec::new()
                };
                let log = spec.log.clone();
                Ok(Work::Beside(Beside::Process {
                    host: (!staged.is_empty()).then(|| Box::new(self.host(staged, log))),
                    spec: Box::new(spec),
                    output: process.output,
                }))
            }
            Step::Flow(_) | Step::Gate => Err(Failure::new("it runs nothing of its own")),
        }
    }

    fn host(&self, staged: Vec<StagedFile>, log: Option<LogFile>) -> NodeHost {
        NodeHost::new(
            Arc::clone(&self.compiled.registry),
            Arc::clone(self.blobs),
            staged,
            self.dir,
            self.engine.clock,
            self.engine.variable,
            tokio::runtime::Handle::current(),
            self.cancel.clone(),
            log,
            self.redactor.clone(),
        )
    }
}
