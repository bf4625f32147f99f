//! Nodes of a Prompt Flow file.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::keys;
use super::reference::Values;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::expr::{Binding, Head, Use};
use crate::flow::cursor::Cursor;
use crate::flow::keys::NEAR_KINDS;
use crate::flow::model::{
    Activate, CodeDecl, CodeKind, CodeSource, InputBinding, KindDecl, NodeDecl, OnError, Spanned,
};
use crate::flow::node::{after, kind as own_kind, when, worker_pool};
use crate::flow::policy;
use crate::id::NodeName;
use crate::yaml::{Kind, Node};

/// Reads a node; `None` when it has no usable name or kind.
pub(super) fn decode(
    node: &Node,
    values: &Values<'_>,
    problems: &mut Diagnostics,
) -> Option<NodeDecl> {
    let source = values.source;
    let mut cursor = Cursor::open_foreign(
        node,
        "a node",
        &keys::NODE,
        &keys::OWN_NODE,
        source,
        problems,
    )?;
    let Some(name) = cursor.text("name") else {
        if cursor.get("name").is_none() {
            cursor.missing(
                "a node",
                "name",
                "add `name: NAME`; references name the node by it",
            );
        }
        return None;
    };
    check_name(&mut cursor, &name);
    let kind = kind(&mut cursor, &name);
    let mut inputs = IndexMap::new();
    for entry in cursor.map("inputs") {
        let binding = values.binding(&entry.value, cursor.problems);
        let input = InputBinding::new(binding, entry.key_span, &entry.value);
        inputs.insert(entry.key.clone(), input);
    }
    let foreach = cursor.entry("foreach").map(|entry| {
        let binding = values.binding(&entry.value, cursor.problems);
        InputBinding::new(binding, entry.key_span, &entry.value)
    });
    for (key, help) in [
        (
            "enable_cache",
            "Prompt Flow reads it and does nothing, either; `cache: true` keeps the results of pure tools",
        ),
        (
            "skip",
            "Prompt Flow does not read it any more, either; write `activate` or `when`",
        ),
    ] {
        if let Some(entry) = cursor.entry(key) {
            let message = format!("`{key}` does nothing");
            let problem = Diagnostic::warning(Code::UnknownKey, message, source, entry.key_span);
            cursor.problems.push(problem.help(help));
        }
    }
    let aggregation = ["aggregation", "reduce"]
        .iter()
        .any(|key| cursor.get(key).is_some_and(|node| node.to_value() == true));
    let on_error = match cursor.get("on_error") {
        // What is said about all lines must not undo the lines.
        None if aggregation => OnError::Continue,
        _ => policy::on_error(&mut cursor),
    };
    let cache = cursor.boolean("cache").filter(|cache| *cache);
    let cache = cache.and_then(|_| Some(cursor.entry("cache")?.key_span));
    Some(NodeDecl {
        span: node.span,
        after: after(&mut cursor),
        inputs,
        when: when(&mut cursor),
        activate: activate(&mut cursor, values),
        foreach,
        retry: policy::retry(&mut cursor),
        timeout: cursor.duration("timeout"),
        approval: policy::approval(&mut cursor),
        on_error,
        evidence: cursor.boolean("evidence"),
        cache,
        aggregation,
        worker_pool: worker_pool(&mut cursor),
        kind: kind?,
        name: Spanned {
            value: NodeName::from(&name.value),
            span: name.span,
        },
    })
}

/// Names may hold spaces and begin with digits; `.` ends them in references, and the rest is what
/// paths of nodes are made of.
fn check_name(cursor: &mut Cursor<'_, '_>, name: &Spanned<String>) {
    let wrong = |c: char| matches!(c, '/' | '[' | ']') || c.is_control();
    if name.value.is_empty() || name.value.contains(wrong) {
        cursor.problems.push(
            Diagnostic::error(
                Code::BadName,
                format!("`{}` cannot name a node", name.value.escape_debug()),
                cursor.source,
                name.span,
            )
            .help("leave out `/`, `[`, `]` and control characters"),
        );
    } else if name.value.contains('.') || matches!(name.value.as_str(), "inputs" | "flow") {
        cursor.problems.push(
            Diagnostic::warning(
                Code::BadName,
                format!("no reference can name the node `{}`", name.value),
                cursor.source,
                name.span,
            )
            .help("rename it, if anything is to read its output"),
        );
    }
}

fn activate(cursor: &mut Cursor<'_, '_>, values: &Values<'_>) -> Option<Activate> {
    let node = cursor.get("activate")?;
    let source = values.source;
    let inner = &mut Cursor::open_foreign(
        node,
        "`activate`",
        &["when", "is"],
        &[],
        source,
        cursor.problems,
    )?;
    for key in ["when", "is"] {
        if inner.get(key).is_none() {
            let help = "write `activate: { when: ${NODE.output}, is: VALUE }`";
            inner.missing("`activate`", key, help);
        }
    }
    let (when, is) = (inner.get("when")?, inner.get("is")?);
    if when.is_null() && is.is_null() {
        let message = "`activate` compares null with null: the node always runs";
        let problem = Diagnostic::warning(Code::BadValue, message, source, when.span);
        inner.problems.push(problem.help("remove `activate`"));
    }
    Some(Activate {
        when: values.binding(when, inner.problems),
        is: is.to_value(),
    })
}

