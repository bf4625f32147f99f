//! The compiled plan: scopes of nodes with their wires.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use petgraph::graph::DiGraph;

use super::catalog::ToolInfo;
use crate::diagnostic::{Source, Span};
use crate::expr::{Binding, Template};
use crate::flow::{Activate, ApprovalDecl, Dialect, InputDecl, NotifyDecl, ProcessDecl, Retry};
use crate::id::NodeName;
use crate::port::{Effect, Schema};
use crate::value::Digest;

/// A compiled flow file within a plan. A file that is used twice is compiled once.
///
/// `u32`, because plans are held in dense vectors and four billion flow files fit nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(pub u32);

/// A node within its scope, numbered in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id of the node at an index.
    #[must_use]
    pub fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("a file of at most 32 MiB holds fewer than 2^32 nodes"))
    }

    /// As an index into `Scope::nodes`.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A checked, compiled flow with its sub-flows.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) scopes: Vec<Scope>,
    pub(super) root: ScopeId,
}

impl Plan {
    /// The flow itself.
    #[must_use]
    pub fn root(&self) -> &Scope {
        self.scope(self.root)
    }

    /// The flow's own scope.
    #[must_use]
    pub fn root_id(&self) -> ScopeId {
        self.root
    }

    /// A scope by id.
    #[must_use]
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }

    /// All scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter()
    }
}

/// Nodes by what they are called, or by what they offer.
pub(super) type Names<'a> = HashMap<&'a str, NodeId, RandomState>;

/// One flow file, compiled.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The flow's name.
    pub name: String,
    /// By whose rules it runs.
    pub dialect: Dialect,
    /// The file.
    pub source: Arc<Source>,
    /// What it takes.
    pub inputs: IndexMap<String, InputDecl>,
    /// Its nodes, in file order.
    pub nodes: Vec<PlanNode>,
    /// Its nodes by name.
    pub(super) names: HashMap<NodeName, NodeId, RandomState>,
    /// What it gives.
    pub outputs: Vec<(String, Binding)>,
    /// Whom to tell when a run of it pauses or ends.
    pub notify: Vec<NotifyDecl>,
    /// Who comes before whom, and why.
    pub graph: DiGraph<NodeId, Why>,
    /// Per node: those directly before it, each once, ascending.
    pub before: Vec<Vec<NodeId>>,
    /// Per node: those directly after it, each once, ascending.
    pub after: Vec<Vec<NodeId>>,
    /// Whether a gate inside, at any depth, holds back all that follows it.
    pub holds_back: bool,
}

impl Scope {
    /// A node by id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &PlanNode {
        &self.nodes[id.index()]
    }

    /// A node's id by name.
    #[must_use]
    pub fn find(&self, name: &NodeName) -> Option<NodeId> {
        self.names.get(name).copied()
    }
}

/// A node with everything that running it needs.
#[derive(Clone, Debug)]
pub struct PlanNode {
    /// Its name.
    pub name: NodeName,
    /// Where it stands in its file.
    pub span: Span,
    /// 1-based.
    pub line: usize,
    /// What it runs.
    pub step: Step,
    /// Its inputs: explicit, wired, and defaults of sub-flows left out.
    pub inputs: Vec<Wire>,
    /// Runs only if this holds.
    pub when: Option<Template>,
    /// Runs only if a value equals another.
    pub activate: Option<Activate>,
    /// Runs once per item.
    pub foreach: Option<Binding>,
    /// Repeats failed attempts.
    pub retry: Option<Retry>,
    /// Of one attempt.
    pub timeout: Option<Duration>,
    /// Waits for a yes.
    pub gate: Option<ApprovalDecl>,
    /// Where it is written.
    pub gate_span: Span,
    /// What a final failure does.
    pub on_error: Fallback,
    /// The node for which this one stands in.
    pub stands_in_for: Option<NodeId>,
    /// Whether its results are evidence.
    pub evidence: bool,
    /// Whether its result is taken from the cache, and kept there.
    pub cache: bool,
    /// Whether it runs once, after everything else, over lists.
    pub aggregation: bool,
    /// The pool of workers that runs it, on Restate.
    pub worker_pool: Option<String>,
    /// The nodes whose outputs it reads, each once, ascending.
    pub reads: Vec<NodeId>,
}

