//! [`Redactor`]: takes secrets out of what tools say, before anything is written down.

use crate::value::Value;

/// What stands in the place of a secret.
const MASK: &str = "[secret]";

/// The secrets that one attempt was given.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another goes as a whole.
    secrets: Vec<String>,
}

impl Redactor {
    /// Takes these values out, as they are and as JSON writes them.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Vec::new();
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            let escaped = Value::String(value.clone()).to_string();
            let inner = escaped.trim_matches('"').to_owned();
            if inner != value {
                secrets.push(inner);
            }
            // What is printed line by line is a secret line by line: keys in PEM, for example.
            let lines = value
                .lines()
                .filter(|line| line.len() >= 8 && *line != value);
            secrets.extend(lines.map(str::to_owned));
            secrets.push(value);
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// Whether there is nothing to take out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// A text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    /// A value without secrets in its strings and keys.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| (self.text(&key), self.value(value)))
                .collect::<crate::value::Object>()
                .into(),
            other => other,
        }
    }

    /// A filter for a stream that comes in pieces.
    pub(super) fn stream(&self) -> Stream {
        Stream {
            secrets: self
                .secrets
                .iter()
                .map(|secret| secret.as_bytes().to_vec())
                .collect(),
            held: Vec::new(),
        }
    }
}

/// A stream in which a secret may be cut in two by the pieces it comes in.
pub(super) struct Stream {
    secrets: Vec<Vec<u8>>,
    held: Vec<u8>,
}

impl Stream {
    /// Takes a piece; gives what is certain by now.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.secrets.is_empty() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        self.take(false)
    }

    /// Gives what was held back.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.take(true)
    }

    fn take(&mut self, end: bool) -> Vec<u8> {
        let mut given = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let may_grow = |secret: &Vec<u8>| secret.len() > rest.len() && secret.starts_with(rest);
            if !end && self.secrets.iter().any(may_grow) {
                // It may become a secret, or a longer one, with the next piece.
                break;
            }
            if let Some(secret) = self.secrets.iter().find(|secret| rest.starts_with(secret)) {
                given.extend_from_slice(MASK.as_bytes());
                at += secret.len();
            } else {
                given.push(rest[0]);
                at += 1;
            }
        }
        self.held.drain(..at);
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn secrets_go_from_texts_and_values() {
        let redactor = Redactor::new(["s3cr\"t".to_owned(), "abc".to_owned(), String::new()]);
        assert_eq!(
            redactor.text("a s3cr\"t, s3cr\\\"t and abcabc"),
            "a [secret], [secret] and [secret][secret]"
        );
        assert_eq!(
            redactor.value(json!({ "k": ["xabc", 1] })),
            json!({ "k": ["x[secret]", 1] })
        );
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab]{0,40}", secret in "[ab]{1,6}", cuts in prop::collection::vec(0..40_usize, 0..6)) {
            let redactor = Redactor::new([secret.clone()]);
            let mut whole = redactor.stream();
            let mut expected = whole.push(text.as_bytes());
            expected.extend(whole.finish());
            let mut stream = redactor.stream();
            let mut given = Vec::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut start = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                given.extend(stream.push(&text.as_bytes()[start..cut]));
                start = cut;
            }
            given.extend(stream.finish());
            prop_assert_eq!(&given, &expected);
            let left = String::from_utf8(given).expect("ASCII").replace(MASK, "|");
            prop_assert!(!left.contains(&secret));
        }
    }
}
