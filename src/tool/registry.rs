//! [`Registry`]: every tool that a node can run, by name.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::code::{Asked, Codes, Surroundings};
use super::http::{self, Web};
use super::library::Library;
use super::skill::{Kind, Skill, loaded};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::flow::{CodeDecl, Flow, ModelDecl, NodeDecl, Selection};
use crate::id::ToolName;
use crate::plan::{Catalog, FlowError, Found, ToolInfo};
use crate::port::{Call, Effect, Failure, Function, Host, Outcome, Signature};
use crate::value::{Digest, Object, Value};

/// A persona as it is registered.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// The persona's name.
    pub name: &'static str,
    /// The tool's name.
    pub tool: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Whether it is pure.
    pub effect: Effect,
    /// The skills that it renders.
    pub skills: &'static [&'static str],
    /// Its ports.
    pub signature: fn() -> Signature,
    /// What it does.
    pub function: Function,
}

/// Gives the JSON Schema of a named contract.
pub type Contracts = fn(&str) -> Option<Value>;

/// One line of `flowctl tools`.
#[derive(Clone, Debug)]
pub struct Summary {
    /// `persona` or `skill`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The tool behind it.
    pub tool: String,
    /// One sentence.
    pub summary: String,
    /// Where it comes from: `builtin`, or a path.
    pub origin: String,
    /// Its ports.
    pub signature: Arc<Signature>,
    /// Whether it is pure.
    pub effect: Effect,
}

enum Loaded {
    Skill(Arc<Skill>),
    Unknown,
    Broken(Diagnostics),
}

/// Personas and skills.
pub struct Registry {
    library: Library,
    contracts: Contracts,
    personas: Vec<Registration>,
    skills: Mutex<HashMap<String, Arc<Loaded>>>,
    surroundings: Surroundings,
    codes: Codes,
    web: Web,
}

/// What a plan's tool name stands for.
const SKILL_PREFIX: &str = "skill:";
const PERSONA_PREFIX: &str = "persona:";
const HTTP: &str = "http";

/// The name of the tool that a skill is.
pub(super) fn skill_tool(name: &str) -> String {
    format!("{SKILL_PREFIX}{name}")
}

impl Registry {
    /// A registry of these personas, with skills and flows from a library.
    #[must_use]
    pub fn new(library: Library, personas: Vec<Registration>, contracts: Contracts) -> Self {
        Self {
            library,
            contracts,
            personas,
            skills: Mutex::default(),
            surroundings: Surroundings::default(),
            codes: Codes::default(),
            web: Web::default(),
        }
    }

    /// The same, with what code beside flows needs of the world.
    #[must_use]
    pub fn surrounded(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// The same, with what was found out of code beside flows when a run began.
    #[must_use]
    pub fn knowing(self, ports: &BTreeMap<String, Value>) -> Self {
        self.codes.know(ports);
        self
    }

    /// What was found out of code beside flows.
    #[must_use]
    pub fn known(&self) -> BTreeMap<String, Value> {
        self.codes.kept()
    }

    /// The same, with a way out.
    #[must_use]
    pub fn reaching(mut self, web: Web) -> Self {
        self.web = web;
        self
    }

    /// Whether a tool is waited for, and answers by [`Registry::ask`].
    #[must_use]
    pub fn is_asked(&self, tool: &ToolName) -> bool {
        let code = || self.codes.named(tool.as_str());
        tool.as_str() == HTTP || code().is_some_and(|code| code.is_asked())
    }

    /// Whether a tool asks what the nodes before it said of their work.
    #[must_use]
    pub fn wants_about(&self, tool: &ToolName) -> bool {
        let code = self.codes.named(tool.as_str());
        code.is_some_and(|code| code.wants_about())
    }

    /// The tool that is called before this one is asked, and gives it the draft.
    #[must_use]
    pub fn drafts(&self, tool: &ToolName) -> Option<Box<ToolInfo>> {
        let code = self.codes.named(tool.as_str())?;
        code.drafts().cloned().map(Box::new)
    }

    /// Asks something outside of this process. Nobody waits any more when the future is dropped.
    ///
    /// # Errors
    /// The tool's failure.
    pub async fn ask(&self, tool: &ToolName, asked: Asked) -> Result<Outcome, Failure> {
        if tool.as_str() == HTTP {
            return self.web.call(&asked).await;
        }
        match self.codes.named(tool.as_str()) {
            Some(code) => code.ask(asked, &self.web).await,
            None => Err(Failure::new(format!("`{tool}` is not waited for"))),
        }
    }

    /// Where files come from.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    fn load(&self, name: &str) -> Arc<Loaded> {
        let mut skills = self.skills.lock().expect("no holder panics");
        if let Some(loaded) = skills.get(name) {
            return Arc::clone(loaded);
        }
        let loaded = Arc::new(match self.library.skill(name) {
            Ok(None) => Loaded::Unknown,
            Ok(Some(found)) => match loaded(name, found, self.contracts) {
                Ok(skill) => Loaded::Skill(skill),
                Err(problems) => Loaded::Broken(problems),
            },
            Err(message) => {
                let source = Arc::new(Source::new(format!("skills/{name}"), ""));
                let code = crate::diagnostic::Code::FileUnreadable;
                Loaded::Broken(
                    crate::diagnostic::Diagnostic::error(
                        code,
                        message,
                        &source,
                        crate::diagnostic::Span::default(),
                    )
                    .into(),
                )
            }
        });
        skills.insert(name.to_owned(), Arc::clone(&loaded));
        loaded
    }

