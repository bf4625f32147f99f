//! The JSON Schema of flow files, for completion in editors; made from the decoder's key tables.

use serde_json::json;

use super::keys::{
    ACTIVATE, APPROVAL, BACKOFF, FLOW, INPUT, INPUT_KEYWORDS, Key, MODEL, NODE, NOTIFY, RETRY,
};
use crate::value::{Object, Value};

/// The schema as `flowctl schema` prints it and `schemas/flow.schema.json` holds it.
#[must_use]
pub fn json_schema() -> Value {
    let mut node = mapping(&[NODE], &["name"]);
    node["anyOf"] = json!([{ "required": ["type"] }, { "required": ["tool"] }]);
    let needs = |kind: &str, key: &str| json!({ "if": { "properties": { "type": { "const": kind } }, "required": ["type"] }, "then": { "required": [key] } });
    node["allOf"] = json!([
        needs("process", "command"),
        needs("http", "url"),
        needs("flow", "flow")
    ]);
    let mut notify = mapping(&[NOTIFY], &["on"]);
    notify["anyOf"] = json!([{ "required": ["command"] }, { "required": ["url"] }]);
    let mut model = mapping(&[MODEL], &["connection", "charter"]);
    model["anyOf"] = json!([{ "required": ["model"] }, { "required": ["deployment"] }]);
    let mut schema = mapping(&[FLOW], &["nodes"]);
    let rest = std::mem::take(&mut schema);
    let mut schema = Object::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert(
        "$id".to_owned(),
        json!("https://flowctl.dev/schemas/flow.schema.json"),
    );
    schema.insert("title".to_owned(), json!("A flowctl flow"));
    if let Value::Object(rest) = rest {
        schema.extend(rest);
    }
    schema.insert(
        "$defs".to_owned(),
        json!({
            "input": mapping(&[INPUT, INPUT_KEYWORDS], &["type"]),
            "node": node,
            "model": model,
            "activate": mapping(&[ACTIVATE], &["when", "is"]),
            "retry": mapping(&[RETRY], &["attempts"]),
            "backoff": mapping(&[BACKOFF], &[]),
            "approval": mapping(&[APPROVAL], &[]),
            "notify": notify,
        }),
    );
    Value::Object(schema)
}

