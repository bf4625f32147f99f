//! [`UserFile`] and [`Draft`]: the user's own connections, read, changed and written again.

use std::path::Path;

use serde_json::json;

use super::declared::{Declared, Text, Written};
use super::file::{Trust, connections, read, shown};
use super::found::Connections;
use super::kind::{AUTH_MODE, Kind};
use crate::diagnostic::{Diagnostics, Span};
use crate::value::{Object, Value};

/// What stands above the connections of a file that flowctl writes.
const HEAD: &str =
    "# Written by `flowctl connection`; comments of your own are lost at its next change.\n";

/// The user's own connections.
#[derive(Clone, Default)]
pub struct UserFile(Vec<Declared>);

/// A connection that is being put together. Has no `Debug`: it may hold secrets.
#[derive(Clone)]
pub struct Draft(Declared);

impl UserFile {
    /// Reads the file; one that is not there is empty.
    ///
    /// # Errors
    /// Everything that is wrong with it, also that others may read it.
    pub fn open(path: &Path) -> Result<Self, Diagnostics> {
        Self::read(path, Trust::Private)
    }

    fn read(path: &Path, trust: Trust) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        let contents = read(path, trust)?;
        let found = contents.map_or_else(Vec::new, |contents| {
            connections(&contents.source, &mut problems)
        });
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(Self(found))
    }

    /// The connection of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Draft> {
        self.0
            .iter()
            .find(|one| one.name == name)
            .cloned()
            .map(Draft)
    }

    /// Puts a connection in, in the place of one of its name.
    pub fn put(&mut self, draft: Draft) {
        match self.0.iter_mut().find(|one| one.name == draft.0.name) {
            Some(one) => *one = draft.0,
            None => self.0.push(draft.0),
        }
    }

    /// Takes a connection out; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|one| one.name != name);
        self.0.len() < before
    }

    /// The file's text. Holds secrets.
    #[must_use]
    pub fn text(&self) -> String {
        let all: Object = self
            .0
            .iter()
            .map(|one| (one.name.clone(), written(one)))
            .collect();
        // What is JSON is YAML; texts that look like numbers are quoted.
        let yaml = serde_yaml::to_string(&all).expect("texts become YAML");
        format!("{HEAD}{yaml}")
    }
}

/// The connections of a text in one of Prompt Flow's forms, to be taken over.
///
/// # Errors
/// Everything that is wrong with it.
pub fn import(path: &Path) -> Result<Vec<Draft>, Diagnostics> {
    UserFile::read(path, Trust::Given).map(|file| file.0.into_iter().map(Draft).collect())
}

/// The same of a text that is in no file.
///
/// # Errors
/// As [`import`].
pub fn import_text(name: &str, text: &str) -> Result<Vec<Draft>, Diagnostics> {
    let mut problems = Diagnostics::default();
    let source = std::sync::Arc::new(crate::diagnostic::Source::new(shown(Path::new(name)), text));
    let found = connections(&source, &mut problems);
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(found.into_iter().map(Draft).collect())
}

fn written(one: &Declared) -> Value {
    let text = |text: &Text| match text {
        Text::Plain(text) => text.clone(),
        Text::Variable(name) => format!("${{env:{name}}}"),
        Text::Open => "<user-input>".to_owned(),
    };
    let mut whole = Object::new();
    whole.insert("type".to_owned(), json!(one.kind.word));
    if let Some((class, module)) = &one.custom {
        whole.insert("custom_type".to_owned(), json!(class));
        whole.insert("module".to_owned(), json!(module));
    }
    let fields = |secret: Option<bool>| -> Object {
        one.fields
            .iter()
            .filter(|field| secret.is_none_or(|secret| field.secret == secret))
            .filter(|field| field.secret || field.value != Text::Open)
            .map(|field| (field.name.clone(), json!(text(&field.value))))
            .collect()
    };
    if one.kind.is_custom() {
        whole.insert("configs".to_owned(), fields(Some(false)).into());
        whole.insert("secrets".to_owned(), fields(Some(true)).into());
    } else {
        whole.extend(fields(None));
    }
    whole.into()
}

