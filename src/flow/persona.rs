//! [`ModelDecl`]: the model that proposes a persona's output.

use indexmap::IndexMap;

use super::cursor::Cursor;
use super::keys;
use super::model::{InputBinding, Spanned};
use crate::diagnostic::{Code, Diagnostic};
use crate::expr::Binding;
use crate::value::Value;
use crate::yaml::Kind;

/// `model:` of a persona: a model proposes, and the persona's own code decides.
#[derive(Clone, Debug)]
pub struct ModelDecl {
    /// The connection through which it is asked.
    pub connection: Spanned<String>,
    /// The model, or the deployment.
    pub model: Spanned<String>,
    /// Parameters of the call, with the places of their names.
    pub parameters: IndexMap<String, Spanned<Value>>,
    /// What it is to do.
    pub charter: Charter,
    /// What a second answer that breaks the contract does.
    pub on_invalid: OnInvalid,
}

/// What a model is to do.
#[derive(Clone, Debug)]
pub enum Charter {
    /// A file, relative to the flow's folder.
    File(Spanned<String>),
    /// The text itself.
    Text(String),
}

impl Charter {
    /// One word, or one line that ends as names of text files do, names a file.
    fn of(text: Spanned<String>) -> Self {
        let line = text.value.trim();
        let is_file = !line.contains(char::is_whitespace)
            || !line.contains('\n') && (line.ends_with(".md") || line.ends_with(".txt"));
        if is_file {
            Self::File(Spanned {
                value: line.to_owned(),
                ..text
            })
        } else {
            Self::Text(text.value)
        }
    }
}

/// What a second answer that breaks the contract does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// The node fails.
    #[default]
    Fail,
    /// What the persona's own code gave is taken.
    Draft,
}

impl OnInvalid {
    /// Every way by its word.
    pub const WORDS: [(&'static str, Self); 2] = [("fail", Self::Fail), ("draft", Self::Draft)];

    /// The word that a flow file writes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Draft => "draft",
        }
    }
}

/// Reads `model:`, if there is one that can be read.
pub(super) fn model(cursor: &mut Cursor<'_, '_>) -> Option<Box<ModelDecl>> {
    let entry = cursor.entry("model")?;
    let mut inner = Cursor::open(
        &entry.value,
        "`model`",
        &[keys::MODEL],
        cursor.source,
        cursor.problems,
    )?;
    for (key, help) in [
        (
            "connection",
            "add `connection: NAME`; `flowctl connection list` shows which there are",
        ),
        (
            "charter",
            "add `charter: FILE.md`, or the text itself: what the model is to do",
        ),
    ] {
        if inner.get(key).is_none() {
            inner.missing("`model`", key, help);
        }
    }
    let connection = text(&mut inner, "connection");
    let charter = text(&mut inner, "charter").map(Charter::of);
    let model = text(&mut inner, "model");
    let deployment = text(&mut inner, "deployment");
    let neither = inner.get("model").is_none() && inner.get("deployment").is_none();
    if neither {
        inner.missing(
            "`model`",
            "model",
            "add `model: NAME` or `deployment: NAME`",
        );
    }
    if let (Some(_), Some(deployment)) = (&model, &deployment) {
        inner.problems.push(
            Diagnostic::error(
                Code::Conflict,
                "`model` and `deployment` are two names for the same thing",
                inner.source,
                deployment.span,
            )
            .help("keep one of them"),
        );
    }
    let on_invalid = inner.word("on_invalid", &OnInvalid::WORDS);
    let parameters = parameters(&mut inner);
    Some(Box::new(ModelDecl {
        connection: connection?,
        model: model.or(deployment)?,
        parameters,
        charter: charter?,
        on_invalid: on_invalid.unwrap_or_default(),
    }))
}

/// A text that says something.
fn text(cursor: &mut Cursor<'_, '_>, key: &str) -> Option<Spanned<String>> {
    let text = cursor.text(key)?;
    if text.value.trim().is_empty() {
        let message = format!("`{key}` is empty");
        let problem = Diagnostic::error(Code::BadValue, message, cursor.source, text.span);
        cursor.problems.push(problem.help("write what it is to be"));
        return None;
    }
    Some(text)
}

fn parameters(cursor: &mut Cursor<'_, '_>) -> IndexMap<String, Spanned<Value>> {
    let mut parameters = IndexMap::new();
    let Some(node) = cursor.get("parameters") else {
        return parameters;
    };
    let Kind::Map(entries) = &node.kind else {
        cursor.wrong_type(node, "`parameters`", "a mapping");
        return parameters;
    };
    for entry in entries {
        let source = cursor.source;
        let read = InputBinding::decode(&entry.value, entry.key_span, source, cursor.problems);
        if let Binding::Literal(value) = read.binding {
            let span = entry.key_span;
            parameters.insert(entry.key.clone(), Spanned { value, span });
        } else {
            let message = format!("the parameter `{}` is no plain value", entry.key);
            cursor.problems.push(
                Diagnostic::error(Code::BadValue, message, source, entry.value.span)
                    .help("write the value itself: how a model is asked is known before the run"),
            );
        }
    }
    parameters
}
