//! Skill folders: `skill.yaml` with its templates beside it, rendered by tera, or with a function of
//! Python, which is called elsewhere ([`super::code`]).
//!
//! Loading reports every problem with its own file, line and column; rendering is a pure function
//! of the folder's bytes and the inputs.

mod loaded;
mod manifest;
mod python;
mod render;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::port::{Schema, Signature};
use crate::value::Digest;
use templates::Templates;

pub(super) use loaded::loaded;
#[cfg(feature = "llm")]
pub(in crate::tool) use manifest::rendered_files;
pub(super) use python::PythonPart;
pub(crate) use render::check_path;

/// What a skill folder offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something that nodes and personas render.
    Skill,
    /// A persona of its own.
    Persona,
}

/// A loaded skill.
#[derive(Debug)]
pub struct Skill {
    /// Whether it gives values only, each by one pass over its inputs.
    light: bool,
    name: String,
    kind: Kind,
    description: String,
    origin: String,
    digest: Digest,
    signature: Arc<Signature>,
    schemas: BTreeMap<String, Schema>,
    templates: Templates,
    files: BTreeMap<String, Vec<u8>>,
    rendered: Vec<FileRule>,
    evidence: Vec<FileRule>,
    outputs: Vec<(String, OutputValue)>,
    /// What it runs instead of templates.
    python: Option<PythonPart>,
}

/// A template: its name in the engine, and where it came from.
#[derive(Clone, Debug)]
struct TemplateRef(String);

/// One entry of `files:` or `evidence:`.
#[derive(Debug)]
struct FileRule {
    source: TemplateRef,
    target: TemplateRef,
    when: Option<TemplateRef>,
    each: Option<(String, TemplateRef)>,
    raw: bool,
}

/// The value of an output.
#[derive(Debug)]
enum OutputValue {
    Literal(serde_json::Value),
    /// A string template.
    Text(TemplateRef),
    /// Exactly one `{{ … }}`: the value keeps its type.
    Typed(TemplateRef),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Skill {
    /// Its name, which is the folder's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it gives values only, each by one pass over its inputs: no file, and no loop.
    #[must_use]
    pub(crate) fn is_light(&self) -> bool {
        self.light
    }

    /// What it offers.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// One sentence.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where it was found.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Changes when any file of the folder does.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its ports.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }
}
