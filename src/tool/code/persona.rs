//! [`find`]: finds what runs a persona whose output a model proposes.

use std::sync::Arc;

use super::around::Around;
use super::call::Code;
use super::contract::Contract;
use super::proposal::Proposal;
use crate::diagnostic::{Code as Problem, Diagnostic, Diagnostics, or_list};
use crate::flow::{Charter, ModelDecl};
use crate::id::ToolName;
use crate::plan::{Found, ToolInfo};
use crate::port::Effect;
use crate::tool::llm::{self, Api};
use crate::tool::skill::rendered_files;
use crate::value::{Digest, Object};

/// Parameters of a chat that a node may give. The rest are about what is asked and how the answer
/// comes, which is settled here.
const PARAMETERS: [&str; 10] = [
    "temperature",
    "top_p",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "user",
    "seed",
];

/// Finds it.
pub(super) fn find(around: &Around<'_>, model: &ModelDecl, persona: ToolInfo) -> Found {
    let proposer = Proposer {
        around,
        model,
        persona,
    };
    match proposer.try_find() {
        Ok(found) | Err(found) => found,
    }
}

/// Whoever finds it.
struct Proposer<'a> {
    around: &'a Around<'a>,
    model: &'a ModelDecl,
    persona: ToolInfo,
}

impl Proposer<'_> {
    fn try_find(self) -> Result<Found, Found> {
        let name = &self.around.node.name;
        if self.persona.effect == Effect::Effectful {
            return Err(self.around.broken(
                Problem::Conflict,
                format!(
                    "`{}` records what it saw in the world, and no model proposes that",
                    name.value
                ),
                name.span,
                "remove `model`; the personas that `flowctl tools` calls pure take one",
            ));
        }
        // Its draft would have to be waited for.
        if self
            .around
            .codes
            .named(self.persona.name.as_str())
            .is_some()
        {
            return Err(self.around.broken(
                Problem::NotSupported,
                format!(
                    "`{}` runs Python, and such a persona takes no model in this version",
                    name.value
                ),
                name.span,
                "remove `model`, or give the draft by a persona of `runtime: tera`",
            ));
        }
        // Which files there are is not proposed.
        let outputs = self.persona.signature.outputs.iter();
        let outputs: Vec<_> = outputs.filter(|port| **port != rendered_files()).collect();
        if outputs.is_empty() {
            return Err(self.around.broken(
                Problem::Conflict,
                format!(
                    "`{}` gives files only, and there is nothing to propose",
                    name.value
                ),
                name.span,
                "remove `model`, or give the persona an output in its `skill.yaml`",
            ));
        }
        let contract = Contract::of(&outputs).map_err(|message| {
            let help = "correct it in the persona's `skill.yaml`";
            self.around
                .broken(Problem::Conflict, message, name.span, help)
        })?;
        let charter = match &self.model.charter {
            Charter::Text(text) => text.clone(),
            Charter::File(path) => self.around.text(path)?,
        };
        if charter.trim().is_empty() {
            return Err(self.around.broken(
                Problem::BadValue,
                "the charter is empty".to_owned(),
                name.span,
                "write into its file what the model is to do",
            ));
        }
        let parameters = self.parameters().map_err(Found::Broken)?;
        self.around.check_model_connection(&self.model.connection)?;
        let digest = Digest::of_parts([
            b"model 1".as_slice(),
            self.persona.digest.hex().as_bytes(),
            self.model.connection.value.as_bytes(),
            charter.as_bytes(),
            &crate::value::canonical(&parameters),
            self.model.on_invalid.word().as_bytes(),
        ]);
        let tool = format!("model:{}#{}", self.around.flow.source.path, name.value);
        let info = ToolInfo {
            name: ToolName::from(tool.clone()),
            effect: Effect::Effectful,
            digest,
            ..self.persona.clone()
        };
        let proposal = Proposal {
            contract,
            charter,
            parameters,
            home: self.around.home(),
            connection: self.model.connection.value.clone(),
            on_invalid: self.model.on_invalid,
            persona: self.persona,
        };
        let mut found = self.around.codes.found.lock().expect("no holder panics");
        found.insert(tool, Arc::new(Code::Proposal(Box::new(proposal))));
        Ok(Found::Tool(Box::new(info)))
    }

    /// The parameters of the call, the model's name among them.
    fn parameters(&self) -> Result<Object, Diagnostics> {
        let mut problems = Diagnostics::default();
        let mut parameters = Object::new();
        parameters.insert("model".to_owned(), self.model.model.value.clone().into());
        for (name, given) in &self.model.parameters {
            let source = &self.around.flow.source;
            let kind = llm::parameter(Api::Chat, name).filter(|_| PARAMETERS.contains(&&**name));
            let Some(kind) = kind else {
                let message = format!("a persona's model takes no parameter `{name}`");
                let mut problem =
                    Diagnostic::error(Problem::UnknownKey, message, source, given.span)
                        .did_you_mean(name, PARAMETERS);
                if problem.help.is_empty() {
                    problem = problem.help(format!("the parameters are {}", or_list(PARAMETERS)));
                }
                problems.push(problem);
                continue;
            };
            match llm::coerce_literal(kind, &given.value) {
                Ok(Some(value)) => {
                    parameters.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(_) => problems.push(
                    Diagnostic::error(
                        Problem::BadValue,
                        format!("the parameter `{name}` takes no `{}`", given.value),
                        source,
                        given.span,
                    )
                    .help(format!("write a value of the type `{}`", kind.word())),
                ),
            }
        }
        if problems.has_errors() {
            Err(problems)
        } else {
            Ok(parameters)
        }
    }
}
