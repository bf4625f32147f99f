//! Whether what one port gives can be what another takes, judged by their schemas.
//!
//! A structural check that reports only what can *never* fit, or what the producer's own
//! enumeration says the consumer would refuse; what is left open is validated when the node
//! starts. [`lookup`] finds the schema that a path leads to.

use std::collections::BTreeSet;

use crate::value::{Step, Value};

/// Where and why two schemas do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The property path at which they part; empty for the whole value.
    pub path: String,
    /// What the producer gives and the consumer wants.
    pub message: String,
}

const TYPES: [&str; 6] = ["null", "boolean", "object", "array", "number", "string"];
/// Schemas may refer to themselves; deeper than this nobody writes by hand.
const MAX_DEPTH: usize = 24;

/// Checks a producer's schema against a consumer's.
///
/// # Errors
/// The first mismatch found.
pub fn compatible(producer: &Value, consumer: &Value) -> Result<(), Mismatch> {
    check(
        &Place {
            schema: producer,
            root: producer,
        },
        &Place {
            schema: consumer,
            root: consumer,
        },
        "",
        0,
    )
}

/// A schema and the document in which its `$ref`s lead.
#[derive(Clone, Copy)]
struct Place<'s> {
    schema: &'s Value,
    root: &'s Value,
}

impl<'s> Place<'s> {
    fn resolve(self) -> Self {
        let mut schema = self.schema;
        for _ in 0..MAX_DEPTH {
            let Some(pointer) = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|text| text.strip_prefix('#'))
            else {
                break;
            };
            match self.root.pointer(pointer) {
                Some(target) => schema = target,
                None => break,
            }
        }
        Self { schema, ..self }
    }

    fn get(self, key: &str) -> Option<Self> {
        self.schema
            .get(key)
            .map(|schema| Self { schema, ..self }.resolve())
    }

    fn property(self, name: &str) -> Option<Self> {
        self.schema
            .get("properties")?
            .get(name)
            .map(|schema| Self { schema, ..self }.resolve())
    }

    fn closed(self) -> bool {
        self.schema.get("additionalProperties") == Some(&Value::Bool(false))
    }

    fn required(self) -> impl Iterator<Item = &'s str> {
        self.schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// The finite set of values that the schema enumerates, if it does.
    fn values(self) -> Option<Vec<&'s Value>> {
        if let Some(value) = self.schema.get("const") {
            return Some(vec![value]);
        }
        self.schema
            .get("enum")
            .and_then(Value::as_array)
            .map(|values| values.iter().collect())
    }

    /// The types that values may have, with `integer` as `number`; `None` when it does not say.
    fn types(self) -> Option<BTreeSet<&'s str>> {
        let normal = |name: &'s str| if name == "integer" { "number" } else { name };
        match self.schema.get("type") {
            Some(Value::String(name)) => Some([normal(name)].into()),
            Some(Value::Array(names)) => {
                Some(names.iter().filter_map(Value::as_str).map(normal).collect())
            }
            _ => self
                .values()
                .map(|values| values.into_iter().map(json_type).collect()),
        }
    }
}

fn json_type(value: &Value) -> &'static str {
    let index = match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Object(_) => 2,
        Value::Array(_) => 3,
        Value::Number(_) => 4,
        Value::String(_) => 5,
    };
    TYPES[index]
}

fn check(
    producer: &Place<'_>,
    consumer: &Place<'_>,
    path: &str,
    depth: usize,
) -> Result<(), Mismatch> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let (producer, consumer) = (producer.resolve(), consumer.resolve());
    let mismatch = |message: String| {
        Err(Mismatch {
            path: path.to_owned(),
            message,
        })
    };
    if let (Some(given), Some(wanted)) = (producer.types(), consumer.types())
        && given.is_disjoint(&wanted)
    {
        let list = |types: &BTreeSet<&str>| types.iter().copied().collect::<Vec<_>>().join(" or ");
        return mismatch(format!(
            "gives {}, but {} is wanted",
            list(&given),
            list(&wanted)
        ));
    }
    if let (Some(given), Some(wanted)) = (producer.values(), consumer.values())
        && let Some(value) = given.iter().find(|value| !wanted.contains(value))
    {
        return mismatch(format!(
            "may give {value}, which is not among the values that are taken"
        ));
    }
    // Only what is written under `properties` can be compared; an open producer may give more.
    if producer.schema.get("properties").is_some() {
        for name in consumer.required() {
            if producer.property(name).is_none() {
                return mismatch(format!("does not give `{name}`, which is required"));
            }
        }
    }
    if consumer.closed() {
        for name in producer.required() {
            if consumer.property(name).is_none() {
                return mismatch(format!("gives `{name}`, which is not taken"));
            }
        }
    }
    if let Some(properties) = consumer.schema.get("properties").and_then(Value::as_object) {
        for name in properties.keys() {
            if let (Some(given), Some(wanted)) = (producer.property(name), consumer.property(name))
            {
                check(&given, &wanted, &format!("{path}.{name}"), depth + 1)?;
            }
        }
    }
    if let (Some(given), Some(wanted)) = (producer.get("items"), consumer.get("items")) {
        check(&given, &wanted, &format!("{path}[]"), depth + 1)?;
    }
    Ok(())
}

