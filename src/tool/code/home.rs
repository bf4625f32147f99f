//! [`Home`]: where the code of one flow or skill runs, and with which connections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use indexmap::IndexMap;

use super::Surroundings;
use super::folder::{Folder, locate};
use crate::diagnostic::Diagnostics;
use crate::flow::{Flow, Spanned};
use crate::port::Failure;
use crate::python_value::to_str;
use crate::tool::Redactor;
use crate::tool::Skill;
use crate::tool::connection::{Connection, Connections, LoadFrom};
use crate::tool::python::{Python, Search, Settings, memory_limit};
use crate::value::Value;

/// The variable that limits the address space of a Python process.
const MEMORY: &str = "FLOWCTL_PYTHON_MEMORY";

/// Variables by name, with values.
type Variables = Vec<(String, String)>;

/// Where the code of one flow, or of one skill, runs. Nothing is made or read before it is needed.
pub(super) struct Home {
    /// The flow's own folder.
    pub(super) own: PathBuf,
    pub(super) includes: Vec<Spanned<String>>,
    environment: IndexMap<String, Value>,
    /// Files as they were when the run began, by their path in the folder.
    kept: BTreeMap<String, Vec<u8>>,
    /// Whether these are all files that there are.
    whole: bool,
    surroundings: Surroundings,
    connections: OnceLock<Result<Connections, Diagnostics>>,
    /// What runs, and the folder in which it does.
    running: OnceLock<Result<(Python, Folder), Failure>>,
}

impl Home {
    pub(super) fn of(
        flow: &Flow,
        kept: BTreeMap<String, Vec<u8>>,
        surroundings: &Surroundings,
    ) -> Self {
        Self {
            own: own_folder(&flow.source.path, &surroundings.workspace),
            includes: flow.includes.clone(),
            environment: flow.environment.clone(),
            kept,
            whole: false,
            surroundings: surroundings.clone(),
            connections: OnceLock::new(),
            running: OnceLock::new(),
        }
    }

    /// Where the function of a skill runs: its folder, with the files that its digest is of.
    pub(super) fn of_skill(skill: &Skill, surroundings: &Surroundings) -> Self {
        Self {
            own: surroundings.workspace.join(skill.origin()),
            includes: Vec::new(),
            environment: IndexMap::new(),
            kept: skill.files().clone(),
            whole: true,
            surroundings: surroundings.clone(),
            connections: OnceLock::new(),
            running: OnceLock::new(),
        }
    }

    /// Where a path of the flow's folder really is.
    pub(super) fn locate(&self, path: &str) -> PathBuf {
        locate(&self.own, &self.includes, path)
    }

    /// The connections of this flow.
    pub(super) fn connections(&self) -> Result<&Connections, &Diagnostics> {
        let loaded = self.connections.get_or_init(|| {
            Connections::load(&LoadFrom {
                given: self.surroundings.connections.clone(),
                workspace: self.surroundings.workspace.clone(),
                flow: Some(self.own.clone()),
                user: LoadFrom::user_file(self.surroundings.variable),
                variable: self.surroundings.variable,
            })
        });
        loaded.as_ref()
    }

    /// A connection, for a node that is about to run.
    pub(super) fn connection(&self, name: &str) -> Result<Connection, Failure> {
        let all = self.connections().map_err(|problems| {
            let first = problems.iter().next();
            Failure::new(format!(
                "the connections cannot be read: {}",
                first.map_or("", |problem| problem.message.as_str())
            ))
            .help("`flowctl connection list` shows what is wrong")
        })?;
        all.get(name)
            .map_err(|problem| Failure::new(problem.message).help(problem.help.join("; ")))
    }

    /// The variables of the flow's tools, and the connections that they show something of.
    ///
    /// A value that is exactly `${NAME.KEY}` is a connection's; a key that the connection has not
    /// stays text, as in Prompt Flow.
    pub(super) fn environment(&self) -> Result<(Variables, Vec<Connection>), (String, Failure)> {
        let mut shown = Vec::new();
        let mut variables = Vec::new();
        let given = &self.surroundings.environment;
        for (name, value) in &self.environment {
            if given.iter().any(|(given, _)| given == name) {
                continue;
            }
            let text = match value {
                Value::Array(_) | Value::Object(_) => value.to_string(),
                value => to_str(value),
            };
            let of = text
                .strip_prefix("${")
                .and_then(|text| text.strip_suffix('}'))
                .and_then(|text| text.split_once('.'));
            let text = match of {
                Some((connection, key)) => {
                    let found = self
                        .connection(connection)
                        .map_err(|failure| (name.clone(), failure))?;
                    let value = found.field(key).map(str::to_owned);
                    shown.push(found);
                    value.unwrap_or(text)
                }
                None => text,
            };
            variables.push((name.clone(), text));
        }
        variables.extend(given.iter().cloned());
        Ok((variables, shown))
    }

    /// What hides the values of connections.
    pub(super) fn hiding<'c>(connections: impl IntoIterator<Item = &'c Connection>) -> Redactor {
        let hidden = connections
            .into_iter()
            .flat_map(Connection::hidden)
            .map(str::to_owned);
        Redactor::new(hidden)
    }

    /// The Python processes of the flow, and the folder that they see.
    pub(super) fn python(&self) -> Result<(&Python, &Path), Failure> {
        let running = self.running.get_or_init(|| {
            let folder = if self.whole {
                Folder::exactly(&self.own, &self.kept)
            } else {
                Folder::open(&self.own, &self.includes, &self.kept)
            };
            let folder = folder.map_err(Failure::new)?;
            let (env, shown) = self.environment().map_err(|(name, failure)| {
                let message = format!("the environment variable `{name}`: {}", failure.message);
                Failure { message, ..failure }
            })?;
            let variable = |name: &str| (self.surroundings.variable)(name);
            let search = Search {
                python: self.surroundings.python.clone(),
                virtual_env: variable("VIRTUAL_ENV").map(PathBuf::from),
                folders: vec![self.own.clone(), self.surroundings.workspace.clone()],
                path: variable("PATH").map(Into::into),
                pyenv_version: variable("PYENV_VERSION"),
            };
            let mut settings = Settings::new(folder.path().to_owned(), search);
            settings.env = env;
            settings.processes = self.surroundings.processes.max(1);
            settings.promptflow = self.surroundings.promptflow;
            settings.redactor = Self::hiding(&shown);
            if let Some(limit) = variable(MEMORY) {
                let limit = memory_limit(&limit).ok_or_else(|| {
                    Failure::new(format!(
                        "`{MEMORY}` is `{limit}`, which is no amount of memory"
                    ))
                    .help("write a number of bytes, or a number with K, M or G: `2G`")
                })?;
                settings.memory = Some(limit);
            }
            Ok((Python::new(settings), folder))
        });
        match running {
            Ok((python, folder)) => Ok((python, folder.path())),
            Err(failure) => Err(failure.clone()),
        }
    }
}

/// The folder of a flow file, as it was named from where the command was typed, or else below the
/// workspace: a run may be taken up from elsewhere.
pub(super) fn own_folder(flow: &str, workspace: &Path) -> PathBuf {
    let dir = Path::new(flow).parent().unwrap_or(Path::new(""));
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    if Path::new(flow).exists() || !workspace.join(flow).exists() {
        dir.to_owned()
    } else {
        workspace.join(dir)
    }
}
