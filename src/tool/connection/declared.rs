//! [`Declared`]: a connection as a file writes it, with what is still open in it.

use std::sync::Arc;

use super::connection::{ADDRESSES, CUSTOM_MODULE, CUSTOM_TYPE};
use super::kind::{AUTH_MODE, KINDS, Kind};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, nearest, or_list};
use crate::value::Value;
use crate::yaml::{Entry, Kind as Yaml, Node};

/// A connection as it was written.
#[derive(Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) kind: &'static Kind,
    pub(super) fields: Vec<Written>,
    pub(super) custom: Option<(String, String)>,
    /// The file, or what else it comes from.
    pub(super) origin: String,
    /// Of its name in the file.
    pub(super) span: Span,
}

/// A field as it was written.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) secret: bool,
    pub(super) value: Text,
}

/// What stands in a field.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// Itself.
    Plain(String),
    /// The variable that holds it.
    Variable(String),
    /// Nothing yet: Prompt Flow's marks for what a person has to fill in.
    Open,
}

impl Text {
    pub(super) fn read(text: &str) -> Self {
        let stars = text.chars().all(|c| c == '*');
        if stars || matches!(text, "<user-input>" | "<no-change>") {
            return Self::Open;
        }
        let trimmed = text.trim();
        let inside = |open: &str, close: &str| {
            let name = trimmed.strip_prefix(open)?.strip_suffix(close)?.trim();
            let fits = !name.is_empty() && !name.contains(['{', '}', '$']);
            fits.then(|| name.to_owned())
        };
        // As Prompt Flow writes it, as flowctl's flows do, and as pipelines do.
        inside("${env:", "}")
            .or_else(|| inside("${env.", "}"))
            .or_else(|| inside("${{env.", "}}"))
            .or_else(|| inside("${{ env.", "}}"))
            .map_or_else(|| Self::Plain(text.to_owned()), Self::Variable)
    }

    /// Whether a secret stands here in the clear.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl Declared {
    pub(super) fn field(&self, name: &str) -> Option<&Written> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Where the service is, as it was written.
    pub(super) fn address(&self) -> Option<&Text> {
        ADDRESSES
            .iter()
            .find_map(|name| self.field(name))
            .map(|field| &field.value)
    }

    /// Whether it holds a secret in the clear.
    pub(super) fn tells(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.secret && field.value.is_plain())
    }
}

/// Keys that say something about the connection, or that tools leave there.
const ABOUT: [&str; 12] = [
    "$schema",
    "name",
    "type",
    "module",
    "custom_type",
    "package",
    "package_version",
    "class_name",
    "created_date",
    "last_modified_date",
    "expiry_time",
    "secret_keys",
];

/// Reads the connections of a file: one as Prompt Flow writes it, a list of such, or a mapping of names to
/// them.
pub(super) fn decode(
    root: &Node,
    source: &Arc<Source>,
    problems: &mut Diagnostics,
) -> Vec<Declared> {
    let mut reader = Reader { source, problems };
    match &root.kind {
        Yaml::Map(entries) if entries.iter().any(is_type) => {
            reader.connection(root, entries, None).into_iter().collect()
        }
        Yaml::Map(entries) => entries
            .iter()
            .filter_map(|entry| reader.named(entry))
            .collect(),
        Yaml::List(items) => items
            .iter()
            .filter_map(|item| {
                if let Yaml::Map(entries) = &item.kind {
                    return reader.connection(item, entries, None);
                }
                reader.wrong(item, "a connection", "a mapping");
                None
            })
            .collect(),
        Yaml::Scalar(Value::Null) => Vec::new(),
        _ => {
            reader.wrong(root, "a file of connections", "a mapping");
            Vec::new()
        }
    }
}

