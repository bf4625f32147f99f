//! [`SecretsFile`]: secrets from a file, and where a secret is looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_yaml::Value;

use super::environment::Engine;
use crate::expr::{Binding, Head, Use};
use crate::plan::Plan;
use crate::tool::Redactor;

/// The largest file of secrets that is read.
const MAX_BYTES: u64 = 256 * 1024;

/// What a file of secrets holds, by the name of the variable that could hold it instead.
///
/// It has no `Debug`, so that nobody prints it by mistake; nor does an error quote the file.
#[derive(Clone, Default)]
pub struct SecretsFile(Arc<BTreeMap<String, String>>);

impl SecretsFile {
    /// Reads a YAML mapping of names to texts.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file, and what to do. It names keys and lines,
    /// never a value.
    pub fn open(path: &Path) -> Result<Self, (String, String)> {
        let shown = path.display();
        let cannot = |error: std::io::Error| {
            (
                format!("cannot read the secrets file `{shown}`: {error}"),
                "give an existing file with `--secrets-file` or FLOWCTL_SECRETS_FILE".to_owned(),
            )
        };
        let mut file = std::fs::File::open(path).map_err(cannot)?;
        // Asked of what was opened: the name may be something else by now.
        let found = file.metadata().map_err(cannot)?;
        if found.is_dir() {
            return Err(cannot(std::io::ErrorKind::IsADirectory.into()));
        }
        let user = rustix::process::geteuid().as_raw();
        if found.uid() != user {
            return Err((
                format!(
                    "the secrets file `{shown}` belongs to another user (uid {}, and you are {user})",
                    found.uid()
                ),
                "who owns it can change it; make a copy of your own".to_owned(),
            ));
        }
        if found.mode() & 0o077 != 0 {
            return Err((
                format!(
                    "the secrets file `{shown}` is open to others (mode {:04o})",
                    found.mode() & 0o7777
                ),
                format!("take their rights away: `chmod 600 {shown}`"),
            ));
        }
        let mut bytes = Vec::new();
        file.by_ref()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
        Self::parse(&bytes).map_err(|message| {
            (
                format!("the secrets file `{shown}`: {message}"),
                "write one `NAME: 'value'` per line; `NAME: |` begins a value of several lines"
                    .to_owned(),
            )
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("it has more than {MAX_BYTES} bytes"));
        }
        // The parser's own message may quote what it stumbled over.
        let value: Value = serde_yaml::from_slice(bytes).map_err(|error| {
            let place = error
                .location()
                .map_or_else(String::new, |at| format!(" (line {})", at.line()));
            format!("it is no YAML mapping of names to texts{place}")
        })?;
        let entries = match value {
            Value::Mapping(entries) => entries,
            Value::Null => return Ok(Self::default()),
            _ => return Err("it is no mapping of names to texts".to_owned()),
        };
        let mut secrets = BTreeMap::new();
        for (name, value) in entries {
            let Value::String(name) = name else {
                return Err("one of its names is no text; put it into quotes".to_owned());
            };
            let Value::String(text) = value else {
                return Err(format!(
                    "the value of `{name}` is no text; put it into quotes"
                ));
            };
            if secrets.insert(variable_of(&name), text).is_some() {
                return Err(format!(
                    "`{name}` is there twice; names that differ in case, or in `-` and `_`, are the same"
                ));
            }
        }
        Ok(Self(Arc::new(secrets)))
    }
}

impl Engine {
    /// A secret's value: from the environment, else from the file.
    pub(super) fn secret(&self, name: &str) -> Option<String> {
        let variable = variable_of(name);
        (self.variable)(&format!("{PREFIX}{variable}"))
            .or_else(|| self.secrets.0.get(&variable).cloned())
    }

    /// Takes the secrets that any node of a flow is given out of what its nodes say: one node may
    /// leave behind what the next one prints.
    pub(super) fn redactor(&self, plan: &Plan) -> Redactor {
        Redactor::new(named(plan).filter_map(|name| self.secret(name)))
    }

