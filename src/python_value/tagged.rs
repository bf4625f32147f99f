//! [`Tagged`]: values that Python has and JSON has not.

use serde_json::json;

use crate::value::Value;

/// The key by which a tagged object is known.
pub const TAG: &str = "$python";

/// A value that JSON cannot hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tagged<'a> {
    /// An integer beyond 64 bits, in decimal.
    Int(&'a str),
    /// Not a number, or an infinity.
    Float(f64),
    /// An object that lives in a Python process.
    Object {
        /// Its class, with its module.
        class: &'a str,
        /// Its `repr`, cut.
        text: &'a str,
        /// Which process has it, and where there.
        handle: &'a Value,
    },
}

impl<'a> Tagged<'a> {
    /// Reads a tagged object; any other value is none.
    #[must_use]
    pub fn read(value: &'a Value) -> Option<Self> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        let tag = object.get(TAG)?.as_object()?;
        let text = tag.get("text")?.as_str()?;
        let class = tag.get("type")?.as_str()?;
        match (class, tag.get("handle")) {
            (_, Some(handle)) => Some(Self::Object {
                class,
                text,
                handle,
            }),
            ("int", None) => is_decimal(text).then_some(Self::Int(text)),
            ("float", None) => match text {
                "nan" => Some(Self::Float(f64::NAN)),
                "inf" => Some(Self::Float(f64::INFINITY)),
                "-inf" => Some(Self::Float(f64::NEG_INFINITY)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The class of a live object that is somewhere in a value.
    #[must_use]
    pub fn object_in(value: &'a Value) -> Option<&'a str> {
        match value {
            Value::Array(items) => items.iter().find_map(Self::object_in),
            Value::Object(entries) => match Self::read(value) {
                Some(Self::Object { class, .. }) => Some(class),
                Some(_) => None,
                None => entries.values().find_map(Self::object_in),
            },
            _ => None,
        }
    }

    /// An integer, tagged only if it must be.
    #[must_use]
    pub fn int(decimal: &str) -> Value {
        let negative = decimal.starts_with('-');
        let digits = decimal.trim_start_matches(['-', '+']);
        let digits = digits.trim_start_matches('0');
        let decimal = match (digits, negative) {
            ("", _) => "0".to_owned(),
            (digits, true) => format!("-{digits}"),
            (digits, false) => digits.to_owned(),
        };
        if let Ok(small) = decimal.parse::<i64>() {
            return json!(small);
        }
        if let Ok(small) = decimal.parse::<u64>() {
            return json!(small);
        }
        json!({ TAG: { "type": "int", "text": decimal } })
    }

    /// A float, tagged only if it must be.
    #[must_use]
    pub fn float(number: f64) -> Value {
        let text = if number.is_nan() {
            "nan"
        } else if number == f64::INFINITY {
            "inf"
        } else if number == f64::NEG_INFINITY {
            "-inf"
        } else {
            return json!(number);
        };
        json!({ TAG: { "type": "float", "text": text } })
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