fn kind(cursor: &mut Cursor<'_, '_>, name: &Spanned<String>) -> Option<KindDecl> {
    let node = match cursor.get("type") {
        Some(node) if !node.is_null() => node,
        _ => {
            let what = format!("the node `{}`", name.value);
            cursor.missing(&what, "type", "add `type: python`, `prompt` or `llm`");
            return None;
        }
    };
    let Kind::Text(word) = &node.kind else {
        cursor.wrong_type(node, "`type`", "a string");
        return None;
    };
    if NEAR_KINDS.contains(&word.as_str()) && CodeKind::parse(word).is_none() {
        return own_kind(cursor, name);
    }
    let Some(kind) = CodeKind::parse(word) else {
        let all = || {
            let code = CodeKind::WORDS.iter().map(|(word, _)| *word);
            code.chain(NEAR_KINDS)
        };
        cursor.problems.push(
            Diagnostic::error(
                Code::BadValue,
                format!("there is no node type `{word}`"),
                cursor.source,
                node.span,
            )
            .did_you_mean(word, all())
            .help(format!(
                "the types are {}",
                crate::diagnostic::or_list(all())
            )),
        );
        return None;
    };
    if let Some(entry) = cursor.entry("model") {
        let message = "`model` belongs to nodes of `type: persona`, and is not read here";
        let problem = Diagnostic::warning(Code::UnknownKey, message, cursor.source, entry.key_span);
        let help = "the model of an LLM node is one of its inputs: `inputs: { model: NAME }`";
        cursor.problems.push(problem.help(help));
    }
    code(cursor, kind, name).map(|code| KindDecl::Code(Box::new(code)))
}

/// Reads the keys of a node whose work is code or a template.
fn code(cursor: &mut Cursor<'_, '_>, kind: CodeKind, name: &Spanned<String>) -> Option<CodeDecl> {
    let what = format!("the node `{}`", name.value);
    let help = "add `source: { type: code, path: FILE }`";
    let Some(node) = cursor.get("source").filter(|node| !node.is_null()) else {
        cursor.missing(&what, "source", help);
        return None;
    };
    let text = |cursor: &mut Cursor<'_, '_>, key: &str| {
        cursor
            .get(key)
            .filter(|node| !node.is_null())
            .and_then(|_| cursor.text(key))
    };
    let (connection, api, module) = (
        text(cursor, "connection").filter(|text| !text.value.is_empty()),
        text(cursor, "api"),
        text(cursor, "module"),
    );
    let source = cursor.source;
    let inner = &mut Cursor::open_foreign(
        node,
        "`source`",
        &keys::SOURCE,
        &[],
        source,
        cursor.problems,
    )?;
    let packaged = match inner.get("type") {
        None => Some((false, false)),
        Some(_) => inner.word(
            "type",
            &[
                ("code", (false, false)),
                ("package", (true, false)),
                ("package_with_prompt", (true, true)),
            ],
        ),
    };
    let (packaged, with_prompt) = packaged?;
    let mut named = |key: &str| {
        let found = text(inner, key);
        if found.is_none() && inner.get(key).is_none_or(Node::is_null) {
            inner.missing("`source`", key, &format!("add `{key}:`"));
        }
        found
    };
    let source = if packaged {
        let tool = named("tool")?;
        let path = if with_prompt {
            Some(named("path")?)
        } else {
            None
        };
        CodeSource::Package { tool, path }
    } else {
        CodeSource::File(named("path")?)
    };
    Some(CodeDecl {
        kind,
        source,
        connection,
        api,
        module,
    })
}

/// Lets aggregations read lists: of one line each, as long as there are no more. Says which
/// references there cannot be.
pub(super) fn aggregate(nodes: &mut [NodeDecl], source: &Arc<Source>, problems: &mut Diagnostics) {
    let aggregations: HashSet<NodeName> = nodes
        .iter()
        .filter(|node| node.aggregation)
        .map(|node| node.name.value.clone())
        .collect();
    if aggregations.is_empty() {
        return;
    }
    let mut refuse = |span, message: String, help: &str| {
        problems.push(
            Diagnostic::error(Code::NotAvailable, message, source, span).help(help.to_owned()),
        );
    };
    for node in nodes {
        let name = node.name.value.clone();
        if !node.aggregation {
            for (used, _) in node.uses() {
                if let Some(of) = used.node().filter(|of| aggregations.contains(of)) {
                    let message = format!(
                        "`{name}` runs once a line, and `{of}` is an aggregation, which comes after all lines"
                    );
                    refuse(
                        used.span(),
                        message,
                        "let an aggregation read it: `aggregation: true`",
                    );
                }
            }
            continue;
        }
        let of_lines = |used: &Use<'_>| match used {
            Use::Reference(reference) => match &reference.head {
                Head::Input(_) => true,
                Head::Output(of) => !aggregations.contains(of),
                _ => false,
            },
            _ => false,
        };
        if let Some(activate) = &mut node.activate {
            let uses = activate.when.uses();
            let from_node = uses
                .iter()
                .find(|used| of_lines(used) && used.node().is_some());
            if let Some(used) = from_node {
                let message = format!(
                    "`{name}` is an aggregation: it cannot be activated by the value of one line"
                );
                refuse(used.span(), message, "decide inside the aggregation");
            }
            if uses.iter().any(of_lines) {
                let when = std::mem::replace(&mut activate.when, Binding::List(Vec::new()));
                activate.when = Binding::List(vec![when]);
            }
        }
        for input in node.inputs.values_mut() {
            if input.binding.uses().iter().any(of_lines) {
                let binding = std::mem::replace(&mut input.binding, Binding::List(Vec::new()));
                input.binding = Binding::List(vec![binding]);
            }
        }
    }
}
