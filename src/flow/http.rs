//! `type: http`: the keys of a request.
//!
//! What they say is evaluated as any node's inputs are, so they become its inputs.

use indexmap::IndexMap;

use super::cursor::Cursor;
use super::expect::Expect;
use super::keys::{HTTP, METHODS};
use super::model::{InputBinding, KindDecl, Spanned};
use crate::diagnostic::{Code, Diagnostic, or_list};
use crate::value::Value;
use crate::yaml::{Kind, Node};

/// Reports what can be seen to be wrong before any value is known.
pub(super) fn check(cursor: &mut Cursor<'_, '_>, name: &Spanned<String>) -> Option<KindDecl> {
    if cursor.get("url").is_none() {
        let what = format!("the http node `{}`", name.value);
        cursor.missing(&what, "url", "add `url: https://HOST/PATH`");
    }
    if let Some(url) = cursor.text("url")
        && !url.value.starts_with("http://")
        && !url.value.starts_with("https://")
        && !is_computed(&url.value)
    {
        let problem = bad(cursor, &url, "`url` is no address of the web");
        cursor
            .problems
            .push(problem.help("begin with `https://` or `http://`"));
    }
    if let Some(method) = cursor.text("method")
        && !METHODS.contains(&method.value.as_str())
        && !is_computed(&method.value)
    {
        let problem = bad(
            cursor,
            &method,
            &format!("`method` cannot be `{}`", method.value),
        );
        cursor.problems.push(
            problem
                .did_you_mean(&method.value, METHODS)
                .help(format!("write {}", or_list(METHODS))),
        );
    }
    for key in ["headers", "query"] {
        let Some(node) = cursor.get(key) else {
            continue;
        };
        let Kind::Map(entries) = &node.kind else {
            cursor.wrong_type(node, &format!("`{key}`"), "a mapping");
            continue;
        };
        for entry in entries {
            let fits = match &entry.value.kind {
                Kind::Text(_) => true,
                Kind::Scalar(value) => !value.is_null(),
                Kind::List(_) | Kind::Map(_) => false,
            };
            if key == "headers" && !fits {
                let what = format!("the header `{}`", entry.key);
                cursor.wrong_type(&entry.value, &what, "a string");
            }
        }
    }
    expect(cursor);
    if let Some(entry) = cursor.entry("inputs") {
        cursor.problems.push(
            Diagnostic::error(
                Code::Conflict,
                format!("the http node `{}` has no `inputs`", name.value),
                cursor.source,
                entry.key_span,
            )
            .help("write values where they are sent: in `url`, `query`, `headers` and `body`"),
        );
    }
    cursor.get("url").map(|_| KindDecl::Http)
}

fn expect(cursor: &mut Cursor<'_, '_>) {
    let Some(node) = cursor.get("expect") else {
        return;
    };
    let items: &[Node] = match &node.kind {
        Kind::List(items) => items,
        _ => std::slice::from_ref(node),
    };
    let fits = |item: &Node| match &item.kind {
        Kind::Text(text) => Expect::parse([text.as_str()]).is_ok(),
        Kind::Scalar(Value::Number(number)) => number
            .as_u64()
            .is_some_and(|status| (100..600).contains(&status)),
        _ => false,
    };
    for item in items {
        if !fits(item) {
            cursor.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    "`expect` takes statuses",
                    cursor.source,
                    item.span,
                )
                .help("write `200`, `200-204`, `2xx`, or a list of such"),
            );
        }
    }
    if items.is_empty() {
        cursor.problems.push(
            Diagnostic::error(
                Code::BadValue,
                "`expect` is empty, and no answer would be a success",
                cursor.source,
                node.span,
            )
            .help("leave it out for `2xx`"),
        );
    }
}

fn is_computed(text: &str) -> bool {
    text.contains("${") || text.contains("{{")
}

fn bad(cursor: &Cursor<'_, '_>, at: &Spanned<String>, message: &str) -> Diagnostic {
    Diagnostic::error(Code::BadValue, message, cursor.source, at.span)
}

/// The keys as inputs.
pub(super) fn inputs(cursor: &mut Cursor<'_, '_>) -> IndexMap<String, InputBinding> {
    let mut inputs = IndexMap::new();
    for key in HTTP {
        let Some(entry) = cursor.entry(key) else {
            continue;
        };
        // Reported by `check`; once is enough.
        if matches!(key, "headers" | "query") && !matches!(entry.value.kind, Kind::Map(_)) {
            continue;
        }
        let binding =
            InputBinding::decode(&entry.value, entry.key_span, cursor.source, cursor.problems);
        inputs.insert(key.to_owned(), binding);
    }
    inputs
}
