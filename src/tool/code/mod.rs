//! What nodes of Python code, prompts and models run: found beside the flow, or in a skill's folder,
//! when the plan is made, called when the node starts.
//!
//! What is found out of Python code is kept with a run ([`Codes::kept`]), so that nobody starts
//! Python to look at one.

mod around;
mod call;
#[cfg(feature = "llm")]
mod contract;
mod find;
mod folder;
mod home;
#[cfg(feature = "llm")]
mod model;
#[cfg_attr(not(feature = "llm"), path = "no_models.rs")]
mod persona;
mod ports;
#[cfg(feature = "llm")]
mod proposal;
mod skill;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub use call::Asked;

use super::library::Library;
use super::python::Promptflow;
use super::skill::Skill;
use crate::flow::{CodeDecl, Flow, ModelDecl, NodeDecl, Selection};
use crate::plan::{Found, ToolInfo};
use crate::value::Value;
use around::Around;
use call::Code;
use find::Finder;
use home::Home;
use ports::Ports;

/// What code beside flows needs of the world.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where relative paths begin when the flow is not found from where the command was typed.
    pub workspace: PathBuf,
    /// The Python to run; searched for when it is not said.
    pub python: Option<PathBuf>,
    /// Who answers `import promptflow`.
    pub promptflow: Promptflow,
    /// Variables that win over those of the flow.
    pub environment: Vec<(String, String)>,
    /// Files and folders of connections.
    pub connections: Vec<PathBuf>,
    /// What is wanted of the flow.
    pub selection: Selection,
    /// How many Python processes a batch may use; at least one.
    pub processes: usize,
    /// Reads an environment variable.
    pub variable: fn(&str) -> Option<String>,
}

impl Default for Surroundings {
    /// Nothing, nowhere.
    fn default() -> Self {
        Self {
            workspace: PathBuf::new(),
            python: None,
            promptflow: Promptflow::default(),
            environment: Vec::new(),
            connections: Vec::new(),
            selection: Selection::default(),
            processes: 1,
            variable: |_| None,
        }
    }
}

/// The code of the flows of one plan.
#[derive(Default)]
pub(super) struct Codes {
    /// By the tool's name.
    found: Mutex<HashMap<String, Arc<Code>>>,
    /// By the flow file: where its code runs.
    homes: Mutex<HashMap<String, Arc<Home>>>,
    /// By the tool's name.
    ports: Mutex<BTreeMap<String, Ports>>,
    /// Skills that were found to be wrong, by the tool's name.
    broken: Mutex<BTreeSet<String>>,
}

impl Codes {
    /// What was found out, to be kept.
    pub(super) fn kept(&self) -> BTreeMap<String, Value> {
        let ports = self.ports.lock().expect("no holder panics");
        let value = |ports: &Ports| serde_json::to_value(ports).expect("plain data becomes JSON");
        ports
            .iter()
            .map(|(name, ports)| (name.clone(), value(ports)))
            .collect()
    }

    /// Takes what was kept; what cannot be read is found out again.
    pub(super) fn know(&self, kept: &BTreeMap<String, Value>) {
        let read = kept.iter().filter_map(|(name, value)| {
            let ports = serde_json::from_value(value.clone()).ok()?;
            Some((name.clone(), ports))
        });
        self.ports.lock().expect("no holder panics").extend(read);
    }

    /// What a node runs.
    pub(super) fn find(
        &self,
        library: &Library,
        surroundings: &Surroundings,
        flow: &Flow,
        node: &NodeDecl,
        code: &CodeDecl,
    ) -> Found {
        let around = Around {
            codes: self,
            library,
            surroundings,
            flow,
            node,
        };
        Finder { around, code }.find()
    }

    /// What runs a persona whose output a model proposes.
    pub(super) fn find_model(
        &self,
        library: &Library,
        surroundings: &Surroundings,
        flow: &Flow,
        node: &NodeDecl,
        model: &ModelDecl,
        persona: ToolInfo,
    ) -> Found {
        let around = Around {
            codes: self,
            library,
            surroundings,
            flow,
            node,
        };
        persona::find(&around, model, persona)
    }

    /// What a skill runs.
    pub(super) fn skill(&self, surroundings: &Surroundings, skill: &Arc<Skill>) -> Found {
        skill::find(self, surroundings, skill)
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Code>> {
        let found = self.found.lock().expect("no holder panics");
        found.get(name).cloned()
    }
}
