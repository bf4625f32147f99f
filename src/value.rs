//! Values, digests and canonical JSON: the words everyone uses.
//!
//! Knows nothing of flows, files or time. [`Value`] is `serde_json`'s, whose maps keep their order;
//! [`Digest`] is a SHA-256, written `sha256:<64 hex digits>`.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A JSON value; objects keep the order in which their keys were written.
pub use serde_json::Value;
/// A JSON object in insertion order.
pub type Object = serde_json::Map<String, Value>;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Key(String),
    /// An item of a list; negative counts from the end.
    Index(i64),
}

/// A SHA-256 digest, shown as `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digests raw bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Begins a digest of bytes that come in parts.
    #[must_use]
    pub fn begin() -> Hasher {
        Hasher(Sha256::new())
    }

    /// Digests everything that a reader gives, and counts it; holds little of it at a time.
    ///
    /// # Errors
    /// When reading fails.
    pub fn of_reader(reader: &mut impl std::io::Read) -> std::io::Result<(Self, u64)> {
        let (hasher, total) = Self::begin().and_all(reader)?;
        Ok((hasher.end(), total))
    }

    /// A digest that was computed elsewhere, piece by piece.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Digests the RFC 8785 (JCS) form of a value, so that key order and spacing do not matter.
    #[must_use]
    pub fn of_json(value: &impl Serialize) -> Self {
        Self::of(&canonical(value))
    }

    /// The same of a [`Value`], several times as fast.
    #[must_use]
    pub fn of_value(value: &Value) -> Self {
        let mut bytes = Vec::with_capacity(256);
        write_canonical(value, &mut bytes);
        Self::of(&bytes)
    }

    /// Gives the digest of several parts; the length of each part is mixed in, so that moving
    /// bytes from one part to the next changes the digest.
    #[must_use]
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Reads `sha256:<hex>` or bare hex.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let (pairs, rest) = hex.as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return None;
        }
        let digit = |letter: u8| match letter {
            b'0'..=b'9' => Some(letter - b'0'),
            b'a'..=b'f' => Some(letter - b'a' + 10),
            b'A'..=b'F' => Some(letter - b'A' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// The 64 hex digits without the prefix; also the file name of a content-addressed file.
    #[must_use]
    pub fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        self.push_hex(&mut text);
        text
    }

    /// Every record holds some digests, so they are not written by way of a formatter.
    fn push_hex(&self, text: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }

    fn shown(&self) -> String {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        self.push_hex(&mut text);
        text
    }
}

/// A digest that is not complete yet.
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The digest with these bytes, too.
    #[must_use]
    pub fn and(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// The digest with everything that a reader gives, too, and how much that is.
    ///
    /// # Errors
    /// When reading fails.
    pub fn and_all(mut self, reader: &mut impl std::io::Read) -> std::io::Result<(Self, u64)> {
        let mut total = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((self, total)),
                Ok(read) => {
                    self = self.and(&buffer[..read]);
                    total += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn end(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.shown())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a sha256 digest")))
    }
}

/// The RFC 8785 canonical bytes of a value.
///
/// JCS numbers are IEEE doubles; integers beyond 2^53 lose digits there as in every JCS
/// implementation, which is why such values are kept out of digested records.
#[must_use]
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value)
        .expect("JSON values have string keys and finite numbers")
}

/// Writes the same bytes without a detour through a serializer that has to find out what it is given.
fn write_canonical(value: &Value, into: &mut Vec<u8>) {
    /// Up to here integers and doubles are written alike.
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Array(items) => {
            into.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(b',');
                }
                write_canonical(item, into);
            }
            into.push(b']');
        }
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            // Bytes of ASCII are in the order of UTF-16, which is what is asked for.
            entries.sort_unstable_by(|(one, _), (other, _)| {
                if one.is_ascii() && other.is_ascii() {
                    one.cmp(other)
                } else {
                    one.encode_utf16().cmp(other.encode_utf16())
                }
            });
            into.push(b'{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    into.push(b',');
                }
                write_plainly(key, into);
                into.push(b':');
                write_canonical(value, into);
            }
            into.push(b'}');
        }
        Value::Number(number) if number.as_i64().is_none_or(|it| it.unsigned_abs() > EXACT) => {
            into.extend(canonical(value));
        }
        simple => write_plainly(simple, into),
    }
}

fn write_plainly(value: &impl Serialize, into: &mut Vec<u8>) {
    serde_json::to_writer(into, value).expect("memory takes it");
}

/// Names the JSON type of a value as people say it: `a list`, `an object`, `null`.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value as it stands inside a longer string: strings bare, everything else as compact JSON.
#[must_use]
pub fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn digest_ignores_key_order() {
        assert_eq!(
            Digest::of_json(&json!({"a": 1, "b": 2})),
            Digest::of_json(&json!({"b": 2, "a": 1}))
        );
    }

    fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-20_i64..20).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn both_ways_to_canonical_bytes_agree(value in any_value()) {
            let mut bytes = Vec::new();
            write_canonical(&value, &mut bytes);
            proptest::prop_assert_eq!(String::from_utf8(bytes), String::from_utf8(canonical(&value)));
            proptest::prop_assert_eq!(Digest::of_value(&value), Digest::of_json(&value));
        }
    }

    #[test]
    fn keys_are_in_the_order_of_utf_16() {
        // U+FB33 comes before U+1F600 by code point, and after it in UTF-16.
        let value = json!({ "\u{fb33}": 1, "\u{1f600}": 2, "a": 3, "\u{e9}": 1e21 });
        let mut bytes = Vec::new();
        write_canonical(&value, &mut bytes);
        assert_eq!(bytes, canonical(&value));
        let text = String::from_utf8(bytes).expect("it is UTF-8");
        assert!(text.find('\u{1f600}') < text.find('\u{fb33}'), "{text}");
    }

    #[test]
    fn digest_reads_what_it_writes() {
        let digest = Digest::of(b"flowctl");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.hex()), Some(digest));
        assert_eq!(Digest::parse("sha256:zz"), None);
        assert_eq!(Digest::parse(&"é".repeat(32)), None);
    }

    #[test]
    fn a_reader_has_the_digest_of_its_bytes() {
        let bytes = vec![7; 200_000];
        let (digest, total) = Digest::of_reader(&mut bytes.as_slice()).expect("memory reads");
        assert_eq!((digest, total), (Digest::of(&bytes), 200_000));
    }

    #[test]
    fn parts_are_delimited() {
        assert_ne!(
            Digest::of_parts([b"ab".as_slice(), b"c"]),
            Digest::of_parts([b"a".as_slice(), b"bc"])
        );
    }
}
