//! [`Node`]: a YAML value with its place in the source.

use crate::diagnostic::{Source, Span};
use crate::value::{Object, Value};

/// A YAML value and the bytes it was written in.
#[derive(Clone, Debug)]
pub struct Node {
    /// The bytes of the value; of an alias, those of the anchored value.
    pub span: Span,
    /// The value.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Null, a boolean or a number.
    Scalar(Value),
    /// A string, decoded.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in source order; keys are unique.
    Map(Vec<Entry>),
}

/// One key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// The bytes of the key.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value as JSON, without places.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Object>(),
            ),
        }
    }

    /// Whether the value is null or left out (`key:`).
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Value::Null))
    }

    /// Names the type as people say it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(value) => crate::value::type_name(value),
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The node that a path of keys and indices leads to, as deep as it goes.
    ///
    /// Schema violations name such paths; the deepest node there is carries the place.
    #[must_use]
    pub fn descend<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Self {
        let mut node = self;
        for step in path {
            let next = match &node.kind {
                Kind::Map(entries) => entries
                    .iter()
                    .find(|entry| entry.key == step)
                    .map(|entry| &entry.value),
                Kind::List(items) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index)),
                Kind::Scalar(_) | Kind::Text(_) => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The source bytes of a part of this string, given as a byte range of the decoded text.
    ///
    /// Escapes, folding and indentation make decoded and written offsets differ. The part is
    /// searched in the *written* token: its n-th occurrence in one is its n-th in the other.
    /// When it was written with escapes inside, the whole token is named.
    #[must_use]
    pub fn locate(&self, source: &Source, start: usize, end: usize) -> Span {
        let Kind::Text(text) = &self.kind else {
            return self.span;
        };
        let (Some(before), Some(part)) = (text.get(..start), text.get(start..end)) else {
            return self.span;
        };
        if part.is_empty() {
            return self.span;
        }
        let nth = before.matches(part).count() + overlapping(before, part, text);
        let raw = source.slice(self.span);
        match raw.match_indices(part).nth(nth) {
            Some((index, _)) => Span::new(
                self.span.start + index,
                self.span.start + index + part.len(),
            ),
            None => self.span,
        }
    }
}

/// Counts the match that starts before the part and runs into it: `str::matches` over the text
/// before misses it, while the search in the whole token does not.
fn overlapping(before: &str, part: &str, text: &str) -> usize {
    let counted = before.matches(part).count();
    let upto = text
        .match_indices(part)
        .take_while(|(index, _)| *index < before.len())
        .count();
    upto - counted
}
