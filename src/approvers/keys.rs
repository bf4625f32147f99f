//! The keys of `approvers.yaml`, once: for the decoder, its near-miss help, and the JSON Schema.

use serde_json::json;

use crate::flow::{Key, key, mapping_schema};
use crate::value::{Object, Value};

pub(super) const FILE: &[Key] = &[
    key(
        "$schema",
        text,
        "The JSON Schema of this file, for editors.",
    ),
    key(
        "users",
        || json!({ "type": ["object", "null"], "propertyNames": { "pattern": NAME }, "additionalProperties": { "$ref": "#/$defs/user" } }),
        "Who may approve, by name; flows name them by it.",
    ),
    key(
        "groups",
        || json!({ "type": ["object", "null"], "propertyNames": { "pattern": NAME }, "additionalProperties": texts() }),
        "Users by group; flows name a group as `@NAME`.",
    ),
    key(
        "servers",
        texts,
        "Public keys of the servers whose word for what happens on the web is taken.",
    ),
];

pub(super) const USER: &[Key] = &[
    key("name", text, "What people call them."),
    key(
        "accounts",
        texts,
        "Accounts of the operating system and names that a proxy gives; by default the user's own name.",
    ),
    key("ssh_keys", texts, "Public keys, as `.pub` files have them."),
    key(
        "tokens",
        || json!({ "type": ["array", "null"], "items": { "$ref": "#/$defs/token" } }),
        "Tokens for the web; `flowctl approvers token USER` makes one.",
    ),
];

pub(super) const TOKEN: &[Key] = &[
    key("id", text, "The beginning of the digest of `hash`."),
    key(
        "hash",
        text,
        "The Argon2id hash of the secret, in PHC form.",
    ),
    key("created", time, "When it was made."),
    key("expires", time, "From when on it is no longer taken."),
];

/// As [`crate::id::is_name`] has it.
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_-]*$";

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    json!({ "type": ["array", "null"], "items": { "type": "string" } })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// The schema as `flowctl schema approvers` prints it and `schemas/approvers.schema.json` holds it.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = Object::new();
    let mut put = |key: &str, value: Value| schema.insert(key.to_owned(), value);
    put(
        "$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    put(
        "$id",
        json!("https://flowctl.dev/schemas/approvers.schema.json"),
    );
    put("title", json!("Who may approve"));
    if let Value::Object(file) = mapping_schema(&[FILE], &["users"]) {
        schema.extend(file);
    }
    let mut user = mapping_schema(&[USER], &[]);
    user["type"] = json!(["object", "null"]);
    schema.insert(
        "$defs".to_owned(),
        json!({ "user": user, "token": mapping_schema(&[TOKEN], &["id", "hash"]) }),
    );
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::approvers::Approvers;
    use crate::diagnostic::{Code, Severity, Source};
    use crate::port::Schema;

    /// Problems that a schema can see.
    fn decoder_refuses(file: &Value) -> bool {
        let source = Arc::new(Source::new("approvers.yaml", file.to_string()));
        let Err(problems) = Approvers::decode(&source) else {
            return false;
        };
        problems.iter().any(|problem| {
            problem.severity == Severity::Error
                && matches!(
                    problem.code,
                    Code::UnknownKey | Code::WrongType | Code::MissingKey | Code::BadName
                )
        })
    }

    /// Every key with values of every shape: the decoder and the schema must agree.
    #[test]
    fn the_decoder_and_the_schema_agree() {
        let schema = Schema::compile(&json_schema()).expect("the schema is a schema");
        let values = [
            json!(null),
            json!(true),
            json!(3),
            json!("text"),
            json!("2026-11-23T00:00:00Z"),
            json!([]),
            json!(["ada"]),
            json!(["ada", 1]),
            json!([null]),
            json!([{}]),
            json!([{ "id": "x", "hash": "y" }]),
            json!({}),
            json!({ "ada": null }),
            json!({ "ada": {} }),
            json!({ "ada": [] }),
            json!({ "ada": ["bob"] }),
            json!({ "1x": {} }),
            json!({ "1x": [] }),
            json!({ "x-mine": 1 }),
        ];
        let mut checked = 0;
        let mut differ = Vec::new();
        for (place, table) in [
            ("", FILE),
            ("/users/bob", USER),
            ("/users/bob/tokens/0", TOKEN),
        ] {
            for name in table.iter().map(Key::name).chain(["unknown_key", "x-mine"]) {
                for value in &values {
                    let mut file =
                        json!({ "users": { "bob": { "tokens": [{ "id": "x", "hash": "y" }] } } });
                    file.pointer_mut(place).expect("it is there")[name] = value.clone();
                    checked += 1;
                    // `x-` keys are the author's own; below `users` and `groups` they are names.
                    if decoder_refuses(&file) == schema.check(&file).is_empty() {
                        differ.push(format!(
                            "{place}/{name} = {value}: decoder refuses {}",
                            decoder_refuses(&file)
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
        assert!(checked > 200);
    }

    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/approvers.schema.json");
        let text = serde_json::to_string_pretty(&json_schema()).expect("it is JSON") + "\n";
        if std::env::vars_os().any(|(name, _)| name == "UPDATE_SCHEMAS") {
            std::fs::write(path, &text).expect("the schema can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text,
            "schemas/approvers.schema.json is stale: run `UPDATE_SCHEMAS=1 cargo test --lib schema`"
        );
    }
}
