//! [`Schema`]: a compiled JSON Schema (2020-12). Nothing is fetched: `$ref` reaches only inside.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use super::plain::Plain;
use crate::value::Value;

/// Compiled schemas by their text. Compiling takes a hundred times as long as checking a value, and
/// the contracts are the same in every plan that one process makes.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> =
    LazyLock::new(Mutex::default);
/// More than these are not what one flow names; they make room.
const MOST_COMPILED: usize = 1024;

/// A compiled schema.
pub struct Schema(Kind);

enum Kind {
    /// `true` or `{}`: not worth a validator.
    Anything,
    /// The validator is compiled when a value does not fit, to say why.
    Plain(Box<(Plain, Value)>),
    Validator(Arc<jsonschema::Validator>),
}

/// One thing that a value violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The steps from the root to the offending part.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// A sentence fragment that says why it is not a JSON Schema.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let anything = match schema {
            Value::Bool(value) => *value,
            Value::Object(keys) => keys.is_empty(),
            _ => {
                return Err(format!(
                    "a schema is an object, not {}",
                    crate::value::type_name(schema)
                ));
            }
        };
        if anything {
            return Ok(Self(Kind::Anything));
        }
        match Plain::of(schema) {
            Some(plain) => Ok(Self(Kind::Plain(Box::new((plain, schema.clone()))))),
            None => validator(schema).map(|validator| Self(Kind::Validator(validator))),
        }
    }

    /// Everything that a value violates, at most ten of them.
    #[must_use]
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        match &self.0 {
            Kind::Anything => Vec::new(),
            Kind::Plain(plain) if plain.0.fits(value) => Vec::new(),
            Kind::Plain(plain) => match validator(&plain.1) {
                Ok(validator) => violations(&validator, value),
                Err(message) => vec![Violation {
                    path: Vec::new(),
                    message,
                }],
            },
            Kind::Validator(validator) => violations(validator, value),
        }
    }
}

fn violations(validator: &jsonschema::Validator, value: &Value) -> Vec<Violation> {
    validator
        .iter_errors(value)
        .take(10)
        .map(|error| Violation {
            path: steps(error.instance_path().as_str()),
            message: shorten(&error.to_string()),
        })
        .collect()
}

fn validator(schema: &Value) -> Result<Arc<jsonschema::Validator>, String> {
    let text = schema.to_string();
    let known = COMPILED
        .lock()
        .expect("no holder panics")
        .get(&text)
        .cloned();
    if let Some(validator) = known {
        return Ok(validator);
    }
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
    let validator = Arc::new(options.build(schema).map_err(|error| error.to_string())?);
    let mut compiled = COMPILED.lock().expect("no holder panics");
    if compiled.len() >= MOST_COMPILED {
        compiled.clear();
    }
    compiled.insert(text, Arc::clone(&validator));
    Ok(validator)
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Schema(..)")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "at `{}`: ", self.path.join("."))?;
        }
        formatter.write_str(&self.message)
    }
}

/// Splits a JSON pointer.
fn steps(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// The library quotes the whole instance, which may be a megabyte.
fn shorten(message: &str) -> String {
    const LIMIT: usize = 300;
    if message.char_indices().nth(LIMIT).is_none() {
        message.to_owned()
    } else {
        let head: String = message.chars().take(LIMIT / 2).collect();
        let tail: Vec<char> = message.chars().rev().take(LIMIT / 2).collect();
        format!("{head} … {}", tail.into_iter().rev().collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn violations_name_the_place() {
        let schema = Schema::compile(
            &json!({"type": "object", "properties": {"a": {"items": {"enum": ["x"]}}}}),
        )
        .expect("a schema");
        let violations = schema.check(&json!({"a": ["x", "y"]}));
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, ["a", "1"]);
        assert!(schema.check(&json!({"a": []})).is_empty());
    }

    #[test]
    fn wrong_schemas_are_refused() {
        assert!(Schema::compile(&json!({"type": "strang"})).is_err());
        assert!(Schema::compile(&json!(["type"])).is_err());
        assert!(
            Schema::compile(&json!({"$ref": "http://example.invalid/x"})).is_err(),
            "nothing is fetched"
        );
    }
}