/// The schema of a mapping with the keys of these tables.
pub(crate) fn mapping(tables: &[&[Key]], required: &[&str]) -> Value {
    let properties: Object = tables
        .iter()
        .flat_map(|table| table.iter())
        .map(|key| {
            let mut schema = match (key.schema)() {
                Value::Object(schema) => schema,
                _ => Object::new(),
            };
            schema.insert("description".to_owned(), json!(key.doc));
            (key.name.to_owned(), Value::Object(schema))
        })
        .collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "patternProperties": { "^x-": true }, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Code, Diagnostics, Severity, Source};
    use crate::flow::Flow;
    use crate::port::Schema;

    /// Problems that a schema can see; references and policy are beyond it.
    fn decoder_refuses(flow: &Value) -> bool {
        let source = Arc::new(Source::new("t.yaml", flow.to_string()));
        let mut problems = Diagnostics::default();
        Flow::decode(&source, &mut problems);
        problems.iter().any(|problem| {
            problem.severity == Severity::Error
                && matches!(
                    problem.code,
                    Code::UnknownKey
                        | Code::WrongType
                        | Code::BadValue
                        | Code::MissingKey
                        | Code::BadName
                )
        })
    }

    /// A flow with one key set to a value, at the place where that key belongs.
    fn with(place: &str, key: &str, value: &Value) -> Value {
        let mut flow = json!({
            "inputs": { "i": { "type": "string" } },
            "nodes": [{ "name": "a", "type": "persona", "retry": { "attempts": 2, "backoff": {} },
                        "approval": {}, "activate": { "when": 1, "is": 1 } }]
        });
        let node_kind = match key {
            "command" | "cwd" | "env" | "output" => Some(("process", "command", json!(["x"]))),
            "method" | "url" | "query" | "headers" | "body" | "expect" => {
                Some(("http", "url", json!("https://h")))
            }
            "flow" if place == "node" => Some(("flow", "flow", json!("x.yaml"))),
            "skill" => Some(("skill", "skill", json!("s"))),
            _ => None,
        };
        if place == "node"
            && let Some((kind, needed, example)) = node_kind
        {
            flow["nodes"][0]["type"] = json!(kind);
            flow["nodes"][0][needed] = example;
        }
        if key == "when" && place == "node" {
            flow["nodes"][0]
                .as_object_mut()
                .expect("an object")
                .remove("activate");
        }
        if place == "model" {
            flow["nodes"][0]["model"] = json!({ "connection": "c", "model": "m", "charter": "x" });
        }
        let target = match place {
            "model" => &mut flow["nodes"][0]["model"],
            "flow" => &mut flow,
            "input" => &mut flow["inputs"]["i"],
            "node" => &mut flow["nodes"][0],
            "retry" => &mut flow["nodes"][0]["retry"],
            "backoff" => &mut flow["nodes"][0]["retry"]["backoff"],
            "approval" => &mut flow["nodes"][0]["approval"],
            "activate" => &mut flow["nodes"][0]["activate"],
            "notify" => {
                let to = if matches!(key, "url" | "headers") {
                    json!({ "on": "paused", "url": "https://h" })
                } else {
                    json!({ "on": "paused", "command": ["x"] })
                };
                flow["notify"] = json!([to]);
                &mut flow["notify"][0]
            }
            other => panic!("no place {other}"),
        };
        target[key] = value.clone();
        flow
    }

    /// Every key with values of every shape: the decoder and the schema must agree.
    #[test]
    fn the_decoder_and_the_schema_agree() {
        let schema = Schema::compile(&json_schema()).expect("the schema is a schema");
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(3),
            json!(-1),
            json!(1.5),
            json!("text"),
            json!("5m"),
            json!("reject"),
            json!("paused"),
            json!(["failed", "paused"]),
            json!([{"on": "failed", "command": ["x"]}]),
            json!([{"on": [], "command": ["x"]}]),
            json!("sequential"),
            json!("following"),
            json!("json"),
            json!("persona"),
            json!("flowctl"),
            json!("string"),
            json!("1x"),
            json!(""),
            json!([]),
            json!(["error"]),
            json!(["text", 1]),
            json!([null]),
            json!({}),
            json!({"a": "b"}),
            json!({"a": null}),
            json!({"attempts": 2}),
            json!({"connection": "c", "model": "m", "charter": "x"}),
            json!({"connection": "c", "deployment": "m"}),
            json!({"type": "string"}),
            json!({"a": {"type": "string"}}),
            json!([{"name": "n", "type": "persona"}]),
        ];
        let places: [(&str, &[&[Key]]); 9] = [
            ("flow", &[FLOW]),
            ("input", &[INPUT, INPUT_KEYWORDS]),
            ("node", &[NODE]),
            ("model", &[MODEL]),
            ("retry", &[RETRY]),
            ("backoff", &[BACKOFF]),
            ("approval", &[APPROVAL]),
            ("activate", &[ACTIVATE]),
            ("notify", &[NOTIFY]),
        ];
        let mut checked = 0;
        let mut differ = Vec::new();
        for (place, tables) in places {
            let names = tables
                .iter()
                .flat_map(|table| table.iter())
                .map(|key| key.name)
                .chain(["unknown_key"]);
            for name in names {
                for value in &values {
                    // Whether a default or a pattern fits is asked of the input's own schema.
                    if place == "input"
                        && matches!(
                            name,
                            "default"
                                | "pattern"
                                | "enum"
                                | "items"
                                | "properties"
                                | "additionalProperties"
                        )
                    {
                        continue;
                    }
                    let flow = with(place, name, value);
                    checked += 1;
                    if decoder_refuses(&flow) == schema.check(&flow).is_empty() {
                        differ.push(format!(
                            "{place}.{name} = {value}: decoder refuses {}",
                            decoder_refuses(&flow)
                        ));
                    }
                }
            }
        }
        assert!(
            differ.is_empty(),
            "{} of {checked} differ:\n{}",
            differ.len(),
            differ.join("\n")
        );
        assert!(checked > 1000);
    }

    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/flow.schema.json");
        let text = serde_json::to_string_pretty(&json_schema()).expect("it is JSON") + "\n";
        if std::env::vars_os().any(|(name, _)| name == "UPDATE_SCHEMAS") {
            std::fs::write(path, &text).expect("the schema can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text,
            "schemas/flow.schema.json is stale: run `UPDATE_SCHEMAS=1 cargo test --lib schema`"
        );
    }
}
