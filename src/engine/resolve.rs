//! What a node needs before it can start: its scope, inputs, fingerprint, files and work.

use std::collections::BTreeMap;

use serde_json::json;

use super::attempt::Work;
use super::bench::{Bench, Seat, Sight, inputs};
use super::driver::Driver;
use super::ending::given;
use super::kept::Kept;
use super::publish::manifest;
use super::scope::{At, RunScope};
use super::target::base_digest;
use crate::expr::{EvalError, Head, Secrets, Use};
use crate::flow::Dialect;
use crate::plan::{Plan, Step};
use crate::port::Failure;
use crate::python_value;
use crate::run::{InstanceId, RunState, StagedFile};
use crate::tool::Redactor;
use crate::value::{Digest, Object, Value};

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

    /// The decision at a node's own gate.
    pub(super) fn approval(&self, id: InstanceId) -> Option<Value> {
        approval(&self.plan, &self.state, id)
    }

    /// Resolves a node's inputs.
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
        // A `foreach` itself has no item: such inputs are its items' own.
        let skip =
            |used: &Use<'_>| (all_items && used.is_item()) || (skip_approval && used.is_approval());
        inputs(node, dialect, &scope, secrets, &skip)
    }

    /// What an output is a function of: tool, content and inputs, with secrets by name.
    pub(super) fn fingerprint(&self, id: InstanceId) -> Result<Digest, Failure> {
        let mut inputs = self.inputs(id, Secrets::Name, false)?;
        Ok(self.fingerprint_of(id, &mut inputs))
    }

    /// The same of inputs that are resolved and hold no secret; they stay as they are.
    pub(super) fn fingerprint_of(&self, id: InstanceId, inputs: &mut Object) -> Digest {
        let node = self.state.node(&self.plan, id);
        // A `foreach` itself is also a function of what its items are functions of.
        let items = self.state.items(id).map(|item| {
            let fingerprint = self.state.instance(item).fingerprint;
            fingerprint.map_or(Value::Null, |digest| digest.to_string().into())
        });
        let mut of: Object = [
            ("tool", Value::from(node.kind())),
            ("content", node.digest().to_string().into()),
            ("items", items.collect()),
            ("approval", self.approval(id).unwrap_or_default()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let lent = Value::Object(std::mem::take(inputs));
        of.insert("inputs".to_owned(), lent);
        let mut of = Value::Object(of);
        let fingerprint = Digest::of_value(&of);
        if let Value::Object(lent) = of["inputs"].take() {
            *inputs = lent;
        }
        fingerprint
    }

    /// The files of the nodes before one, with what is in the workspace in their place now.
    pub(super) fn staged_before(&self, id: InstanceId) -> Result<Vec<StagedFile>, Failure> {
        let files = self.manifest_before(id)?;
        with_bases(files, self.engine.layout.workspace()).map_err(Failure::new)
    }

    /// The files of the nodes before one, as they were staged.
    pub(super) fn manifest_before(&self, id: InstanceId) -> Result<Vec<StagedFile>, Failure> {
        let before = self.state.ancestors(&self.plan, id);
        let found = manifest(&self.plan, &self.state, before.into_iter())
            .map_err(|conflict| Failure::new(conflict.message).help(conflict.help))?;
        Ok(found.into_values().map(|(file, _)| file).collect())
    }

    /// What is needed to put an attempt of a node together.
    pub(super) fn work(
        &self,
        id: InstanceId,
        key: &str,
        redactor: &Redactor,
    ) -> Result<Work, Failure> {
        let bench = Bench {
            engine: &self.engine,
            compiled: &self.compiled,
            dir: &self.dir,
            blobs: &self.blobs,
            cancel: &self.cancel.1,
            redactor,
            node: self.state.node(&self.plan, id),
            path: &self.state.instance(id).path,
            dialect: self.plan.scope(self.state.scope_of(id)).dialect,
            key,
        };
        bench.work(&self.seat(id))
    }

    /// What is known of the run around a node.
    pub(super) fn seat(&self, id: InstanceId) -> Placed<'_> {
        Placed { driver: self, id }
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

/// Files with what is in the workspace in their place now, or why that cannot be read.
pub(super) fn with_bases(
    files: Vec<StagedFile>,
    workspace: &std::path::Path,
) -> Result<Vec<StagedFile>, String> {
    let look = |file: StagedFile| {
        let base = base_digest(workspace, &file.path)
            .map_err(|reason| format!("`{}` cannot be read: {reason}", file.path))?;
        Ok(StagedFile { base, ..file })
    };
    files.into_iter().map(look).collect()
}

/// The decision at a node's own gate, as tools and expressions see it.
pub(super) fn approval(plan: &Plan, state: &RunState, id: InstanceId) -> Option<Value> {
    let holder = state.foreach_of(id).unwrap_or(id);
    let request = state.instance(holder).request.as_ref()?;
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
    let gate = state.node(plan, holder).gate.as_ref()?;
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

/// A node in the state of its run.
pub(super) struct Placed<'a> {
    driver: &'a Driver,
    id: InstanceId,
}

impl Seat for Placed<'_> {
    fn sight(&self, secrets: Secrets) -> Box<dyn Sight + '_> {
        let Self { driver, id } = *self;
        Box::new(driver.scope(Some(At::Node(id)), driver.approval(id), secrets))
    }

    fn approval(&self) -> Option<Value> {
        self.driver.approval(self.id)
    }

    fn staged(&self) -> Result<Vec<StagedFile>, Failure> {
        self.driver.staged_before(self.id)
    }

    fn has_files(&self) -> bool {
        self.driver.state.has_files()
    }

    fn line(&self) -> u64 {
        self.driver.line(self.id)
    }

    fn about(&self) -> BTreeMap<String, Value> {
        self.driver.about_inputs(self.id)
    }

    fn again(&self) -> bool {
        let Self { driver, id } = *self;
        driver.state.feedback(&driver.plan, id).is_some()
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
