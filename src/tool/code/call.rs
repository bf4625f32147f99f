//! Calling code: [`Asked`] and what answers it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::home::Home;
#[cfg(feature = "llm")]
use super::model::Model;
#[cfg(feature = "llm")]
use super::proposal::Proposal;
use super::skill::SkillCall;
use crate::plan::ToolInfo;
use crate::port::{Failure, Outcome};
use crate::tool::connection::Connection;
use crate::tool::http::Web;
use crate::tool::llm::{self, Origin, Rendered};
use crate::tool::prompt::Template;
use crate::tool::python::{CallRequest, Reference};
use crate::tool::{LogFile, Redactor};
use crate::value::{Object, Value};

/// In what a prompt says of its text: where names of roles stand that came from inputs of the flow.
const HIDDEN: &str = "hidden";

/// One call of something that answers from outside of this process.
#[derive(Debug)]
pub struct Asked {
    /// The resolved inputs.
    pub inputs: Object,
    /// The decision of the node's own gate, when it has one.
    pub approval: Option<Value>,
    /// The same for every attempt of this node in this round.
    pub key: String,
    /// Where what is printed goes.
    pub log: Option<LogFile>,
    /// What must not be in anything that is written down.
    pub redactor: Redactor,
    /// The line of a batch; 0 without one.
    pub line: u64,
    /// What the nodes that inputs come from said of their work besides, by input; of code that
    /// [wants it](crate::tool::Registry::wants_about).
    pub about: BTreeMap<String, Value>,
    /// What [the code that gives the draft](crate::tool::Registry::drafts) gave, where there is some.
    pub draft: Option<Outcome>,
}

/// What a node runs.
pub(in crate::tool) enum Code {
    /// A template, rendered here.
    Prompt(Prompt),
    /// A function.
    Python(Box<Function>),
    /// A template that a model answers.
    #[cfg(feature = "llm")]
    Llm(Box<Model>),
    /// The function of a skill.
    Skill(Box<SkillCall>),
    /// A persona whose output a model proposes.
    #[cfg(feature = "llm")]
    Proposal(Box<Proposal>),
}

/// A template and where its inputs come from.
pub(in crate::tool) struct Prompt {
    pub(super) template: Template,
    /// Inputs that come straight from the flow's own, or from a prompt.
    pub(super) origins: BTreeMap<String, Comes>,
}

/// Where an input of a prompt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    FromFlow,
    FromPrompt,
}

/// A function of Python.
pub(in crate::tool) struct Function {
    pub(super) home: Arc<Home>,
    pub(super) place: Place,
    /// The node, which has the function's module for itself.
    pub(super) node: String,
    /// Connections that are named in the flow, by parameter.
    pub(super) connections: Vec<(String, String)>,
    /// The parameter that takes a template, and the template.
    pub(super) prompt: Option<(String, String)>,
    pub(super) aggregation: bool,
}

/// Where a function is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a file of the flow's folder.
    File(String),
    /// In an installed package.
    Package(String),
}

impl Place {
    /// As Python is told, which sees the flow's folder at `folder`.
    pub(super) fn reference(&self, folder: &std::path::Path, node: &str) -> Reference {
        match self {
            Self::File(path) => Reference::File {
                path: folder.join(path),
                function: None,
                instance: Some(node.to_owned()),
            },
            Self::Package(tool) => Reference::Package { tool: tool.clone() },
        }
    }
}

impl Code {
    /// Whether it is waited for.
    pub(in crate::tool) fn is_asked(&self) -> bool {
        match self {
            // What the prompts before it said of their texts comes that way only.
            Self::Prompt(_) => self.wants_about(),
            _ => true,
        }
    }

    /// Whether it asks what the nodes before it said of their work.
    pub(in crate::tool) fn wants_about(&self) -> bool {
        let of_prompt = |prompt: &Prompt| {
            prompt
                .origins
                .values()
                .any(|comes| *comes == Comes::FromPrompt)
        };
        match self {
            Self::Prompt(prompt) => of_prompt(prompt),
            #[cfg(feature = "llm")]
            Self::Llm(model) => of_prompt(&model.prompt),
            _ => false,
        }
    }

