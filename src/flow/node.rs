//! [`NodeDecl::decode`]: one node of a flow file.

use std::sync::Arc;

use indexmap::IndexMap;

use super::cursor::{Cursor, wrong_type};
use super::keys::{self, LATER_KINDS, NEAR_KINDS};
use super::model::{InputBinding, KindDecl, NodeDecl, ProcessDecl, ProcessOutput, Spanned};
use super::policy;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, or_list};
use crate::expr::{Binding, Template};
use crate::id::NodeName;
use crate::value::Value;
use crate::yaml::{Kind, Node};

/// Which keys only one kind of node has.
const KIND_KEYS: [(&str, &str); 14] = [
    ("persona", "persona"),
    ("persona", "model"),
    ("skill", "skill"),
    ("flow", "flow"),
    ("process", "command"),
    ("process", "cwd"),
    ("process", "env"),
    ("process", "output"),
    ("http", "method"),
    ("http", "url"),
    ("http", "query"),
    ("http", "headers"),
    ("http", "body"),
    ("http", "expect"),
];

impl NodeDecl {
    /// Reads a node; `None` when it has no usable name or kind.
    pub(super) fn decode(
        node: &Node,
        source: &Arc<Source>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let mut cursor = Cursor::open(node, "a node", &[keys::NODE], source, problems)?;
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
        cursor.check_name("a node", &name.value, name.span);
        cursor.text("description");
        let kind = kind(&mut cursor, &name);
        let after = after(&mut cursor);
        let mut inputs = IndexMap::new();
        for entry in cursor.map("inputs") {
            let binding =
                InputBinding::decode(&entry.value, entry.key_span, source, cursor.problems);
            inputs.insert(entry.key.clone(), binding);
        }
        if matches!(kind, Some(KindDecl::Http)) {
            inputs = super::http::inputs(&mut cursor);
        }
        let when = when(&mut cursor);
        let foreach = cursor
            .entry("foreach")
            .and_then(|entry| match &entry.value.kind {
                Kind::Text(_) | Kind::List(_) => Some(InputBinding::decode(
                    &entry.value,
                    entry.key_span,
                    source,
                    cursor.problems,
                )),
                _ => {
                    cursor.problems.push(
                        wrong_type(
                            source,
                            &entry.value,
                            "`foreach`",
                            "a list or a reference to one",
                        )
                        .help("write `foreach: ${NODE.output.PORT}`"),
                    );
                    None
                }
            });
        let cache = cursor.boolean("cache").filter(|cache| *cache);
        let cache = cache.and_then(|_| Some(cursor.entry("cache")?.key_span));
        let decl = Self {
            span: node.span,
            after,
            inputs,
            when,
            activate: policy::activate(&mut cursor),
            foreach,
            retry: policy::retry(&mut cursor),
            timeout: cursor.duration("timeout"),
            approval: policy::approval(&mut cursor),
            on_error: policy::on_error(&mut cursor),
            evidence: cursor.boolean("evidence"),
            cache,
            aggregation: false,
            worker_pool: worker_pool(&mut cursor),
            kind: kind?,
            name: Spanned {
                value: NodeName::from(&name.value),
                span: name.span,
            },
        };
        decl.conflicts(node, source, problems);
        Some(decl)
    }

    fn conflicts(&self, node: &Node, source: &Arc<Source>, problems: &mut Diagnostics) {
        let Kind::Map(entries) = &node.kind else {
            return;
        };
        let word = self.kind.word();
        for (kind, key) in KIND_KEYS {
            if kind != word
                && let Some(entry) = entries.iter().find(|entry| entry.key == key)
            {
                problems.push(
                    Diagnostic::error(
                        Code::Conflict,
                        format!("`{key}` belongs to nodes of `type: {kind}`, and `{}` is of type `{word}`", self.name.value),
                        source,
                        entry.key_span,
                    )
                    .help(format!("remove `{key}`, or write `type: {kind}`")),
                );
            }
        }
        let pairs = [(
            "when",
            "activate",
            self.when.is_some() && self.activate.is_some(),
        )];
        for (one, other, both) in pairs {
            if both && let Some(entry) = entries.iter().find(|entry| entry.key == other) {
                problems.push(
                    Diagnostic::error(
                        Code::Conflict,
                        format!("`{one}` and `{other}` exclude each other"),
                        source,
                        entry.key_span,
                    )
                    .help(format!("keep `{one}`")),
                );
            }
        }
        if matches!(self.kind, KindDecl::Approval) {
            for key in ["retry", "timeout", "foreach", "cache", "worker_pool"] {
                if let Some(entry) = entries.iter().find(|entry| entry.key == key) {
                    let help = if key == "timeout" {
                        "the time that a gate waits is `approval: { timeout: 72h }`"
                    } else {
                        "remove it: a gate runs nothing"
                    };
                    problems.push(
                        Diagnostic::error(
                            Code::Conflict,
                            format!("a gate has no `{key}`"),
                            source,
                            entry.key_span,
                        )
                        .help(help),
                    );
                }
            }
        }
    }
}

