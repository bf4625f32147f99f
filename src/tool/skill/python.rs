//! `runtime: python`: which function of the folder a skill runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Skill;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, or_list};
use crate::flow::{Cursor, Key, key};
use crate::port::Effect;
use crate::value::Value;
use crate::yaml::Node;

const PYTHON: &[Key] = &[
    key("path", any, "A Python file beside `skill.yaml`."),
    key("function", any, "The function; the one `@tool` without."),
];

fn any() -> Value {
    Value::Bool(true)
}

/// The function of a skill, and where its manifest says so.
#[derive(Debug)]
pub(in crate::tool) struct PythonPart {
    /// The file, below the skill's folder.
    pub(in crate::tool) path: String,
    /// `f`, `Class.method`, or the name of a kernel function.
    pub(in crate::tool) function: Option<String>,
    /// What the author says of it.
    pub(in crate::tool) effect: Effect,
    /// The manifest.
    pub(in crate::tool) source: Arc<Source>,
    /// Where it names the file.
    pub(in crate::tool) span: Span,
    /// Where it names each input.
    pub(in crate::tool) inputs: BTreeMap<String, Span>,
}

impl Skill {
    /// The function that it runs instead of templates.
    pub(in crate::tool) fn python(&self) -> Option<&PythonPart> {
        self.python.as_ref()
    }

    /// Whether its outputs are a function of its inputs and files.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.python
            .as_ref()
            .map_or(Effect::Pure, |python| python.effect)
    }

    /// What is wrong when a persona is to render it: a function is called, not rendered.
    pub(in crate::tool) fn not_rendered(&self, persona: &str) -> Option<Diagnostic> {
        let python = self.python.as_ref()?;
        let problem = Diagnostic::error(
            Code::BadSkill,
            format!("the persona `{persona}` renders this skill, which is a function"),
            &python.source,
            python.span,
        );
        Some(problem.help("give it `runtime: tera`, or another name"))
    }

    /// Its files by path.
    pub(in crate::tool) fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }
}

/// Reads the value of `python`.
pub(super) fn decode(
    node: &Node,
    effect: Option<Effect>,
    files: &BTreeMap<String, Vec<u8>>,
    source: &Arc<Source>,
    problems: &mut Diagnostics,
) -> Option<PythonPart> {
    let mut cursor = Cursor::open(node, "`python`", &[PYTHON], source, problems)?;
    if cursor.get("path").is_none() {
        cursor.missing("`python`", "path", "write `path: FILE.py`");
    }
    let path = cursor.text("path");
    let function = cursor.text("function").map(|text| text.value);
    let path = path?;
    if !files.contains_key(&path.value) {
        let near = || {
            let names = files.keys().map(String::as_str);
            names.filter(|name| {
                std::path::Path::new(name)
                    .extension()
                    .is_some_and(|end| end == "py")
            })
        };
        let problem = Diagnostic::error(
            Code::BadSkill,
            format!("there is no `{}` beside `skill.yaml`", path.value),
            source,
            path.span,
        );
        let problem = problem.did_you_mean(&path.value, near());
        cursor.problems.push(match near().next() {
            Some(_) => problem.help(format!("there is {}", or_list(near()))),
            None => problem.help("put the Python file into the skill's folder"),
        });
        return None;
    }
    Some(PythonPart {
        path: path.value,
        function,
        effect: effect.unwrap_or(Effect::Effectful),
        source: Arc::clone(source),
        span: path.span,
        inputs: BTreeMap::new(),
    })
}
