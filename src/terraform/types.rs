//! Type constraints of variables, as far as they supply values: `optional(type, default)`.

use hcl::eval::{Context, Evaluate as _};
use hcl::{Expression, Map, ObjectKey, Value};

/// A value as a variable of that type holds it: fields that were left out get their defaults.
pub(super) fn conform(value: Value, constraint: &Expression) -> Value {
    let Expression::FuncCall(call) = constraint else {
        return match constraint {
            Expression::Variable(name) => primitive(value, name.as_str()),
            _ => value,
        };
    };
    let Some(inner) = call.args.first() else {
        return value;
    };
    match (call.name.name.as_str(), value) {
        ("list" | "set" | "tuple", Value::Array(items)) => {
            Value::Array(items.into_iter().map(|item| conform(item, inner)).collect())
        }
        ("map", Value::Object(fields)) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (key, conform(value, inner)))
                .collect(),
        ),
        ("object", Value::Object(fields)) => match inner {
            Expression::Object(types) => Value::Object(object(fields, types)),
            _ => Value::Object(fields),
        },
        (_, value) => value,
    }
}

/// Terraform converts between texts, numbers and bools where a type asks for it.
fn primitive(value: Value, name: &str) -> Value {
    let converted = match (name, &value) {
        ("bool", Value::String(text)) => text.parse().ok().map(Value::Bool),
        ("number", Value::String(text)) => text
            .parse::<i64>()
            .ok()
            .map(Value::from)
            .or_else(|| hcl::Number::from_f64(text.parse().ok()?).map(Value::Number)),
        ("string", Value::Bool(_) | Value::Number(_)) => Some(Value::from(value.to_string())),
        _ => None,
    };
    converted.unwrap_or(value)
}

fn object(
    mut given: Map<String, Value>,
    types: &hcl::Object<ObjectKey, Expression>,
) -> Map<String, Value> {
    let fields = types.iter().map(|(key, constraint)| {
        let name = key.to_string().trim_matches('"').to_owned();
        let value = given.shift_remove(&name).unwrap_or(Value::Null);
        let (constraint, default) = optional(constraint);
        let value = match (value, default) {
            (Value::Null, Some(default)) => default,
            (value, _) => value,
        };
        (name, conform(value, constraint))
    });
    fields.collect()
}

/// The type within `optional(…)`, with the default.
fn optional(constraint: &Expression) -> (&Expression, Option<Value>) {
    match constraint {
        Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
            let default = call
                .args
                .get(1)
                .and_then(|default| default.evaluate(&Context::new()).ok());
            (call.args.first().unwrap_or(constraint), default)
        }
        _ => (constraint, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_left_out_get_their_defaults() {
        let constraint: Expression =
            "object({ a = optional(bool, true), b = list(object({ c = optional(number, 3) })), d = optional(string) })"
                .parse()
                .unwrap();
        let value = hcl::value!({ b = [{}, { c = 4 }] });
        let expected = hcl::value!({
            a = true
            b = [{ c = 3 }, { c = 4 }]
            d = null
        });
        assert_eq!(conform(value, &constraint), expected);
    }
}