    /// A skill that loads.
    #[must_use]
    pub fn skill_named(&self, name: &str) -> Option<Arc<Skill>> {
        match &*self.load(name) {
            Loaded::Skill(skill) => Some(Arc::clone(skill)),
            _ => None,
        }
    }

    fn registered(&self, registration: &Registration) -> Found {
        // A persona that renders a broken skill is broken itself, before anything runs.
        let mut parts: Vec<Vec<u8>> =
            vec![env!("CARGO_PKG_VERSION").into(), registration.name.into()];
        let mut problems = Diagnostics::default();
        for skill in registration.skills {
            match &*self.load(skill) {
                Loaded::Skill(skill) => {
                    if let Some(problem) = skill.not_rendered(registration.name) {
                        problems.push(problem);
                    }
                    parts.push(skill.digest().to_string().into());
                }
                Loaded::Broken(broken) => problems.extend(broken.clone()),
                Loaded::Unknown => {}
            }
        }
        if problems.has_errors() {
            return Found::Broken(problems);
        }
        Found::Tool(Box::new(ToolInfo {
            name: ToolName::from(format!("{PERSONA_PREFIX}{}", registration.name)),
            signature: Arc::new((registration.signature)()),
            effect: registration.effect,
            digest: Digest::of_parts(parts.iter().map(Vec::as_slice)),
            evidence: true,
        }))
    }

    fn skill_info(skill: &Skill) -> Found {
        Found::Tool(Box::new(ToolInfo {
            name: ToolName::from(skill_tool(skill.name())),
            signature: Arc::clone(skill.signature()),
            effect: Effect::Pure,
            digest: skill.digest(),
            evidence: skill.kind() == Kind::Persona,
        }))
    }

    fn find_skill(&self, name: &str, kind: Option<Kind>) -> Found {
        match &*self.load(name) {
            Loaded::Skill(skill) if kind.is_none_or(|kind| skill.kind() == kind) => {
                if skill.python().is_some() {
                    self.codes.skill(&self.surroundings, skill)
                } else {
                    Self::skill_info(skill)
                }
            }
            Loaded::Broken(problems) => Found::Broken(problems.clone()),
            Loaded::Skill(_) | Loaded::Unknown => Found::Unknown,
        }
    }

    /// Calls a tool of a plan.
    ///
    /// # Errors
    /// The tool's failure.
    pub fn call(
        &self,
        tool: &ToolName,
        call: &Call<'_>,
        host: &dyn Host,
    ) -> Result<Outcome, Failure> {
        if let Some(name) = tool.as_str().strip_prefix(SKILL_PREFIX) {
            return self.render(name, call.inputs);
        }
        if let Some(code) = self.codes.named(tool.as_str()) {
            return code.render(call.inputs);
        }
        let name = tool
            .as_str()
            .strip_prefix(PERSONA_PREFIX)
            .unwrap_or(tool.as_str());
        match self
            .personas
            .iter()
            .find(|registration| registration.name == name)
        {
            Some(registration) => (registration.function)(call, host),
            None => Err(
                Failure::new(format!("there is no tool `{tool}` in this program"))
                    .help("the run was made by another version of flowctl"),
            ),
        }
    }

    /// Whether a tool is a skill that does no more work than its inputs are long.
    #[must_use]
    pub fn is_light(&self, tool: &ToolName) -> bool {
        tool.as_str()
            .strip_prefix(SKILL_PREFIX)
            .and_then(|name| self.skill_named(name))
            .is_some_and(|skill| skill.is_light())
    }

    /// Calls such a tool.
    ///
    /// # Errors
    /// The tool's failure.
    pub fn call_light(&self, tool: &ToolName, inputs: &Object) -> Result<Outcome, Failure> {
        let name = tool.as_str();
        self.render(name.strip_prefix(SKILL_PREFIX).unwrap_or(name), inputs)
    }

