//! Values that are not known before an apply.

use hcl::{Map, Value};
use serde_json::{Value as Json, json};

/// Stands for a value that only an apply can tell; Terraform's own words for it.
///
/// Alone, the value is unknown. Within a longer text, the text around it is known: the policy of a
/// bucket can be judged although it names the bucket's ARN.
pub(super) const UNKNOWN: &str = "(known after apply)";

/// The unknown value.
pub(super) fn unknown() -> Value {
    Value::from(UNKNOWN)
}

/// A bool as Terraform reads it; `None` for what it does not convert.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether nothing of the value is known.
pub(super) fn is_unknown(value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    // Two unknown texts in a row are as unknown as one.
    text.starts_with(UNKNOWN) && text.replace(UNKNOWN, "").is_empty()
}

/// Whether some of the value is not known.
pub(super) fn has_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(UNKNOWN),
        Value::Array(items) => items.iter().any(has_unknown),
        Value::Object(fields) => fields.values().any(has_unknown),
        _ => false,
    }
}

/// Parts a value as plans do: what is known of it, and where it is unknown (`true`, or a value of the
/// same shape).
pub(super) fn part(value: &Value) -> (Option<Json>, Option<Json>) {
    match value {
        value if is_unknown(value) => (None, Some(json!(true))),
        Value::Array(items) => {
            let parts: Vec<_> = items.iter().map(part).collect();
            let unknown = parts.iter().any(|(_, unknown)| unknown.is_some());
            let list = |pick: fn(&(Option<Json>, Option<Json>)) -> Json| {
                parts.iter().map(pick).collect::<Json>()
            };
            (
                Some(list(|(known, _)| known.clone().unwrap_or(Json::Null))),
                unknown.then(|| list(|(_, unknown)| unknown.clone().unwrap_or(json!(false)))),
            )
        }
        Value::Object(fields) => {
            let (known, unknown) = part_fields(fields);
            (
                Some(Json::Object(known)),
                (!unknown.is_empty()).then_some(Json::Object(unknown)),
            )
        }
        value => (serde_json::to_value(value).ok(), None),
    }
}

/// [`part`] of the fields of an object.
pub(super) fn part_fields(
    fields: &Map<String, Value>,
) -> (serde_json::Map<String, Json>, serde_json::Map<String, Json>) {
    let (mut known, mut unknown) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, value) in fields {
        let (here, not_here) = part(value);
        known.extend(here.map(|value| (name.clone(), value)));
        unknown.extend(not_here.map(|value| (name.clone(), value)));
    }
    (known, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_and_what_is_not_are_parted() {
        let value = hcl::value!({
            a = 1
            b = (UNKNOWN)
            c = ["x", (UNKNOWN)]
            d = (format!("arn:{UNKNOWN}/*"))
        });
        let (known, unknown) = part(&value);
        assert_eq!(
            known,
            Some(json!({ "a": 1, "c": ["x", null], "d": "arn:(known after apply)/*" }))
        );
        assert_eq!(unknown, Some(json!({ "b": true, "c": [false, true] })));
    }
}
