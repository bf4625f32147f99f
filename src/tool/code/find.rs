//! Finding code: what a node of a plan runs, and what it takes.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use super::around::Around;
use super::call::{Code, Comes, Function, Place, Prompt};
use super::folder::python_sources;
use super::home::own_folder;
use super::ports::{Input, Ports};
use crate::diagnostic::{Code as Problem, Diagnostic, Diagnostics};
use crate::expr::{Binding, Head};
use crate::flow::{CodeDecl, CodeKind, CodeSource, InputBinding, KindDecl, NodeDecl};
use crate::id::{NodeName, ToolName};
use crate::plan::{Found, ToolInfo};
use crate::port::Effect;
use crate::tool::prompt::Template;
use crate::tool::python::{Description, Kind};
use crate::value::{Digest, Value};

/// Finds the code of a node.
pub(super) struct Finder<'a> {
    pub(super) around: Around<'a>,
    pub(super) code: &'a CodeDecl,
}

impl<'a> Deref for Finder<'a> {
    type Target = Around<'a>;

    fn deref(&self) -> &Around<'a> {
        &self.around
    }
}

impl Finder<'_> {
    pub(super) fn find(&self) -> Found {
        match self.code.kind {
            CodeKind::Prompt => self.prompt(),
            CodeKind::Python | CodeKind::CustomLlm => self.function(),
            CodeKind::Llm => self.model(),
        }
    }

    /// The tool's name: one for each node, because each has its own module and connections.
    fn name(&self) -> String {
        let kind = self.code.kind.word();
        format!("{kind}:{}#{}", self.flow.source.path, self.node.name.value)
    }

    pub(super) fn tool(&self, code: Code, ports: &Ports, effect: Effect, digest: Digest) -> Found {
        let name = self.name();
        let mut found = self.codes.found.lock().expect("no holder panics");
        found.insert(name.clone(), Arc::new(code));
        Found::Tool(Box::new(ToolInfo {
            name: ToolName::from(name),
            signature: Arc::new(ports.signature()),
            effect,
            digest,
            evidence: false,
        }))
    }

    /// The template of a prompt, and the digest of its text.
    pub(super) fn template(&self) -> Result<(Prompt, Digest), Found> {
        let CodeSource::File(path) = &self.code.source else {
            return Err(self.broken(
                Problem::Conflict,
                "a prompt is a file beside the flow".to_owned(),
                self.code.source.name().span,
                "write `source: { type: code, path: FILE.jinja2 }`",
            ));
        };
        let text = self.text(path)?;
        let shown = self.home().locate(&path.value);
        let template = Template::load(&shown.to_string_lossy(), &text).map_err(Found::Broken)?;
        let prompt = Prompt {
            template,
            origins: self.origins(),
        };
        let digest = Digest::of_parts([b"prompt".as_slice(), text.as_bytes()]);
        Ok((prompt, digest))
    }

    /// Inputs that are the flow's own, or the whole text of a prompt.
    fn origins(&self) -> BTreeMap<String, Comes> {
        let is_prompt = |name: &NodeName| {
            let named = |node: &&NodeDecl| node.name.value == *name;
            self.flow.nodes.iter().find(named).is_some_and(
                |node| matches!(&node.kind, KindDecl::Code(code) if code.kind == CodeKind::Prompt),
            )
        };
        let origin = |(name, input): (&String, &InputBinding)| {
            let reference = input.binding.whole()?;
            let comes = match &reference.head {
                Head::Input(_) => Comes::FromFlow,
                Head::Output(node) if reference.path.is_whole() && is_prompt(node) => {
                    Comes::FromPrompt
                }
                _ => return None,
            };
            Some((name.clone(), comes))
        };
        self.node.inputs.iter().filter_map(origin).collect()
    }

    fn prompt(&self) -> Found {
        let ports = Ports {
            open: true,
            ..Ports::default()
        };
        match self.template() {
            Ok((prompt, digest)) => self.tool(Code::Prompt(prompt), &ports, Effect::Pure, digest),
            Err(broken) => broken,
        }
    }

    fn function(&self) -> Found {
        let place = match &self.code.source {
            CodeSource::File(path) => {
                if let Err(broken) = self.file(path) {
                    return broken;
                }
                Place::File(path.value.clone())
            }
            CodeSource::Package { tool, .. } => Place::Package(tool.value.clone()),
        };
        let template = match &self.code.source {
            CodeSource::Package {
                path: Some(path), ..
            } => match self.text(path) {
                Ok(text) => Some(text),
                Err(broken) => return broken,
            },
            _ => None,
        };
        let sources = self.sources();
        let ports = match self.ports(&place) {
            Ok(ports) => ports,
            Err(broken) => return broken,
        };
        let connections = match self.connections(&ports) {
            Ok(connections) => connections,
            Err(problems) => return Found::Broken(problems),
        };
        let is_template = |input: &&Input| input.kind.as_deref() == Some("prompt_template");
        let prompt = template.as_ref().and_then(|text| {
            let input = ports.inputs.iter().find(is_template)?;
            Some((input.name.clone(), text.clone()))
        });
        let mut parts: Vec<&[u8]> = vec![b"python", ports.version.as_bytes()];
        for (path, bytes) in &sources {
            parts.extend([path.as_bytes(), bytes.as_slice()]);
        }
        parts.extend(template.as_ref().map(String::as_bytes));
        let digest = Digest::of_parts(parts);
        // The template and the connections are given here, and by nobody else.
        let mut open = ports.clone();
        for input in &mut open.inputs {
            let given = prompt.as_ref().is_some_and(|(name, _)| *name == input.name);
            input.required &= !given;
        }
        open.open |= template.is_some();
        let function = Function {
            home: self.home(),
            place,
            node: self.node.name.value.to_string(),
            connections,
            prompt,
            aggregation: self.node.aggregation,
        };
        self.tool(
            Code::Python(Box::new(function)),
            &open,
            Effect::Effectful,
            digest,
        )
    }

    /// The Python files that the function is made of: its own, and those that no other node names.
    /// All of them are kept with the run.
    fn sources(&self) -> BTreeMap<String, Vec<u8>> {
        let named = |node: &NodeDecl| match &node.kind {
            KindDecl::Code(code) => match &code.source {
                CodeSource::File(path) => Some(path.value.clone()),
                CodeSource::Package { .. } => None,
            },
            _ => None,
        };
        let own = match &self.code.source {
            CodeSource::File(path) => Some(path.value.clone()),
            CodeSource::Package { .. } => None,
        };
        let others: Vec<String> = self.flow.nodes.iter().filter_map(named).collect();
        let prefix = self.prefix();
        let all: BTreeMap<String, Vec<u8>> = if self.library.is_kept() {
            self.library.kept_below(&prefix)
        } else {
            let own = own_folder(&self.flow.source.path, Path::new(""));
            python_sources(&own)
                .into_iter()
                .filter_map(|(path, at)| {
                    let bytes = self.library.asset(&format!("{prefix}{path}"), &at).ok()?;
                    Some((path, bytes))
                })
                .collect()
        };
        all.into_iter()
            .filter(|(path, _)| path.ends_with(".py"))
            .filter(|(path, _)| own.as_ref() == Some(path) || !others.contains(path))
            .collect()
    }

    fn ports(&self, place: &Place) -> Result<Ports, Found> {
        let name = self.name();
        let known = self.codes.ports.lock().expect("no holder panics");
        if let Some(ports) = known.get(&name) {
            return Ok(ports.clone());
        }
        drop(known);
        let span = self.code.source.name().span;
        let failed = |message: String, help: Option<String>| {
            let problem = Diagnostic::error(
                Problem::BadCode,
                format!(
                    "`{}` cannot be loaded: {message}",
                    self.code.source.name().value
                ),
                &self.flow.source,
                span,
            );
            Found::Broken(match help {
                Some(help) => problem.help(help).into(),
                None => problem.into(),
            })
        };
        if self.library.is_kept() {
            // Whoever looks at a run must not start what it names.
            return Err(failed(
                "what it takes is not in the run's snapshot".to_owned(),
                None,
            ));
        }
        let home = self.home();
        let (python, folder) = home
            .python()
            .map_err(|failure| failed(failure.message, failure.help))?;
        let reference = place.reference(folder, self.node.name.value.as_str());
        let described = python
            .describe(&[reference])
            .map_err(|failure| failed(failure.message, failure.help))?;
        let description = match described.into_iter().next() {
            Some(Ok(description)) => description,
            Some(Err(raised)) => {
                let help = raised.help.clone();
                return Err(failed(raised.failure().message, help));
            }
            None => return Err(failed("it was not described".to_owned(), None)),
        };
        let ports = ports_of(&description);
        let mut known = self.codes.ports.lock().expect("no holder panics");
        known.insert(name, ports.clone());
        Ok(ports)
    }

    /// The connections that the flow names for this node. They must be there, unless the run has
    /// begun: then only whoever drives it needs them.
    fn connections(&self, ports: &Ports) -> Result<Vec<(String, String)>, Diagnostics> {
        let mut named = Vec::new();
        let mut problems = Diagnostics::default();
        for input in ports
            .inputs
            .iter()
            .filter(|input| !input.connection.is_empty())
        {
            let Some(given) = self.node.inputs.get(&input.name) else {
                continue;
            };
            let Binding::Literal(Value::String(name)) = &given.binding else {
                continue;
            };
            if name.is_empty() {
                continue;
            }
            if !self.library.is_kept()
                && let Err(problem) = self.check_connection(name, &input.connection).map(drop)
            {
                let (message, help) = problem;
                let mut diagnostic = Diagnostic::error(
                    Problem::UnknownConnection,
                    message,
                    &self.flow.source,
                    given.span(),
                );
                for line in help {
                    diagnostic = diagnostic.help(line);
                }
                problems.push(diagnostic);
            }
            named.push((input.name.clone(), name.clone()));
        }
        if problems.has_errors() {
            Err(problems)
        } else {
            Ok(named)
        }
    }
}

pub(super) fn ports_of(description: &Description) -> Ports {
    let input = |parameter: &crate::tool::python::Parameter| {
        let kind = match parameter.kind {
            Kind::Int => Some("int"),
            Kind::Double => Some("double"),
            Kind::Bool => Some("bool"),
            Kind::String => Some("string"),
            Kind::List => Some("list"),
            Kind::Object => Some("object"),
            Kind::PromptTemplate => Some("prompt_template"),
            Kind::Secret
            | Kind::Image
            | Kind::FilePath
            | Kind::AssistantDefinition
            | Kind::Connection => None,
        };
        Input {
            name: parameter.name.clone(),
            required: parameter.required,
            kind: kind.map(str::to_owned),
            connection: if parameter.kind == Kind::Connection {
                parameter.connections.clone()
            } else {
                Vec::new()
            },
        }
    };
    Ports {
        inputs: description.parameters.iter().map(input).collect(),
        open: description.keywords,
        version: String::new(),
    }
}
