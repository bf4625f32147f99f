//! `str()` and `repr()`.

use std::fmt::Write as _;

use super::tagged::Tagged;
use crate::value::{Object, Value};

/// `str(value)`: a string is itself, everything else its `repr`.
#[must_use]
pub fn to_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => repr(value),
    }
}

/// `repr(value)`.
#[must_use]
pub fn repr(value: &Value) -> String {
    let mut text = String::new();
    print(value, &mut text);
    text
}

fn print(value: &Value, to: &mut String) {
    match value {
        Value::Null => to.push_str("None"),
        Value::Bool(true) => to.push_str("True"),
        Value::Bool(false) => to.push_str("False"),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => print_float(float, to),
            _ => to.push_str(&number.to_string()),
        },
        Value::String(text) => quote(text, to),
        Value::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    to.push_str(", ");
                }
                print(item, to);
            }
            to.push(']');
        }
        Value::Object(entries) => match Tagged::read(value) {
            Some(Tagged::Int(text) | Tagged::Object { text, .. }) => to.push_str(text),
            Some(Tagged::Float(float)) => print_float(float, to),
            None => print_entries(entries, to),
        },
    }
}

fn print_entries(entries: &Object, to: &mut String) {
    to.push('{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            to.push_str(", ");
        }
        quote(key, to);
        to.push_str(": ");
        print(value, to);
    }
    to.push('}');
}

/// The shortest digits that read back as the same number; a power of ten where Python writes one.
fn print_float(float: f64, to: &mut String) {
    if float.is_nan() {
        to.push_str("nan");
        return;
    }
    if float.is_infinite() {
        to.push_str(if float > 0.0 { "inf" } else { "-inf" });
        return;
    }
    let shortest = format!("{float:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = float.to_string();
        to.push_str(&plain);
        if !plain.contains('.') {
            to.push_str(".0");
        }
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(to, "{digits}e{sign}{:02}", exponent.abs()).expect("writing to a String cannot fail");
}

fn quote(text: &str, to: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    to.push(mark);
    for c in text.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if c == mark => {
                to.push('\\');
                to.push(c);
            }
            c if is_printable(c) => to.push(c),
            c => {
                let code = u32::from(c);
                match code {
                    0..=0xff => write!(to, "\\x{code:02x}"),
                    0x100..=0xffff => write!(to, "\\u{code:04x}"),
                    _ => write!(to, "\\U{code:08x}"),
                }
                .expect("writing to a String cannot fail");
            }
        }
    }
    to.push(mark);
}

/// Python and Rust print the same characters as they are. Behind another one, Rust escapes no
/// combining character only because it would lean on the quotation mark.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().nth(1) != Some('\\')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_python_prints_them() {
        for (value, text) in [
            (json!(null), "None"),
            (json!([true, false]), "[True, False]"),
            (
                json!({"k": null, "l": [1, "a"]}),
                "{'k': None, 'l': [1, 'a']}",
            ),
            (json!(1.0), "1.0"),
            (json!(-0.0), "-0.0"),
            (json!(0.1), "0.1"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1e20), "1e+20"),
            (json!(1.5e300), "1.5e+300"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!("it's"), "\"it's\""),
            (json!("it's \"so\""), "'it\\'s \"so\"'"),
            (
                json!("a\\b\n\t\u{7f}\u{a0}\u{2028}ä🦀\u{301}"),
                "'a\\\\b\\n\\t\\x7f\\xa0\\u2028ä🦀\u{301}'",
            ),
            (
                json!([{"$python": {"type": "int", "text": "1180591620717411303424"}}]),
                "[1180591620717411303424]",
            ),
            (
                json!({"$python": {"type": "float", "text": "-inf"}}),
                "-inf",
            ),
        ] {
            assert_eq!(repr(&value), text);
        }
        assert_eq!(to_str(&json!("it's")), "it's");
        assert_eq!(to_str(&json!(["it's"])), "[\"it's\"]");
    }
}
