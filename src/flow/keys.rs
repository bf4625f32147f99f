//! The keys of a flow file, once: for the decoder, its near-miss help, and the JSON Schema.

use serde_json::json;

use super::notify::MOMENTS;
use crate::value::Value;

/// One key: its name, the JSON Schema of what it takes, and a sentence for editors.
pub(crate) struct Key {
    pub(super) name: &'static str,
    pub(super) schema: fn() -> Value,
    pub(super) doc: &'static str,
}

impl Key {
    /// Its name.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

pub(crate) const fn key(name: &'static str, schema: fn() -> Value, doc: &'static str) -> Key {
    Key { name, schema, doc }
}

/// Kinds of nodes that later versions or the Prompt Flow dialect have.
pub(super) const LATER_KINDS: [&str; 4] = ["python", "prompt", "llm", "custom_llm"];
/// The kinds of nodes.
pub const NEAR_KINDS: [&str; 6] = ["persona", "skill", "process", "http", "flow", "approval"];
/// What a request may be.
pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The keys of a request; each is an input of what sends it.
pub(super) const HTTP: [&str; 6] = ["method", "url", "query", "headers", "body", "expect"];
/// What a flow input may be.
pub(super) const INPUT_TYPES: [&str; 9] = [
    "string", "integer", "int", "number", "double", "boolean", "bool", "list", "object",
];

pub(super) const FLOW: &[Key] = &[
    key(
        "$schema",
        text,
        "The JSON Schema of this file, for editors.",
    ),
    key("name", text, "The flow's name; by default the file's name."),
    key("description", text, "One sentence for people."),
    key(
        "dialect",
        || json!({ "enum": ["flowctl", "promptflow"] }),
        "How the file is read: a file called `flow.dag.yaml` as `promptflow`, every other as `flowctl`.",
    ),
    key(
        "order",
        || json!({ "enum": ["parallel", "sequential"] }),
        "`sequential`: each node runs after the one above it.",
    ),
    key(
        "inputs",
        || json!({ "type": ["object", "null"], "propertyNames": name_schema(), "additionalProperties": { "$ref": "#/$defs/input" } }),
        "What the flow takes.",
    ),
    key(
        "nodes",
        || json!({ "type": "array", "items": { "$ref": "#/$defs/node" } }),
        "What the flow runs, in file order.",
    ),
    key(
        "outputs",
        || json!({ "type": ["object", "null"], "propertyNames": name_schema() }),
        "What the flow gives, usually `${NODE.output.PORT}`.",
    ),
    key(
        "notify",
        || json!({ "type": "array", "items": { "$ref": "#/$defs/notify" } }),
        "Whom to tell when a run pauses or ends.",
    ),
];

pub(super) const NOTIFY: &[Key] = &[
    key(
        "on",
        || {
            let word = json!({ "enum": MOMENTS.map(|(word, _)| word) });
            json!({ "anyOf": [word, { "type": "array", "minItems": 1, "items": word }] })
        },
        "When: `paused`, `succeeded`, `failed`, `rejected`, `cancelled`, or a list of these.",
    ),
    key(
        "command",
        || json!({ "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } }),
        "Program and arguments; no shell. It finds the JSON document on its standard input.",
    ),
    key(
        "url",
        || json!({ "type": "string", "pattern": "^https?://|[$][{]|[{]{2}" }),
        "Where the JSON document is posted to.",
    ),
    key(
        "headers",
        || json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } }),
        "What the request says besides.",
    ),
];

/// Keys of an input that flowctl reads itself; all others are JSON Schema's.
pub(super) const INPUT: &[Key] = &[
    key(
        "type",
        || json!({ "enum": INPUT_TYPES }),
        "What the value must be.",
    ),
    key(
        "default",
        || json!(true),
        "The value when none is given; an input without one must be given.",
    ),
    key("description", text, "What the input means."),
];

