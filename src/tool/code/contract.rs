//! [`Contract`]: what a persona's output must satisfy, as one JSON Schema for a model, and what of
//! a draft no model may change.

use std::collections::BTreeSet;

use serde_json::json;

use crate::port::{File, Port, Schema};
use crate::value::{Digest, Object, Value};

/// How much of what is wrong is said.
const MOST: usize = 10;

/// What a persona's output must satisfy.
pub(super) struct Contract {
    ports: Vec<(Port, Schema)>,
    /// One schema for the whole output.
    pub(super) schema: Value,
}

impl Contract {
    /// Of these output ports.
    ///
    /// # Errors
    /// A sentence fragment.
    pub(super) fn of(ports: &[&Port]) -> Result<Self, String> {
        let mut compiled = Vec::new();
        let mut properties = Object::new();
        let mut definitions = Object::new();
        for port in ports {
            let schema = Schema::compile(&port.schema)
                .map_err(|error| format!("the schema of `{}`: {error}", port.name))?;
            compiled.push(((*port).clone(), schema));
            let part = part(port, &mut definitions);
            properties.insert(port.name.clone(), part);
        }
        let required = ports.iter().filter(|port| port.required);
        let required: Vec<&str> = required.map(|port| port.name.as_str()).collect();
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        if !definitions.is_empty() {
            schema["$defs"] = definitions.into();
        }
        Ok(Self {
            ports: compiled,
            schema,
        })
    }

    /// What of a draft's output an answer may say anew.
    pub(super) fn of_draft(&self, draft: &Value) -> Object {
        let names = self.ports.iter().map(|(port, _)| port.name.as_str());
        names
            .filter_map(|name| Some((name.to_owned(), draft.get(name)?.clone())))
            .collect()
    }

    /// Everything in which an answer breaks the contract, at most ten sentences.
    pub(super) fn violations(&self, answer: &Object) -> Vec<String> {
        let mut found = Vec::new();
        for (port, schema) in &self.ports {
            let name = &port.name;
            match answer.get(name) {
                None if port.required => found.push(format!("`{name}` is missing")),
                None => {}
                Some(value) => found.extend(schema.check(value).into_iter().map(|violation| {
                    let path = std::iter::once(name.as_str())
                        .chain(violation.path.iter().map(String::as_str));
                    let path: Vec<&str> = path.collect();
                    format!("`{}`: {}", path.join("."), violation.message)
                })),
            }
        }
        let known = |name: &String| self.ports.iter().any(|(port, _)| port.name == *name);
        let others = answer.keys().filter(|name| !known(name));
        found.extend(others.map(|name| format!("`{name}` is no output of this persona")));
        found.truncate(MOST);
        found
    }
}

/// The schema of a port where it stands in the whole; what it refers to goes to the definitions.
fn part(port: &Port, definitions: &mut Object) -> Value {
    let mut schema = port.schema.clone();
    let Value::Object(keys) = &mut schema else {
        return schema;
    };
    // With an address of its own it is the root of its references wherever it stands.
    if keys.contains_key("$id") {
        return schema;
    }
    keys.shift_remove("$schema");
    if !port.description.is_empty() && !keys.contains_key("description") {
        keys.insert("description".to_owned(), port.description.clone().into());
    }
    let own = match keys.shift_remove("$defs") {
        Some(Value::Object(own)) => own,
        _ => Object::new(),
    };
    point_anew(&mut schema, &port.name);
    for (name, mut definition) in own {
        point_anew(&mut definition, &port.name);
        definitions.insert(format!("{}.{name}", port.name), definition);
    }
    schema
}

/// Turns references within a port's schema into references within the whole.
fn point_anew(schema: &mut Value, port: &str) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| point_anew(item, port)),
        Value::Object(keys) => {
            for (key, value) in keys {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{port}.{name}");
                        } else if let Some(rest) = target.strip_prefix('#') {
                            *target = format!("#/properties/{port}{rest}");
                        }
                    }
                    // Values, not schemas.
                    _ if matches!(key.as_str(), "const" | "enum" | "default" | "examples") => {}
                    value => point_anew(value, port),
                }
            }
        }
        _ => {}
    }
}

/// What a draft says of its files: their paths and digests. The files are rendered by code, so that
/// an answer that said anything else of them would be wrong.
pub(super) struct Facts(BTreeSet<String>);

