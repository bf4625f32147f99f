//! [`InputDecl`]: a declared flow input, its schema, and how given text is read for it.

use std::sync::Arc;

use serde_json::json;

use super::cursor::{Cursor, wrong_type};
use super::keys;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::expr::Reference;
use crate::port::Schema;
use crate::python_value;
use crate::value::{Object, Value};
use crate::yaml::Entry;

/// What an input must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    List,
    /// A mapping.
    Object,
}

impl InputType {
    const WORDS: [(&'static str, Self); 9] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("int", Self::Integer),
        ("number", Self::Number),
        ("double", Self::Number),
        ("boolean", Self::Boolean),
        ("bool", Self::Boolean),
        ("list", Self::List),
        ("object", Self::Object),
    ];

    fn json_type(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "array",
            Self::Object => "object",
        }
    }

    /// Reads what somebody wrote: text as it stands for strings, JSON or YAML for everything else.
    ///
    /// # Errors
    /// A sentence fragment, when the text is not YAML.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        if self == Self::String {
            return Ok(Value::String(text.to_owned()));
        }
        let source = Arc::new(Source::new("the value", text));
        let mut problems = Diagnostics::default();
        let node = crate::yaml::load(&source, &mut problems);
        match (node, problems.iter().next()) {
            (Some(node), None) => match node.to_value() {
                // `-i target_clouds=azure,aws` is what people type first.
                Value::String(text) if self == Self::List => Ok(text
                    .split(',')
                    .map(|item| Value::String(item.trim().to_owned()))
                    .collect()),
                value => Ok(value),
            },
            (_, problem) => {
                Err(problem
                    .map_or_else(|| "not YAML".to_owned(), |problem| problem.message.clone()))
            }
        }
    }
}

/// A declared flow input.
#[derive(Clone, Debug)]
pub struct InputDecl {
    /// What it must be.
    pub input_type: InputType,
    /// In the Prompt Flow dialect: what values are made into, instead of being checked.
    pub kind: Option<python_value::Kind>,
    /// The value when none is given.
    pub default: Option<Value>,
    /// What it means.
    pub description: String,
    /// The JSON Schema that its values satisfy.
    pub schema: Value,
    /// The same, compiled.
    pub compiled: Arc<Schema>,
    /// The key's bytes.
    pub key_span: Span,
    /// What it stands for, where a single node of a flow is run: it may be given by that name, too.
    pub reads: Option<Reference>,
}

impl InputDecl {
    pub(super) fn decode(
        entry: &Entry,
        source: &Arc<Source>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        Self::decode_as("input", entry, source, problems)
    }