/// JSON Schema keywords that an input may carry.
pub(super) const INPUT_KEYWORDS: &[Key] = &[
    key("title", text, "A short name for people."),
    key("examples", || json!({ "type": "array" }), "Example values."),
    key(
        "enum",
        || json!({ "type": "array" }),
        "The values that are allowed.",
    ),
    key("const", || json!(true), "The only value that is allowed."),
    key("minLength", count, "The shortest string."),
    key("maxLength", count, "The longest string."),
    key("pattern", text, "A regular expression for strings."),
    key("format", text, "A JSON Schema format name; informative."),
    key("minimum", number, "The least number."),
    key("maximum", number, "The greatest number."),
    key("exclusiveMinimum", number, "A number must be greater."),
    key("exclusiveMaximum", number, "A number must be less."),
    key(
        "multipleOf",
        || json!({ "type": "number", "exclusiveMinimum": 0 }),
        "A number must be a multiple.",
    ),
    key(
        "items",
        || json!({ "type": ["object", "boolean"] }),
        "The schema of list items.",
    ),
    key("minItems", count, "The shortest list."),
    key("maxItems", count, "The longest list."),
    key(
        "uniqueItems",
        || json!({ "type": "boolean" }),
        "Whether list items must differ.",
    ),
    key(
        "properties",
        || json!({ "type": "object" }),
        "The schemas of an object's members.",
    ),
    key(
        "required",
        || json!({ "type": "array", "items": { "type": "string" } }),
        "The members that must be there.",
    ),
    key(
        "additionalProperties",
        || json!({ "type": ["object", "boolean"] }),
        "The schema of other members.",
    ),
];

pub(super) const NODE: &[Key] = &[
    key("name", name_schema, "The node's name, unique in the file."),
    key(
        "type",
        || json!({ "enum": NEAR_KINDS }),
        "The kind of node.",
    ),
    key("description", text, "One sentence for people."),
    key(
        "persona",
        text,
        "The registered persona; by default the node's name.",
    ),
    key(
        "model",
        || json!({ "$ref": "#/$defs/model" }),
        "A language model that proposes the persona's output; the persona's own code decides.",
    ),
    key(
        "skill",
        text,
        "The skill folder; by default the node's name.",
    ),
    key("tool", text, "A registered tool, picked directly."),
    key("flow", text, "The sub-flow's file, relative to this one."),
    key(
        "command",
        || json!({ "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } }),
        "Program and arguments; no shell.",
    ),
    key("cwd", text, "The working directory, below the workspace."),
    key(
        "env",
        || json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } }),
        "Environment variables to set.",
    ),
    key(
        "output",
        || json!({ "enum": ["text", "json"] }),
        "How standard output is read.",
    ),
    key(
        "method",
        || json!({ "type": "string", "pattern": format!("^({})$|[$][{{]|[{{]{{2}}", METHODS.join("|")) }),
        "What is asked of the server; `GET`, or `POST` with a body.",
    ),
    key(
        "url",
        || json!({ "type": "string", "pattern": "^https?://|[$][{]|[{]{2}" }),
        "Where the request goes.",
    ),
    key(
        "query",
        || json!({ "type": "object" }),
        "Parameters to append to the URL; a list is one parameter several times.",
    ),
    key(
        "headers",
        || json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } }),
        "What the request says besides.",
    ),
    key(
        "body",
        || json!(true),
        "What is sent: a string as it is, anything else as JSON.",
    ),
    key(
        "expect",
        || json!({ "anyOf": [status_schema(), { "type": "array", "minItems": 1, "items": status_schema() }] }),
        "The statuses that are a success: `200`, `200-204`, `2xx`, or a list; `2xx` by default.",
    ),
    key(
        "inputs",
        || json!({ "type": ["object", "null"] }),
        "Explicit inputs; they win over wiring by name.",
    ),
    key(
        "after",
        || json!({ "type": "array", "items": name_schema() }),
        "Nodes that must have ended before.",
    ),
    key(
        "when",
        || json!({ "type": ["string", "boolean"] }),
        "A tera expression; the node is bypassed unless it holds.",
    ),
    key(
        "activate",
        || json!({ "$ref": "#/$defs/activate" }),
        "The node is bypassed unless `when` equals `is`.",
    ),
    key(
        "foreach",
        || json!({ "type": ["string", "array"] }),
        "Runs once per item of this list; the result is a list in the same order.",
    ),
    key(
        "retry",
        || json!({ "$ref": "#/$defs/retry" }),
        "How often and when a failed attempt is repeated.",
    ),
    key(
        "timeout",
        duration_schema,
        "The longest that one attempt may take.",
    ),
    key(
        "approval",
        || json!({ "anyOf": [{ "$ref": "#/$defs/approval" }, { "type": "null" }] }),
        "The node waits for a human's yes.",
    ),
    key(
        "on_error",
        text,
        "`fail`, `continue`, or the node whose output stands in.",
    ),
    key(
        "cache",
        || json!({ "type": "boolean" }),
        "Whether a pure result is kept, and taken again when tool and inputs are the same, also in other runs.",
    ),
    key(
        "evidence",
        || json!({ "type": "boolean" }),
        "Whether the node's results are kept as evidence.",
    ),
    key(
        "worker_pool",
        name,
        "The pool of workers that runs the node when the flow runs on Restate.",
    ),
];

