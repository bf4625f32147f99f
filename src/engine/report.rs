//! What a run is, for programs: the object of `show --json` and of the API, which are the same.

use serde_json::{Value, json};

use super::environment::Engine;
use super::error::Error;
use super::node_input::NodeInput;
use super::open::OpenRun;
use crate::run::{InstanceId, NodeState};
use crate::value::Object;

impl OpenRun {
    /// The run, its nodes and what it waits for.
    ///
    /// # Errors
    /// An output that cannot be read.
    pub fn report(&self, status: &str) -> Result<Value, Error> {
        let mut nodes = Object::new();
        for id in self.state.walk(&self.compiled.plan) {
            nodes.insert(self.state.instance(id).path.to_string(), node(self, id)?);
        }
        Ok(json!({
            "run": self.id(),
            "status": status,
            "outputs": self.outputs()?.unwrap_or_default(),
            "nodes": nodes,
            "waiting": waiting(self),
            "error": error(self),
        }))
    }

    /// One node, with all that is known of it.
    ///
    /// # Errors
    /// An output that cannot be read.
    pub fn report_node(&self, engine: &Engine, id: InstanceId) -> Result<Value, Error> {
        let instance = self.state.instance(id);
        let request = instance.request.as_ref();
        let inputs = self.inputs_of(engine, id);
        let there = |input: &NodeInput| Some((input.name.clone(), input.value.clone().ok()?));
        let missing = |input: &NodeInput| {
            let why = input.value.as_ref().err()?;
            Some((input.name.clone(), Value::from(why.as_str())))
        };
        Ok(json!({
            "inputs": inputs.iter().filter_map(there).collect::<Object>(),
            "inputs_missing": inputs.iter().filter_map(missing).collect::<Object>(),
            "run": self.id(), "node": instance.path, "status": self.state.word(id), "attempt": instance.attempt,
            "started": instance.started.map(|at| at.to_string()), "ended": instance.ended.map(|at| at.to_string()),
            "output": self.output(id)?, "error": instance.error, "reason": instance.reason, "files": &*instance.files,
            "findings": self.findings(id)?, "fingerprint": instance.fingerprint, "cached": instance.cached,
            "request": request.map(|request| request.digest),
        }))
    }

    /// What a node had found before it failed, if it has failed and said so.
    ///
    /// # Errors
    /// A record that is damaged.
    pub fn findings(&self, id: InstanceId) -> Result<Option<Value>, Error> {
        if self.state.instance(id).error.is_none() {
            return Ok(None);
        }
        let failed = self.failure(id)?;
        let found = failed.and_then(|failed| failed.findings);
        Ok(found.and_then(|found| serde_json::from_str(found.get()).ok()))
    }
}

fn node(run: &OpenRun, id: InstanceId) -> Result<Value, Error> {
    let instance = run.state.instance(id);
    let mut object = json!({ "status": run.state.word(id) });
    if let Some(output) = run.output(id)? {
        object["output"] = output;
    }
    if let Some(about) = run.about(id) {
        object["about"] = about;
    }
    if let (NodeState::Failed | NodeState::Backoff(_), Some(error)) =
        (&instance.state, &instance.error)
    {
        object["error"] = json!({ "kind": error.kind, "message": error.message, "help": error.help, "attempt": instance.attempt });
    }
    if let Some(reason) = &instance.reason {
        object["reason"] = json!(reason);
    }
    Ok(object)
}

fn waiting(run: &OpenRun) -> Value {
    let gate = |id: InstanceId| {
        let instance = run.state.instance(id);
        let request = instance.request.as_ref();
        json!({
            "gate": instance.path, "node": instance.path, "round": run.state.round(),
            "digest": request.map(|request| request.digest),
            "deadline": request.and_then(|request| request.deadline).map(|at| at.to_string()),
        })
    };
    run.state.waiting().map(gate).collect()
}

fn error(run: &OpenRun) -> Value {
    if let Some((node, message, help)) = run.state.failure() {
        return json!({ "node": node, "message": message, "help": help });
    }
    if let Some((node, by, reason)) = run.state.rejection() {
        let who = by.as_ref().map_or_else(
            || "nobody answered in time".to_owned(),
            |by| format!("rejected by {by}"),
        );
        return json!({ "node": node, "message": who, "reason": reason });
    }
    Value::Null
}