    /// What runs first, and gives the draft.
    pub(in crate::tool) fn drafts(&self) -> Option<&ToolInfo> {
        match self {
            #[cfg(feature = "llm")]
            Self::Proposal(proposal) => Some(&proposal.persona),
            _ => None,
        }
    }

    /// What is computed here.
    pub(in crate::tool) fn render(&self, inputs: &Object) -> Result<Outcome, Failure> {
        match self {
            Self::Prompt(prompt) => prompt.render(inputs, &BTreeMap::new()),
            _ => Err(Failure::new("it is waited for, not computed")),
        }
    }

    /// What is waited for.
    #[cfg_attr(
        not(feature = "llm"),
        expect(unused_variables, reason = "nobody is asked without the feature")
    )]
    pub(in crate::tool) async fn ask(&self, asked: Asked, web: &Web) -> Result<Outcome, Failure> {
        match self {
            Self::Prompt(prompt) => prompt.render(&asked.inputs, &asked.about),
            Self::Python(function) => function.call(asked).await,
            #[cfg(feature = "llm")]
            Self::Llm(model) => model.call(asked, web).await,
            Self::Skill(skill) => skill.call(asked).await,
            #[cfg(feature = "llm")]
            Self::Proposal(proposal) => Box::pin(proposal.call(asked, web)).await,
        }
    }
}

impl Prompt {
    /// Where the inputs came from, with what of their text opens no messages.
    pub(super) fn origins(&self, about: &BTreeMap<String, Value>) -> BTreeMap<String, Origin> {
        let origin = |(name, comes): (&String, &Comes)| {
            let origin = match comes {
                Comes::FromFlow => Origin::Flow,
                Comes::FromPrompt => {
                    let places = about.get(name).and_then(|about| about[HIDDEN].as_array());
                    let places = places.into_iter().flatten().filter_map(Value::as_u64);
                    Origin::Prompt(places.filter_map(|at| usize::try_from(at).ok()).collect())
                }
            };
            (name.clone(), origin)
        };
        self.origins.iter().map(origin).collect()
    }

    fn render(&self, inputs: &Object, about: &BTreeMap<String, Value>) -> Result<Outcome, Failure> {
        let Rendered { text, hidden } = llm::render(&self.template, inputs, &self.origins(about))?;
        Ok(Outcome {
            output: Value::String(text),
            about: (!hidden.is_empty()).then(|| json!({ HIDDEN: hidden })),
            ..Outcome::default()
        })
    }
}

impl Function {
    async fn call(&self, asked: Asked) -> Result<Outcome, Failure> {
        let (python, folder) = self.home.python()?;
        let mut inputs = asked.inputs;
        let mut connections = Object::new();
        let mut used: Vec<Connection> = Vec::new();
        for (parameter, name) in &self.connections {
            let connection = self.home.connection(name)?;
            inputs.remove(parameter);
            connections.insert(parameter.clone(), connection.to_json());
            used.push(connection);
        }
        if let Some((parameter, template)) = &self.prompt {
            inputs.insert(parameter.clone(), Value::String(template.clone()));
        }
        let hiding = Home::hiding(&used);
        let request = CallRequest {
            connections,
            log: asked.log,
            redactor: asked.redactor.and(&hiding),
            line: asked.line,
            aggregation: self.aggregation,
            ..CallRequest::new(self.place.reference(folder, &self.node), inputs)
        };
        let answer = python.call(request).await?;
        let metrics = (!answer.metrics.is_empty()).then(|| json!({ "metrics": answer.metrics }));
        match answer.result {
            Ok(output) => Ok(Outcome {
                output: hiding.value(output),
                about: metrics.map(|metrics| hiding.value(metrics)),
                ..Outcome::default()
            }),
            Err(raised) => {
                let failure = raised.failure();
                Err(Failure {
                    message: hiding.text(&failure.message),
                    ..failure
                })
            }
        }
    }
}
