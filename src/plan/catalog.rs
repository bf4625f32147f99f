//! [`Catalog`]: whom the plan asks for tools and sub-flows.

use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::flow::{CodeDecl, Flow, ModelDecl, NodeDecl, Part, Selection};
use crate::id::ToolName;
use crate::port::{Effect, Signature};
use crate::value::Digest;

/// What the plan needs to know of a tool.
#[derive(Clone, Debug)]
pub struct ToolInfo {
    /// The registered name.
    pub name: ToolName,
    /// Its ports.
    pub signature: Arc<Signature>,
    /// Whether it is a function of its inputs and content only.
    pub effect: Effect,
    /// Changes when the tool's content does: code version, skill files.
    pub digest: Digest,
    /// Whether its results are evidence unless the node says otherwise.
    pub evidence: bool,
}

/// The answer to a look-up.
pub enum Found {
    /// There it is.
    Tool(Box<ToolInfo>),
    /// No such thing.
    Unknown,
    /// It is there, and its own files are wrong.
    Broken(Diagnostics),
}

/// Gives tools and sub-flow files.
pub trait Catalog {
    /// A persona by name.
    fn persona(&self, name: &str) -> Found;
    /// A skill by name.
    fn skill(&self, name: &str) -> Found;
    /// A registered tool by its own name.
    fn tool(&self, name: &str) -> Found;
    /// What a node of Python code, or of a template, runs; the flow says where its files are.
    fn code(&self, flow: &Flow, node: &NodeDecl, code: &CodeDecl) -> Found;
    /// What runs a persona whose output a model proposes.
    fn model(&self, flow: &Flow, node: &NodeDecl, model: &ModelDecl, persona: ToolInfo) -> Found;
    /// What an `http` node runs.
    fn http(&self, flow: &Flow, node: &NodeDecl) -> Found;
    /// What is wanted of the flow.
    fn selection(&self) -> &Selection {
        static ALL: Selection = Selection {
            variant: None,
            part: Part::Whole,
        };
        &ALL
    }
    /// All names of a kind (`persona`, `skill`, `tool`), for help.
    fn names(&self, kind: &str) -> Vec<String>;
    /// The source of a sub-flow, at a path relative to the flow that names it.
    ///
    /// # Errors
    /// A sentence fragment that says why it cannot be read, or the file's own diagnostics.
    fn flow(&self, from: &str, path: &str) -> Result<Arc<Source>, FlowError>;
}

/// Why a sub-flow's source cannot be had.
pub enum FlowError {
    /// It cannot be read.
    Unreadable(String),
    /// It is too large or not UTF-8.
    Broken(Diagnostics),
}
