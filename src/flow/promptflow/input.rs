//! Inputs and outputs of a Prompt Flow file.

use std::sync::Arc;

use serde_json::json;

use super::keys;
use super::reference::{Values, is_reference};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::flow::cursor::Cursor;
use crate::flow::input::{InputDecl, InputType, not_a_mapping};
use crate::flow::model::InputBinding;
use crate::port::Schema;
use crate::python_value;
use crate::value::Value;
use crate::yaml::{Entry, Kind};

/// Reads an input.
pub(super) fn input(
    entry: &Entry,
    chat: bool,
    source: &Arc<Source>,
    problems: &mut Diagnostics,
) -> Option<InputDecl> {
    if !matches!(entry.value.kind, Kind::Map(_)) {
        problems.push(not_a_mapping(entry, source));
        return None;
    }
    let what = format!("the input `{}`", entry.key);
    let mut cursor =
        Cursor::open_foreign(&entry.value, &what, &keys::INPUT, &[], source, problems)?;
    let kind = kind(&mut cursor, &what)?;
    let description = cursor
        .text("description")
        .map(|text| text.value)
        .unwrap_or_default();
    let history = cursor
        .get("is_chat_history")
        .is_some_and(|node| node.to_value() == true)
        || chat && entry.key == "chat_history";
    let default = cursor
        .get("default")
        .map(crate::yaml::Node::to_value)
        .filter(|value| !value.is_null())
        .or_else(|| history.then(|| json!([])));
    if let Some(value) = &default
        && let Err(reason) = kind.coerce(value)
        && let Some(node) = cursor.get("default")
    {
        // An error only for whoever leaves the input out, as in Prompt Flow.
        let problem = Diagnostic::warning(
            Code::BadDefault,
            format!(
                "the default of `{}` does not fit its declaration",
                entry.key
            ),
            source,
            node.span,
        );
        cursor.problems.push(
            problem
                .label(reason)
                .also(source, entry.key_span, "declared here"),
        );
    }
    let schema = json!(true);
    Some(InputDecl {
        input_type: match kind {
            python_value::Kind::Int => InputType::Integer,
            python_value::Kind::Double => InputType::Number,
            python_value::Kind::Bool => InputType::Boolean,
            python_value::Kind::List => InputType::List,
            python_value::Kind::Object => InputType::Object,
            _ => InputType::String,
        },
        kind: Some(kind),
        default,
        description,
        compiled: Arc::new(Schema::compile(&schema).expect("`true` is a schema")),
        schema,
        reads: None,
        key_span: entry.key_span,
    })
}

fn kind(cursor: &mut Cursor<'_, '_>, what: &str) -> Option<python_value::Kind> {
    if cursor.get("type").is_none() {
        cursor.missing(
            what,
            "type",
            "add `type: string` (or int, double, bool, list, object)",
        );
        return None;
    }
    cursor.word("type", &python_value::Kind::WORDS)
}

/// Reads an output; its type is checked to be one, and means nothing else.
pub(super) fn output(
    entry: &Entry,
    values: &Values<'_>,
    problems: &mut Diagnostics,
) -> Option<InputBinding> {
    let what = format!("the output `{}`", entry.key);
    let source = values.source;
    let mut cursor =
        Cursor::open_foreign(&entry.value, &what, &keys::OUTPUT, &[], source, problems)?;
    kind(&mut cursor, &what)?;
    let help = "add `reference: ${NODE.output}`";
    let Some(node) = cursor.get("reference") else {
        cursor.missing(&what, "reference", help);
        return None;
    };
    if !is_reference(node) {
        let shown = node.to_value();
        let message = if shown.is_null() || shown == Value::String(String::new()) {
            format!("{what} refers to nothing")
        } else {
            format!("{what} must refer to a node or an input")
        };
        let problem = Diagnostic::error(Code::BadValue, message, source, node.span);
        cursor
            .problems
            .push(problem.help("write `reference: ${NODE.output}`"));
        return None;
    }
    let binding = values.binding(node, cursor.problems);
    Some(InputBinding::new(binding, entry.key_span, node))
}