impl Facts {
    pub(super) fn of<'f>(files: impl IntoIterator<Item = &'f File>) -> Self {
        let facts = files.into_iter().flat_map(|file| {
            let digest = Digest::of(&file.content);
            [file.path.clone(), digest.hex(), digest.to_string()]
        });
        Self(facts.collect())
    }

    /// Where an answer says something else of the files than the draft does, at most ten sentences.
    pub(super) fn violations(&self, draft: &Value, answer: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if !self.0.is_empty() {
            self.compare(draft, Some(answer), "", &mut found);
        }
        found.truncate(MOST);
        found
    }

    /// Whether this part of the draft says something of files.
    fn compare(
        &self,
        draft: &Value,
        answer: Option<&Value>,
        at: &str,
        found: &mut Vec<String>,
    ) -> bool {
        let below = |name: &str| {
            if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}.{name}")
            }
        };
        match draft {
            Value::String(text) if self.0.contains(text) => {
                if answer != Some(draft) {
                    found.push(format!(
                        "`{at}` is about a file and must stay `{text}`: files are not proposed"
                    ));
                }
                true
            }
            Value::Object(keys) => {
                let mut any = false;
                for (key, value) in keys {
                    let said = answer.and_then(|answer| answer.get(key));
                    any |= self.compare(value, said, &below(key), found);
                }
                any
            }
            Value::Array(items) => {
                let mut any = false;
                for (index, value) in items.iter().enumerate() {
                    let said = answer.and_then(|answer| answer.get(index));
                    any |= self.compare(value, said, &below(&index.to_string()), found);
                }
                let count = answer.and_then(Value::as_array).map(Vec::len);
                if any && count.is_some_and(|count| count > items.len()) {
                    found.push(format!(
                        "`{at}` is about files and must have {} items: files are not proposed",
                        items.len()
                    ));
                }
                any
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn ports_become_one_schema_whose_references_hold() {
        let item = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "kind": { "$ref": "#/$defs/Kind" },
                "next": { "$ref": "#" },
                "word": { "enum": [{ "$ref": "#/$defs/Kind" }] },
            },
            "required": ["kind"],
            "$defs": { "Kind": { "enum": ["a", "b"] } },
        });
        let ports = [
            &Port::new("one", item.clone(), "The first."),
            &Port::new("two", item, "").optional(),
        ];
        let contract = Contract::of(&ports).unwrap();
        assert_eq!(contract.schema["required"], json!(["one"]));
        assert_eq!(
            contract.schema["properties"]["one"]["description"],
            "The first."
        );
        assert_eq!(
            contract.schema["properties"]["two"]["properties"]["word"]["enum"],
            json!([{ "$ref": "#/$defs/Kind" }])
        );
        // The whole schema and the ports' own agree.
        let whole = Schema::compile(&contract.schema).unwrap();
        for (answer, fits) in [
            (json!({"one": {"kind": "a"}}), true),
            (json!({"one": {"kind": "c"}}), false),
            (json!({"one": {"kind": "a", "next": {"kind": "c"}}}), false),
            (json!({"one": {"kind": "a"}, "two": {"kind": "b"}}), true),
            (json!({"one": {"kind": "a"}, "two": 3}), false),
            (json!({"two": {"kind": "a"}}), false),
            (json!({"one": {"kind": "a"}, "three": 1}), false),
        ] {
            assert_eq!(whole.check(&answer).is_empty(), fits, "{answer}");
            let own = contract.violations(&object(answer.clone()));
            assert_eq!(own.is_empty(), fits, "{answer}: {own:?}");
        }
        let said = contract.violations(&object(json!({"two": {"kind": 1}, "three": 1})));
        assert_eq!(said[0], "`one` is missing");
        assert!(said[1].starts_with("`two.kind`: "), "{said:?}");
        assert_eq!(said[2], "`three` is no output of this persona");
        assert!(Contract::of(&[&Port::new("x", json!("no"), "")]).is_err());
    }

    #[test]
    fn what_is_said_of_files_is_not_proposed() {
        let file = File {
            path: "docs/a.md".to_owned(),
            content: b"hi".to_vec(),
        };
        let hex = Digest::of(b"hi").hex();
        let facts = Facts::of([&file]);
        let draft = json!({"plan": {"note": "n", "files": [{"path": "docs/a.md", "sha256": hex}]}});
        let changed = |edit: fn(&mut Value)| {
            let mut answer = draft.clone();
            edit(&mut answer["plan"]);
            facts.violations(&draft, &answer)
        };
        assert!(changed(|plan| plan["note"] = json!("better")).is_empty());
        for edit in [
            |plan: &mut Value| plan["files"][0]["path"] = json!("docs/b.md"),
            |plan: &mut Value| plan["files"][0]["sha256"] = json!("0"),
            |plan: &mut Value| plan["files"] = json!([plan["files"][0], { "path": "x" }]),
        ] {
            let found = changed(edit);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with("`plan.files"), "{found:?}");
        }
        assert_eq!(changed(|plan| plan["files"] = json!([])).len(), 2);
        assert!(Facts::of([]).violations(&draft, &json!(null)).is_empty());
    }
}