    /// A text for the record of a run without the secrets of that run, as far as they are known here.
    #[must_use]
    pub fn without_secrets(&self, plan: &Plan, text: &str) -> String {
        self.redactor(plan).text(text)
    }

    /// The variables of secrets that any node of the flow names and that are not there. Nothing runs
    /// without them, also no other node: what is not known cannot be taken out of what it says.
    pub(super) fn missing_secrets(&self, plan: &Plan) -> Option<String> {
        let missing: BTreeSet<&str> = named(plan)
            .filter(|name| self.secret(name).is_none())
            .collect();
        if missing.is_empty() {
            return None;
        }
        let variables: Vec<String> = missing
            .iter()
            .map(|name| format!("`{}`", secret_variable(name)))
            .collect();
        Some(variables.join(", "))
    }
}

/// Whether a flow names any secret.
pub(super) fn names_any(plan: &Plan) -> bool {
    named(plan).next().is_some()
}

/// The secrets that the nodes of a flow name, and who is told of its runs.
fn named(plan: &Plan) -> impl Iterator<Item = &str> {
    let nodes = plan.scopes().flat_map(|scope| &scope.nodes);
    let told = plan.root().notify.iter();
    let uses = nodes
        .flat_map(|node| node.bindings())
        .chain(told.flat_map(|told| told.bindings()))
        .flat_map(Binding::uses);
    uses.filter_map(|used| match used {
        Use::Reference(reference) => match &reference.head {
            Head::Secret(name) => Some(name.as_str()),
            _ => None,
        },
        _ => None,
    })
}

/// What the environment variables that hold secrets begin with.
pub(super) const PREFIX: &str = "FLOWCTL_SECRET_";

/// A secret's name as it stands in the environment variable's name.
fn variable_of(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

/// The environment variable that holds a secret.
pub(super) fn secret_variable(name: &str) -> String {
    format!("{PREFIX}{}", variable_of(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, String> {
        SecretsFile::parse(text.as_bytes())
            .map(|file| file.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    #[test]
    fn a_file_is_a_mapping_of_texts() {
        let pairs = |pairs: &[(&str, &str)]| {
            Ok(pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<Vec<_>>())
        };
        assert_eq!(
            parsed("api-token: s3cret\nkey: |\n  a\n  b\n# nothing\n"),
            pairs(&[("API_TOKEN", "s3cret"), ("KEY", "a\nb\n")])
        );
        assert_eq!(parsed(r#"{"a": "1"}"#), pairs(&[("A", "1")]));
        assert_eq!(parsed(""), Ok(Vec::new()));
        assert_eq!(parsed("# nothing yet\n"), Ok(Vec::new()));
    }

    #[test]
    fn an_error_quotes_no_value() {
        for text in [
            "a: 271828",
            "a: [271828]",
            "a: {b: 271828}",
            "- 271828",
            "271828",
            "a: \"271828",
            "a: *271828",
            "a: !271828 x\nb: 271828",
            "a: '1'\na: '271828'",
            "a-b: '1'\nA_B: '271828'",
            "271828: 271828\nb: [",
            "a: 271828: 271828",
            "\u{0}271828",
        ] {
            let message = parsed(text).expect_err(text);
            assert!(
                !message.replace("`271828`", "its name").contains("271828"),
                "{text}: {message}"
            );
        }
        assert_eq!(
            parsed("a: 'x'\nb: 271828").unwrap_err(),
            "the value of `b` is no text; put it into quotes"
        );
        assert!(parsed("a: 'x'\nb: 'y").unwrap_err().contains("line"));
        assert!(SecretsFile::parse("#".repeat(256 * 1024 + 1).as_bytes()).is_err());
        assert!(SecretsFile::parse(b"a: \xff").is_err());
    }
}