/// A text under `type`: a connection called `type` is a mapping.
fn is_type(entry: &Entry) -> bool {
    entry.key == "type" && matches!(entry.value.kind, Yaml::Text(_))
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        self.problems.push(
            Diagnostic::error(
                Code::WrongType,
                format!("{what} must be {wanted}"),
                self.source,
                node.span,
            )
            .label(format!("this is {}", node.type_name()))
            .help("one connection is `name`, `type` and its fields; several are `NAME: { type: …, … }` each"),
        );
    }

    /// `NAME: { type: …, … }`.
    fn named(&mut self, entry: &Entry) -> Option<Declared> {
        if entry.key.starts_with("x-") || entry.key == "$schema" {
            return None;
        }
        if let Yaml::Map(entries) = &entry.value.kind {
            return self.connection(&entry.value, entries, Some(entry));
        }
        self.wrong(&entry.value, "a connection", "a mapping");
        None
    }

    fn connection(
        &mut self,
        node: &Node,
        entries: &[Entry],
        named: Option<&Entry>,
    ) -> Option<Declared> {
        let get = |key: &str| entries.iter().find(|entry| entry.key == key);
        let (name, span) = match (get("name"), named) {
            (Some(entry), _) => (self.text(entry)?, entry.value.span),
            (None, Some(entry)) => (entry.key.clone(), entry.key_span),
            (None, None) => {
                self.missing(
                    node,
                    "name",
                    "add `name: NAME`; nodes name the connection by it",
                );
                return None;
            }
        };
        if let Some(entry) = named.filter(|entry| entry.key != name) {
            self.problems.push(
                Diagnostic::error(
                    Code::Conflict,
                    format!(
                        "the connection is called `{name}` here and `{}` there",
                        entry.key
                    ),
                    self.source,
                    span,
                )
                .also(self.source, entry.key_span, "there")
                .help("leave `name` out"),
            );
            return None;
        }
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.problems.push(
                Diagnostic::error(
                    Code::BadName,
                    "a connection needs a name that can be seen",
                    self.source,
                    span,
                )
                .help("write letters, digits, `_` and `-`"),
            );
            return None;
        }
        let Some(stated) = get("type") else {
            self.missing(node, "type", &format!("write one of {}", words()));
            return None;
        };
        let word = self.text(stated)?;
        let Some(kind) = Kind::find(&word) else {
            self.problems.push(
                Diagnostic::error(
                    Code::UnknownConnectionType,
                    format!("there is no connection type `{word}`"),
                    self.source,
                    stated.value.span,
                )
                .did_you_mean(&word, KINDS.iter().map(|kind| kind.word))
                .help(format!("write one of {}", words())),
            );
            return None;
        };
        let mut declared = Declared {
            name,
            kind,
            fields: Vec::new(),
            custom: None,
            origin: self.source.path.clone(),
            span,
        };
        if kind.is_custom() {
            self.custom(&mut declared, entries);
        } else if let Some(Entry { value, .. }) = get("value")
            && let Yaml::Map(fields) = &value.kind
        {
            // As Prompt Flow hands a connection to what runs the flow.
            self.fields(&mut declared, fields);
        } else {
            self.fields(&mut declared, entries);
        }
        Some(declared)
    }

    fn fields(&mut self, declared: &mut Declared, entries: &[Entry]) {
        let kind = declared.kind;
        for entry in entries {
            let key = entry.key.as_str();
            let Some(field) = kind.field(key) else {
                self.unknown(kind, entry);
                continue;
            };
            let Some(value) = self.value(entry) else {
                continue;
            };
            if key == AUTH_MODE
                && let Text::Plain(mode) = &value
                && !matches!(mode.to_ascii_lowercase().as_str(), "key" | "meid_token")
            {
                self.problems.push(
                    Diagnostic::error(
                        Code::BadValue,
                        "`auth_mode` cannot be this",
                        self.source,
                        entry.value.span,
                    )
                    .help("write `key` or `meid_token`"),
                );
            }
            // Prompt Flow takes `_` for no address, too.
            let none = key == "base_url" && value == Text::Plain("_".to_owned());
            declared.fields.push(Written {
                name: key.to_owned(),
                secret: field.secret,
                value: if none { Text::Open } else { value },
            });
        }
    }

    fn unknown(&mut self, kind: &Kind, entry: &Entry) {
        let key = entry.key.as_str();
        if ABOUT.contains(&key) || key.starts_with("x-") {
            return;
        }
        let message = format!("a connection of type `{}` has no field `{key}`", kind.word);
        let at = entry.key_span;
        self.problems.push(match nearest(key, kind.names()) {
            Some(near) => Diagnostic::error(Code::UnknownKey, message, self.source, at)
                .help(format!("did you mean `{near}`?")),
            None => Diagnostic::warning(Code::UnknownKey, message, self.source, at)
                .help(format!("its fields are {}", or_list(kind.names()))),
        });
    }

    fn custom(&mut self, declared: &mut Declared, entries: &[Entry]) {
        let mut class = None;
        let mut module = None;
        for entry in entries {
            let secret = match entry.key.as_str() {
                "configs" => false,
                "secrets" => true,
                "custom_type" => {
                    class = self.text(entry);
                    continue;
                }
                "module" => {
                    module = self.text(entry);
                    continue;
                }
                "value" => {
                    self.executed(declared, entries, entry);
                    continue;
                }
                key if ABOUT.contains(&key) || key.starts_with("x-") => continue,
                key => {
                    let message = format!("a connection of type `custom` has no key `{key}`");
                    self.problems.push(
                        Diagnostic::error(Code::UnknownKey, message, self.source, entry.key_span)
                            .help("put it below `configs:`, or below `secrets:` when nobody may see it"),
                    );
                    continue;
                }
            };
            match &entry.value.kind {
                Yaml::Map(fields) => {
                    for field in fields {
                        self.push(declared, field, secret);
                    }
                }
                Yaml::Scalar(Value::Null) => {}
                _ => self.wrong(&entry.value, &format!("`{}`", entry.key), "a mapping"),
            }
        }
        let mut inside = |key: &str| {
            let at = declared.fields.iter().position(|field| field.name == key)?;
            match declared.fields.remove(at).value {
                Text::Plain(text) => Some(text),
                Text::Variable(_) | Text::Open => None,
            }
        };
        let class = inside(CUSTOM_TYPE).or(class);
        let module = inside(CUSTOM_MODULE).or(module);
        declared.custom = class.zip(module);
    }

    /// `value` with `secret_keys`.
    fn executed(&mut self, declared: &mut Declared, entries: &[Entry], value: &Entry) {
        let secret: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.key == "secret_keys")
            .flat_map(|entry| match &entry.value.kind {
                Yaml::List(items) => items.as_slice(),
                _ => &[],
            })
            .filter_map(|item| match &item.kind {
                Yaml::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        match &value.value.kind {
            Yaml::Map(fields) => {
                for field in fields {
                    let secret = secret.contains(&field.key.as_str());
                    self.push(declared, field, secret);
                }
            }
            _ => self.wrong(&value.value, "`value`", "a mapping"),
        }
    }

    fn push(&mut self, declared: &mut Declared, entry: &Entry, secret: bool) {
        if declared.field(&entry.key).is_some() {
            let message = format!("`{}` is a config and a secret", entry.key);
            self.problems.push(
                Diagnostic::error(Code::Conflict, message, self.source, entry.key_span)
                    .help("leave one of them out"),
            );
            return;
        }
        if let Some(value) = self.value(entry) {
            declared.fields.push(Written {
                name: entry.key.clone(),
                secret,
                value,
            });
        }
    }

    /// The text of a field; numbers and the like are what is written.
    fn value(&mut self, entry: &Entry) -> Option<Text> {
        match &entry.value.kind {
            Yaml::Scalar(Value::Null) => Some(Text::Open),
            _ => self.text(entry).map(|text| Text::read(&text)),
        }
    }

    fn text(&mut self, entry: &Entry) -> Option<String> {
        match &entry.value.kind {
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Scalar(value) if !value.is_null() => {
                Some(self.source.slice(entry.value.span).trim().to_owned())
            }
            _ => {
                self.wrong(&entry.value, &format!("`{}`", entry.key), "a string");
                None
            }
        }
    }

    fn missing(&mut self, node: &Node, key: &str, help: &str) {
        let end = node.span.end.min(node.span.start + 1);
        self.problems.push(
            Diagnostic::error(
                Code::MissingKey,
                format!("a connection needs the key `{key}`"),
                self.source,
                Span::new(node.span.start, end),
            )
            .help(help),
        );
    }
}

pub(super) fn words() -> String {
    let words: Vec<String> = KINDS
        .iter()
        .map(|kind| format!("`{}`", kind.word))
        .collect();
    words.join(", ")
}