    /// Renders a skill.
    ///
    /// # Errors
    /// An unknown or broken skill, inputs that do not fit, or a template that fails.
    pub fn render(&self, name: &str, inputs: &Object) -> Result<Outcome, Failure> {
        match &*self.load(name) {
            Loaded::Skill(skill) => skill.render(inputs),
            Loaded::Unknown => Err(Failure::new(format!("there is no skill `{name}`"))
                .help(format!("make `skills/{name}/skill.yaml` in the workspace"))),
            Loaded::Broken(problems) => Err(Failure::new(format!(
                "the skill `{name}` is broken: {}",
                problems
                    .iter()
                    .next()
                    .map_or("", |problem| problem.message.as_str())
            ))
            .help("`flowctl validate` shows where")),
        }
    }

    /// Everything there is, for `flowctl tools`.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let personas = self.personas.iter().map(|registration| Summary {
            kind: "persona",
            name: registration.name.to_owned(),
            tool: registration.tool.to_owned(),
            summary: registration.summary.to_owned(),
            origin: "builtin".to_owned(),
            signature: Arc::new((registration.signature)()),
            effect: registration.effect,
        });
        let skills = self.library.skill_names().into_iter().filter_map(|name| {
            let skill = self.skill_named(&name)?;
            Some(Summary {
                kind: if skill.kind() == Kind::Persona {
                    "persona"
                } else {
                    "skill"
                },
                tool: name.clone(),
                name,
                summary: skill.description().to_owned(),
                origin: skill.origin().to_owned(),
                signature: Arc::clone(skill.signature()),
                effect: skill.effect(),
            })
        });
        personas.chain(skills).collect()
    }
}

impl Catalog for Registry {
    fn persona(&self, name: &str) -> Found {
        match self
            .personas
            .iter()
            .find(|registration| registration.name == name)
        {
            Some(registration) => self.registered(registration),
            None => self.find_skill(name, Some(Kind::Persona)),
        }
    }

    fn skill(&self, name: &str) -> Found {
        self.find_skill(name, None)
    }

    fn tool(&self, name: &str) -> Found {
        match self
            .personas
            .iter()
            .find(|registration| registration.tool == name)
        {
            Some(registration) => self.registered(registration),
            None => self.find_skill(name, None),
        }
    }

    fn code(&self, flow: &Flow, node: &NodeDecl, code: &CodeDecl) -> Found {
        self.codes
            .find(&self.library, &self.surroundings, flow, node, code)
    }

    fn model(&self, flow: &Flow, node: &NodeDecl, model: &ModelDecl, persona: ToolInfo) -> Found {
        let around = &self.surroundings;
        self.codes
            .find_model(&self.library, around, flow, node, model, persona)
    }

    fn http(&self, flow: &Flow, node: &NodeDecl) -> Found {
        if !http::BUILT_IN {
            let message = "nodes of `type: http` do not run: this flowctl was built without HTTP";
            return Found::Broken(
                Diagnostic::error(Code::NotSupported, message, &flow.source, node.name.span)
                    .help("build it with `cargo install --path . --features llm`")
                    .into(),
            );
        }
        Found::Tool(Box::new(ToolInfo {
            name: ToolName::from(HTTP),
            signature: Arc::new(http::signature()),
            effect: Effect::Effectful,
            digest: Digest::of(b"http 1"),
            evidence: false,
        }))
    }

    fn selection(&self) -> &Selection {
        &self.surroundings.selection
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let mut names: Vec<String> = match kind {
            "persona" => {
                let own = self.library.skill_names().into_iter();
                let own = own.filter(|name| {
                    self.skill_named(name)
                        .is_some_and(|skill| skill.kind() == Kind::Persona)
                });
                self.personas
                    .iter()
                    .map(|registration| registration.name.to_owned())
                    .chain(own)
                    .collect()
            }
            "skill" => self.library.skill_names(),
            _ => self
                .personas
                .iter()
                .map(|registration| registration.tool.to_owned())
                .chain(self.library.skill_names())
                .collect(),
        };
        names.dedup();
        names
    }

    fn flow(&self, from: &str, path: &str) -> Result<Arc<Source>, FlowError> {
        let target = beside(from, path);
        let bytes = self.library.flow(&target).map_err(FlowError::Unreadable)?;
        crate::yaml::decode(&target, bytes).map_err(FlowError::Broken)
    }
}

/// A path relative to the file that names it, without `.` and inner `..`.
fn beside(from: &str, path: &str) -> String {
    let joined = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in joined.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
        .iter()
        .collect::<PathBuf>()
        .to_string_lossy()
        .into_owned()
}

/// Skills by name, with what was loaded of them: for tests and tools.
impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: BTreeMap<&str, &str> = self
            .personas
            .iter()
            .map(|registration| (registration.name, registration.tool))
            .collect();
        formatter
            .debug_struct("Registry")
            .field("personas", &names)
            .finish_non_exhaustive()
    }
}
