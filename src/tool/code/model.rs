//! [`Model`]: a prompt that a model answers, found and asked.

use std::sync::Arc;

use serde_json::json;

use super::call::{Asked, Code, Prompt};
use super::find::Finder;
use super::home::Home;
use super::ports::{Input, Ports};
use crate::diagnostic::Code as Problem;
use crate::expr::Use;
use crate::flow::{InputBinding, NodeDecl, Part};
use crate::plan::Found;
use crate::port::{Effect, Failure, Outcome};
use crate::tool::http::Web;
use crate::tool::llm::{self, Api};
use crate::value::Digest;

/// A prompt for a model.
pub(in crate::tool) struct Model {
    pub(super) prompt: Prompt,
    pub(super) api: Api,
    pub(super) home: Arc<Home>,
    pub(super) connection: String,
    /// Whether the answer is taken piece by piece, as Prompt Flow does where nobody but the caller
    /// waits for it.
    pub(super) stream: bool,
}

impl Finder<'_> {
    /// What a node of `type: llm` runs.
    pub(super) fn model(&self) -> Found {
        match self.try_model() {
            Ok(found) | Err(found) => found,
        }
    }

    fn try_model(&self) -> Result<Found, Found> {
        let span = self.node.name.span;
        let (prompt, digest) = self.template()?;
        let api = self.code.api.as_ref();
        let Some(api) = api.and_then(|api| Api::parse(&api.value)) else {
            let (message, span) = match api {
                Some(api) => (format!("there is no API `{}`", api.value), api.span),
                None => (
                    format!("`{}` does not say which API it asks", self.node.name.value),
                    span,
                ),
            };
            let help = "write `api: chat` or `api: completion`";
            return Err(self.broken(Problem::BadValue, message, span, help));
        };
        let Some(connection) = &self.code.connection else {
            return Err(self.broken(
                Problem::UnknownConnection,
                format!("`{}` names no connection", self.node.name.value),
                span,
                "write `connection: NAME`; `flowctl connection list` shows which there are",
            ));
        };
        self.check_model_connection(connection)?;
        for variable in prompt.template.variables() {
            if llm::parameter(api, &variable).is_some() {
                let message = format!(
                    "the prompt has a variable `{variable}`, which is the name of a parameter of the model"
                );
                let help = "give the variable another name";
                let at = self.code.source.name().span;
                return Err(self.broken(Problem::Conflict, message, at, help));
            }
        }
        let input = |(name, _): (&String, &InputBinding)| {
            let kind = llm::parameter(api, name)?;
            Some(Input {
                name: name.clone(),
                required: false,
                kind: Some(kind.word().to_owned()),
                connection: Vec::new(),
            })
        };
        let ports = Ports {
            inputs: self.node.inputs.iter().filter_map(input).collect(),
            open: true,
            version: String::new(),
        };
        let digest = Digest::of_parts([
            digest.hex().as_bytes(),
            connection.value.as_bytes(),
            format!("{api:?}").as_bytes(),
        ]);
        let model = Model {
            prompt,
            api,
            home: self.home(),
            connection: connection.value.clone(),
            stream: self.streams(),
        };
        let code = Code::Llm(Box::new(model));
        Ok(self.tool(code, &ports, Effect::Effectful, digest))
    }

    /// Whether nobody but the caller of the flow waits for the answer.
    fn streams(&self) -> bool {
        let name = &self.node.name.value;
        let reads = |used: &Use<'_>| used.node().as_ref() == Some(name);
        let is_output = self
            .flow
            .outputs
            .values()
            .any(|output| output.binding.uses().iter().any(reads));
        let mut others = self.flow.nodes.iter().flat_map(NodeDecl::uses);
        self.surroundings.selection.part == Part::Whole
            && is_output
            && !others.any(|(used, _)| reads(&used))
    }
}

impl Model {
    /// Asks the model.
    pub(super) async fn call(&self, asked: Asked, web: &Web) -> Result<Outcome, Failure> {
        let origins = self.prompt.origins(&asked.about);
        let prepared = llm::prepare(&self.prompt.template, self.api, asked.inputs, &origins)?;
        let connection = self.home.connection(&self.connection)?;
        let hiding = Home::hiding([&connection]);
        let redactor = asked.redactor.and(&hiding);
        let request = llm::LlmRequest {
            connection: &connection,
            api: self.api,
            prompt: &prepared.prompt,
            messages: &prepared.messages,
            parameters: &prepared.parameters,
            stream: self.stream,
            key: &asked.key,
            redactor: &redactor,
        };
        let answer = llm::Llm::new(web.client().clone()).call(&request).await?;
        Ok(Outcome {
            output: hiding.value(answer.output),
            about: Some(json!({
                "model": answer.model, "usage": answer.usage, "request_digest": answer.request_digest,
                "attempts": answer.attempts,
            })),
            ..Outcome::default()
        })
    }
}
