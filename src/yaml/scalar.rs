//! Plain scalars: by the YAML 1.2 core schema `yes`, `no`, `on` and `1_000` are strings; by the
//! rules of Prompt Flow's reader, `1_000` is a number.

use serde_json::Number;

use crate::python_value::{Tagged, parse_float, parse_int};
use crate::value::Value;

/// By whose rules plain scalars are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalars {
    /// The core schema of YAML 1.2.
    Core,
    /// `ruamel.yaml` for YAML 1.2, as Prompt Flow uses it: with underscores in numbers, binary
    /// numbers, and numbers that are not finite. Dates stay text.
    Ruamel,
}

impl Scalars {
    pub(super) fn resolve(self, text: &str) -> Result<Option<Value>, ()> {
        match self {
            Self::Core => resolve(text),
            Self::Ruamel => Ok(match resolve(text) {
                Ok(Some(value)) if !value.is_f64() => Some(value),
                _ => ruamel_number(text),
            }),
        }
    }
}

fn ruamel_number(text: &str) -> Option<Value> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let bare = unsigned.replace('_', "");
    let radix = |digits: &str, radix| u128::from_str_radix(plain_digits(digits)?, radix).ok();
    for (prefix, base) in [("0b", 2), ("0o", 8), ("0x", 16)] {
        if let Some(digits) = bare.strip_prefix(prefix) {
            return Some(Tagged::int(&format!("{sign}{}", radix(digits, base)?)));
        }
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" if sign.is_empty() => return Some(Tagged::float(f64::INFINITY)),
        ".inf" | ".Inf" | ".INF" => return Some(Tagged::float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Some(Tagged::float(f64::NAN)),
        _ => {}
    }
    if bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_int(&format!("{sign}{bare}"));
    }
    let shape = bare
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let digits = bare.bytes().any(|byte| byte.is_ascii_digit());
    (shape && digits)
        .then(|| parse_float(&format!("{sign}{bare}")))
        .flatten()
        .map(Tagged::float)
}

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

    #[test]
    fn ruamel() {
        for (text, value) in [
            ("1_000", json!(1000)),
            ("012", json!(12)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("-1_0.5e1", json!(-105.0)),
            ("1e3", json!(1000.0)),
            ("true", json!(true)),
            ("~", json!(null)),
            (
                "-.inf",
                json!({"$python": {"type": "float", "text": "-inf"}}),
            ),
            (
                "99999999999999999999",
                json!({"$python": {"type": "int", "text": "99999999999999999999"}}),
            ),
        ] {
            assert_eq!(Scalars::Ruamel.resolve(text), Ok(Some(value)), "{text}");
        }
        for text in [
            "yes",
            "12:30:45",
            "2020-01-02",
            "1.2.3",
            "_1",
            "0x",
            "-",
            ".",
            "e3",
        ] {
            let found = Scalars::Ruamel.resolve(text);
            assert_eq!(found, Ok(None), "{text}");
        }
    }
}
