//! The interface of a tool: [`Signature`], [`Call`], [`Outcome`], [`Failure`], [`Host`].

use std::path::PathBuf;
use std::time::Duration;

use crate::python_value;
use crate::value::{Object, Value};

/// One typed input or output of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The name by which the port is wired.
    pub name: String,
    /// For an input: whether it must be fed. For an output: whether it is always there.
    pub required: bool,
    /// The named contract (`ArchitectureSpec`), if the port carries one: two ports that carry the
    /// same named contract fit without a look at their schemas.
    pub contract: Option<String>,
    /// The JSON Schema (2020-12) that values of this port satisfy; `true` allows anything.
    pub schema: Value,
    /// One sentence for people.
    pub description: String,
    /// What a literal is made into before the tool gets it (Prompt Flow); taken as it is when
    /// there is none.
    pub kind: Option<python_value::Kind>,
}

impl Port {
    /// A required port that carries a named contract.
    #[must_use]
    pub fn contract(name: &str, contract: &str, schema: Value, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            required: true,
            contract: Some(contract.to_owned()),
            schema,
            description: description.to_owned(),
            kind: None,
        }
    }

    /// A required port with a schema of its own.
    #[must_use]
    pub fn new(name: &str, schema: Value, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            required: true,
            contract: None,
            schema,
            description: description.to_owned(),
            kind: None,
        }
    }

    /// The same port, but it may be left unfed.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// The ports of a tool, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// What the tool takes.
    pub inputs: Vec<Port>,
    /// What it gives; the node's output is an object with these keys.
    pub outputs: Vec<Port>,
    /// Whether inputs that no port names are passed on (process nodes), or are an error.
    pub open: bool,
}

impl Signature {
    /// The input port of that name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// The output port of that name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }
}

/// Whether a tool is a function of its inputs and its own content only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Calling it again with the same inputs gives the same bytes and touches nothing.
    Pure,
    /// It runs processes, reads the clock or reaches outside; its success is made durable before
    /// anything depends on it, and it is never run again after that.
    Effectful,
}

/// One call of a tool.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The resolved inputs by port name; each satisfies its port's schema.
    pub inputs: &'a Object,
    /// The decision of this node's own gate, when the node has one: `decision`, `by`, `at`
    /// (RFC 3339), `comment`, `identity`, `digest`, `round`.
    pub approval: Option<&'a Value>,
    /// The same for every attempt of this node in this round; give it to whatever is called
    /// outside, so that a repeated attempt is recognised there.
    pub idempotency_key: &'a str,
}

/// A file that a tool rendered. It reaches the workspace only when the run succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative, `/`-separated, without `.` or `..` parts.
    pub path: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// What a successful call gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The node's output: port name → value.
    pub output: Value,
    /// Files to stage for the workspace.
    pub files: Vec<File>,
    /// Documents for `artifacts/evidence/` (for example `oscal/…json`), relative to that folder.
    /// They are evidence, not workspace content: nobody publishes or reviews them as a diff.
    pub evidence: Vec<File>,
    /// What the run is about (a product's slug). The first node that says so names the run's
    /// evidence bundle; when none does, the flow's name is taken.
    pub subject: Option<String>,
    /// What the tool says of its work besides, an object: tokens used, metrics. It stands in the
    /// node's record and is no other node's input.
    pub about: Option<Value>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Selects what `retry: {on: …}` may repeat.
    pub kind: FailureKind,
    /// A sentence fragment that completes "failed to run `node`: …".
    pub message: String,
    /// What to do next, if the tool knows.
    pub help: Option<String>,
    /// What the tool had found, in the form of its output: evidence, and no node's input.
    pub findings: Option<Box<Value>>,
}

/// The kinds of failure that a retry policy distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The tool said no.
    Error,
    /// The attempt exceeded the node's `timeout`.
    Timeout,
}

impl Failure {
    /// An ordinary failure.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Error,
            message: message.into(),
            help: None,
            findings: None,
        }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same failure with what had been found.
    #[must_use]
    pub fn findings(mut self, findings: Value) -> Self {
        self.findings = Some(Box::new(findings));
        self
    }
}

/// A command that a tool asks its host to run: an argument vector, never a shell line.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Variables set on top of the inherited environment.
    pub env: Vec<(String, String)>,
    /// After this long the whole process group is killed.
    pub timeout: Duration,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The exit code; `None` when a signal ended it or the time was up.
    pub exit_code: Option<i32>,
    /// Captured standard output, lossily decoded, capped by the host.
    pub stdout: String,
    /// Captured standard error, lossily decoded, capped by the host.
    pub stderr: String,
    /// Whether the time was up.
    pub timed_out: bool,
}

/// What a tool may ask of the world. The pure personas use `render` alone.
pub trait Host: Sync {
    /// Renders a skill with these inputs: the files it gives, in the manifest's order, and the
    /// outputs that its manifest computes.
    ///
    /// # Errors
    /// An unknown skill, inputs that do not fit its ports, or a template that fails, with the
    /// template's file, line and column in the message.
    fn render(&self, skill: &str, inputs: &Object) -> Result<Outcome, Failure>;

    /// The paths of the files staged by the nodes that this node depends on.
    ///
    /// # Errors
    /// When there are none to ask for.
    fn staged_paths(&self) -> Result<Vec<String>, Failure>;

    /// The content of one of them; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was staged.
    fn staged_file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure>;

    /// A fresh private folder for scratch work; it is removed after the call.
    ///
    /// # Errors
    /// When the folder cannot be made.
    fn scratch(&self) -> Result<PathBuf, Failure>;

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the program cannot be started, for example because it is not installed.
    fn run(&self, command: &Command) -> Result<Completed, Failure>;

    /// Reads an environment variable of flowctl's own process. Only effectful tools may ask.
    fn variable(&self, name: &str) -> Option<String>;

    /// The current time, RFC 3339, UTC, whole seconds. Only effectful tools may ask.
    fn now(&self) -> String;
}

/// A tool that is a plain function: personas are written in this shape.
pub type Function = fn(&Call<'_>, &dyn Host) -> Result<Outcome, Failure>;
