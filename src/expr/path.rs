//! [`Path`]: the tail of a reference, an RFC 9535 JSONPath.
//!
//! A singular path (`.a.b[0]['c d']`) becomes a walk over [`Step`]s and gives one value; anything
//! else (`[*]`, `..`, filters, slices) is a query for `jsonpath-rust` and gives a list.

use std::fmt;
use std::sync::Arc;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;

use super::property::Property;
use crate::diagnostic::or_list;
use crate::value::{Step, Value, type_name};

/// A compiled tail. Shared, because a wire has the same one as the input that it was written for.
#[derive(Clone, Debug)]
pub struct Path(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Steps(Vec<Step>),
    Query(Box<JpQuery>),
    /// In the Prompt Flow dialect.
    Property(Property),
    /// Of each item that is not null, this key.
    Each(String),
}

/// Why a tail cannot be read: a message and a byte offset in the tail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathError {
    pub(super) message: String,
    pub(super) offset: usize,
    pub(super) help: Option<String>,
}

/// Queries nest through brackets and parentheses; the parser behind recurses on each.
const MAX_QUERY_BYTES: usize = 2_000;
const MAX_QUERY_NESTING: usize = 30;

impl Path {
    fn new(text: String, kind: Kind) -> Self {
        Self(Arc::new(Compiled { text, kind }))
    }

    /// Compiles a tail such as `.test_cases[?@.mandatory].id`; the empty tail is the whole value.
    pub(super) fn parse(tail: &str) -> Result<Self, PathError> {
        let kind = match steps(tail)? {
            Some(steps) => Kind::Steps(steps),
            None => Kind::Query(Box::new(query(tail)?)),
        };
        Ok(Self::new(tail.to_owned(), kind))
    }

    /// Reads a tail by the rules of Prompt Flow, by which every text is one.
    #[must_use]
    pub fn property(tail: &str) -> Self {
        if tail.is_empty() {
            return Self::new(String::new(), Kind::Steps(Vec::new()));
        }
        Self::new(format!(".{tail}"), Kind::Property(Property::parse(tail)))
    }

    /// The values of a key in all items of a list that are not null.
    #[must_use]
    pub fn each(key: &str) -> Self {
        Self::new(format!("[?@ != null][{key:?}]"), Kind::Each(key.to_owned()))
    }

    /// The path of these keys; what the loader builds for wires.
    #[must_use]
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let steps: Vec<_> = keys
            .into_iter()
            .map(|key| Step::Key(key.to_owned()))
            .collect();
        let text = steps.iter().map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Index(index) => format!("[{index}]"),
        });
        Self::new(text.collect(), Kind::Steps(steps))
    }

    /// Whether it goes by the rules of Prompt Flow.
    pub(super) fn is_property(&self) -> bool {
        matches!(self.0.kind, Kind::Property(_))
    }

    /// Whether it is the empty path: the value itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.text.is_empty()
    }

    /// The steps of a singular path; `None` for a query, and for Prompt Flow's paths, which go
    /// into text, too.
    #[must_use]
    pub fn steps(&self) -> Option<&[Step]> {
        match &self.0.kind {
            Kind::Steps(steps) => Some(steps),
            Kind::Query(_) | Kind::Property(_) | Kind::Each(_) => None,
        }
    }

    /// Applies the path. Missing keys are errors that show what there is.
    ///
    /// # Errors
    /// A sentence fragment.
    pub fn apply(&self, value: &Value) -> Result<Value, String> {
        match &self.0.kind {
            Kind::Steps(steps) => walk(value, steps).cloned(),
            Kind::Property(property) => property.apply(value),
            Kind::Each(key) => {
                let Value::Array(items) = value else {
                    return Err(format!("{} is no list of lines", type_name(value)));
                };
                let there = items.iter().filter(|item| !item.is_null());
                Ok(there
                    .map(|item| item.get(key).cloned().unwrap_or_default())
                    .collect())
            }
            Kind::Query(query) => match js_path_process(query, value) {
                Ok(found) => Ok(Value::Array(
                    found.into_iter().map(|found| found.val.clone()).collect(),
                )),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.text)
    }
}

