//! What is asked of a worker, and what it answers.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::port::Failure;
use crate::tool::{LogFile, Redactor};
use crate::value::{Object, Value};

/// Which function is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Reference {
    /// In a file: its one `@tool`, or a function by name (`f`, `Class.method`, a kernel function).
    File {
        /// The file, absolute.
        path: PathBuf,
        /// The function; the decorated one without.
        #[serde(skip_serializing_if = "Option::is_none")]
        function: Option<String>,
        /// A node that has the module for itself, as in Prompt Flow; without, whoever names the
        /// file shares it.
        #[serde(skip_serializing_if = "Option::is_none")]
        instance: Option<String>,
    },
    /// A tool that an installed package announces under this identifier.
    Package {
        /// The identifier.
        tool: String,
    },
    /// A function in an importable module.
    Module {
        /// The module.
        module: String,
        /// The class whose method it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        class: Option<String>,
        /// The function.
        function: String,
    },
}

/// What a parameter takes, as Prompt Flow counts types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of Prompt Flow")]
pub enum Kind {
    Int,
    Double,
    Bool,
    String,
    List,
    /// Anything: no annotation, or one that is none of the others.
    Object,
    Secret,
    Image,
    PromptTemplate,
    FilePath,
    AssistantDefinition,
    /// A connection of one of the parameter's classes.
    Connection,
}

/// One parameter of a tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
    /// Whether it has no default.
    pub required: bool,
    /// The default, if JSON has it.
    #[serde(default)]
    pub default: Option<Value>,
    /// Whether it is one of the constructor.
    pub init: bool,
    /// The classes of connections that it takes.
    pub connections: Vec<String>,
    /// The values of an `Enum`.
    #[serde(default)]
    pub choices: Option<Vec<String>>,
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Description {
    /// The function's name.
    pub name: String,
    /// One sentence, or nothing.
    pub description: String,
    /// What it takes, the constructor's first.
    pub parameters: Vec<Parameter>,
    /// Whether it takes other names, too (`**kwargs`).
    pub keywords: bool,
    /// Whether it is asynchronous.
    pub is_async: bool,
    /// Whether it is a tool of `type: custom_llm`.
    pub custom_llm: bool,
    /// The file in which it is.
    pub file: Option<PathBuf>,
}

impl Description {
    /// A parameter by its name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}

/// Why a tool cannot be described or called: what Python said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Raised {
    /// The class of the exception.
    #[serde(rename = "type", default)]
    pub class: String,
    /// Its text.
    pub message: String,
    /// Prompt Flow's name for a tool that cannot be loaded: `PythonLoadError`, `NoToolDefined`, ….
    #[serde(default)]
    pub code: Option<String>,
    /// What to do.
    #[serde(default)]
    pub help: Option<String>,
    /// The author's file.
    #[serde(default)]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// What stands there.
    #[serde(default)]
    pub text: Option<String>,
    /// As Python prints it.
    #[serde(default)]
    pub traceback: String,
    /// Whether it is one of Prompt Flow's own, which reports those as they are.
    #[serde(default)]
    pub promptflow: bool,
    /// Whether the tool could not be loaded, and so was not called.
    #[serde(default)]
    pub loading: bool,
}

impl Raised {
    /// The failure of a node.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let mut message = match (self.class.as_str(), self.message.as_str()) {
            ("", text) => text.to_owned(),
            (class, "") => class.to_owned(),
            (class, text) => format!("{class}: {text}"),
        };
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(message, "\n  {file}:{line}").expect("writing to a String cannot fail");
            if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
                message.push_str(": ");
                message.push_str(text);
            }
        }
        let failure = Failure::new(message);
        match &self.help {
            Some(help) => failure.help(help.clone()),
            None if self.traceback.is_empty() => failure,
            None => failure.help("`flowctl logs RUN NODE` shows the traceback"),
        }
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Which function.
    pub reference: Reference,
    /// Its arguments by name; tagged values are what they stand for.
    pub inputs: Object,
    /// Connections by the name of their parameter: `{type, name, configs, secrets}`.
    pub connections: Object,
    /// Where prints go, and the traceback of a failure.
    pub log: Option<LogFile>,
    /// What must not get there.
    pub redactor: Redactor,
    /// The line of a batch: calls of one line share a process.
    pub line: u64,
    /// Whether metrics count.
    pub aggregation: bool,
    /// Set in the environment of the process before the call, and left there.
    pub env: Vec<(String, String)>,
}

impl CallRequest {
    /// A call with these arguments, and nothing else.
    #[must_use]
    pub fn new(reference: Reference, inputs: Object) -> Self {
        Self {
            reference,
            inputs,
            connections: Object::new(),
            log: None,
            redactor: Redactor::default(),
            line: 0,
            aggregation: false,
            env: Vec::new(),
        }
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The output, or what was raised.
    pub result: Result<Value, Raised>,
    /// What `log_metric` was told.
    pub metrics: Object,
    /// How long the function ran.
    pub duration: Duration,
}
