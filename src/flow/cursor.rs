//! [`Cursor`]: walks a mapping against its key table and reports what does not fit.

use std::sync::Arc;
use std::time::Duration;

use super::duration;
use super::keys::Key;
use super::model::Spanned;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, nearest, or_list};
use crate::id::is_name;
use crate::value::Value;
use crate::yaml::{Entry, Kind, Node};

/// A mapping whose keys are all known, and the problems of the file.
pub(crate) struct Cursor<'a, 'p> {
    pub(crate) source: &'a Arc<Source>,
    pub(crate) problems: &'p mut Diagnostics,
    pub(crate) span: Span,
    entries: &'a [Entry],
}

impl<'a, 'p> Cursor<'a, 'p> {
    /// Opens a mapping; `None`, with a diagnostic, for any other value. Unknown keys are reported.
    pub(crate) fn open(
        node: &'a Node,
        what: &str,
        tables: &[&[Key]],
        source: &'a Arc<Source>,
        problems: &'p mut Diagnostics,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            problems.push(wrong_type(source, node, what, "a mapping"));
            return None;
        };
        let known = || {
            tables
                .iter()
                .flat_map(|table| table.iter().map(|key| key.name))
        };
        for entry in entries {
            // `x-…` keys are the author's own, as in OpenAPI and compose files.
            if known().any(|name| name == entry.key) || entry.key.starts_with("x-") {
                continue;
            }
            let mut diagnostic = Diagnostic::error(
                Code::UnknownKey,
                format!("{what} has no key `{}`", entry.key),
                source,
                entry.key_span,
            )
            .did_you_mean(&entry.key, known());
            if diagnostic.help.is_empty() {
                diagnostic = diagnostic.help(format!("the keys are {}", or_list(known())));
            }
            problems.push(diagnostic);
        }
        Some(Self {
            source,
            problems,
            span: node.span,
            entries,
        })
    }

    /// Opens a mapping of a Prompt Flow file, in which unknown keys mean nothing: they are warned
    /// of, except those that look like one of flowctl's own keys and would silently do nothing.
    pub(crate) fn open_foreign(
        node: &'a Node,
        what: &str,
        foreign: &[&str],
        own: &[&str],
        source: &'a Arc<Source>,
        problems: &'p mut Diagnostics,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            problems.push(wrong_type(source, node, what, "a mapping"));
            return None;
        };
        for entry in entries {
            let key = entry.key.as_str();
            if foreign.contains(&key) || own.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let message = format!("{what} has no key `{key}`");
            let diagnostic = if nearest(key, own.iter().copied()).is_some() {
                Diagnostic::error(Code::UnknownKey, message, source, entry.key_span)
                    .did_you_mean(key, own.iter().copied())
            } else {
                Diagnostic::warning(Code::UnknownKey, message, source, entry.key_span)
                    .did_you_mean(key, foreign.iter().copied())
                    .help("it is not read, by Prompt Flow neither")
            };
            problems.push(diagnostic);
        }
        Some(Self {
            source,
            problems,
            span: node.span,
            entries,
        })
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<Spanned<String>> {
        let node = self.get(key)?;
        if let Kind::Text(text) = &node.kind {
            Some(Spanned {
                value: text.clone(),
                span: node.span,
            })
        } else {
            self.wrong_type(node, &format!("`{key}`"), "a string");
            None
        }
    }

    pub(crate) fn boolean(&mut self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        if let Kind::Scalar(Value::Bool(value)) = &node.kind {
            Some(*value)
        } else {
            self.wrong_type(node, &format!("`{key}`"), "`true` or `false`");
            None
        }
    }

    pub(crate) fn duration(&mut self, key: &str) -> Option<Duration> {
        let node = self.get(key)?;
        if let Kind::Text(text) = &node.kind
            && let Some(duration) = duration::parse(text)
        {
            return Some(duration);
        }
        let mut diagnostic = wrong_type(self.source, node, &format!("`{key}`"), "a duration");
        if matches!(node.kind, Kind::Text(_)) {
            diagnostic.code = Code::BadValue;
            diagnostic.message = format!("`{key}` is not a duration");
        }
        self.problems
            .push(diagnostic.help("write a whole number and a unit: `30s`, `5m`, `72h`, `2d`"));
        None
    }

    /// A string that must be one of a few words.
    pub(crate) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let Spanned { value, span } = self.text(key)?;
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == value) {
            return Some(*found);
        }
        let all = || words.iter().map(|(word, _)| *word);
        self.problems.push(
            Diagnostic::error(
                Code::BadValue,
                format!("`{key}` cannot be `{value}`"),
                self.source,
                span,
            )
            .did_you_mean(&value, all())
            .help(format!("write {}", or_list(all()))),
        );
        None
    }

    /// A list of anything.
    pub(crate) fn list(&mut self, key: &str) -> Option<&'a [Node]> {
        let node = self.get(key)?;
        if let Kind::List(items) = &node.kind {
            Some(items)
        } else {
            self.wrong_type(node, &format!("`{key}`"), "a list");
            None
        }
    }

    /// A mapping of anything; null counts as empty.
    pub(crate) fn map(&mut self, key: &str) -> &'a [Entry] {
        match self.get(key) {
            None => &[],
            Some(Node {
                kind: Kind::Map(entries),
                ..
            }) => entries,
            Some(node) if node.is_null() => &[],
            Some(node) => {
                self.wrong_type(node, &format!("`{key}`"), "a mapping");
                &[]
            }
        }
    }

    /// Reports a name that cannot be one.
    pub(crate) fn check_name(&mut self, what: &str, name: &str, span: Span) -> bool {
        if is_name(name) {
            return true;
        }
        self.problems.push(
            Diagnostic::error(
                Code::BadName,
                format!("`{name}` cannot name {what}"),
                self.source,
                span,
            )
            .help("begin with a letter or `_`, go on with letters, digits, `_` or `-`"),
        );
        false
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.problems
            .push(wrong_type(self.source, node, what, wanted));
    }

    pub(crate) fn missing(&mut self, what: &str, key: &str, help: &str) {
        let line_end = self.source.text[self.source.floor(self.span.start)..].find('\n');
        let end = line_end.map_or(self.span.end, |length| {
            self.span.end.min(self.span.start + length)
        });
        self.problems.push(
            Diagnostic::error(
                Code::MissingKey,
                format!("{what} needs the key `{key}`"),
                self.source,
                Span::new(self.span.start, end),
            )
            .help(help),
        );
    }
}

pub(crate) fn wrong_type(
    source: &Arc<Source>,
    node: &Node,
    what: &str,
    wanted: &str,
) -> Diagnostic {
    Diagnostic::error(
        Code::WrongType,
        format!("{what} must be {wanted}"),
        source,
        node.span,
    )
    .label(format!("this is {}", node.type_name()))
}
