//! Forms: what a gate wants filled in, and what was.

use std::fmt::Write as _;

use crate::flow::ApprovalDecl;
use crate::value::{Object, Value};

/// Text for the question of an address.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            encoded.push(char::from(byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What the fields of a gate's form were filled in with; a box that is not ticked is not sent.
///
/// # Errors
/// A sentence about a field.
pub(super) fn filled_in(
    gate: &ApprovalDecl,
    sent: &[(String, String)],
) -> Result<Option<Object>, String> {
    if gate.form.is_empty() {
        return Ok(None);
    }
    let mut form = Object::new();
    for (name, field) in &gate.form {
        let key = format!("form.{name}");
        let given = sent.iter().find(|(sent, _)| *sent == key);
        let is_box = field.schema["type"] == "boolean";
        match given.map(|(_, text)| text.as_str()) {
            _ if is_box => {
                form.insert(name.clone(), Value::Bool(given.is_some()));
            }
            Some("") | None => {}
            Some(text) => {
                let value = field.read(text).map_err(|why| format!("`{name}`: {why}"))?;
                form.insert(name.clone(), value);
            }
        }
    }
    Ok(Some(form))
}
