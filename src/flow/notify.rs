//! `notify:`: whom to tell when a run pauses or ends.

use indexmap::IndexMap;

use super::cursor::{Cursor, wrong_type};
use super::keys;
use super::model::{Moment, NotifyDecl, NotifyTarget};
use crate::diagnostic::{Code, Diagnostic};
use crate::expr::{Binding, Head, Use};
use crate::yaml::{Kind, Node};

/// The moments by their words.
pub(super) const MOMENTS: [(&str, Moment); 5] = [
    ("paused", Moment::Paused),
    ("succeeded", Moment::Succeeded),
    ("failed", Moment::Failed),
    ("rejected", Moment::Rejected),
    ("cancelled", Moment::Cancelled),
];

impl Moment {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = MOMENTS.iter().find(|(_, moment)| *moment == self);
        found.map_or("paused", |(word, _)| word)
    }
}

/// Reads the list.
pub(super) fn decode(cursor: &mut Cursor<'_, '_>) -> Vec<NotifyDecl> {
    if cursor.get("notify").is_none() {
        return Vec::new();
    }
    let (source, items) = (cursor.source, cursor.list("notify").unwrap_or_default());
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let what = "an item of `notify`";
        let inner = Cursor::open(item, what, &[keys::NOTIFY], source, cursor.problems);
        let Some(mut inner) = inner else { continue };
        let on = moments(&mut inner);
        if let (Some(on), Some(to)) = (on, target(&mut inner)) {
            found.push(NotifyDecl {
                on,
                to,
                span: item.span,
            });
        }
    }
    found
}

fn moments(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Moment>> {
    let words = || MOMENTS.iter().map(|(word, _)| *word);
    let Some(node) = cursor.get("on") else {
        cursor.missing(
            "an item of `notify`",
            "on",
            "say when: `on: [paused, failed]`",
        );
        return None;
    };
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let nothing = "`on` is empty, so nobody is ever told";
        let problem = Diagnostic::error(Code::BadValue, nothing, cursor.source, node.span);
        cursor.problems.push(problem.help("write `on: [paused]`"));
        return None;
    }
    let mut on = Vec::new();
    for item in items {
        let Kind::Text(word) = &item.kind else {
            cursor.wrong_type(item, "`on`", "a word or a list of words");
            continue;
        };
        match MOMENTS.iter().find(|(known, _)| known == word) {
            Some((_, moment)) => on.push(*moment),
            None => cursor.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    format!("`on` cannot be `{word}`"),
                    cursor.source,
                    item.span,
                )
                .did_you_mean(word, words())
                .help(format!("write {}", crate::diagnostic::or_list(words()))),
            ),
        }
    }
    Some(on)
}

fn target(cursor: &mut Cursor<'_, '_>) -> Option<NotifyTarget> {
    let source = cursor.source;
    let other = ["url", "headers"]
        .into_iter()
        .find_map(|key| cursor.entry(key));
    if cursor.get("command").is_some() {
        if let Some(other) = other {
            let message = format!("`{}` and `command` exclude each other", other.key);
            let problem = Diagnostic::error(Code::Conflict, message, source, other.key_span);
            cursor
                .problems
                .push(problem.help("make two items of `notify` of it"));
        }
        return command(cursor);
    }
    let Some(node) = cursor.get("url") else {
        cursor.missing(
            "an item of `notify`",
            "command` or `url",
            "say whom: `command: [PROGRAM, …]` or `url: https://HOST/PATH`",
        );
        return None;
    };
    let text = cursor.text("url")?;
    let computed = text.value.contains("${") || text.value.contains("{{");
    let is_web = text.value.starts_with("https://") || text.value.starts_with("http://");
    if !is_web && !computed {
        let message = "`url` is no address of the web";
        let problem = Diagnostic::error(Code::BadValue, message, source, node.span);
        cursor
            .problems
            .push(problem.help("begin with `https://` or `http://`"));
    }
    let url = bound(node, cursor);
    let mut headers = IndexMap::new();
    if cursor.get("headers").is_some_and(Node::is_null) {
        let node = cursor.get("headers").expect("it was just found");
        cursor.wrong_type(node, "`headers`", "a mapping");
    }
    for entry in cursor.map("headers") {
        let value = word(&entry.value, &format!("the header `{}`", entry.key), cursor)?;
        headers.insert(entry.key.clone(), value);
    }
    Some(NotifyTarget::Post { url, headers })
}

fn command(cursor: &mut Cursor<'_, '_>) -> Option<NotifyTarget> {
    let source = cursor.source;
    let node = cursor.get("command")?;
    if let Kind::Text(text) = &node.kind {
        let words = text.split_whitespace().collect::<Vec<_>>().join(", ");
        let problem = wrong_type(source, node, "`command`", "a list")
            .help(format!("no shell splits it; write `command: [{words}]`"));
        cursor.problems.push(problem);
        return None;
    }
    let items = cursor.list("command")?;
    if items.is_empty() {
        let problem = Diagnostic::error(Code::BadValue, "`command` is empty", source, node.span);
        cursor
            .problems
            .push(problem.help("the first item is the program"));
        return None;
    }
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        words.push(word(item, "an item of `command`", cursor)?);
    }
    Some(NotifyTarget::Command(words))
}

/// A text, or what is one when it is written out.
fn word(node: &Node, what: &str, cursor: &mut Cursor<'_, '_>) -> Option<Binding> {
    let fits = match &node.kind {
        Kind::Text(_) => true,
        Kind::Scalar(value) => !value.is_null(),
        Kind::List(_) | Kind::Map(_) => false,
    };
    if !fits {
        cursor.wrong_type(node, what, "a string");
        return None;
    }
    Some(bound(node, cursor))
}

/// An expression over what a notification may say: secrets, variables, and the run's id.
fn bound(node: &Node, cursor: &mut Cursor<'_, '_>) -> Binding {
    let binding = Binding::compile(node, cursor.source, cursor.problems);
    for used in binding.uses() {
        let (what, knows) = match &used {
            Use::Reference(reference) => (
                reference.head.to_string(),
                matches!(reference.head, Head::Secret(_) | Head::Env(_) | Head::RunId),
            ),
            Use::Root(root, _) => (
                (*root).to_owned(),
                matches!(*root, "env" | "run" | "loop" | "__tera_context"),
            ),
            Use::Node(..) => (
                used.node()
                    .map_or_else(String::new, |node| node.to_string()),
                false,
            ),
        };
        if !knows {
            let message = format!("`{what}` is not told to others by `notify`");
            let problem =
                Diagnostic::error(Code::NotAvailable, message, cursor.source, used.span());
            cursor.problems.push(problem.help(
                "name `${secrets.NAME}`, `${env.NAME}` or `${run.id}`; what is told besides is in docs/notify.md",
            ));
        }
    }
    binding
}