fn walk<'v>(mut value: &'v Value, steps: &[Step]) -> Result<&'v Value, String> {
    for step in steps {
        value = match (step, value) {
            (Step::Key(key), Value::Object(object)) => object.get(key).ok_or_else(|| {
                let keys = or_list(object.keys().map(String::as_str));
                format!("there is no `{key}`; there is {keys}")
            })?,
            (Step::Index(index), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 { length + index } else { *index };
                usize::try_from(at)
                    .ok()
                    .and_then(|at| items.get(at))
                    .ok_or_else(|| format!("there is no item {index}; the list has {length}"))?
            }
            (Step::Key(key), other) => {
                return Err(format!("cannot take `{key}` of {}", type_name(other)));
            }
            (Step::Index(index), other) => {
                return Err(format!("cannot take item {index} of {}", type_name(other)));
            }
        };
    }
    Ok(value)
}

/// Reads a singular path; `Ok(None)` says that it is a query.
fn steps(tail: &str) -> Result<Option<Vec<Step>>, PathError> {
    let mut steps = Vec::new();
    let mut rest = tail;
    while let Some(first) = rest.chars().next() {
        let offset = tail.len() - rest.len();
        let error = |message: String, at: usize| PathError {
            message,
            offset: at,
            help: None,
        };
        match first {
            '.' => {
                let name_part = &rest[1..];
                if name_part.starts_with(['.', '*']) {
                    return Ok(None);
                }
                let end = name_part
                    .find(|c: char| !is_shorthand(c))
                    .unwrap_or(name_part.len());
                let name = &name_part[..end];
                let next = name_part[end..].chars().next();
                if name.is_empty()
                    || name.starts_with(|c: char| c.is_ascii_digit())
                    || !matches!(next, None | Some('.' | '['))
                {
                    let word_end = name_part.find(['.', '[', ' ']).unwrap_or(name_part.len());
                    let word = &name_part[..word_end];
                    return Err(PathError {
                        message: if word.is_empty() {
                            "a key is missing after `.`".to_owned()
                        } else {
                            format!("`{word}` cannot follow a `.`")
                        },
                        offset: offset + 1,
                        help: (!word.is_empty()).then(|| match word.parse::<u64>() {
                            Ok(index) => format!("write `[{index}]`"),
                            Err(_) => format!("write `['{word}']`"),
                        }),
                    });
                }
                steps.push(Step::Key(name.to_owned()));
                rest = &name_part[end..];
            }
            '[' => {
                let inner = rest[1..].trim_start();
                if let Some(quote @ ('\'' | '"')) = inner.chars().next() {
                    let Some(end) = closing_quote(&inner[1..], quote) else {
                        return Err(error("the quote is never closed".to_owned(), offset + 1));
                    };
                    let raw = &inner[1..=end];
                    let Some(after) = inner[end + 2..].trim_start().strip_prefix(']') else {
                        return Ok(None);
                    };
                    if raw.contains('\\') {
                        // Escapes are RFC 9535's; let the library decode them.
                        return Ok(None);
                    }
                    steps.push(Step::Key(raw.to_owned()));
                    rest = after;
                } else {
                    let Some(end) = inner.find(']') else {
                        return Err(error("`[` is never closed".to_owned(), offset));
                    };
                    let number = inner[..end].trim_end();
                    let digits = number.strip_prefix('-').unwrap_or(number);
                    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                    if !plain || (digits.len() > 1 && digits.starts_with('0')) || number == "-0" {
                        return Ok(None);
                    }
                    // RFC 9535 §2.1 limits integers to ±(2^53 - 1).
                    let index = number
                        .parse::<i64>()
                        .ok()
                        .filter(|index| index.abs() < (1 << 53));
                    let Some(index) = index else {
                        return Err(error(
                            format!("`{number}` is too large for an index"),
                            offset + 1,
                        ));
                    };
                    steps.push(Step::Index(index));
                    rest = &inner[end + 1..];
                }
            }
            other => {
                return Err(error(
                    format!("expected `.` or `[`, found `{}`", other.escape_debug()),
                    offset,
                ));
            }
        }
    }
    Ok(Some(steps))
}

