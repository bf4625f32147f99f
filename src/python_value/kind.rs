//! [`Kind`]: the types that Prompt Flow's files name, and how values become them.

use super::number::{int_of_float, parse_float, parse_int};
use super::print::{repr, to_str};
use super::tagged::Tagged;
use crate::value::Value;

/// What an input must be, by Prompt Flow's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// A float.
    Double,
    /// `True` or `False`.
    Bool,
    /// Text.
    String,
    /// A list.
    List,
    /// Anything; text is read as JSON if it is JSON.
    Object,
    /// Text that is not shown; taken as it is.
    Secret,
    /// The path of a template; taken as it is.
    PromptTemplate,
    /// The path of a file; taken as it is.
    FilePath,
    /// A picture.
    Image,
    /// An assistant of OpenAI; taken as it is.
    AssistantDefinition,
    /// Taken as it is; no file says so.
    Raw,
}

impl Kind {
    /// Every kind by its word.
    pub const WORDS: [(&'static str, Self); 11] = [
        ("string", Self::String),
        ("int", Self::Int),
        ("double", Self::Double),
        ("bool", Self::Bool),
        ("list", Self::List),
        ("object", Self::Object),
        ("secret", Self::Secret),
        ("prompt_template", Self::PromptTemplate),
        ("file_path", Self::FilePath),
        ("image", Self::Image),
        ("assistant_definition", Self::AssistantDefinition),
    ];

    /// The kind that a word names; case matters.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(name, _)| *name == word);
        found.map(|(_, kind)| *kind)
    }

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("object", |(word, _)| word)
    }

    /// What is expected, for help lines.
    #[must_use]
    pub fn expects(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Double => "a number",
            Self::Bool => "true or false",
            Self::List => "a list, or the JSON text of one",
            Self::String | Self::Secret => "text",
            Self::PromptTemplate | Self::FilePath | Self::AssistantDefinition => "a path",
            Self::Image => "a picture: a path, a URL or base64 text",
            Self::Object | Self::Raw => "a value",
        }
    }

    /// The value as this kind, by Python's `int`, `float` and `str`.
    ///
    /// # Errors
    /// A sentence fragment that says what the value is instead.
    pub fn coerce(self, value: &Value) -> Result<Value, String> {
        let refuse = || Err(format!("{} is not {}", shown(value), self.expects()));
        match self {
            Self::Int => match int(value) {
                Some(value) => Ok(value),
                None => refuse(),
            },
            Self::Double => match double(value) {
                Some(float) => Ok(Tagged::float(float)),
                None => refuse(),
            },
            Self::Bool => match value {
                Value::Bool(_) => Ok(value.clone()),
                Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
                Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
                _ => refuse(),
            },
            Self::String => Ok(Value::String(to_str(value))),
            Self::List => match value {
                Value::Array(_) => Ok(value.clone()),
                Value::String(text) => match serde_json::from_str(text) {
                    Ok(list @ Value::Array(_)) => Ok(list),
                    _ => refuse(),
                },
                _ => refuse(),
            },
            Self::Object => Ok(match value {
                Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
                value => value.clone(),
            }),
            Self::Secret
            | Self::PromptTemplate
            | Self::FilePath
            | Self::Image
            | Self::AssistantDefinition
            | Self::Raw => Ok(value.clone()),
        }
    }
}

fn int(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(value) => Some(Value::from(u8::from(*value))),
        Value::Number(number) if number.is_f64() => int_of_float(number.as_f64()?),
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => parse_int(text),
        value => match Tagged::read(value)? {
            Tagged::Int(_) => Some(value.clone()),
            Tagged::Float(_) | Tagged::Object { .. } => None,
        },
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse_float(text),
        value => match Tagged::read(value)? {
            Tagged::Int(text) => text.parse().ok(),
            Tagged::Float(float) => Some(float),
            Tagged::Object { .. } => None,
        },
    }
}

fn shown(value: &Value) -> String {
    let text = repr(value);
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("`{}…`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_was_declared() {
        for (kind, value, becomes) in [
            (Kind::Int, json!("1_000"), json!(1000)),
            (Kind::Int, json!(3.9), json!(3)),
            (Kind::Int, json!(true), json!(1)),
            (Kind::Double, json!("1e3"), json!(1000.0)),
            (Kind::Double, json!(22), json!(22.0)),
            (
                Kind::Double,
                json!("nan"),
                json!({"$python": {"type": "float", "text": "nan"}}),
            ),
            (Kind::Bool, json!("TRUE"), json!(true)),
            (Kind::String, json!(1e20), json!("1e+20")),
            (Kind::String, json!(null), json!("None")),
            (Kind::String, json!([1, "a"]), json!("[1, 'a']")),
            (Kind::List, json!("[1]"), json!([1])),
            (Kind::Object, json!("5"), json!(5)),
            (Kind::Object, json!("not json"), json!("not json")),
        ] {
            assert_eq!(kind.coerce(&value), Ok(becomes), "{kind:?} {value}");
        }
        for (kind, value) in [
            (Kind::Int, json!("3.5")),
            (Kind::Int, json!(null)),
            (Kind::Double, json!("")),
            (Kind::Bool, json!(1)),
            (Kind::Bool, json!("yes")),
            (Kind::List, json!("{}")),
            (Kind::List, json!("a,b")),
        ] {
            assert!(kind.coerce(&value).is_err(), "{kind:?} {value}");
        }
    }
}