/// What a singular path finds in a schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// The schema of that part, self-contained.
    Found(Value),
    /// The schema does not say.
    Unknown,
    /// The schema says that there is no such key; these keys there are.
    Absent {
        /// The step that leads nowhere.
        step: String,
        /// The keys at that place.
        keys: Vec<String>,
    },
}

/// Follows a singular path through a schema.
#[must_use]
pub fn lookup(schema: &Value, steps: &[Step]) -> Lookup {
    let mut place = Place {
        schema,
        root: schema,
    }
    .resolve();
    for step in steps {
        let next = match step {
            Step::Key(key) => {
                let found = place.property(key);
                let has_properties = place.schema.get("properties").is_some();
                if found.is_none() && has_properties && place.closed() {
                    let keys = place.schema["properties"].as_object().into_iter().flatten();
                    return Lookup::Absent {
                        step: key.clone(),
                        keys: keys.map(|(key, _)| key.clone()).collect(),
                    };
                }
                if found.is_none() && place.types().is_some_and(|types| !types.contains("object")) {
                    return Lookup::Absent {
                        step: key.clone(),
                        keys: Vec::new(),
                    };
                }
                found
            }
            Step::Index(index) => {
                if place.types().is_some_and(|types| !types.contains("array")) {
                    return Lookup::Absent {
                        step: format!("[{index}]"),
                        keys: Vec::new(),
                    };
                }
                place.get("items")
            }
        };
        match next {
            Some(next) => place = next,
            None => return Lookup::Unknown,
        }
    }
    // The part keeps its document's definitions, so that its own references still lead somewhere.
    let mut part = place.schema.clone();
    if let (Value::Object(part), Some(definitions)) = (&mut part, schema.get("$defs")) {
        part.entry("$defs").or_insert_with(|| definitions.clone());
    }
    Lookup::Found(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_can_never_fit_is_reported() {
        let cases = [
            (
                json!({"type": "string"}),
                json!({"type": "integer"}),
                Some(""),
            ),
            (json!({"type": "integer"}), json!({"type": "number"}), None),
            (
                json!({"type": ["string", "null"]}),
                json!({"type": "string"}),
                None,
            ),
            (json!(true), json!({"type": "integer"}), None),
            (
                json!({"enum": ["a", "b"]}),
                json!({"enum": ["a"]}),
                Some(""),
            ),
            (json!({"enum": ["a"]}), json!({"enum": ["a", "b"]}), None),
            (
                json!({"properties": {"x": {}}}),
                json!({"required": ["y"]}),
                Some(""),
            ),
            (
                json!({"required": ["x"], "properties": {"x": {}}}),
                json!({"additionalProperties": false, "properties": {"y": {}}}),
                Some(""),
            ),
            (
                json!({"properties": {"a": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"type": "array", "items": {"type": "string"}}}}),
                json!({"properties": {"a": {"items": {"type": "object"}}}}),
                Some(".a[]"),
            ),
        ];
        for (producer, consumer, path) in cases {
            let found = compatible(&producer, &consumer)
                .err()
                .map(|mismatch| mismatch.path);
            assert_eq!(found.as_deref(), path, "{producer} → {consumer}");
        }
    }

    #[test]
    fn recursive_schemas_end() {
        let tree = json!({"$ref": "#/$defs/T", "$defs": {"T": {"properties": {"child": {"$ref": "#/$defs/T"}}}}});
        assert_eq!(compatible(&tree, &tree), Ok(()));
        let endless = json!({"$ref": "#"});
        assert_eq!(compatible(&endless, &endless), Ok(()));
    }

    #[test]
    fn paths_lead_through_schemas() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"list": {"type": "array", "items": {"type": "string"}}}
        });
        let key = |key: &str| Step::Key(key.to_owned());
        assert_eq!(
            lookup(&schema, &[key("list"), Step::Index(0)]),
            Lookup::Found(json!({"type": "string"}))
        );
        assert!(matches!(
            lookup(&schema, &[key("lost")]),
            Lookup::Absent { .. }
        ));
        assert!(matches!(
            lookup(&schema, &[key("list"), key("x")]),
            Lookup::Absent { .. }
        ));
        assert_eq!(lookup(&json!({}), &[key("x")]), Lookup::Unknown);
    }
}