impl PlanNode {
    /// Whether a success of this node must be durable before anything depends on it.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match &self.step {
            Step::Tool(tool) => tool.effect,
            Step::Process(_) => Effect::Effectful,
            // A gate's output is a decision, which is durable before it counts; a sub-flow's is
            // made of its nodes' outputs.
            Step::Gate | Step::Flow(_) => Effect::Pure,
        }
    }

    /// Whether the node may end without an output.
    #[must_use]
    pub fn conditional(&self) -> bool {
        self.when.is_some()
            || self.activate.is_some()
            || self.foreach.is_some()
            || self.stands_in_for.is_some()
    }

    /// Everything that is evaluated when the node starts: its inputs, and of a command its words,
    /// folder and variables.
    #[must_use]
    pub fn bindings(&self) -> Vec<&Binding> {
        let mut bindings: Vec<&Binding> = self.inputs.iter().map(|wire| &wire.binding).collect();
        if let Step::Process(process) = &self.step {
            bindings.extend(
                process
                    .command
                    .iter()
                    .chain(&process.cwd)
                    .chain(process.env.values()),
            );
        }
        bindings
    }

    /// What identifies the node's content, besides its inputs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match &self.step {
            Step::Tool(tool) => tool.digest,
            // Of what it says, not of where it stands: a comment above it is no change.
            Step::Process(process) => {
                let mut parts = vec![format!("{:?}", process.output)];
                parts.extend(
                    process
                        .cwd
                        .iter()
                        .map(|cwd| format!("cwd {}", cwd.identity())),
                );
                parts.extend(process.command.iter().map(Binding::identity));
                let env = process.env.iter();
                parts.extend(env.map(|(name, value)| format!("{name}={}", value.identity())));
                Digest::of_parts(parts.iter().map(String::as_bytes))
            }
            Step::Flow(_) => Digest::of(b"flow"),
            Step::Gate => Digest::of(b"gate"),
        }
    }

    /// The word for the kind of node, for people.
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.step {
            Step::Tool(tool) => tool.name.as_str(),
            Step::Process(_) => "process",
            Step::Flow(_) => "flow",
            Step::Gate => "approval",
        }
    }
}

/// What a node runs.
#[derive(Clone, Debug)]
pub enum Step {
    /// A registered tool: persona or skill.
    Tool(Box<ToolInfo>),
    /// A command.
    Process(Box<ProcessDecl>),
    /// A sub-flow.
    Flow(ScopeId),
    /// Nothing: the gate is all.
    Gate,
}

/// What a final failure of a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The run fails.
    Fail,
    /// The run goes on without the node's output.
    Continue,
    /// This node's output stands in.
    Node(NodeId),
}

/// One input of a node.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The port's name.
    pub port: String,
    /// The value.
    pub binding: Binding,
    /// Why it is this value.
    pub why: WireWhy,
    /// Whether the node cannot run without it.
    pub required: bool,
    /// What the value must satisfy.
    pub schema: Arc<Schema>,
}

/// Why a port has its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireWhy {
    /// Written under `inputs:`.
    Explicit,
    /// The nearest earlier node that offers it.
    Nearest(NodeId),
    /// The flow input of that name.
    FlowInput,
}

/// Why one node comes before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its output is read, by this port.
    Data(String),
    /// Its output decides whether or how often the other runs.
    Condition,
    /// `after:`.
    After,
    /// `order: sequential`.
    Order,
    /// A gate holds back what follows it, and waits for what precedes it.
    Gate,
    /// It may stand in for the other.
    Fallback,
}

impl std::fmt::Display for Why {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Data(port) => port,
            Self::Condition => "condition",
            Self::After => "after",
            Self::Order => "order",
            Self::Gate => "gate",
            Self::Fallback => "fallback",
        })
    }
}
