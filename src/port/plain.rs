//! [`Plain`]: schemas so simple that a look at a value tells whether it fits.
//!
//! Most ports say no more than `{ type: string }`. For those the full validator, which is compiled in
//! milliseconds the first time, is only needed to say what is wrong. A yes from here is one from it,
//! too; anything else is for it to judge.

use crate::value::{Object, Value};

/// A schema of which every keyword is understood here.
pub(super) struct Plain {
    /// One bit per type; all of them when the schema names none.
    types: u8,
    /// Exactly these, if any are listed.
    listed: Option<Vec<Value>>,
    items: Option<Box<Self>>,
    properties: Vec<(String, Self)>,
    required: Vec<String>,
    /// Whether properties that are not listed may be there.
    open: bool,
}

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const NUMBER: u8 = 4;
const INTEGER: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;
const ANY: u8 = 127;

/// Deeper ones are not plain.
const DEEPEST: usize = 8;

impl Plain {
    /// A schema as a plain one. `None` for all that is not; that need not be a schema at all.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        Self::at(schema, 0)
    }

    fn at(schema: &Value, depth: usize) -> Option<Self> {
        let mut plain = Self {
            types: ANY,
            listed: None,
            items: None,
            properties: Vec::new(),
            required: Vec::new(),
            open: true,
        };
        let keywords = match schema {
            Value::Bool(true) => return Some(plain),
            Value::Object(keywords) if depth < DEEPEST => keywords,
            _ => return None,
        };
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("type", value) => plain.types = types(value)?,
                ("title" | "description", Value::String(_)) => {}
                ("enum", Value::Array(values)) => plain.listed = Some(values.clone()),
                ("items", value) => plain.items = Some(Box::new(Self::at(value, depth + 1)?)),
                ("properties", Value::Object(properties)) => {
                    let properties = properties.iter();
                    plain.properties = properties
                        .map(|(name, schema)| Some((name.clone(), Self::at(schema, depth + 1)?)))
                        .collect::<Option<_>>()?;
                }
                ("required", Value::Array(names)) => plain.required = distinct(names)?,
                ("additionalProperties", Value::Bool(open)) => plain.open = *open,
                _ => return None,
            }
        }
        Some(plain)
    }

    /// Whether a value fits for certain.
    pub(super) fn fits(&self, value: &Value) -> bool {
        if let Some(listed) = &self.listed
            && !listed.contains(value)
        {
            return false;
        }
        let is = |bits: u8| self.types & bits != 0;
        match value {
            Value::Null => is(NULL),
            Value::Bool(_) => is(BOOLEAN),
            // 1.0 is an integer, too: not for here.
            Value::Number(number) => is(NUMBER) || (is(INTEGER) && !number.is_f64()),
            Value::String(_) => is(STRING),
            Value::Array(items) => {
                let schema = self.items.as_deref();
                is(ARRAY) && schema.is_none_or(|schema| items.iter().all(|item| schema.fits(item)))
            }
            Value::Object(object) => is(OBJECT) && self.fits_object(object),
        }
    }

    fn fits_object(&self, object: &Object) -> bool {
        let named = |name: &str| self.properties.iter().find(|(own, _)| own == name);
        self.required.iter().all(|name| object.contains_key(name))
            && object.iter().all(|(name, value)| match named(name) {
                Some((_, schema)) => schema.fits(value),
                None => self.open,
            })
    }
}

fn types(value: &Value) -> Option<u8> {
    let one = |value: &Value| {
        Some(match value.as_str()? {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "number" => NUMBER,
            "integer" => INTEGER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => return None,
        })
    };
    match value {
        // The same type twice is no schema.
        Value::Array(names) if !names.is_empty() => {
            let mut all = 0;
            for name in names {
                let bit = one(name)?;
                if all & bit != 0 {
                    return None;
                }
                all |= bit;
            }
            Some(all)
        }
        value => one(value),
    }
}

/// Names of which none is there twice.
fn distinct(names: &[Value]) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let name = name.as_str()?;
        if found.iter().any(|known| known == name) {
            return None;
        }
        found.push(name.to_owned());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec![
            "null", "boolean", "number", "integer", "string", "array", "object", "text",
        ]);
        let types = prop_oneof![
            word.clone().prop_map(|word| json!(word)),
            prop::collection::vec(word, 0..3).prop_map(|words| json!(words)),
        ];
        let leaf = prop_oneof![
            Just(json!(true)),
            Just(json!(false)),
            Just(json!({})),
            types.clone().prop_map(|types| json!({ "type": types })),
            Just(json!({ "enum": [1, "a", null, [1], { "a": 1.5 }] })),
            Just(json!({ "enum": [] })),
            Just(json!({ "type": "string", "minLength": 1 })),
            Just(json!({ "title": 1 })),
        ];
        leaf.prop_recursive(3, 12, 3, move |inner| {
            let names = prop::collection::vec(prop::sample::select(vec!["a", "b"]), 0..3);
            let more = (types.clone(), names, any::<bool>());
            (inner.clone(), inner, more).prop_map(|(one, two, (types, names, open))| {
                json!({
                    "type": types, "items": one, "properties": { "a": two, "b": one },
                    "required": names, "additionalProperties": open, "description": "d",
                })
            })
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|value| json!(value)),
            prop::sample::select(vec![json!(1), json!(1.0), json!(1.5), json!(-3)]),
            prop::sample::select(vec![json!("a"), json!("")]),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let names = prop::sample::select(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!(items)),
                prop::collection::btree_map(names, inner, 0..3).prop_map(|entries| json!(entries)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What is plain is a schema, and what fits here is valid.
        #[test]
        fn a_yes_is_one_of_the_validator_too(schema in schema(), values in prop::collection::vec(value(), 8)) {
            let validator = jsonschema::options()
                .with_draft(jsonschema::Draft::Draft202012)
                .build(&schema);
            if let Some(plain) = Plain::of(&schema) {
                let validator = validator.expect("what is plain is a schema");
                for value in values {
                    let fits = plain.fits(&value);
                    prop_assert!(!fits || validator.is_valid(&value), "{schema} {value}");
                    // Nor is it a no to everything: only integers with a point are left to others.
                    let pointed = value.to_string().contains(".0");
                    prop_assert!(fits || pointed || !validator.is_valid(&value), "{schema} {value}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_plain() {
        for schema in [
            json!(false),
            json!({ "type": "text" }),
            json!({ "type": ["string", "string"] }),
            json!({ "pattern": "a" }),
            json!({ "required": ["a", "a"] }),
            json!({ "$ref": "#/$defs/a" }),
            json!({ "items": { "minimum": 1 } }),
            json!(3),
        ] {
            assert!(Plain::of(&schema).is_none(), "{schema}");
        }
    }
}
