//! The schema of what a node gives, and whether it fits where it goes.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::json;

use super::model::{PlanNode, Scope, ScopeId, Step};
use crate::expr::{Binding, Head, Reference};
use crate::flow::ProcessOutput;
use crate::port::{Lookup, Port, Signature, lookup};
use crate::value::{Object, Value};

/// Gives compiled sub-flows.
pub(super) type Scopes<'a> = dyn Fn(ScopeId) -> Option<&'a Scope> + 'a;

/// Ports. Those of a tool are shared with it: thousands of nodes may have the same tool.
pub(super) enum Ports {
    Inputs(Arc<Signature>),
    Outputs(Arc<Signature>),
    Own(Vec<Port>),
}

impl Deref for Ports {
    type Target = [Port];

    fn deref(&self) -> &[Port] {
        match self {
            Self::Inputs(signature) => &signature.inputs,
            Self::Outputs(signature) => &signature.outputs,
            Self::Own(ports) => ports,
        }
    }
}

/// The output ports that wiring by name may take from a node.
pub(super) fn offers(node: &PlanNode, scopes: &Scopes<'_>) -> Ports {
    Ports::Own(match &node.step {
        Step::Tool(tool) => return Ports::Outputs(Arc::clone(&tool.signature)),
        Step::Process(process) if process.output == ProcessOutput::Text => vec![
            Port::new("stdout", json!({ "type": "string" }), "Standard output."),
            Port::new("exit_code", json!({ "type": "integer" }), "The exit code."),
        ],
        Step::Process(_) | Step::Gate => Vec::new(),
        Step::Flow(id) => scopes(*id).map_or_else(Vec::new, |scope| {
            let port = |(name, binding): &(String, Binding)| {
                let (schema, contract) = binding.whole().map_or((json!(true), None), |reference| {
                    given_by(scope, reference, scopes)
                });
                Port {
                    kind: None,
                    name: name.clone(),
                    required: true,
                    contract,
                    schema,
                    description: String::new(),
                }
            };
            scope.outputs.iter().map(port).collect()
        }),
    })
}

/// The schema of a node's whole output.
pub(super) fn output_schema(node: &PlanNode, scopes: &Scopes<'_>) -> Value {
    let one = match &node.step {
        Step::Process(process) if process.output == ProcessOutput::Json => json!(true),
        Step::Gate => approval_schema(node),
        Step::Tool(_) | Step::Process(_) | Step::Flow(_) => {
            let ports = offers(node, scopes);
            let open = matches!(&node.step, Step::Tool(tool) if tool.signature.open);
            let required: Vec<&str> = ports
                .iter()
                .filter(|port| port.required)
                .map(|port| port.name.as_str())
                .collect();
            // Each port's schema carries its own `$defs`; a path into a port is looked up in the
            // port's schema alone, so nothing is lifted to the top.
            let properties: Object = ports
                .iter()
                .map(|port| (port.name.clone(), port.schema.clone()))
                .collect();
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
        }
    };
    if node.foreach.is_some() {
        json!({ "type": "array", "items": one })
    } else {
        one
    }
}

/// What a gate's decision looks like; `${approval}` and the output of `type: approval`.
pub(super) fn approval_schema(node: &PlanNode) -> Value {
    let text = json!({ "type": "string" });
    let comment = json!({ "type": ["string", "null"] });
    let mut properties = json!({
        "decision": { "enum": ["approved"] }, "by": text, "at": text, "comment": comment,
        "identity": text, "digest": text, "round": { "type": "integer" }, "gate": text
    });
    if let Some(gate) = &node.gate {
        if let Some(mut form) = gate.form_schema() {
            // What was left out has its default.
            form["required"] = gate.form.keys().cloned().collect::<Vec<_>>().into();
            properties["form"] = form;
        }
        if gate.quorum > 1 {
            properties["approvals"] = json!({ "type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "by": text, "at": text, "comment": comment, "identity": text },
                "required": ["by", "at", "comment", "identity"]
            } });
        }
    }
    let required: Vec<&String> = properties
        .as_object()
        .map_or_else(Vec::new, |all| all.keys().collect());
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

/// What a path finds in a node's output; and the named contract, when it is exactly a port.
pub(super) fn lookup_output(
    node: &PlanNode,
    reference: &Reference,
    scopes: &Scopes<'_>,
) -> (Lookup, Option<String>) {
    let Some(steps) = reference.path.steps() else {
        return (Lookup::Unknown, None);
    };
    if node.foreach.is_none()
        && let [crate::value::Step::Key(key), rest @ ..] = steps
        && let Some(port) = offers(node, scopes).iter().find(|port| port.name == *key)
    {
        let found = lookup(&port.schema, rest);
        return (found, port.contract.clone().filter(|_| rest.is_empty()));
    }
    (lookup(&output_schema(node, scopes), steps), None)
}

/// The schema and contract that a reference has within a scope.
fn given_by(scope: &Scope, reference: &Reference, scopes: &Scopes<'_>) -> (Value, Option<String>) {
    let found = match &reference.head {
        Head::Output(name) => match scope.find(name) {
            Some(id) => lookup_output(scope.node(id), reference, scopes),
            None => (Lookup::Unknown, None),
        },
        Head::Input(name) => match (scope.inputs.get(name), reference.path.steps()) {
            (Some(input), Some(steps)) => (lookup(&input.schema, steps), None),
            _ => (Lookup::Unknown, None),
        },
        _ => (Lookup::Unknown, None),
    };
    match found {
        (Lookup::Found(schema), contract) => (schema, contract),
        _ => (json!(true), None),
    }
}
