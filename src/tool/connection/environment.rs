//! Connections, and single fields, from environment variables: Prompt Flow's serving has them so.

use std::sync::Arc;

use serde_json::json;

use super::declared::{Declared, decode, words};
use super::found::Connections;
use super::kind::Kind;
use super::problem::ConnectionProblem;
use crate::diagnostic::{Diagnostics, Source, Span};

impl Connections {
    /// A connection that is in the environment as a whole: as JSON in the variable of its name, or field by
    /// field with its type.
    pub(super) fn whole_from_environment(
        &self,
        name: &str,
    ) -> Option<Result<Declared, ConnectionProblem>> {
        let variable = plain_variable(name);
        let whole = self
            .variable(&variable)
            .or_else(|| self.variable(&variable.to_ascii_uppercase()));
        // A variable of this name may be about something else.
        if let Some(text) = whole.filter(|text| text.trim_start().starts_with('{')) {
            return Some(whole_variable(name, &variable, text));
        }
        let variable = variable_of(name, "type");
        let word = self.variable(&variable)?;
        let Some(kind) = Kind::find(word.trim()) else {
            return Some(Err(ConnectionProblem {
                message: format!("the variable `{variable}` names no type of connection"),
                help: vec![format!("set it to one of {}", words())],
            }));
        };
        if kind.is_custom() {
            return Some(Err(ConnectionProblem {
                message: format!("the fields of the custom connection `{name}` are not known"),
                help: vec![format!(
                    "put it into the variable `{}` as JSON: {}",
                    plain_variable(name),
                    json!({"type": "custom", "configs": {}, "secrets": {}})
                )],
            }));
        }
        Some(Ok(Declared {
            name: name.to_owned(),
            kind,
            fields: Vec::new(),
            custom: None,
            origin: "the environment".to_owned(),
            span: Span::default(),
        }))
    }
}

/// The JSON of a variable.
fn whole_variable(name: &str, variable: &str, text: String) -> Result<Declared, ConnectionProblem> {
    let wrong = |what: String| {
        ConnectionProblem {
        message: format!("the connection in the variable `{variable}` {what}"),
        help: vec![
            "write `{\"type\": \"open_ai\", \"api_key\": …}`: the fields of a connection file as JSON"
                .to_owned(),
        ],
    }
    };
    let source = Arc::new(Source::new(format!("${variable}"), text));
    let mut problems = Diagnostics::default();
    let Some(mut root) = crate::yaml::load(&source, &mut problems) else {
        return Err(wrong("cannot be read as JSON".to_owned()));
    };
    if let crate::yaml::Kind::Map(entries) = &mut root.kind {
        // It is called as the flow calls it.
        entries.retain(|entry| entry.key != "name");
        entries.push(crate::yaml::Entry {
            key: "name".to_owned(),
            key_span: root.span,
            value: crate::yaml::Node {
                span: root.span,
                kind: crate::yaml::Kind::Text(name.to_owned()),
            },
        });
    }
    let declared = decode(&root, &source, &mut problems).into_iter().next();
    let error = problems
        .iter()
        .find(|problem| problem.severity == crate::diagnostic::Severity::Error);
    match (declared, error) {
        (_, Some(problem)) => Err(wrong(format!("is wrong: {}", problem.message))),
        (Some(declared), None) => Ok(Declared {
            origin: format!("the variable `{variable}`"),
            ..declared
        }),
        (None, None) => Err(wrong("is none".to_owned())),
    }
}

/// A connection's name as a variable that holds all of it.
pub(super) fn plain_variable(name: &str) -> String {
    name.replace([' ', '-', '.'], "_")
}

/// The variable of a field, as Prompt Flow's serving names it.
#[must_use]
pub fn variable_of(name: &str, field: &str) -> String {
    format!("{}_{field}", plain_variable(name)).to_uppercase()
}

/// A name as a shell takes it.
pub(super) fn word(name: &str) -> String {
    if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}