/// The nodes that must have ended before.
pub(super) fn after(cursor: &mut Cursor<'_, '_>) -> Vec<Spanned<NodeName>> {
    let items = cursor
        .get("after")
        .and_then(|_| cursor.list("after"))
        .unwrap_or_default();
    let mut after = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Kind::Text(text) = &item.kind {
            after.push(Spanned {
                value: NodeName::from(text),
                span: item.span,
            });
        } else {
            cursor.wrong_type(item, &format!("item {index} of `after`"), "a node's name");
        }
    }
    after
}

pub(super) fn kind(cursor: &mut Cursor<'_, '_>, name: &Spanned<String>) -> Option<KindDecl> {
    let tool = cursor.text("tool");
    let Some(node) = cursor.get("type") else {
        if let Some(tool) = tool {
            return Some(KindDecl::Tool(tool));
        }
        let what = format!("the node `{}`", name.value);
        cursor.missing(
            &what,
            "type",
            &format!("add `type:` with {}", or_list(NEAR_KINDS)),
        );
        return None;
    };
    let Kind::Text(word) = &node.kind else {
        cursor.wrong_type(node, "`type`", "a string");
        return None;
    };
    // `tool:` beside `type: persona|skill` picks the function directly.
    if let (Some(tool), "persona" | "skill") = (&tool, word.as_str()) {
        return Some(KindDecl::Tool(tool.clone()));
    }
    if let Some(tool) = &tool {
        let help = "remove `tool` or `type`";
        cursor.problems.push(
            Diagnostic::error(
                Code::Conflict,
                format!("a node of `type: {word}` picks no `tool`"),
                cursor.source,
                tool.span,
            )
            .help(help),
        );
    }
    let named =
        |cursor: &mut Cursor<'_, '_>, key: &str| cursor.text(key).unwrap_or_else(|| name.clone());
    match word.as_str() {
        "persona" => {
            let name = named(cursor, "persona");
            Some(KindDecl::Persona(name, super::persona::model(cursor)))
        }
        "skill" => Some(KindDecl::Skill(named(cursor, "skill"))),
        "approval" => Some(KindDecl::Approval),
        "process" => process(cursor, name),
        "http" => super::http::check(cursor, name),
        "flow" => {
            let path = cursor.text("flow");
            if cursor.get("flow").is_none() {
                cursor.missing(
                    &format!("the sub-flow node `{}`", name.value),
                    "flow",
                    "add `flow: FILE.yaml`, relative to this file",
                );
            }
            path.map(KindDecl::Flow)
        }
        later if LATER_KINDS.contains(&later) => {
            cursor.problems.push(
                Diagnostic::error(
                    Code::NotSupported,
                    format!("nodes of `type: {later}` do not run in this version"),
                    cursor.source,
                    node.span,
                )
                .help("a `type: process` node can run any command, also Python"),
            );
            None
        }
        other => {
            cursor.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    format!("there is no node type `{other}`"),
                    cursor.source,
                    node.span,
                )
                .did_you_mean(other, NEAR_KINDS)
                .help(format!("the types are {}", or_list(NEAR_KINDS))),
            );
            None
        }
    }
}

