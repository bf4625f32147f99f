//! Calling code: [`Asked`] and what answers it.

use std::sync::Arc;

use serde_json::json;

use super::home::Home;
use crate::port::{Failure, Outcome};
use crate::tool::connection::Connection;
use crate::tool::prompt::Template;
use crate::tool::python::{CallRequest, Reference};
use crate::tool::{LogFile, Redactor};
use crate::value::{Object, Value};

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
}

/// What a node runs.
pub(in crate::tool) enum Code {
    /// A template, rendered here.
    Prompt(Template),
    /// A function.
    Python(Box<Function>),
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
        !matches!(self, Self::Prompt(_))
    }

    /// What is computed here.
    pub(in crate::tool) fn render(&self, inputs: &Object) -> Result<Outcome, Failure> {
        match self {
            Self::Prompt(template) => Ok(Outcome {
                output: Value::String(template.render(inputs)?),
                ..Outcome::default()
            }),
            Self::Python(_) => Err(Failure::new("it is waited for, not computed")),
        }
    }

    /// What is waited for.
    pub(in crate::tool) async fn ask(&self, asked: Asked) -> Result<Outcome, Failure> {
        match self {
            Self::Prompt(_) => self.render(&asked.inputs),
            Self::Python(function) => function.call(asked).await,
        }
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
