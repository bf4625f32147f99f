//! Text to numbers, as `int()` and `float()` read it.

use super::tagged::Tagged;
use crate::value::Value;

/// `int(text)`: white space around it, a sign, and single underscores between digits are allowed.
#[must_use]
pub fn parse_int(text: &str) -> Option<Value> {
    let text = text.trim_matches(is_space);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = without_underscores(digits)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    Some(Tagged::int(&format!("{sign}{digits}")))
}

/// `float(text)`: also `nan`, `inf` and `infinity` in any case.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let text = without_underscores(text.trim_matches(is_space))?;
    // Rust reads the same words and forms, and no others.
    text.parse().ok()
}

/// `int(number)`: what is behind the point is cut off; what is not finite is no integer.
#[must_use]
pub fn int_of_float(number: f64) -> Option<Value> {
    number
        .is_finite()
        .then(|| Tagged::int(&format!("{:.0}", number.trunc())))
}

/// Underscores stand between digits only.
fn without_underscores(text: &str) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
    let between = |at: usize| at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1));
    let all_between = bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'_' || between(at));
    all_between.then(|| text.replace('_', ""))
}

/// What `str.strip()` removes.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_read_as_python_reads_them() {
        for (text, value) in [
            ("22", json!(22)),
            (" 22\n", json!(22)),
            ("1_000", json!(1000)),
            ("-012", json!(-12)),
            ("+5", json!(5)),
            ("18446744073709551615", json!(u64::MAX)),
            (
                "1180591620717411303424",
                json!({"$python": {"type": "int", "text": "1180591620717411303424"}}),
            ),
        ] {
            assert_eq!(parse_int(text), Some(value), "{text}");
        }
        for text in [
            "", "3.5", "0x10", "1__0", "_1", "1_", "- 1", "--1", "1e3", "one",
        ] {
            assert_eq!(parse_int(text), None, "{text}");
        }
    }

    #[test]
    fn floats_are_read_as_python_reads_them() {
        assert_eq!(parse_float(" 1e3 "), Some(1000.0));
        assert_eq!(parse_float("1_0.5"), Some(10.5));
        assert_eq!(parse_float(".5"), Some(0.5));
        assert_eq!(parse_float("-INFINITY"), Some(f64::NEG_INFINITY));
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        for text in ["", "1_.5", "0x1p3", "1,5", "e3"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn floats_are_cut_to_integers() {
        assert_eq!(int_of_float(3.9), Some(json!(3)));
        assert_eq!(int_of_float(-3.9), Some(json!(-3)));
        assert_eq!(int_of_float(-0.5), Some(json!(0)));
        assert_eq!(
            int_of_float(1e20),
            Some(json!({"$python": {"type": "int", "text": "100000000000000000000"}}))
        );
        assert_eq!(int_of_float(f64::NAN), None);
    }
}
