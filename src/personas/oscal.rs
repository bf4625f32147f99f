//! Whether OSCAL documents satisfy NIST's own schema, which the binary carries.

use std::sync::LazyLock;

use crate::port::{Failure, File};
use crate::value::Value;

/// The schema of all OSCAL models, as NIST publishes it with OSCAL 1.1.3.
const TEXT: &str = include_str!("../../schemas/oscal_complete_schema-1.1.3.json");

/// How many findings of a document its message shows.
const SHOWN: usize = 5;
/// How much of a finding: some repeat the value that they are about.
const LENGTH: usize = 300;

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(TEXT).expect("the schema is JSON: a test reads it"));

/// The validator of one model. The schema is `oneOf` all of them, and of what breaks an alternative it
/// would only say that none fits.
fn validator(model: &str) -> Result<jsonschema::Validator, String> {
    let mut schema = SCHEMA.clone();
    let alternatives = schema["oneOf"].as_array_mut();
    let chosen = alternatives.and_then(|all| {
        let at = all.iter().position(|one| one["required"][0] == model)?;
        Some(all.swap_remove(at))
    });
    let chosen = chosen.ok_or_else(|| format!("`{model}` is no model of OSCAL"))?;
    if let (Value::Object(schema), Value::Object(chosen)) = (&mut schema, chosen) {
        schema.shift_remove("oneOf");
        schema.extend(chosen);
    }
    jsonschema::validator_for(&schema).map_err(|error| error.to_string())
}

/// Checks the documents in `oscal/`.
///
/// # Errors
/// The first findings of every document, with their place in it.
pub(super) fn check(files: &[File]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("oscal/")) {
        let document: Value = match serde_json::from_slice(&file.content) {
            Ok(document) => document,
            Err(error) => {
                problems.push(format!("{}: {error}", file.path));
                continue;
            }
        };
        let mut keys = document
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys());
        let model = keys.find(|key| *key != "$schema");
        let validator = match validator(model.map_or("", String::as_str)) {
            Ok(validator) => validator,
            Err(reason) => {
                problems.push(format!("{}: {reason}", file.path));
                continue;
            }
        };
        for error in validator.iter_errors(&document).take(SHOWN) {
            let text: String = error.to_string().chars().take(LENGTH).collect();
            problems.push(format!(
                "{} at {}: {text}",
                file.path,
                error.instance_path()
            ));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!(
        "NIST's OSCAL schema refuses the documents:\n  {}",
        problems.join("\n  ")
    );
    Err(Failure::new(message).help(
        "mend the templates of the skill `oscal_packager`, then `flowctl resume RUN --accept-changes`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(document: &Value) -> Result<(), Failure> {
        check(&[File {
            path: "oscal/x.json".to_owned(),
            content: document.to_string().into_bytes(),
        }])
    }

    #[test]
    fn findings_name_document_and_place() {
        let metadata = json!({ "title": "t", "last-modified": "yesterday", "version": "1", "oscal-version": "1.1.3" });
        let document = json!({ "component-definition": {
            "uuid": "0b3a6b4e-9d0e-4a86-8f4a-2f3f4d6f8a10", "metadata": metadata } });
        let message = checked(&document).unwrap_err().message;
        assert!(
            message.contains("oscal/x.json at ") && message.contains("yesterday"),
            "{message}"
        );
    }

    #[test]
    fn what_is_missing_is_named_and_not_the_whole_document() {
        let message = checked(&json!({ "assessment-plan": { "uid": "x" } }))
            .unwrap_err()
            .message;
        assert!(
            message.contains("at /assessment-plan: \"uuid\" is a required property"),
            "{message}"
        );
        let message = checked(&json!({ "recipe": {} })).unwrap_err().message;
        assert!(
            message.contains("`recipe` is no model of OSCAL"),
            "{message}"
        );
    }

    #[test]
    fn a_good_document_passes() {
        let metadata = json!({ "title": "t", "last-modified": "2026-11-22T00:00:00Z", "version": "1", "oscal-version": "1.1.3" });
        let document = json!({ "component-definition": {
            "uuid": "0b3a6b4e-9d0e-4a86-8f4a-2f3f4d6f8a10", "metadata": metadata } });
        assert_eq!(checked(&document), Ok(()));
    }
}
