//! What the API takes and gives, as JSON Schema.

use serde_json::{Value, json};

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn digest() -> Value {
    json!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" })
}

fn maybe_digest() -> Value {
    json!({ "type": ["string", "null"], "pattern": "^sha256:[0-9a-f]{64}$" })
}

fn list_of(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// An object; names that end with `?` may be left out.
fn object(members: &[(&str, Value)]) -> Value {
    let properties: serde_json::Map<String, Value> = members
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    let names = members.iter().map(|(name, _)| *name);
    let required: Vec<&str> = names.filter(|name| !name.ends_with('?')).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn refers(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// All schemas by name.
pub(super) fn all() -> Value {
    let status = json!({ "enum": ["running", "paused", "succeeded", "failed", "rejected", "cancelled", "interrupted", "damaged"] });
    let line = object(&[
        ("run", text()),
        ("status", status.clone()),
        ("flow?", text()),
        ("by?", text()),
        ("started?", text()),
        ("last?", time()),
        ("waiting?", list_of(&text())),
        ("error?", text()),
    ]);
    let standing = object(&[
        ("run", text()),
        (
            "state",
            json!({ "enum": ["driven", "queued", "paused", "elsewhere", "troubled", "stopped"] }),
        ),
        ("since", time()),
        ("reason", maybe("string")),
        ("until", maybe("string")),
    ]);
    let file = object(&[
        ("path", text()),
        ("node", text()),
        ("sha256", digest()),
        ("bytes", count()),
        ("base", maybe_digest()),
        (
            "change",
            json!({ "enum": ["added", "modified", "unchanged"] }),
        ),
        ("text", json!({ "type": "boolean" })),
    ]);
    let record = object(&[
        ("seq", count()),
        ("ts", time()),
        ("event", text()),
        ("round", count()),
        ("data", json!({ "type": "object" })),
    ]);
    let diagnostic = object(&[
        ("code", text()),
        ("message", text()),
        ("help", list_of(&text())),
        ("file", text()),
        ("line", count()),
        ("column", count()),
    ]);
    // What a run and its nodes say may grow with any version.
    json!({
        "Any": { "type": "object" },
        "Content": { "description": "Bytes." },
        "Nothing": object(&[]),
        "Health": object(&[("status", json!({ "const": "ok" })), ("version", text())]),
        "Me": object(&[("user", text()), ("via", maybe("string"))]),
        "Fleet": object(&[
            ("concurrency", count()), ("max_runs", count()), ("nodes", count()), ("runs", list_of(&standing)),
        ]),
        "Runs": object(&[("runs", list_of(&line)), ("next", maybe("string"))]),
        "Run": {
            "type": "object",
            "required": ["run", "status", "outputs", "nodes", "waiting", "error"],
            "properties": {
                "run": text(), "status": status, "outputs": { "type": "object" },
                "nodes": { "type": "object", "additionalProperties": { "type": "object", "required": ["status"] } },
                "waiting": list_of(&refers("Waiting")), "error": { "type": ["object", "null"] },
            },
        },
        "Waiting": {
            "type": "object",
            "required": ["node", "round", "digest", "deadline"],
            "properties": {
                "node": text(), "round": count(), "digest": maybe_digest(), "deadline": maybe("string"),
            },
        },
        "Node": {
            "type": "object",
            "required": ["run", "node", "status", "attempt", "inputs", "inputs_missing", "output", "files"],
            "properties": {
                "run": text(), "node": text(), "status": text(), "attempt": count(), "output": true,
                "files": { "type": "array" }, "inputs": { "type": "object" },
                "inputs_missing": { "type": "object", "additionalProperties": text() }, "started": maybe("string"), "ended": maybe("string"),
            },
        },
        "Files": object(&[("run", text()), ("files", list_of(&file))]),
        "Events": object(&[
            ("run", text()), ("events", list_of(&record)), ("next", json!({ "type": ["integer", "null"] })),
        ]),
        "Start": object(&[("flow", text()), ("inputs?", json!({ "type": "object" })), ("run?", text())]),
        "Started": object(&[("run", text())]),
        "Decision": object(&[
            ("node", text()), ("digest", digest()),
            ("decision", json!({ "enum": ["approved", "rejected", "sent_back"] })),
            ("comment?", maybe("string")), ("form?", maybe("object")), ("target?", maybe("string")),
        ]),
        "Verdict": object(&[("run", text()), ("verdict", json!({ "enum": ["accepted", "queued"] }))]),
        "Problem": object(&[
            ("type", text()), ("title", text()), ("status", count()), ("code", text()), ("detail", text()),
            ("help", maybe("string")), ("diagnostics?", list_of(&diagnostic)),
        ]),
    })
}

fn asked(name: &str, place: &str, what: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": place, "description": what, "required": false, "schema": schema })
}

pub(super) fn list() -> Value {
    json!([
        asked("status", "query", "Only runs of this status.", &text()),
        asked(
            "flow",
            "query",
            "Only runs of the flow of this name.",
            &text()
        ),
        asked(
            "waiting",
            "query",
            "Only runs that wait for an answer, or only others.",
            &json!({ "type": "boolean" })
        ),
        asked(
            "limit",
            "query",
            "Runs on the page: 50, at most 500. A page may be shorter and still have a next.",
            &json!({ "type": "integer", "minimum": 1, "maximum": 500 })
        ),
        asked("cursor", "query", "The `next` of the page before.", &text()),
    ])
}

pub(super) fn events() -> Value {
    json!([
        asked(
            "after",
            "query",
            "Only records after this number.",
            &count()
        ),
        asked(
            "limit",
            "query",
            "Records of the list: 500, at most 5000.",
            &json!({ "type": "integer", "minimum": 1, "maximum": 5000 })
        ),
        asked(
            "Last-Event-ID",
            "header",
            "The number of the last event that came; to who follows.",
            &count()
        ),
    ])
}

pub(super) fn decide() -> Value {
    json!([asked(
        "Idempotency-Key",
        "header",
        "The same answer of the same caller under the same key is given once, however often it is sent.",
        &json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
    )])
}
