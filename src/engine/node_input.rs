//! [`NodeInput`]: what a node is given, of a run that is only looked at. Inputs are not written down: they
//! are a function of what is.

use std::cell::RefCell;

use super::bench::input;
use super::environment::Engine;
use super::kept::Kept;
use super::open::OpenRun;
use super::resolve::approval;
use super::scope::{At, RunScope, Values};
use crate::expr::{Binding, Secrets, Use};
use crate::id::NodeName;
use crate::plan::{Fallback, Wire};
use crate::run::{InstanceId, NodeState};
use crate::store::Blobs;
use crate::value::Value;

/// One input of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInput {
    /// Its name.
    pub name: String,
    /// The expression that it comes from; none when the flow says the value itself.
    pub from: Option<String>,
    /// Its value, with secrets by name; or why there is none now.
    pub value: Result<Value, String>,
}

impl OpenRun {
    /// What a node is given, or will be: of the round that the run is in. What cannot be read back says so
    /// in its place.
    #[must_use]
    pub fn inputs_of(&self, engine: &Engine, id: InstanceId) -> Vec<NodeInput> {
        let plan = &self.compiled.plan;
        let values = RefCell::new(Values::default());
        let node = self.state.node(plan, id);
        let dialect = plan.scope(self.state.scope_of(id)).dialect;
        let blobs = Blobs::new(self.dir.files());
        let scope = RunScope {
            plan,
            state: &self.state,
            kept: Kept {
                run: &self.dir.id,
                places: &self.places,
                blobs: &blobs,
            },
            values: &values,
            inputs: &self.started.inputs,
            env: &self.started.env,
            run: self.dir.id.as_str(),
            engine,
            at: Some(At::Node(id)),
            approval: approval(plan, &self.state, id),
            secrets: Secrets::Name,
        };
        let of = |wire: &Wire| {
            let mut uses = wire.binding.uses().into_iter();
            let value = match uses.find_map(|used| self.not_yet(id, &used)) {
                Some(why) => Err(why),
                None => match input(node, wire, dialect, &scope, Secrets::Name) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => Err("it is left out: what it comes from gave nothing".to_owned()),
                    Err(failure) => Err(failure.message),
                },
            };
            NodeInput {
                name: wire.port.clone(),
                from: match &wire.binding {
                    Binding::Literal(_) => None,
                    binding => Some(binding.identity()),
                },
                value,
            }
        };
        node.inputs.iter().map(of).collect()
    }

    /// Why something that an input reads is not there yet.
    fn not_yet(&self, id: InstanceId, used: &Use<'_>) -> Option<String> {
        let plan = &self.compiled.plan;
        let instance = self.state.instance(id);
        if used.is_item() {
            let all_items = self.state.node(plan, id).foreach.is_some() && instance.item.is_none();
            return all_items.then(|| "each item has its own".to_owned());
        }
        if used.is_approval() {
            let answered = approval(plan, &self.state, id).is_some();
            return (!answered).then(|| "its gate has not been answered".to_owned());
        }
        let name = match used {
            Use::Root(root, _) => NodeName::from(*root),
            other => other.node()?,
        };
        let mut from = self.state.named(plan, Some(id), &name)?;
        // A chain of fallbacks is no longer than its scope.
        for _ in 0..=plan.scope(self.state.scope_of(from)).nodes.len() {
            let node = self.state.node(plan, from);
            match (&self.state.instance(from).state, node.on_error) {
                (NodeState::Failed, Fallback::Node(fallback)) => {
                    from = self.state.sibling(from, fallback);
                }
                (state, _) => {
                    let name = &node.name;
                    return (!state.ended()).then(|| format!("`{name}` has not ended"));
                }
            }
        }
        None
    }
}
