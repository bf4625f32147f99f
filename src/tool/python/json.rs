//! JSON as Python writes it, to a value: with integers of any length, NaN, infinities and lone
//! surrogates, all of which become tagged objects.

use std::borrow::Cow;

use serde_json::json;

use crate::python_value::{TAG, Tagged};
use crate::value::Value;

/// Deeper values could not be read back from a journal.
const DEEPEST: usize = 100;

/// Reads a document.
///
/// # Errors
/// A sentence fragment about the value.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let text = tagged(bytes)?;
    serde_json::from_slice(&text).map_err(|error| format!("cannot be read as JSON: {error}"))
}

/// The document with tagged objects where JSON has no form.
fn tagged(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut clean: Vec<u8> = Vec::new();
    // What of `bytes` is in `clean` already.
    let mut taken = 0;
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let (end, lone) = string(bytes, at);
                if lone {
                    if is_key(bytes, end) {
                        return Err(
                            "has a key with a lone surrogate, which no Unicode text has".to_owned()
                        );
                    }
                    replace(
                        &mut clean,
                        bytes,
                        &mut taken,
                        at..end,
                        &surrogates(&bytes[at..end]),
                    );
                }
                at = end;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(format!("is nested more than {DEEPEST} levels deep"));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' | b'N' | b'I' => {
                let length = bytes[at..]
                    .iter()
                    .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n'))
                    .unwrap_or(bytes.len() - at);
                let end = at + length;
                if let Some(tag) = number(&bytes[at..end]) {
                    replace(&mut clean, bytes, &mut taken, at..end, &tag);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if taken == 0 {
        return Ok(Cow::Borrowed(bytes));
    }
    clean.extend_from_slice(&bytes[taken..]);
    Ok(Cow::Owned(clean))
}

fn replace(
    clean: &mut Vec<u8>,
    bytes: &[u8],
    taken: &mut usize,
    range: std::ops::Range<usize>,
    tag: &Value,
) {
    clean.extend_from_slice(&bytes[*taken..range.start]);
    clean.extend_from_slice(tag.to_string().as_bytes());
    *taken = range.end;
}

/// What a number becomes that JSON, or 64 bits, cannot hold.
fn number(text: &[u8]) -> Option<Value> {
    match text {
        b"NaN" => return Some(Tagged::float(f64::NAN)),
        b"Infinity" => return Some(Tagged::float(f64::INFINITY)),
        b"-Infinity" => return Some(Tagged::float(f64::NEG_INFINITY)),
        _ => {}
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.len() < 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = Tagged::int(std::str::from_utf8(text).ok()?);
    value.is_object().then_some(value)
}

/// Where a string that begins here ends, and whether it has a lone surrogate.
fn string(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start + 1;
    let mut lone = false;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return (at + 1, lone),
            b'\\' => match unit(bytes, at) {
                Some(0xd800..=0xdbff) => {
                    if matches!(unit(bytes, at + 6), Some(0xdc00..=0xdfff)) {
                        at += 12;
                    } else {
                        lone = true;
                        at += 6;
                    }
                }
                Some(0xdc00..=0xdfff) => {
                    lone = true;
                    at += 6;
                }
                Some(_) => at += 6,
                None => at += 2,
            },
            _ => at += 1,
        }
    }
    (bytes.len(), lone)
}

/// The value of `\uXXXX`, if that is what stands here.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let hex = escape.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

fn is_key(bytes: &[u8], end: usize) -> bool {
    bytes.get(end) == Some(&b':')
}

/// A string that is not Unicode: kept as Python wrote it, for Python.
fn surrogates(quoted: &[u8]) -> Value {
    let quoted = String::from_utf8_lossy(quoted);
    let mut text = String::new();
    let mut rest = quoted.as_ref();
    // To be shown only.
    while let Some(at) = rest.find("\\ud") {
        text.push_str(&rest[..at]);
        text.push('\u{fffd}');
        rest = rest.get(at + 6..).unwrap_or_default();
    }
    text.push_str(rest);
    json!({ TAG: { "type": "str", "text": text.trim_matches('"'), "handle": { "json": quoted } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_has_is_taken_as_it_is() {
        let text =
            br#"{"a":[1,-2.5e10,true,null,"x\"N\\"],"b":18446744073709551615,"c":"\ud83d\ude00"}"#;
        assert!(matches!(tagged(text), Ok(Cow::Borrowed(_))));
        assert_eq!(read(text).expect("it is JSON")["c"], "\u{1f600}");
    }

    #[test]
    fn what_json_has_not_is_tagged() {
        let value = read(
            br#"[NaN,-Infinity,{"k":Infinity},-18446744073709551616,"NaN",1180591620717411303424]"#,
        );
        assert_eq!(
            value.expect("it is JSON"),
            json!([
                {"$python": {"type": "float", "text": "nan"}},
                {"$python": {"type": "float", "text": "-inf"}},
                {"k": {"$python": {"type": "float", "text": "inf"}}},
                {"$python": {"type": "int", "text": "-18446744073709551616"}},
                "NaN",
                {"$python": {"type": "int", "text": "1180591620717411303424"}},
            ])
        );
    }

    #[test]
    fn lone_surrogates_are_kept_for_python() {
        assert_eq!(
            read(br#"["a\udc80b"]"#).expect("it is JSON"),
            json!([{"$python": {"type": "str", "text": "a\u{fffd}b", "handle": {"json": "\"a\\udc80b\""}}}])
        );
        assert!(
            read(br#"{"\udc80":1}"#)
                .expect_err("no key")
                .contains("lone surrogate")
        );
    }

    #[test]
    fn too_deep_is_said() {
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(read(&deep(100)).is_ok());
        assert!(
            read(&deep(101))
                .expect_err("too deep")
                .contains("100 levels")
        );
        assert!(read(b"[1").is_err());
        assert!(read(b"\"").is_err());
    }
}
