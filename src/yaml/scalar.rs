//! Plain scalars by the YAML 1.2 core schema: `yes`, `no`, `on` and `1_000` are strings.

use serde_json::Number;

use crate::value::Value;

/// Resolves a plain (unquoted) scalar; `None` says that it is a string. `Err` says that it is a
/// number without a JSON form (`.inf`, `.nan`).
pub(super) fn resolve(text: &str) -> Result<Option<Value>, ()> {
    Ok(Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
            if matches!(unsigned, ".inf" | ".Inf" | ".INF")
                || matches!(text, ".nan" | ".NaN" | ".NAN")
            {
                return Err(());
            }
            return Ok(number(text).map(Value::Number));
        }
    }))
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(plain_digits(digits)?, 16)
            .ok()
            .map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(plain_digits(digits)?, 8)
            .ok()
            .map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(value) = text.parse::<i64>() {
            return Some(Number::from(value));
        }
        if let Ok(value) = text.trim_start_matches('+').parse::<u64>() {
            return Some(Number::from(value));
        }
    }
    let float_shape = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.bytes().any(|b| b.is_ascii_digit());
    float_shape
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .and_then(Number::from_f64)
}

/// Refuses the sign that `from_str_radix` would take.
fn plain_digits(digits: &str) -> Option<&str> {
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn core_schema() {
        for (text, value) in [
            ("1", json!(1)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            (
                "18446744073709551615",
                json!(18_446_744_073_709_551_615_u64),
            ),
            ("~", json!(null)),
            ("True", json!(true)),
        ] {
            assert_eq!(resolve(text), Ok(Some(value)), "{text}");
        }
        for text in [
            "yes",
            "on",
            "1_000",
            "1.2.3",
            "0x",
            "0x-1",
            "e3",
            ".",
            "-",
            "4h",
            "2026-11-22",
            "1e999",
        ] {
            assert_eq!(resolve(text), Ok(None), "{text}");
        }
        assert_eq!(resolve("-.inf"), Err(()));
    }
}
