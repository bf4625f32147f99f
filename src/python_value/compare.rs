//! `==` and `bool()`.

use super::print::repr;
use super::tagged::Tagged;
use crate::value::Value;

/// `left == right`: numbers and booleans by their value, mappings in any order.
#[must_use]
pub fn equal(left: &Value, right: &Value) -> bool {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left == right;
    }
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        (left, right) => left == right,
    }
}

/// `bool(value)`.
#[must_use]
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// A number in a form in which equal ones are the same text; NaN equals nothing.
fn number(value: &Value) -> Option<Comparable> {
    Some(match value {
        Value::Bool(value) => Comparable::Int(u8::from(*value).to_string()),
        Value::Number(number) if number.is_f64() => float(number.as_f64()?),
        Value::Number(number) => Comparable::Int(number.to_string()),
        value => match Tagged::read(value)? {
            Tagged::Int(text) => Comparable::Int(text.to_owned()),
            Tagged::Float(number) => float(number),
            Tagged::Object { .. } => return None,
        },
    })
}

fn float(number: f64) -> Comparable {
    if number.is_nan() {
        Comparable::Nothing
    } else if number.is_finite() && number.fract() == 0.0 {
        // Exact, however large: `1e22 == 10**22`. Zero has no sign here.
        Comparable::Int(format!("{:.0}", number + 0.0))
    } else {
        Comparable::Float(repr(&Tagged::float(number)))
    }
}

enum Comparable {
    Int(String),
    Float(String),
    Nothing,
}

impl PartialEq for Comparable {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) | (Self::Float(left), Self::Float(right)) => {
                left == right
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_booleans_are_equal_by_value() {
        for (left, right) in [
            (json!(true), json!(1)),
            (json!(true), json!(1.0)),
            (json!(0), json!(-0.0)),
            (json!([1, 2]), json!([1.0, 2])),
            (json!({"a": 1, "b": 2}), json!({"b": 2.0, "a": true})),
            (
                json!(1e22),
                json!({"$python": {"type": "int", "text": "10000000000000000000000"}}),
            ),
            (json!(null), json!(null)),
        ] {
            assert!(equal(&left, &right), "{left} {right}");
        }
        for (left, right) in [
            (json!("true"), json!(true)),
            (json!(null), json!(false)),
            (json!(""), json!(null)),
            (json!(1), json!("1")),
            (
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992.0),
            ),
            (json!([1]), json!([1, 2])),
            (
                json!({"$python": {"type": "float", "text": "nan"}}),
                json!({"$python": {"type": "float", "text": "nan"}}),
            ),
        ] {
            assert!(!equal(&left, &right), "{left} {right}");
        }
    }

    #[test]
    fn what_is_empty_is_false() {
        for value in [
            json!(null),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(!truthy(&value), "{value}");
        }
        for value in [json!(" "), json!([0]), json!(-1)] {
            assert!(truthy(&value), "{value}");
        }
    }
}
