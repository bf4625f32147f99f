//! Skills of `runtime: python`: the function is looked at when the plan is made, and called with the
//! ports that the manifest declares.

use std::path::Path;
use std::sync::Arc;

use super::call::{Asked, Code};
use super::find::ports_of;
use super::home::Home;
use super::ports::Ports;
use super::{Codes, Surroundings};
use crate::diagnostic::{Code as Problem, Diagnostic, Diagnostics, or_list};
use crate::id::ToolName;
use crate::plan::{Found, ToolInfo};
use crate::port::{Failure, Outcome};
use crate::python_value::Tagged;
use crate::tool::python::{CallRequest, Raised, Reference};
use crate::tool::registry::skill_tool;
use crate::tool::skill::{Kind, PythonPart, Skill};
use crate::value::{Object, Value};

/// The function of a skill, ready to be called.
pub(in crate::tool) struct SkillCall {
    skill: Arc<Skill>,
    home: Arc<Home>,
    /// Optional inputs whose parameters have no default: `None` when they are not given.
    nones: Vec<String>,
}

/// What a skill with a function is to the plan. Starts Python, unless the function is known.
pub(super) fn find(codes: &Codes, surroundings: &Surroundings, skill: &Arc<Skill>) -> Found {
    let Some(python) = skill.python() else {
        return Found::Unknown;
    };
    let name = skill_tool(skill.name());
    let tool = || {
        Found::Tool(Box::new(ToolInfo {
            name: ToolName::from(name.as_str()),
            signature: Arc::clone(skill.signature()),
            effect: skill.effect(),
            digest: skill.digest(),
            evidence: skill.kind() == Kind::Persona,
        }))
    };
    // Nodes with the same skill share its process.
    if codes.named(&name).is_some() {
        return tool();
    }
    // What is wrong with it is said once.
    if codes
        .broken
        .lock()
        .expect("no holder panics")
        .contains(&name)
    {
        return Found::Broken(Diagnostics::default());
    }
    let broken = |problems| {
        let mut all = codes.broken.lock().expect("no holder panics");
        all.insert(name.clone());
        Found::Broken(problems)
    };
    let home = Arc::new(Home::of_skill(skill, surroundings));
    let ports = match known(codes, skill, python, &home) {
        Ok(ports) => ports,
        Err(problem) => return broken((*problem).into()),
    };
    let problems = differences(skill, python, &ports);
    if problems.has_errors() {
        return broken(problems);
    }
    let code = Code::Skill(Box::new(SkillCall {
        nones: nones(skill, &ports),
        skill: Arc::clone(skill),
        home,
    }));
    let mut found = codes.found.lock().expect("no holder panics");
    found.insert(name.clone(), Arc::new(code));
    tool()
}

/// The function's parameters: as they were kept, or as Python says.
fn known(
    codes: &Codes,
    skill: &Skill,
    python: &PythonPart,
    home: &Home,
) -> Result<Ports, Box<Diagnostic>> {
    let name = skill_tool(skill.name());
    let found = codes.ports.lock().expect("no holder panics");
    if let Some(ports) = found.get(&name) {
        return Ok(ports.clone());
    }
    drop(found);
    let failed = |failure: Failure| {
        let problem = Diagnostic::error(
            Problem::BadCode,
            format!("`{}` cannot be loaded: {}", python.path, failure.message),
            &python.source,
            python.span,
        );
        Box::new(match failure.help {
            Some(help) => problem.help(help),
            None => problem,
        })
    };
    let (worker, folder) = home.python().map_err(failed)?;
    let described = worker.describe(&[reference(python, folder)]);
    let description = match described.map_err(failed)?.into_iter().next() {
        Some(Ok(description)) => description,
        Some(Err(raised)) => {
            let failure = not_loaded(python, &raised);
            return Err(failed(placed(failure, skill, folder)));
        }
        None => return Err(failed(Failure::new("it was not described"))),
    };
    let ports = ports_of(&description);
    let mut found = codes.ports.lock().expect("no holder panics");
    found.insert(name, ports.clone());
    Ok(ports)
}

/// Why a function cannot be loaded. That it is to be marked is said to flows, which cannot name one.
fn not_loaded(python: &PythonPart, raised: &Raised) -> Failure {
    let unnamed = python.function.is_none()
        && matches!(
            raised.code.as_deref(),
            Some("NoToolDefined" | "MultipleToolsDefined")
        );
    let help = if unnamed {
        let path = &python.path;
        Some(format!(
            "name it: `python: {{ path: {path}, function: NAME }}`"
        ))
    } else {
        raised.help.clone()
    };
    Failure {
        help,
        ..raised.failure()
    }
}

