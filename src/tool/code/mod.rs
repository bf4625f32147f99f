//! What nodes of Python code, prompts and models run: found beside the flow when the plan is made,
//! called when the node starts.

mod call;
mod folder;
mod ports;

use std::path::PathBuf;

use crate::flow::Selection;

pub use call::Asked;

/// What code beside flows needs of the world.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where relative paths begin when the flow is not found from where the command was typed.
    pub workspace: PathBuf,
    /// The Python to run; searched for when it is not said.
    pub python: Option<PathBuf>,
    /// Variables that win over those of the flow.
    pub environment: Vec<(String, String)>,
    /// Files and folders of connections.
    pub connections: Vec<PathBuf>,
    /// What is wanted of the flow.
    pub selection: Selection,
    /// How many Python processes a batch may use; at least one.
    pub processes: usize,
}
