//! What expressions of a node see in a run; outputs are loaded when they are named.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::bench::Sight;
use super::environment::Engine;
use super::error::Error;
use super::kept::Kept;
use super::secrets::secret_variable;
use crate::expr::{EvalError, Head, Reference, Scope, Secrets};
use crate::plan::Plan;
use crate::run::{InstanceId, RunState};
use crate::value::{Object, Value};

/// How much of outputs is kept in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Values of journal records: outputs, items, sub-flow inputs.
#[derive(Default)]
pub(super) struct Values {
    cache: HashMap<u64, (Arc<Value>, usize)>,
    order: VecDeque<u64>,
    bytes: usize,
    /// A record or file that could not be read back. No node is to blame for that: whoever would
    /// write down that one failed must look here first.
    pub(super) broken: Option<Error>,
}

impl Values {
    /// Remembers a value of a record that was just written.
    pub(super) fn insert(&mut self, seq: u64, value: Arc<Value>, size: usize) {
        self.bytes += size;
        self.cache.insert(seq, (value, size));
        self.order.push_back(seq);
    }

    /// Forgets the oldest values that can be read back. Says whether a sync would free more.
    pub(super) fn shrink(&mut self, durable: u64) -> bool {
        while self.bytes > CACHE_BYTES {
            match self.order.front() {
                Some(seq) if *seq <= durable => {
                    if let Some((_, size)) = self
                        .order
                        .pop_front()
                        .and_then(|seq| self.cache.remove(&seq))
                    {
                        self.bytes -= size;
                    }
                }
                Some(_) => return true,
                None => return false,
            }
        }
        false
    }

    fn load(&mut self, kept: &Kept<'_>, seq: u64) -> Result<Arc<Value>, String> {
        if let Some((value, _)) = self.cache.get(&seq) {
            return Ok(Arc::clone(value));
        }
        let (value, size) = kept.value(seq).map_err(|error| {
            let message = error.to_string();
            self.broken = Some(error);
            message
        })?;
        let value = Arc::new(value);
        self.insert(seq, Arc::clone(&value), size);
        Ok(value)
    }
}

/// The scope of one node, or of a flow's outputs.
pub(super) struct RunScope<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a RunState,
    pub(super) kept: Kept<'a>,
    pub(super) values: &'a RefCell<Values>,
    pub(super) inputs: &'a Object,
    pub(super) env: &'a Object,
    pub(super) run: &'a str,
    pub(super) engine: &'a Engine,
    /// The node, or a node of the flow whose outputs are wanted; none for the run's own flow.
    pub(super) at: Option<At>,
    pub(super) approval: Option<Value>,
    pub(super) secrets: Secrets,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// In a node.
    Node(InstanceId),
    /// In the outputs of a sub-flow, which this node entered.
    Inside(InstanceId),
}