    /// Decodes what is declared as inputs are; `kind` is what it is called.
    pub(super) fn decode_as(
        kind: &str,
        entry: &Entry,
        source: &Arc<Source>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let what = format!("the {kind} `{}`", entry.key);
        let tables = [keys::INPUT, keys::INPUT_KEYWORDS];
        let mut cursor = Cursor::open(&entry.value, &what, &tables, source, problems)?;
        cursor.check_name(
            if kind == "input" {
                "an input"
            } else {
                "a field"
            },
            &entry.key,
            entry.key_span,
        );
        if cursor.get("type").is_none() {
            cursor.missing(
                &what,
                "type",
                "add `type: string` (or integer, number, boolean, list, object)",
            );
            return None;
        }
        let input_type = cursor.word("type", &InputType::WORDS)?;
        let description = cursor
            .text("description")
            .map(|text| text.value)
            .unwrap_or_default();
        let mut schema = Object::new();
        schema.insert("type".to_owned(), json!(input_type.json_type()));
        if !description.is_empty() {
            schema.insert("description".to_owned(), json!(description));
        }
        for keyword in keys::INPUT_KEYWORDS {
            let Some(node) = cursor.get(keyword.name) else {
                continue;
            };
            let value = node.to_value();
            let takes = Schema::compile(&(keyword.schema)()).expect("the tables hold schemas");
            if let Some(violation) = takes.check(&value).first() {
                let at = node.descend(violation.path.iter().map(String::as_str));
                cursor.problems.push(
                    Diagnostic::error(
                        Code::WrongType,
                        format!("`{}` cannot be this", keyword.name),
                        source,
                        at.span,
                    )
                    .label(violation.message.clone()),
                );
                return None;
            }
            schema.insert(keyword.name.to_owned(), value);
        }
        let schema = Value::Object(schema);
        let compiled = match Schema::compile(&schema) {
            Ok(compiled) => Arc::new(compiled),
            Err(message) => {
                // The keyword that is wrong by itself, if there is one, is the place to look at.
                let alone = |(name, value): (&String, &Value)| {
                    Schema::compile(&json!({ name: value }))
                        .is_err()
                        .then(|| entry.value.descend([name.as_str()]).span)
                };
                let wrong = schema
                    .as_object()
                    .and_then(|all| all.iter().find_map(alone));
                let diagnostic = Diagnostic::error(
                    Code::BadSchema,
                    format!("{what} has no valid schema"),
                    source,
                    wrong.unwrap_or(entry.value.span),
                );
                problems.push(diagnostic.label(message));
                return None;
            }
        };
        let default = match entry.value.descend(["default"]) {
            node if std::ptr::eq(node, &raw const entry.value) => None,
            node => Some(node),
        };
        let mut value = None;
        if let Some(node) = default {
            let given = node.to_value();
            if let Some(violation) = compiled.check(&given).first() {
                let at = node.descend(violation.path.iter().map(String::as_str));
                problems.push(
                    Diagnostic::error(
                        Code::BadDefault,
                        format!(
                            "the default of `{}` does not fit its declaration",
                            entry.key
                        ),
                        source,
                        at.span,
                    )
                    .label(violation.message.clone())
                    .also(source, entry.key_span, "declared here"),
                );
                return None;
            }
            value = Some(given);
        }
        Some(Self {
            input_type,
            kind: None,
            default: value,
            description,
            schema,
            compiled,
            key_span: entry.key_span,
            reads: None,
        })
    }

    /// Reads `-i name=text`: text as it stands for strings, JSON or YAML for everything else.
    ///
    /// # Errors
    /// A sentence fragment, when the text is not YAML.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        // Prompt Flow makes the value of the text itself, when the run begins.
        if self.kind.is_some() {
            return Ok(Value::String(text.to_owned()));
        }
        self.input_type.read(text)
    }

    fn expected_string(&self) -> String {
        let count = |keyword: &str| self.schema[keyword].as_u64();
        let mut text = match (count("minLength"), count("maxLength")) {
            (Some(least), Some(most)) => format!("a string of {least} to {most} characters"),
            (Some(least), None) => format!("a string of at least {least} characters"),
            (None, Some(most)) => format!("a string of at most {most} characters"),
            (None, None) => "a string".to_owned(),
        };
        if let Some(pattern) = self.schema["pattern"].as_str() {
            text.push_str(" that matches `");
            text.push_str(pattern);
            text.push('`');
        }
        text
    }

    /// What the declaration says, for help lines: `one of azure, aws`, `a string`.
    #[must_use]
    pub fn expects(&self) -> String {
        if let Some(kind) = self.kind {
            return kind.expects().to_owned();
        }
        let allowed = |schema: &Value| {
            schema["enum"].as_array().map(|values| {
                values
                    .iter()
                    .map(crate::value::to_text)
                    .collect::<Vec<_>>()
                    .join(", ")
            })
        };
        if let Some(values) = allowed(&self.schema) {
            return format!("one of {values}");
        }
        if let Some(values) = allowed(&self.schema["items"]) {
            return format!("a list of {values}");
        }
        match self.input_type {
            InputType::String => self.expected_string(),
            InputType::Integer => "a whole number".to_owned(),
            InputType::Number => "a number".to_owned(),
            InputType::Boolean => "true or false".to_owned(),
            InputType::List => "a list".to_owned(),
            InputType::Object => "a mapping".to_owned(),
        }
    }
}

/// Reports an entry that is no mapping at all, with the short form that people try first.
pub(super) fn not_a_mapping(entry: &Entry, source: &Arc<Source>) -> Diagnostic {
    wrong_type(
        source,
        &entry.value,
        &format!("the input `{}`", entry.key),
        "a mapping",
    )
    .help(format!("write `{}: {{ type: string }}`", entry.key))
}
