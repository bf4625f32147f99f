//! The top level of a Prompt Flow file.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::input;
use super::keys;
use super::node;
use super::reference::Values;
use super::variant::{Variant, Variants};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::expr::Use;
use crate::flow::cursor::{Cursor, wrong_type};
use crate::flow::decode::order;
use crate::flow::model::{Dialect, Flow, Spanned};
use crate::yaml::{Kind, Node, Scalars};

/// Whether a file is read by these rules: by its name, unless it says otherwise.
pub(in crate::flow) fn is_prompt_flow(path: &str, root: &Node) -> bool {
    if let Kind::Map(entries) = &root.kind
        && let Some(entry) = entries.iter().find(|entry| entry.key == "dialect")
    {
        return matches!(&entry.value.kind, Kind::Text(word) if word == "promptflow");
    }
    let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
    matches!(file, "flow.dag.yaml" | "flow.dag.yml")
}

/// Reads a Prompt Flow file.
pub(in crate::flow) fn decode(
    source: &Arc<Source>,
    variant: Option<&Variant>,
    problems: &mut Diagnostics,
) -> Option<Flow> {
    // Read again, because numbers are written otherwise here.
    let root = crate::yaml::load_as(source, Scalars::Ruamel, problems)?;
    let mut cursor = Cursor::open_foreign(
        &root,
        "a Prompt Flow",
        &keys::FLOW,
        &keys::OWN_FLOW,
        source,
        problems,
    )?;
    if let Some(entry) = cursor.entry("entry") {
        cursor.problems.push(
            Diagnostic::error(
                Code::NotSupported,
                "this is a flex flow: a Python program, and no graph of nodes",
                source,
                entry.key_span,
            )
            .help("call the program by a node of `type: python` or `type: process`"),
        );
        return None;
    }
    if let Some(entry) = cursor
        .entry("tools")
        .filter(|entry| !is_empty(&entry.value))
    {
        cursor.problems.push(
            Diagnostic::error(
                Code::NotSupported,
                "`tools` is not read: tools inside the flow file, as the first preview had them",
                source,
                entry.key_span,
            )
            .help("give each node a `source: { type: code, path: FILE }`"),
        );
    }
    if let Some(language) = cursor.text("language")
        && language.value != "python"
    {
        cursor.problems.push(
            Diagnostic::error(
                Code::NotSupported,
                format!("flows in `{}` do not run here", language.value),
                source,
                language.span,
            )
            .help("only `language: python` does"),
        );
        return None;
    }
    cursor.word("dialect", &[("promptflow", ()), ("flowctl", ())]);
    let order = order(&mut cursor);
    let text = |cursor: &Cursor<'_, '_>, key: &str| match cursor.get(key).map(|node| &node.kind) {
        Some(Kind::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let name = text(&cursor, "name")
        .or_else(|| text(&cursor, "display_name"))
        .unwrap_or_else(|| folder_name(&source.path));
    let description = text(&cursor, "description").unwrap_or_default();
    let (input_entries, output_entries) = (cursor.map("inputs"), cursor.map("outputs"));
    let variants = Variants {
        source,
        all: cursor.map("node_variants"),
        chosen: variant,
    };
    let includes = includes(&mut cursor);
    let notify = crate::flow::notify::decode(&mut cursor);
    let environment = cursor
        .map("environment_variables")
        .iter()
        .map(|entry| (entry.key.clone(), entry.value.to_value()))
        .collect();
    let items = if cursor.get("nodes").is_some() {
        cursor.list("nodes").unwrap_or_default()
    } else {
        cursor.missing(
            "a Prompt Flow",
            "nodes",
            "add `nodes:` with a list of nodes",
        );
        &[]
    };
    let problems = cursor.problems;
    let nodes: Vec<Node> = items
        .iter()
        .filter_map(|item| match name_of(item) {
            Some(_) => variants.resolve(item, problems),
            // Said where it is read.
            None => Some(item.clone()),
        })
        .collect();
    if let Some(chosen) = variant
        && !nodes.iter().any(|node| name_of(node) == Some(&chosen.node))
    {
        let message = format!("there is no node `{}` to choose a variant of", chosen.node);
        let problem = Diagnostic::error(Code::UnknownNode, message, source, Span::default());
        problems.push(problem.did_you_mean(&chosen.node, nodes.iter().filter_map(name_of)));
    }
    let names: HashSet<&str> = nodes.iter().filter_map(name_of).collect();
    let values = Values {
        source,
        nodes: &names,
    };
    let chat = input_entries
        .iter()
        .any(|entry| entry.value.descend(["is_chat_input"]).to_value() == true);
    let mut inputs = IndexMap::new();
    for entry in input_entries {
        if let Some(input) = input::input(entry, chat, source, problems) {
            inputs.insert(entry.key.clone(), input);
        }
    }
    let mut decls: Vec<_> = nodes
        .iter()
        .filter_map(|item| node::decode(item, &values, problems))
        .collect();
    node::aggregate(&mut decls, source, problems);
    let aggregations: HashSet<&str> = decls
        .iter()
        .filter(|decl| decl.aggregation)
        .map(|decl| decl.name.value.as_str())
        .collect();
    let mut outputs = IndexMap::new();
    for entry in output_entries {
        let Some(output) = input::output(entry, &values, problems) else {
            continue;
        };
        let of = output.binding.uses().first().and_then(Use::node);
        if let Some(name) = of.filter(|name| aggregations.contains(name.as_str())) {
            problems.push(
                Diagnostic::warning(
                    Code::NotAvailable,
                    format!("the output `{}` is left out: `{name}` is an aggregation, which no line has", entry.key),
                    source,
                    output.span(),
                )
                .help("let it call `log_metric`; `flowctl show RUN NODE` shows what it gave"),
            );
            continue;
        }
        outputs.insert(entry.key.clone(), output);
    }
    Some(Flow {
        name,
        description,
        dialect: Dialect::PromptFlow,
        order,
        inputs,
        nodes: decls,
        outputs,
        environment,
        includes,
        notify,
        source: Arc::clone(source),
    })
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || matches!(&node.kind, Kind::List(items) if items.is_empty())
}

fn includes(cursor: &mut Cursor<'_, '_>) -> Vec<Spanned<String>> {
    if cursor.get("additional_includes").is_none_or(Node::is_null) {
        return Vec::new();
    }
    let items = cursor.list("additional_includes").unwrap_or_default();
    let mut includes = Vec::new();
    for item in items {
        if let Kind::Text(path) = &item.kind {
            includes.push(Spanned {
                value: path.clone(),
                span: item.span,
            });
        } else {
            let what = "an item of `additional_includes`";
            cursor
                .problems
                .push(wrong_type(cursor.source, item, what, "a path"));
        }
    }
    includes
}

fn name_of(node: &Node) -> Option<&str> {
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == "name")?;
    match &entry.value.kind {
        Kind::Text(name) => Some(name),
        _ => None,
    }
}

/// The folder is what names a flow whose file is always called the same.
fn folder_name(path: &str) -> String {
    let mut parts = path.rsplit(['/', '\\']).skip(1);
    match parts.next() {
        Some(folder) if !matches!(folder, "" | "." | "..") => folder.to_owned(),
        _ => "flow".to_owned(),
    }
}
