//! [`Ports`]: what is known of code before it runs, in a form that is kept with a run, so that
//! nobody needs Python to look at one.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::port::{Port, Signature};
use crate::python_value::Kind;

/// What a piece of code takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    /// In the order of the parameters.
    pub(super) inputs: Vec<Input>,
    /// Whether it takes any other name, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) open: bool,
    /// What identifies what is not among the kept files: the version of a package.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) version: String,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Input {
    pub(super) name: String,
    /// Whether it has no default of its own.
    pub(super) required: bool,
    /// What a literal is made into, by Prompt Flow's word; taken as it is when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// The classes of connections of which it takes one, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) connection: Vec<String>,
}

impl Ports {
    pub(super) fn signature(&self) -> Signature {
        let port = |input: &Input| Port {
            required: input.required,
            kind: input.kind.as_deref().and_then(Kind::parse),
            ..Port::new(&input.name, json!(true), "")
        };
        Signature {
            inputs: self.inputs.iter().map(port).collect(),
            outputs: Vec::new(),
            open: self.open,
        }
    }
}
