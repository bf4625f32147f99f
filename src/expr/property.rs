//! [`Property`]: the tail of a reference in the Prompt Flow dialect.
//!
//! Three forms count, wherever they stand: a word, `['…']` and `[digits]`. Everything between them
//! is passed over, so that `a!!b` is `a.b`, and `[-1]` is the word `1`.

use crate::diagnostic::or_list;
use crate::value::{Value, type_name};

/// A compiled tail.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property(Vec<Token>);

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Key(String),
    Index(String),
}

impl Property {
    pub(super) fn parse(tail: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = tail;
        while let Some(first) = rest.chars().next() {
            let word = rest
                .find(|c: char| !is_word(c))
                .map_or(rest, |end| &rest[..end]);
            let (token, length) = if !word.is_empty() {
                (Some(Token::Word(word.to_owned())), word.len())
            } else if let Some((key, length)) = bracketed(rest) {
                (Some(key), length)
            } else {
                (None, first.len_utf8())
            };
            tokens.extend(token);
            rest = &rest[length..];
        }
        Self(tokens)
    }

    pub(super) fn apply(&self, value: &Value) -> Result<Value, String> {
        let mut value = std::borrow::Cow::Borrowed(value);
        for token in &self.0 {
            let next = token.apply(&value)?;
            value = std::borrow::Cow::Owned(next);
        }
        Ok(value.into_owned())
    }
}

impl Token {
    fn apply(&self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Word(key) | Self::Key(key), Value::Object(object)) => {
                object.get(key).cloned().ok_or_else(|| {
                    let keys = or_list(object.keys().map(String::as_str));
                    format!("there is no `{key}`; there is {keys}")
                })
            }
            (Self::Index(digits), Value::Array(items)) => {
                let item = digits.parse().ok().and_then(|at: usize| items.get(at));
                item.cloned().ok_or_else(|| {
                    format!("there is no item {digits}; the list has {}", items.len())
                })
            }
            (Self::Index(digits), Value::String(text)) => {
                let item = digits.parse().ok().and_then(|at| text.chars().nth(at));
                item.map(|c| Value::String(c.to_string()))
                    .ok_or_else(|| format!("the text has no character {digits}"))
            }
            // A key that was a number where the value was made, and is text in JSON.
            (Self::Index(digits), Value::Object(object)) => object
                .get(digits)
                .cloned()
                .ok_or_else(|| format!("there is no key {digits}")),
            (Self::Word(key) | Self::Key(key), other) => {
                Err(format!("cannot take `{key}` of {}", type_name(other)))
            }
            (Self::Index(digits), other) => {
                Err(format!("cannot take item {digits} of {}", type_name(other)))
            }
        }
    }
}

/// What Python's `\w` matches.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `['…']` or `[digits]`, and its length.
fn bracketed(rest: &str) -> Option<(Token, usize)> {
    let inner = rest.strip_prefix('[')?;
    if let Some(quoted) = inner.strip_prefix('\'') {
        let end = quoted.find("']")?;
        let key = &quoted[..end];
        return (!key.contains('\n')).then(|| (Token::Key(key.to_owned()), end + 4));
    }
    let end = inner.find(|c: char| !c.is_ascii_digit())?;
    let closed = end > 0 && inner[end..].starts_with(']');
    closed.then(|| (Token::Index(inner[..end].to_owned()), end + 2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tails_are_read_as_prompt_flow_reads_them() {
        let value = json!({"a": {"b": [10, {"k": "v"}], "x.y": "dot", "0": "zero"}, "s": "text", "n": null});
        for (tail, found) in [
            ("a.b[1].k", json!("v")),
            ("a!!b[0]", json!(10)),
            ("a.b[1]['k']", json!("v")),
            ("a.b[1][\"k\"]", json!("v")),
            ("a['x.y']", json!("dot")),
            ("a[0]", json!("zero")),
            ("s[1]", json!("e")),
            ("", value.clone()),
            (".", value.clone()),
        ] {
            assert_eq!(Property::parse(tail).apply(&value), Ok(found), "{tail}");
        }
        for tail in ["z", "a.b[7]", "a.b[-1]", "a.b.0", "n.x", "n[0]", "s.upper"] {
            assert!(Property::parse(tail).apply(&value).is_err(), "{tail}");
        }
    }
}
