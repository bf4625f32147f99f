//! Requests against those that Prompt Flow itself sent: the cases in `tests/promptflow/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::parameters::{Api, coerce_literal, parameter};
use super::prepare::{Origin, prepare, render};
use super::request::{LlmRequest, outgoing};
use super::testing::{connection, request};
use crate::port::Failure;
use crate::tool::prompt::Template;
use crate::value::Object;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promptflow")
}

fn template(flow: &Path, node: &Value) -> Template {
    let path = node["source"]["path"].as_str().unwrap();
    let text = std::fs::read_to_string(flow.join(path)).unwrap();
    Template::load(path, &text).unwrap()
}

/// The inputs of a node, and where they came from: as much of Prompt Flow as these cases need.
fn resolved(
    flow: &Path,
    file: &Value,
    node: &Value,
    given: &Value,
) -> Result<(Object, BTreeMap<String, Origin>), Failure> {
    let mut inputs = Object::new();
    let mut origins = BTreeMap::new();
    for (name, value) in node["inputs"].as_object().unwrap() {
        let reference = value
            .as_str()
            .and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
        let Some(reference) = reference else {
            let kind = parameter(Api::Chat, name);
            let literal = match kind {
                Some(kind) => coerce_literal(kind, value).map_err(Failure::new)?,
                None => Some(value.clone()),
            };
            inputs.extend(literal.map(|literal| (name.clone(), literal)));
            continue;
        };
        if let Some(input) = reference.strip_prefix("inputs.") {
            let default = &file["inputs"][input]["default"];
            let value = given.get(input).unwrap_or(default).clone();
            inputs.insert(name.clone(), value);
            origins.insert(name.clone(), Origin::Flow);
            continue;
        }
        let before = reference.strip_suffix(".output").unwrap();
        let nodes = file["nodes"].as_array().unwrap();
        let before = nodes.iter().find(|node| node["name"] == before).unwrap();
        let (own, own_origins) = resolved(flow, file, before, given)?;
        let rendered = render(&template(flow, before), &own, &own_origins)?;
        inputs.insert(name.clone(), rendered.text.into());
        origins.insert(name.clone(), Origin::Prompt(rendered.hidden));
    }
    Ok((inputs, origins))
}

/// The body that the LLM node of a case sends.
fn body(case: &Value) -> Result<Value, Failure> {
    let flow = folder().join("flows").join(case["flow"].as_str().unwrap());
    let file = std::fs::read_to_string(flow.join("flow.dag.yaml")).unwrap();
    let file: Value = serde_yaml::from_str(&file).unwrap();
    let nodes = file["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["type"] == "llm").unwrap();
    let api = node["api"].as_str().and_then(Api::parse);
    let api = api.ok_or_else(|| Failure::new("`api` is missing"))?;
    let (inputs, origins) = resolved(&flow, &file, node, &case["inputs"])?;
    let prepared = prepare(&template(&flow, node), api, inputs, &origins)?;
    let connection = connection("open_ai", &[("api_key", "k"), ("base_url", "http://h/v1")]);
    let sent = outgoing(&LlmRequest {
        api,
        prompt: &prepared.prompt,
        messages: &prepared.messages,
        ..request(&connection, &prepared.parameters)
    })?;
    assert_eq!(sent.url, "http://h/v1/chat/completions");
    Ok(sent.body)
}

#[test]
fn requests_are_those_that_prompt_flow_sent() {
    let cases = std::fs::read_to_string(folder().join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let cases = cases.as_array().or(cases["cases"].as_array()).unwrap();
    let mut same = 0;
    let mut refused = 0;
    for case in cases {
        let is_llm = case["flow"].as_str().unwrap().starts_with("llm_");
        let about_connections = case["id"].as_str().unwrap().contains("connection");
        if !is_llm || about_connections {
            continue;
        }
        let sent = body(case);
        if let Some(requests) = case["expect"]["llm_requests"].as_array() {
            assert_eq!(json!(sent.unwrap()), requests[0]["body"], "{}", case["id"]);
            same += 1;
        } else {
            assert!(sent.is_err(), "{}: {sent:?}", case["id"]);
            refused += 1;
        }
    }
    assert!(same >= 12 && refused >= 4, "{same} sent, {refused} refused");
}