/// The keys of a persona's model.
pub(super) const MODEL: &[Key] = &[
    key(
        "connection",
        word,
        "The connection through which the model is asked.",
    ),
    key("model", word, "The model's name."),
    key(
        "deployment",
        word,
        "The deployment's name, instead of `model`.",
    ),
    key(
        "parameters",
        || json!({ "type": "object" }),
        "Parameters of the call: `temperature`, `max_tokens`, `seed`, …",
    ),
    key(
        "charter",
        word,
        "What the model is to do: text, or a text file relative to this one.",
    ),
    key(
        "on_invalid",
        || json!({ "enum": ["fail", "draft"] }),
        "What a second answer that breaks the contract does: the node fails, or what its own code gave is taken.",
    ),
];

pub(super) const ACTIVATE: &[Key] = &[
    key("when", || json!(true), "The value that is compared."),
    key("is", || json!(true), "What it must equal."),
];

pub(super) const RETRY: &[Key] = &[
    key(
        "attempts",
        || json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
        "Attempts in total, the first included.",
    ),
    key(
        "backoff",
        || json!({ "$ref": "#/$defs/backoff" }),
        "How long to wait between attempts.",
    ),
    key(
        "on",
        || json!({ "type": "array", "minItems": 1, "items": { "enum": ["error", "timeout"] } }),
        "Which failures are repeated; both by default.",
    ),
];

pub(super) const BACKOFF: &[Key] = &[
    key("initial", duration_schema, "The first wait; 1s by default."),
    key(
        "factor",
        || json!({ "type": "number", "minimum": 1, "maximum": 100 }),
        "By how much each wait grows; 2 by default.",
    ),
    key("max", duration_schema, "The longest wait; 60s by default."),
];

pub(super) const APPROVAL: &[Key] = &[
    key(
        "scope",
        || json!({ "enum": ["following", "dependants"] }),
        "`following`: no later node starts before the answer.",
    ),
    key("timeout", duration_schema, "How long the gate waits."),
    key(
        "on_timeout",
        || json!({ "enum": ["reject", "fail"] }),
        "What happens then.",
    ),
    key(
        "approvers",
        || json!({ "type": "array", "items": { "type": "string" } }),
        "Who may answer; needs an `approvers.yaml`.",
    ),
    key(
        "quorum",
        || json!({ "type": "integer", "minimum": 1 }),
        "How many must say yes; above 1 needs an `approvers.yaml`.",
    ),
    key(
        "separation_of_duties",
        || json!({ "type": "boolean" }),
        "Whether who started the run may not answer; needs an `approvers.yaml`.",
    ),
    key(
        "form",
        || json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/input" } }),
        "Fields to fill in with a yes, declared as inputs are; `${approval.form.NAME}` reads one.",
    ),
];

fn text() -> Value {
    json!({ "type": "string" })
}

fn word() -> Value {
    json!({ "type": "string", "pattern": "[^\\s]" })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn status_schema() -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": 100, "maximum": 599 },
        { "type": "string", "pattern": "^[1-5]([0-9]{2}(-[1-5][0-9]{2})?|[xX]{2})$" },
    ] })
}

fn name_schema() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" })
}

fn duration_schema() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,11}(ms|s|m|h|d)$" })
}
