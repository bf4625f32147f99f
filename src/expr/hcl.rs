//! Values as HCL literals, in the layout that `terraform fmt` leaves alone.

use std::fmt::Write as _;

use crate::value::Value;

/// A literal on one line.
pub(super) fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(on_one_line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), on_one_line(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

/// A literal whose lists and maps stand on several lines; the closing bracket stands at `indent`.
pub(super) fn on_lines(value: &Value, indent: usize) -> String {
    let inner = " ".repeat(indent + 2);
    let outer = " ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => {
            let lines = items
                .iter()
                .map(|item| format!("{inner}{},\n", on_lines(item, indent + 2)));
            format!("[\n{}{outer}]", lines.collect::<String>())
        }
        Value::Object(fields) if !fields.is_empty() => {
            let mut lines = String::new();
            let fields: Vec<(String, String)> = fields
                .iter()
                .map(|(name, value)| (key(name), on_lines(value, indent + 2)))
                .collect();
            for (at, (name, value)) in fields.iter().enumerate() {
                let width = width_of_group(&fields, at);
                writeln!(lines, "{inner}{name:width$} = {value}")
                    .expect("writing to a String cannot fail");
            }
            format!("{{\n{lines}{outer}}}")
        }
        other => on_one_line(other),
    }
}

/// `terraform fmt` aligns the equals signs of neighbouring one-line attributes; one that spans
/// lines stands for itself.
fn width_of_group(fields: &[(String, String)], at: usize) -> usize {
    let short = |(_, value): &&(String, String)| !value.contains('\n');
    if !short(&&fields[at]) {
        return 0;
    }
    let before = fields[..at].iter().rev().take_while(short);
    let after = fields[at..].iter().take_while(short);
    before
        .chain(after)
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0)
}

fn key(name: &str) -> String {
    let mut characters = name.chars();
    let plain = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !matches!(name, "true" | "false" | "null" | "for" | "in" | "if");
    if plain { name.to_owned() } else { string(name) }
}

/// A quoted string; `${` and `%{` would begin a template and are doubled.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                quoted.push(character);
                quoted.push(character);
            }
            control
                if control.is_control()
                    || matches!(control, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                write!(quoted, "\\u{:04x}", control as u32)
                    .expect("writing to a String cannot fail");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_cannot_become_templates() {
        assert_eq!(on_one_line(&json!("${x} %{if} $x")), r#""$${x} %%{if} $x""#);
        assert_eq!(on_one_line(&json!("$${x}")), r#""$$${x}""#);
        assert_eq!(
            on_one_line(&json!("a\"b\\c\nd\u{7}")),
            r#""a\"b\\c\nd\u0007""#
        );
    }

    #[test]
    fn one_line_literals() {
        assert_eq!(
            on_one_line(&json!({"a": [1, true, null], "b c": {}, "for": "x"})),
            r#"{ a = [1, true, null], "b c" = {}, "for" = "x" }"#
        );
    }

    #[test]
    fn equals_signs_are_aligned_as_terraform_does() {
        let value = json!({"a": 1, "long": "x", "list": ["y"], "b": [], "cc": 2});
        assert_eq!(
            on_lines(&value, 2),
            "{\n    a    = 1\n    long = \"x\"\n    list = [\n      \"y\",\n    ]\n    b  = []\n    cc = 2\n  }"
        );
    }
}