/// A failure whose places are those of the author's files, wherever they lie for Python.
fn placed(failure: Failure, skill: &Skill, folder: &Path) -> Failure {
    let message = failure
        .message
        .replace(&*folder.to_string_lossy(), skill.origin());
    Failure { message, ..failure }
}

fn reference(python: &PythonPart, folder: &Path) -> Reference {
    Reference::File {
        path: folder.join(&python.path),
        function: python.function.clone(),
        instance: None,
    }
}

/// Where the manifest's inputs and the function's parameters are not the same: a call would fail.
fn differences(skill: &Skill, python: &PythonPart, ports: &Ports) -> Diagnostics {
    let mut problems = Diagnostics::default();
    let signature = skill.signature();
    let names = || ports.inputs.iter().map(|input| input.name.as_str());
    for port in &signature.inputs {
        if ports.open || names().any(|name| name == port.name) {
            continue;
        }
        let span = python.inputs.get(&port.name).copied();
        let problem = Diagnostic::error(
            Problem::BadSkill,
            format!("the function has no parameter `{}`", port.name),
            &python.source,
            span.unwrap_or(python.span),
        )
        .did_you_mean(&port.name, names());
        problems.push(match names().next() {
            Some(_) => problem.help(format!("it takes {}", or_list(names()))),
            None => problem.help("it takes nothing"),
        });
    }
    for input in ports.inputs.iter().filter(|input| input.required) {
        if signature.input(&input.name).is_none() {
            problems.push(
                Diagnostic::error(
                    Problem::BadSkill,
                    format!(
                        "the function needs `{}`, which is no input of the skill",
                        input.name
                    ),
                    &python.source,
                    python.span,
                )
                .help("declare it below `inputs`, or give the parameter a default"),
            );
        }
    }
    problems
}

fn nones(skill: &Skill, ports: &Ports) -> Vec<String> {
    let needed = |name: &str| {
        ports
            .inputs
            .iter()
            .any(|input| input.required && input.name == name)
    };
    let inputs = skill.signature().inputs.iter();
    inputs
        .filter(|port| !port.required && needed(&port.name))
        .map(|port| port.name.clone())
        .collect()
}

impl SkillCall {
    pub(super) async fn call(&self, asked: Asked) -> Result<Outcome, Failure> {
        let Some(part) = self.skill.python() else {
            return Err(Failure::new("the skill has no function"));
        };
        let (python, folder) = self.home.python()?;
        let mut inputs = asked.inputs;
        for name in &self.nones {
            inputs.entry(name.clone()).or_insert(Value::Null);
        }
        let request = CallRequest {
            log: asked.log,
            redactor: asked.redactor,
            line: asked.line,
            ..CallRequest::new(reference(part, folder), inputs)
        };
        let answer = python.call(request).await?;
        let given = answer
            .result
            .map_err(|raised| placed(raised.failure(), &self.skill, folder))?;
        Ok(Outcome {
            output: self.output(given)?,
            ..Outcome::default()
        })
    }

    /// The ports, of what the function gave: one port takes it as it is, several take its keys.
    fn output(&self, given: Value) -> Result<Value, Failure> {
        if let Some(class) = Tagged::object_in(&given) {
            return Err(Failure::new(format!(
                "the function returned a `{class}`, for which JSON has no form"
            ))
            .help("return dicts, lists, texts, numbers, booleans and None"));
        }
        let ports = &self.skill.signature().outputs;
        match (ports.as_slice(), given) {
            ([], Value::Null) => Ok(Value::Object(Object::new())),
            ([], _) => Err(Failure::new(
                "the function returned a value, and the skill has no outputs",
            )
            .help("declare one below `outputs` in its `skill.yaml`, or return None")),
            ([one], given) => {
                let mut output = Object::new();
                output.insert(one.name.clone(), given);
                Ok(Value::Object(output))
            }
            (ports, Value::Object(given)) => {
                let known = |name: &str| ports.iter().any(|port| port.name == name);
                match given.keys().find(|name| !known(name)) {
                    None => Ok(Value::Object(given)),
                    Some(name) => {
                        let names = ports.iter().map(|port| port.name.as_str());
                        Err(Failure::new(format!(
                            "the function returned `{name}`, which is no output of the skill"
                        ))
                        .help(format!("its outputs are {}", or_list(names))))
                    }
                }
            }
            (ports, _) => {
                let names = ports.iter().map(|port| port.name.as_str());
                Err(Failure::new(
                    "the function returned no dict, and the skill has several outputs",
                )
                .help(format!("return a dict with {}", or_list(names))))
            }
        }
    }
}