impl RunScope<'_> {
    fn load(&self, seq: u64) -> Result<Arc<Value>, EvalError> {
        self.values
            .borrow_mut()
            .load(&self.kept, seq)
            .map_err(|message| EvalError::Missing {
                head: format!("record {seq}"),
                message,
            })
    }

    /// What a node, or its stand-in, has given.
    fn given(&self, name: &crate::id::NodeName) -> Result<Option<Arc<Value>>, EvalError> {
        let id = self.find(name).ok_or_else(|| {
            let head = Head::Output(name.clone());
            missing(&head, "there is no such node")
        })?;
        let output = self.state.output_of(self.plan, id);
        output.map(|output| self.load(output.seq)).transpose()
    }

    /// The inputs of the flow that the expression stands in.
    fn flow_inputs(&self) -> Result<Option<Arc<Value>>, EvalError> {
        let parent = match self.at {
            None => None,
            Some(At::Node(id)) => self.state.parent(id),
            Some(At::Inside(id)) => Some(id),
        };
        match parent.and_then(|parent| self.state.instance(parent).entered) {
            Some(seq) => self.load(seq).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn find(&self, name: &crate::id::NodeName) -> Option<InstanceId> {
        match self.at {
            None => self.state.named(self.plan, None, name),
            Some(At::Node(id)) => self.state.named(self.plan, Some(id), name),
            Some(At::Inside(id)) => {
                let crate::plan::Step::Flow(scope) = self.state.node(self.plan, id).step else {
                    return None;
                };
                self.state.child(id, self.plan.scope(scope).find(name)?)
            }
        }
    }

    fn item(&self) -> Result<Option<Value>, EvalError> {
        let Some(At::Node(id)) = self.at else {
            return Ok(None);
        };
        let instance = self.state.instance(id);
        let (Some(index), Some(foreach)) = (instance.item, self.state.foreach_of(id)) else {
            return Ok(None);
        };
        let Some(seq) = self.state.instance(foreach).entered else {
            return Ok(None);
        };
        let items = self.load(seq)?;
        Ok(items.get(index).cloned())
    }
}

fn missing(head: &Head, message: &str) -> EvalError {
    EvalError::Missing {
        head: head.to_string(),
        message: message.to_owned(),
    }
}

impl Scope for RunScope<'_> {
    fn reference(&self, reference: &Reference) -> Result<Value, EvalError> {
        let Head::Output(name) = &reference.head else {
            return reference.of(&*self.head(&reference.head)?);
        };
        // Of an output only what is asked for is copied: it may be large.
        match self.given(name)? {
            Some(output) => reference.of(&output),
            None => reference.of(&Value::Null),
        }
    }

    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
        Ok(match head {
            Head::Input(name) => {
                let value = match self.flow_inputs()? {
                    Some(inputs) => inputs.get(name).cloned(),
                    None => self.inputs.get(name).cloned(),
                };
                Cow::Owned(value.ok_or_else(|| missing(head, "the flow has no such input"))?)
            }
            Head::Output(name) => {
                let output = self.given(name)?;
                Cow::Owned(output.map_or(Value::Null, |output| (*output).clone()))
            }
            Head::RunId => Cow::Owned(Value::String(self.run.to_owned())),
            Head::Item => Cow::Owned(
                self.item()?
                    .ok_or_else(|| missing(head, "the node has no item"))?,
            ),
            Head::Approval => Cow::Owned(
                self.approval
                    .clone()
                    .ok_or_else(|| missing(head, "the gate is not answered"))?,
            ),
            Head::Feedback => {
                let id = match self.at {
                    Some(At::Node(id) | At::Inside(id)) => Some(id),
                    None => None,
                };
                let said = id.and_then(|id| self.state.feedback(self.plan, id));
                Cow::Owned(said.map_or(Value::Null, |rewind| rewind.feedback.clone().into()))
            }
            Head::Env(name) => Cow::Owned(
                self.env
                    .get(name)
                    .cloned()
                    .ok_or_else(|| missing(head, "it was not set when the run began"))?,
            ),
            Head::Secret(name) => match self.secrets {
                Secrets::Name => Cow::Owned(Value::String(format!("${{{head}}}"))),
                Secrets::Reveal => {
                    let value = self.engine.secret(name).ok_or_else(|| {
                        let variable = secret_variable(name);
                        missing(head, &format!("set the environment variable `{variable}`, or put `{name}` into the file of `--secrets-file`"))
                    })?;
                    Cow::Owned(Value::String(value))
                }
            },
        })
    }

    fn inputs(&self) -> Value {
        match self.flow_inputs() {
            Ok(Some(inputs)) => (*inputs).clone(),
            _ => Value::Object(self.inputs.clone()),
        }
    }

    fn env(&self) -> Value {
        Value::Object(self.env.clone())
    }
}

impl Sight for RunScope<'_> {
    fn has_output(&self, name: &crate::id::NodeName) -> bool {
        self.find(name)
            .is_some_and(|id| self.state.output_of(self.plan, id).is_some())
    }
}

impl RunScope<'_> {
    /// The value of a record.
    pub(super) fn value(&self, seq: u64) -> Result<Value, EvalError> {
        self.load(seq).map(|value| (*value).clone())
    }
}
