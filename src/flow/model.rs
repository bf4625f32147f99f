//! The decoded flow: plain data with places.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::json;

use super::input::{InputDecl, InputType};
use super::persona::ModelDecl;
use crate::diagnostic::{Source, Span};
use crate::expr::{Binding, Template};
use crate::id::NodeName;
use crate::value::{Object, Value};
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
    /// By whose rules the file is read and run.
    pub dialect: Dialect,
    /// What orders nodes besides data.
    pub order: Order,
    /// Declared inputs, in file order.
    pub inputs: IndexMap<String, InputDecl>,
    /// Nodes, in file order.
    pub nodes: Vec<NodeDecl>,
    /// Outputs, in file order.
    pub outputs: IndexMap<String, InputBinding>,
    /// Environment variables that are set for the tools (Prompt Flow).
    pub environment: IndexMap<String, Value>,
    /// Files and folders that are laid over the flow's own (Prompt Flow).
    pub includes: Vec<Spanned<String>>,
    /// Whom to tell when a run pauses or ends.
    pub notify: Vec<NotifyDecl>,
    /// The file.
    pub source: Arc<Source>,
}

/// By whose rules a flow is read and run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// flowctl's own.
    #[default]
    Flowctl,
    /// Prompt Flow's `flow.dag.yaml`.
    PromptFlow,
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

impl InputBinding {
    /// A value that was read as this binding.
    pub(super) fn new(binding: Binding, key_span: Span, node: &yaml::Node) -> Self {
        Self {
            literal: matches!(binding, Binding::Literal(_)).then(|| node.clone()),
            binding,
            key_span,
        }
    }

    /// Where the value stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match (&self.literal, self.binding.uses().first()) {
            (Some(node), _) => node.span,
            (None, Some(used)) => used.span(),
            (None, None) => self.key_span,
        }
    }
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
    /// Whether it runs once, after all lines of a batch, over lists of their values.
    pub aggregation: bool,
    /// The pool of workers that runs it, on Restate.
    pub worker_pool: Option<String>,
}

/// What a node runs.
#[derive(Clone, Debug)]
pub enum KindDecl {
    /// A registered persona, perhaps with a model that proposes.
    Persona(Spanned<String>, Option<Box<ModelDecl>>),
    /// A skill folder.
    Skill(Spanned<String>),
    /// A registered tool, by its own name.
    Tool(Spanned<String>),
    /// A command.
    Process(ProcessDecl),
    /// Another flow file, relative to this one.
    Flow(Spanned<String>),
    /// A request to a server; what it says are the node's inputs.
    Http,
    /// Nothing: the node is a gate.
    Approval,
    /// Python code, a prompt, or a prompt for a model.
    Code(Box<CodeDecl>),
}

impl KindDecl {
    /// The word that `type:` has for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Persona(..) => "persona",
            Self::Skill(_) => "skill",
            Self::Tool(_) => "tool",
            Self::Process(_) => "process",
            Self::Flow(_) => "flow",
            Self::Http => "http",
            Self::Approval => "approval",
            Self::Code(code) => code.kind.word(),
        }
    }
}

/// Code or a template that lies beside the flow, or in an installed package.
#[derive(Clone, Debug)]
pub struct CodeDecl {
    /// What is done with it.
    pub kind: CodeKind,
    /// Where it is.
    pub source: CodeSource,
    /// The connection of a model.
    pub connection: Option<Spanned<String>>,
    /// The interface of a model: `chat` or `completion`.
    pub api: Option<Spanned<String>>,
    /// A Python module to import before (Prompt Flow).
    pub module: Option<Spanned<String>>,
}

/// What is done with code or a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// A Python function is called.
    Python,
    /// A Jinja2 template is rendered.
    Prompt,
    /// A Jinja2 template is rendered and sent to a model.
    Llm,
    /// A Python function is called with a Jinja2 template.
    CustomLlm,
}

impl CodeKind {
    /// Every kind by its word.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("python", Self::Python),
        ("prompt", Self::Prompt),
        ("llm", Self::Llm),
        ("custom_llm", Self::CustomLlm),
    ];

    /// The kind that a word names; case matters.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(name, _)| *name == word);
        found.map(|(_, kind)| *kind)
    }

    /// The word that `type:` has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("python", |(word, _)| word)
    }
}

