//! The `OpenAPI` 3.1 document, made of the table of routes.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::routes::{Route, all};
use super::{ROOT, schemas};
use crate::value::Object;

pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Object::new();
    for route in all() {
        // `OpenAPI` has no word for a parameter that takes slashes.
        let path = route.path.replace("{*", "{");
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[route.method] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "flowctl",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs of flows: what they do, what they wait for, and answering it. Problems are RFC 9457.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": ROOT }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token." },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let (name, slashes) = match name.strip_prefix('*') {
                Some(name) => (name, " It may hold slashes."),
                None => (name, ""),
            };
            let what = if name == "id" { "The run." } else { "Its path." };
            json!({
                "name": name, "in": "path", "required": true, "description": format!("{what}{slashes}"),
                "schema": { "type": "string" },
            })
        })
        .collect();
    if let Value::Array(asked) = (route.asks)() {
        parameters.extend(asked);
    }
    let mut responses = Object::new();
    for (status, what, kind, schema) in route.gives {
        let mut response = json!({ "description": what });
        if !kind.is_empty() {
            let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
            response["content"] = json!({ *kind: { "schema": schema } });
        }
        if route.id == "events" && *status == StatusCode::OK.as_u16() {
            // One event for each record: `id` is its number, `event` its kind, `data` the record.
            response["content"]["text/event-stream"] = json!({ "schema": { "type": "string" } });
        }
        responses.insert(status.to_string(), response);
    }
    let all: &[u16] = if route.open { &[] } else { &[401, 403] };
    for status in route.fails.iter().chain(all) {
        let title = StatusCode::from_u16(*status).ok();
        let title = title.and_then(|status| status.canonical_reason());
        responses.insert(status.to_string(), problem(title.unwrap_or("A problem")));
    }
    responses.insert("default".to_owned(), problem("A problem"));
    let security = if route.open {
        json!([])
    } else {
        json!([{ "token": [] }])
    };
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
        "security": security,
    });
    if let Some(body) = route.body {
        let schema = json!({ "$ref": format!("#/components/schemas/{body}") });
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn problem(title: &str) -> Value {
    json!({
        "description": title,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Schema;

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(value: &Value, document: &Value, seen: &mut usize) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(target)) = members.get("$ref") {
                        let at = target.trim_start_matches('#');
                        assert!(document.pointer(at).is_some(), "{target}");
                        *seen += 1;
                    }
                    members
                        .values()
                        .for_each(|inner| walk(inner, document, seen));
                }
                Value::Array(items) => items.iter().for_each(|inner| walk(inner, document, seen)),
                _ => {}
            }
        }
        let (document, mut seen) = (document(), 0);
        walk(&document, &document, &mut seen);
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn what_is_taken_is_what_the_document_says() {
        let fits = |name: &str, body: &Value| {
            let schema = Schema::compile(&schemas::all()[name]).expect("it is a schema");
            schema.check(body).is_empty()
        };
        let digest = format!("sha256:{}", "0".repeat(64));
        let whole =
            json!({ "node": "Ok", "digest": digest, "decision": "approved", "comment": null });
        assert!(fits("Decision", &whole));
        assert!(!fits(
            "Decision",
            &json!({ "node": "Ok", "decision": "approved" })
        ));
        assert!(fits("Start", &json!({ "flow": "a.yaml" })));
        assert!(!fits("Start", &json!({ "flow": "a.yaml", "input": {} })));
        assert!(fits("Nothing", &json!({})) && !fits("Nothing", &json!({ "force": true })));
    }
}