fn is_shorthand(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The byte index of the quote that closes a string, whose first character is at 0.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(index),
            _ => {}
        }
    }
    None
}

fn query(tail: &str) -> Result<JpQuery, PathError> {
    let mut depth = 0_usize;
    let deepest = tail.bytes().map(|byte| {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    if tail.len() > MAX_QUERY_BYTES || deepest.max().unwrap_or(0) > MAX_QUERY_NESTING {
        return Err(PathError {
            message: "the query is too long or too deep".to_owned(),
            offset: 0,
            help: None,
        });
    }
    parse_json_path(&format!("${tail}")).map_err(|error| {
        let (message, offset) = match &error {
            JsonPathError::PestError(pest) => {
                let offset = match pest.location {
                    pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
                };
                // The `$` in front is ours.
                (format!("not a JSONPath here: {}", expected(&pest.variant.message())), offset.saturating_sub(1))
            }
            other => (other.to_string(), 0),
        };
        PathError { message, offset, help: Some("the tail of a reference is a JSONPath (RFC 9535): `.key`, `[0]`, `['a key']`, `[*]`, `[?@.key == 1]`".to_owned()) }
    })
}

/// Shortens the parser's list of grammar rules, which can run over a dozen names.
fn expected(message: &str) -> String {
    let message = message.replace('_', " ");
    match message.char_indices().nth(100) {
        Some((cut, _)) => format!("{}…", &message[..cut]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(tail: &str, value: &Value) -> Result<Value, String> {
        Path::parse(tail)
            .map_err(|error| format!("{}@{}", error.message, error.offset))?
            .apply(value)
    }

    #[test]
    fn singular_paths_give_values() {
        let value = json!({"a": {"b c": [1, {"d": 2}]}});
        assert_eq!(apply("", &value), Ok(value.clone()));
        assert_eq!(apply(".a['b c'][1].d", &value), Ok(json!(2)));
        assert_eq!(apply(".a[\"b c\"][-2]", &value), Ok(json!(1)));
        assert_eq!(apply(".a[ 'b c' ]", &value), Ok(json!([1, {"d": 2}])));
    }

    #[test]
    fn queries_give_lists() {
        let value = json!({"cases": [{"id": 1, "on": true}, {"id": 2, "on": false}, {"id": 3, "on": true}]});
        assert_eq!(apply(".cases[?@.on == true].id", &value), Ok(json!([1, 3])));
        assert_eq!(apply(".cases[*].id", &value), Ok(json!([1, 2, 3])));
        assert_eq!(apply("..id", &value), Ok(json!([1, 2, 3])));
        assert_eq!(apply(".cases[9:]", &value), Ok(json!([])));
    }

    #[test]
    fn missing_keys_show_what_there_is() {
        assert_eq!(
            apply(".b", &json!({"a": 1, "c": 2})),
            Err("there is no `b`; there is `a` or `c`".to_owned())
        );
        assert_eq!(
            apply("[3]", &json!([1])),
            Err("there is no item 3; the list has 1".to_owned())
        );
        assert_eq!(
            apply(".a", &json!("x")),
            Err("cannot take `a` of a string".to_owned())
        );
    }

    #[test]
    fn bad_tails_say_where() {
        for (tail, offset) in [
            (".", 1),
            (".a..", 4),
            (".a-b", 1),
            ("x", 0),
            ("['a", 1),
            (".a[?", 4),
            (".0", 1),
            ("[", 0),
        ] {
            let error = Path::parse(tail).expect_err(tail);
            assert!(error.offset <= tail.len(), "{tail}: {error:?}");
            if !matches!(tail, ".a.." | ".a[?") {
                assert_eq!(error.offset, offset, "{tail}: {error:?}");
            }
        }
        assert!(Path::parse(&format!("[?{}]", "(".repeat(5000))).is_err());
    }
}