/// Where code or a template is.
#[derive(Clone, Debug)]
pub enum CodeSource {
    /// A file, relative to the flow's folder.
    File(Spanned<String>),
    /// A tool of an installed package, by its id.
    Package {
        /// The id.
        tool: Spanned<String>,
        /// The template that it is given, relative to the flow's folder.
        path: Option<Spanned<String>>,
    },
}

impl CodeSource {
    /// What is named, and where.
    #[must_use]
    pub fn name(&self) -> &Spanned<String> {
        match self {
            Self::File(path) => path,
            Self::Package { tool, .. } => tool,
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
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalDecl {
    /// What the gate holds back.
    pub scope: GateScope,
    /// How long it waits; for ever when absent.
    pub timeout: Option<Duration>,
    /// What happens then.
    pub on_timeout: Expiry,
    /// Who may answer: users, and groups as `@group`; whoever is known when empty.
    pub approvers: Vec<String>,
    /// How many must say yes.
    pub quorum: u32,
    /// Whether those who asked for the run may not answer.
    pub separation_of_duties: bool,
    /// What a yes must fill in, by name.
    pub form: IndexMap<String, Field>,
}

impl Default for ApprovalDecl {
    fn default() -> Self {
        Self {
            scope: GateScope::default(),
            timeout: None,
            on_timeout: Expiry::default(),
            approvers: Vec::new(),
            quorum: 1,
            separation_of_duties: false,
            form: IndexMap::new(),
        }
    }
}

impl ApprovalDecl {
    /// Whether the gate needs to know who people are.
    #[must_use]
    pub fn names_people(&self) -> bool {
        !self.approvers.is_empty() || self.quorum > 1 || self.separation_of_duties
    }

    /// The JSON Schema of what a yes fills in; none when it fills in nothing.
    #[must_use]
    pub fn form_schema(&self) -> Option<Value> {
        let required = self
            .form
            .iter()
            .filter(|(_, field)| field.default.is_none());
        let required: Vec<&String> = required.map(|(name, _)| name).collect();
        let properties: Object = self
            .form
            .iter()
            .map(|(name, field)| {
                let mut schema = field.schema.clone();
                if let Some(default) = &field.default {
                    schema["default"] = default.clone();
                }
                (name.clone(), schema)
            })
            .collect();
        (!self.form.is_empty()).then(|| {
            json!({
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            })
        })
    }
}

/// A field of a gate's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What it must be.
    pub input_type: InputType,
    /// The JSON Schema that its values satisfy.
    pub schema: Value,
    /// The value when none is given.
    pub default: Option<Value>,
}

impl Field {
    /// Reads what somebody wrote: text as it stands for strings, JSON or YAML for everything else.
    ///
    /// # Errors
    /// A sentence fragment, when the text is not YAML.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        self.input_type.read(text)
    }
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

/// An item of `notify:`.
#[derive(Clone, Debug)]
pub struct NotifyDecl {
    /// When; each moment may stand there more than once.
    pub on: Vec<Moment>,
    /// Whom.
    pub to: NotifyTarget,
    /// The whole item.
    pub span: Span,
}

impl NotifyDecl {
    /// Everything that is evaluated when somebody is told.
    #[must_use]
    pub fn bindings(&self) -> Vec<&Binding> {
        match &self.to {
            NotifyTarget::Command(words) => words.iter().collect(),
            NotifyTarget::Post { url, headers } => {
                std::iter::once(url).chain(headers.values()).collect()
            }
        }
    }
}

/// Whom a notification goes to.
#[derive(Clone, Debug)]
pub enum NotifyTarget {
    /// A program, which finds it on its standard input.
    Command(Vec<Binding>),
    /// A server, which is sent it.
    Post {
        /// Where.
        url: Binding,
        /// What the request says besides.
        headers: IndexMap<String, Binding>,
    },
}

/// When somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Only gates are left to wait for.
    Paused,
    /// The run ended well.
    Succeeded,
    /// The run ended with a failure.
    Failed,
    /// The run ended with a no.
    Rejected,
    /// The run was cancelled.
    Cancelled,
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