impl Connections {
    /// A connection of some file as a beginning for one of the user's own: without the secrets that are
    /// written there.
    #[must_use]
    pub fn draft(&self, name: &str) -> Option<Draft> {
        let mut declared = self.declared.get(name)?.first()?.clone();
        for field in &mut declared.fields {
            if field.secret && field.value.is_plain() {
                field.value = Text::Open;
            }
        }
        Some(Draft(declared))
    }
}

impl Draft {
    /// An empty connection.
    #[must_use]
    pub fn new(name: &str, kind: &'static Kind) -> Self {
        Self(Declared {
            name: name.to_owned(),
            kind,
            fields: Vec::new(),
            custom: None,
            origin: String::new(),
            span: Span::default(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// Whether a field is a secret, as far as that is known.
    #[must_use]
    pub fn is_secret(&self, field: &str) -> bool {
        let known = self.0.kind.field(field).map(|field| field.secret);
        known.unwrap_or_else(|| self.0.field(field).is_some_and(|field| field.secret))
    }

    /// Gives a field a value; `${env:NAME}` is the variable.
    pub fn set(&mut self, name: &str, value: &str, secret: bool) {
        let value = Text::read(value);
        match self.0.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => {
                field.value = value;
                field.secret |= secret;
            }
            None => self.0.fields.push(Written {
                name: name.to_owned(),
                secret,
                value,
            }),
        }
    }

    /// The fields that it is of no use without, and that have no value: secrets, and others.
    #[must_use]
    pub fn open(&self) -> (Vec<String>, Vec<String>) {
        let by_token = self.0.field(AUTH_MODE).is_some_and(|field| {
            matches!(&field.value, Text::Plain(mode) if mode.eq_ignore_ascii_case("meid_token"))
        });
        let is_open = |name: &str| {
            let field = self.0.field(name);
            field.is_none_or(|field| field.value == Text::Open)
        };
        let known = self.0.kind.fields.iter().filter(|field| field.required);
        let listed = self.0.fields.iter().filter(|_| self.0.kind.is_custom());
        let all = known
            .map(|field| (field.name, field.secret))
            .chain(listed.map(|field| (field.name.as_str(), field.secret)));
        let mut open = (Vec::new(), Vec::new());
        for (name, secret) in all {
            if is_open(name) && !(secret && by_token) {
                let list = if secret { &mut open.0 } else { &mut open.1 };
                list.push(name.to_owned());
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = "a: {type: azure_open_ai, api_key: '0123', api_base: https://h, auth_mode: key}\nb b: {type: custom, custom_type: C, module: m, configs: {x: 'on', y: '#'}, secrets: {k: \"l1\\nl2\\n\", e: '${env:E}', o: '***'}}\n";
        let drafts = import_text("x", text).unwrap();
        let mut file = UserFile::default();
        for draft in drafts {
            file.put(draft);
        }
        let once = file.text();
        let mut again = UserFile::default();
        for draft in import_text("x", &once).unwrap() {
            again.put(draft);
        }
        assert_eq!(again.text(), once);
        assert!(once.contains("${env:E}") && once.contains("<user-input>"));
        let custom = again.find("b b").unwrap();
        assert_eq!(custom.open(), (vec!["o".to_owned()], Vec::new()));
        assert!(custom.is_secret("k") && !custom.is_secret("x"));
        assert!(again.remove("a") && !again.remove("a"));
        assert!(!again.text().contains("0123"));
    }

    #[test]
    fn a_draft_knows_what_it_needs() {
        let mut draft = Draft::new("n", Kind::find("azure_open_ai").unwrap());
        assert_eq!(
            draft.open(),
            (vec!["api_key".to_owned()], vec!["api_base".to_owned()])
        );
        draft.set("auth_mode", "meid_token", false);
        draft.set("api_base", "https://h", false);
        assert_eq!(draft.open(), (Vec::new(), Vec::new()));
    }
}
