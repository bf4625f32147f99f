//! The decoded flow: plain data with places.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::input::InputDecl;
use crate::diagnostic::{Source, Span};
use crate::expr::{Binding, Template};
use crate::id::NodeName;
use crate::value::Value;
use crate::yaml;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the flow file.
    pub span: Span,
}

/// A decoded flow file.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The flow's name; of a file without one, the file's stem.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// What orders nodes besides data.
    pub order: Order,
    /// Declared inputs, in file order.
    pub inputs: IndexMap<String, InputDecl>,
    /// Nodes, in file order.
    pub nodes: Vec<NodeDecl>,
    /// Outputs, in file order.
    pub outputs: IndexMap<String, InputBinding>,
    /// The file.
    pub source: Arc<Source>,
}

/// What orders nodes besides data and `after`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    #[default]
    Parallel,
    /// Each node runs after the one above it.
    Sequential,
}

/// An entry of `inputs:` or `outputs:`.
#[derive(Clone, Debug)]
pub struct InputBinding {
    /// The compiled value.
    pub binding: Binding,
    /// The key's bytes.
    pub key_span: Span,
    /// A literal as written, for places inside it. Of what holds expressions nobody asks for that.
    pub literal: Option<yaml::Node>,
}

/// A node of a flow file.
#[derive(Clone, Debug)]
pub struct NodeDecl {
    /// Its name.
    pub name: Spanned<NodeName>,
    /// The whole node.
    pub span: Span,
    /// What it runs.
    pub kind: KindDecl,
    /// Explicit inputs, in file order.
    pub inputs: IndexMap<String, InputBinding>,
    /// Nodes that must have ended before.
    pub after: Vec<Spanned<NodeName>>,
    /// Runs only if this holds.
    pub when: Option<Template>,
    /// Runs only if a value equals another (Prompt Flow's form of `when`).
    pub activate: Option<Activate>,
    /// Runs once per item of this list.
    pub foreach: Option<InputBinding>,
    /// How often and when a failed attempt is repeated.
    pub retry: Option<Retry>,
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
    /// Waits for a human's yes.
    pub approval: Option<Spanned<ApprovalDecl>>,
    /// What a final failure does.
    pub on_error: OnError,
    /// Whether its results are kept as evidence; `None` leaves it to the kind of node.
    pub evidence: Option<bool>,
    /// Where it says `cache: true`.
    pub cache: Option<Span>,
}

/// What a node runs.
#[derive(Clone, Debug)]
pub enum KindDecl {
    /// A registered persona.
    Persona(Spanned<String>),
    /// A skill folder.
    Skill(Spanned<String>),
    /// A registered tool, by its own name.
    Tool(Spanned<String>),
    /// A command.
    Process(ProcessDecl),
    /// Another flow file, relative to this one.
    Flow(Spanned<String>),
    /// Nothing: the node is a gate.
    Approval,
}

impl KindDecl {
    /// The word that `type:` has for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Persona(_) => "persona",
            Self::Skill(_) => "skill",
            Self::Tool(_) => "tool",
            Self::Process(_) => "process",
            Self::Flow(_) => "flow",
            Self::Approval => "approval",
        }
    }
}

/// A command to run, without a shell.
#[derive(Clone, Debug)]
pub struct ProcessDecl {
    /// Program and arguments; each may hold expressions.
    pub command: Vec<Binding>,
    /// Working directory below the workspace; the workspace itself when absent.
    pub cwd: Option<Binding>,
    /// Environment variables set on top of the inherited ones.
    pub env: IndexMap<String, Binding>,
    /// How standard output is read.
    pub output: ProcessOutput,
}

/// How a process node's standard output is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessOutput {
    /// `{stdout, exit_code}`.
    #[default]
    Text,
    /// The output is the parsed JSON.
    Json,
}

/// `activate: {when, is}`.
#[derive(Clone, Debug)]
pub struct Activate {
    /// The value.
    pub when: Binding,
    /// What it must equal.
    pub is: Value,
}

/// `retry:`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in total, the first included; at least 1.
    pub attempts: u32,
    /// The waiting time between them.
    pub backoff: Backoff,
    /// Which failures are repeated.
    pub on: RetryOn,
}

/// Exponential waiting: `initial * factor^n`, at most `max`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// Before the second attempt.
    pub initial: Duration,
    /// By how much each wait is longer than the last; at least 1.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_mins(1),
        }
    }
}

/// Which failures a retry repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOn {
    /// Failures of the tool.
    pub error: bool,
    /// Exceeded timeouts.
    pub timeout: bool,
}

/// `approval:`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApprovalDecl {
    /// What the gate holds back.
    pub scope: GateScope,
    /// How long it waits; for ever when absent.
    pub timeout: Option<Duration>,
    /// What happens then.
    pub on_timeout: Expiry,
}

/// What a gate holds back while it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateScope {
    /// Opens when all earlier nodes have ended; no later node starts before the answer.
    #[default]
    Following,
    /// Holds back only what depends on it.
    Dependants,
}

/// What an unanswered gate does when its time is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// As if rejected.
    #[default]
    Reject,
    /// The node fails, as a tool would; `on_error` applies.
    Fail,
}

/// What a final failure does.
#[derive(Clone, Debug, Default)]
pub enum OnError {
    /// The run fails.
    #[default]
    Fail,
    /// The run goes on; the node has no output.
    Continue,
    /// This node's output stands in.
    Fallback(Spanned<NodeName>),
}
