//! Node logs: `artifacts/evidence/runs/<Node>.jsonl`, one record per journal record that matters.
//!
//! What a journal record becomes is a function of that record alone, so that a log can be made
//! again from journals, and compared with them.

use serde_json::{Value, json};

use crate::id::{NodePath, RunId};
use crate::run::Payload;
use crate::store::Record;
use crate::value::Object;

/// A journal record as a node log holds it, without its place in the chain.
#[derive(Clone, Debug)]
pub(super) struct Projected {
    /// The node, or gate.
    pub(super) node: NodePath,
    /// Whether it is an answer, or the lack of one.
    pub(super) decision: bool,
    /// The record.
    pub(super) body: Object,
}

/// What a journal record becomes, if it is evidence.
pub(super) fn project(run: &RunId, record: &Record, payload: &Payload) -> Option<Projected> {
    let (node, mut rest) = entry(payload)?;
    let mut body = Object::new();
    body.insert("v".to_owned(), json!(1));
    body.insert("run".to_owned(), json!(run));
    body.insert("seq".to_owned(), json!(record.seq));
    body.insert("ts".to_owned(), json!(record.ts.to_string()));
    body.insert("round".to_owned(), json!(record.round));
    body.insert("node".to_owned(), json!(node));
    body.insert("event".to_owned(), json!(record.event));
    body.append(&mut rest);
    Some(Projected {
        node,
        decision: is_decision(payload),
        body,
    })
}

/// Whether it is an answer, or the lack of one.
pub(super) fn is_decision(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::ApprovalDecided(_) | Payload::DecisionRefused(_) | Payload::ApprovalExpired(_)
    )
}

/// Whether a record may say anything to an auditor. A start does not, and of a long journal every other
/// record is one.
pub(super) fn may_tell(record: &Record) -> bool {
    record.event != "node_started"
}

/// The node that a record is about, without reading the rest of it; none of one that cannot be
/// evidence. [`project`] has the last word.
pub(super) fn node_of(record: &Record) -> Option<NodePath> {
    #[derive(serde::Deserialize)]
    struct Named {
        node: NodePath,
    }
    #[derive(serde::Deserialize)]
    struct Refused {
        decision: Named,
    }
    let data = record.data.get();
    match record.event.as_str() {
        "decision_refused" => serde_json::from_str::<Refused>(data)
            .ok()
            .map(|refused| refused.decision.node),
        _ => serde_json::from_str::<Named>(data)
            .ok()
            .map(|named| named.node),
    }
}

/// Whether a log may be called so: one part of a path, which is no hidden file.
pub(super) fn is_log_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

/// The log of a node: all items of a `foreach` share one, and sub-flows' nodes are told apart.
pub(super) fn log_name(path: &NodePath) -> String {
    let mut name = String::new();
    let mut inside = false;
    for c in path.as_str().chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            '/' => name.push('.'),
            c if !inside => name.push(c),
            _ => {}
        }
    }
    name
}

/// What a record says of a node, if it is evidence.
fn entry(payload: &Payload) -> Option<(NodePath, Object)> {
    let object = |value: Value| match value {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    Some(match payload {
        Payload::NodeSucceeded(data) => {
            let output: Value = serde_json::from_str(data.output.get()).unwrap_or(Value::Null);
            let mut body = json!({
                "status": "succeeded", "attempt": data.attempt, "fingerprint": data.fingerprint,
                "output_digest": data.digest, "files": &*data.files,
            });
            // The output itself is a document beside the logs.
            if let Some(external) = &data.external {
                body["external"] = json!(external);
            }
            if let Some(key) = &data.cached {
                body["cached"] = json!(key);
            }
            if let Some(about) = &data.about {
                body["about"] = serde_json::from_str(about.get()).unwrap_or(Value::Null);
            }
            body["output"] = output;
            (data.node.clone(), object(body))
        }
        Payload::NodeFailed(data) => (
            data.node.clone(),
            object({
                let mut body = json!({ "status": "failed", "attempt": data.attempt, "error": data.error, "final": data.retry_at.is_none() });
                if let Some(found) = &data.findings {
                    body["findings"] = serde_json::from_str(found.get()).unwrap_or(Value::Null);
                }
                body
            }),
        ),
        Payload::NodeBypassed(data) => (
            data.node.clone(),
            object(json!({ "status": "bypassed", "reason": data.reason })),
        ),
        Payload::NodeCancelled(data) => {
            (data.node.clone(), object(json!({ "status": "cancelled" })))
        }
        Payload::ApprovalRequested(data) => (
            data.node.clone(),
            object(
                json!({ "status": "waiting", "digest": data.digest, "deadline": data.deadline.map(|at| at.to_string()), "files": data.files }),
            ),
        ),
        Payload::ApprovalDecided(data) => (
            data.node.clone(),
            object(json!({ "status": data.decision, "decision": data })),
        ),
        Payload::DecisionRefused(data) => (
            data.decision.node.clone(),
            object(
                json!({ "status": "refused", "decision": data.decision, "reason": data.reason }),
            ),
        ),
        Payload::ApprovalExpired(data) => (
            data.node.clone(),
            object(
                json!({ "status": "expired", "deadline": data.deadline.to_string(), "on_timeout": data.on_timeout }),
            ),
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_named_for_nodes() {
        assert_eq!(log_name(&NodePath::from("QA")), "QA");
        assert_eq!(log_name(&NodePath::from("Scan[12]/Fix")), "Scan.Fix");
    }
}