fn process(cursor: &mut Cursor<'_, '_>, name: &Spanned<String>) -> Option<KindDecl> {
    let source = cursor.source;
    if cursor.get("command").is_none() {
        let what = format!("the process node `{}`", name.value);
        cursor.missing(&what, "command", "add `command: [program, argument, …]`");
    } else if let Some(Node {
        kind: Kind::Text(text),
        ..
    }) = cursor.get("command")
    {
        let node = cursor.get("command").expect("it was just found");
        let words = text.split_whitespace().collect::<Vec<_>>().join(", ");
        cursor.problems.push(
            wrong_type(source, node, "`command`", "a list")
                .help(format!("no shell splits it; write `command: [{words}]`")),
        );
        return None;
    }
    let items = cursor.list("command").unwrap_or_default();
    if items.is_empty()
        && let Some(node) = cursor
            .get("command")
            .filter(|node| matches!(node.kind, Kind::List(_)))
    {
        cursor.problems.push(
            Diagnostic::error(Code::BadValue, "`command` is empty", source, node.span)
                .help("the first item is the program"),
        );
        return None;
    }
    let mut command = Vec::new();
    for item in items {
        command.push(argument(item, "an item of `command`", cursor)?);
    }
    let cwd = match cursor.get("cwd") {
        Some(node) => Some(
            argument(node, "`cwd`", cursor)
                .filter(|_| matches!(node.kind, Kind::Text(_)))
                .or_else(|| {
                    cursor.wrong_type(node, "`cwd`", "a string");
                    None
                })?,
        ),
        None => None,
    };
    let mut env = IndexMap::new();
    if cursor.get("env").is_some_and(Node::is_null) {
        let node = cursor.get("env").expect("it was just found");
        cursor.wrong_type(node, "`env`", "a mapping");
    }
    for entry in cursor.map("env") {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            cursor.problems.push(Diagnostic::error(
                Code::BadName,
                format!("`{}` cannot name a variable", entry.key.escape_debug()),
                source,
                entry.key_span,
            ));
        }
        env.insert(
            entry.key.clone(),
            argument(&entry.value, "a variable of `env`", cursor)?,
        );
    }
    let output = cursor
        .word(
            "output",
            &[("text", ProcessOutput::Text), ("json", ProcessOutput::Json)],
        )
        .unwrap_or_default();
    (!command.is_empty()).then_some(KindDecl::Process(ProcessDecl {
        command,
        cwd,
        env,
        output,
    }))
}

/// A string, or a scalar that is written as one.
fn argument(node: &Node, what: &str, cursor: &mut Cursor<'_, '_>) -> Option<Binding> {
    match &node.kind {
        Kind::Text(_) => Some(Binding::compile(node, cursor.source, cursor.problems)),
        Kind::Scalar(value) if !value.is_null() => {
            Some(Binding::Literal(Value::String(value.to_string())))
        }
        _ => {
            cursor.wrong_type(node, what, "a string");
            None
        }
    }
}

pub(super) fn when(cursor: &mut Cursor<'_, '_>) -> Option<Template> {
    let node = cursor.get("when")?;
    let text = match &node.kind {
        Kind::Text(text) => text.clone(),
        Kind::Scalar(Value::Bool(value)) => value.to_string(),
        _ => {
            cursor.wrong_type(node, "`when`", "a tera expression");
            return None;
        }
    };
    let source = cursor.source;
    for (open, help) in [
        ("{{", "write the expression without `{{` and `}}`"),
        (
            "${",
            "write the name without `${` and `}`: `when: QA.output.score > 3`",
        ),
    ] {
        if let Some(at) = text.find(open) {
            cursor.problems.push(
                Diagnostic::error(
                    Code::BadTemplate,
                    "`when` takes a bare tera expression",
                    source,
                    node.locate(source, at, at + open.len()),
                )
                .help(help),
            );
            return None;
        }
    }
    match Template::condition(text.trim()) {
        Ok(template) => Some(template.at(node.span)),
        Err(problem) => {
            let shift = text.len() - text.trim_start().len();
            let end = (problem.end.max(problem.start + 1) + shift).min(text.len());
            let start = (problem.start + shift).min(end.saturating_sub(1));
            cursor.problems.push(Diagnostic::error(
                Code::BadTemplate,
                problem.message,
                source,
                node.locate(source, source_floor(&text, start), source_ceil(&text, end)),
            ));
            None
        }
    }
}

fn source_floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

fn source_ceil(text: &str, at: usize) -> usize {
    text.ceil_char_boundary(at)
}

/// The pool of workers that runs a node.
pub(super) fn worker_pool(cursor: &mut Cursor<'_, '_>) -> Option<String> {
    let Spanned { value, span } = cursor.text("worker_pool")?;
    cursor
        .check_name("a pool of workers", &value, span)
        .then_some(value)
}
