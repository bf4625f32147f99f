//! Decoding of `skill.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::python::{self, PythonPart};
use super::templates::Templates;
use super::{FileRule, Kind, OutputValue, Skill, TemplateRef};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, or_list};
use crate::flow::{Cursor, Key, key};
use crate::port::{Effect, Port, Schema, Signature};
use crate::tool::library::FoundSkill;
use crate::tool::registry::Contracts;
use crate::value::{Digest, Value};
use crate::yaml::{self, Node};

const MANIFEST: &[Key] = &[
    key("name", any, "The skill's name: the folder's."),
    key("kind", any, "`skill` or `persona`."),
    key("description", any, "One sentence."),
    key("runtime", any, "`tera` or `python`."),
    key("python", any, "The function that it runs."),
    key("effect", any, "`pure` or `effectful`, of Python."),
    key("inputs", any, "What it takes."),
    key("outputs", any, "What it gives."),
    key("files", any, "What it renders for the workspace."),
    key("evidence", any, "What it renders for the evidence folder."),
];
const PORT: &[Key] = &[
    key("contract", any, "A named contract."),
    key("schema", any, "A JSON Schema."),
    key("description", any, "One sentence."),
    key("required", any, "Whether it must be fed; true by default."),
    key("value", any, "The value of an output."),
];
const FILE: &[Key] = &[
    key("source", any, "A file or folder beside `skill.yaml`."),
    key("target", any, "Where it goes."),
    key("when", any, "A tera expression; rendered only if it holds."),
    key(
        "each",
        any,
        "`{ name: expression }`: rendered once per element.",
    ),
    key("raw", any, "Copied byte for byte."),
];

fn any() -> Value {
    json!(true)
}

impl Skill {
    /// Loads a skill folder.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest and the templates.
    pub(crate) fn load(
        name: &str,
        found: FoundSkill,
        contracts: Contracts,
    ) -> Result<Self, Diagnostics> {
        let manifest = found.files.get("skill.yaml").cloned().unwrap_or_default();
        let source = yaml::decode(&format!("{}/skill.yaml", found.origin), manifest)?;
        let mut problems = Diagnostics::default();
        let templates = Templates::load(&found.origin, &found.files, &mut problems);
        let root = yaml::load(&source, &mut problems);
        let parts = found
            .files
            .iter()
            .flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_slice()]);
        let digest = Digest::of_parts(parts);
        let mut loader = Loader {
            source: &source,
            contracts,
            templates,
            counter: 0,
            repeats: false,
        };
        let skill = root.and_then(|root| loader.manifest(name, &root, &found.files, &mut problems));
        match skill {
            Some(parsed) if !problems.has_errors() => {
                let schemas = parsed
                    .signature
                    .inputs
                    .iter()
                    .filter_map(|port| {
                        Some((port.name.clone(), Schema::compile(&port.schema).ok()?))
                    })
                    .collect();
                let light = parsed.python.is_none()
                    && parsed.files.is_empty()
                    && parsed.evidence.is_empty()
                    && !loader.repeats
                    && !found.files.keys().any(|path| path.ends_with(".tera"));
                Ok(Self {
                    light,
                    name: name.to_owned(),
                    kind: parsed.kind,
                    description: parsed.description,
                    origin: found.origin,
                    digest,
                    signature: Arc::new(parsed.signature),
                    schemas,
                    templates: loader.templates,
                    files: found.files,
                    rendered: parsed.files,
                    evidence: parsed.evidence,
                    outputs: parsed.outputs,
                    python: parsed.python,
                })
            }
            _ => Err(problems),
        }
    }
}

struct Parsed {
    kind: Kind,
    description: String,
    signature: Signature,
    files: Vec<FileRule>,
    evidence: Vec<FileRule>,
    outputs: Vec<(String, OutputValue)>,
    python: Option<PythonPart>,
}

/// What a skill is run by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runtime {
    Tera,
    Python,
}

struct Loader<'a> {
    source: &'a Arc<Source>,
    contracts: Contracts,
    templates: Templates,
    counter: usize,
    /// Whether a template may do more work than its inputs are long.
    repeats: bool,
}

impl Loader<'_> {
    fn manifest(
        &mut self,
        name: &str,
        root: &Node,
        files: &BTreeMap<String, Vec<u8>>,
        problems: &mut Diagnostics,
    ) -> Option<Parsed> {
        let mut cursor = Cursor::open(root, "a skill", &[MANIFEST], self.source, problems)?;
        if let Some(own) = cursor.text("name")
            && own.value != name
        {
            cursor.problems.push(
                Diagnostic::error(
                    Code::BadSkill,
                    format!(
                        "the skill calls itself `{}`, and its folder `{name}`",
                        own.value
                    ),
                    self.source,
                    own.span,
                )
                .help("rename one of the two"),
            );
        }
        let kind = cursor
            .word(
                "kind",
                &[("skill", Kind::Skill), ("persona", Kind::Persona)],
            )
            .unwrap_or(Kind::Skill);
        let description = cursor
            .text("description")
            .map(|text| text.value)
            .unwrap_or_default();
        let runtime = self.runtime(&mut cursor);
        let effect = cursor.word(
            "effect",
            &[("pure", Effect::Pure), ("effectful", Effect::Effectful)],
        );
        let function = cursor.get("python");
        let input_entries = cursor.map("inputs");
        let output_entries = cursor.map("outputs");
        let file_items = cursor.list("files").unwrap_or_default();
        let evidence_items = cursor.list("evidence").unwrap_or_default();
        let mut signature = Signature::default();
        for entry in input_entries {
            signature.inputs.extend(
                self.port(&entry.key, entry.key_span, &entry.value, problems)
                    .map(|(port, _)| port),
            );
        }
        let python = function
            .and_then(|node| python::decode(node, effect, files, self.source, problems))
            .map(|python| PythonPart {
                inputs: input_entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.key_span))
                    .collect(),
                ..python
            });
        let mut outputs = Vec::new();
        for entry in output_entries {
            let Some((port, value)) = self.port(&entry.key, entry.key_span, &entry.value, problems)
            else {
                continue;
            };
            match value {
                // A function gives it.
                _ if runtime == Runtime::Python => {}
                Some(node) => outputs.push((entry.key.clone(), self.value(&node, problems)?)),
                None => problems.push(
                    Diagnostic::error(
                        Code::MissingKey,
                        format!("the output `{}` needs a `value`", entry.key),
                        self.source,
                        entry.key_span,
                    )
                    .help("write `value: \"{{ … }}\"`"),
                ),
            }
            signature.outputs.push(port);
        }
        // Every skill that renders tells which files.
        if runtime == Runtime::Tera && signature.output("files").is_none() {
            signature.outputs.push(rendered_files());
        }
        let rendered = file_items
            .iter()
            .filter_map(|item| self.rule(item, files, problems))
            .collect();
        let evidence = evidence_items
            .iter()
            .filter_map(|item| self.rule(item, files, problems))
            .collect();
        Some(Parsed {
            kind,
            description,
            signature,
            files: rendered,
            evidence,
            outputs,
            python,
        })
    }

    /// The runtime, and what only the other one takes.
    fn runtime(&self, cursor: &mut Cursor<'_, '_>) -> Runtime {
        let runtime = match cursor.text("runtime") {
            None => Runtime::Tera,
            Some(runtime) => match runtime.value.as_str() {
                "tera" => Runtime::Tera,
                "python" => Runtime::Python,
                other => {
                    let known = matches!(other, "rego" | "process");
                    let code = if known {
                        Code::NotSupported
                    } else {
                        Code::BadValue
                    };
                    cursor.problems.push(
                        Diagnostic::error(
                            code,
                            format!("the runtime `{other}` does not run in this version"),
                            self.source,
                            runtime.span,
                        )
                        .help(
                            "write `runtime: tera` or `runtime: python`; commands run as `type: process` nodes",
                        ),
                    );
                    Runtime::Tera
                }
            },
        };
        let (foreign, help): (&[&str], _) = match runtime {
            Runtime::Tera => (
                &["python", "effect"],
                "write `runtime: python`, or take the key away",
            ),
            Runtime::Python => (
                &["files", "evidence"],
                "a function gives values; render files in a skill of `runtime: tera` that takes them",
            ),
        };
        for name in foreign {
            let Some(entry) = cursor.entry(name) else {
                continue;
            };
            let word = match runtime {
                Runtime::Tera => "tera",
                Runtime::Python => "python",
            };
            cursor.problems.push(
                Diagnostic::error(
                    Code::Conflict,
                    format!("a skill of `runtime: {word}` has no `{name}`"),
                    self.source,
                    entry.key_span,
                )
                .help(help),
            );
        }
        for entry in cursor.map("outputs") {
            let yaml::Kind::Map(keys) = &entry.value.kind else {
                continue;
            };
            let value = keys.iter().find(|key| key.key == "value");
            if let Some(value) = value.filter(|_| runtime == Runtime::Python) {
                cursor.problems.push(
                    Diagnostic::error(
                        Code::Conflict,
                        format!("the output `{}` is what the function gives", entry.key),
                        self.source,
                        value.key_span,
                    )
                    .help("take `value` away"),
                );
            }
        }
        if runtime == Runtime::Python && cursor.get("python").is_none() {
            cursor.missing(
                "a skill of `runtime: python`",
                "python",
                "write `python: { path: FILE.py, function: NAME }`",
            );
        }
        runtime
    }

    fn port(
        &self,
        name: &str,
        span: Span,
        node: &Node,
        problems: &mut Diagnostics,
    ) -> Option<(Port, Option<Node>)> {
        let mut cursor = Cursor::open(
            node,
            &format!("the port `{name}`"),
            &[PORT],
            self.source,
            problems,
        )?;
        cursor.check_name("a port", name, span);
        let description = cursor
            .text("description")
            .map(|text| text.value)
            .unwrap_or_default();
        let required = cursor.boolean("required").unwrap_or(true);
        let contract = cursor.text("contract");
        let schema = match (&contract, cursor.get("schema")) {
            (Some(contract), _) => {
                let Some(schema) = (self.contracts)(&contract.value) else {
                    cursor.problems.push(
                        Diagnostic::error(
                            Code::BadSkill,
                            format!("there is no contract `{}`", contract.value),
                            self.source,
                            contract.span,
                        )
                        .help("`flowctl schema --list` shows the contracts"),
                    );
                    return None;
                };
                schema
            }
            (None, Some(node)) => {
                let schema = node.to_value();
                if let Err(message) = Schema::compile(&schema) {
                    let diagnostic = Diagnostic::error(
                        Code::BadSchema,
                        "this is not a JSON Schema",
                        self.source,
                        node.span,
                    );
                    cursor.problems.push(diagnostic.label(message));
                    return None;
                }
                schema
            }
            (None, None) => json!(true),
        };
        let value = cursor.get("value").cloned();
        let contract = contract.map(|contract| contract.value);
        Some((
            Port {
                kind: None,
                name: name.to_owned(),
                required,
                contract,
                schema,
                description,
            },
            value,
        ))
    }

    fn rule(
        &mut self,
        node: &Node,
        files: &BTreeMap<String, Vec<u8>>,
        problems: &mut Diagnostics,
    ) -> Option<FileRule> {
        let mut cursor = Cursor::open(node, "an entry of `files`", &[FILE], self.source, problems)?;
        for key in ["source", "target"] {
            if cursor.get(key).is_none() {
                cursor.missing(
                    "an entry of `files`",
                    key,
                    "write `source: PATH` and `target: PATH`",
                );
            }
        }
        let raw = cursor.boolean("raw").unwrap_or(false);
        let (source, target) = (cursor.text("source")?, cursor.text("target")?);
        // What is known now is checked now.
        if !source.value.contains("{{") && !exists(files, &source.value) {
            let near = files.keys().map(String::as_str);
            cursor.problems.push(
                Diagnostic::error(
                    Code::BadSkill,
                    format!("there is no `{}` beside `skill.yaml`", source.value),
                    self.source,
                    source.span,
                )
                .did_you_mean(&source.value, near.clone())
                .help(format!("there is {}", or_list(near))),
            );
        }
        let when = cursor.get("when").cloned();
        let each = cursor.map("each").first().cloned();
        let source_node = cursor.get("source").cloned()?;
        let target_node = cursor.get("target").cloned()?;
        let source = self.template(&source_node, &source.value, problems)?;
        let target = self.template(&target_node, &target.value, problems)?;
        let when = match &when {
            Some(node) => Some(self.expression(node, "{% if ", " %}true{% endif %}", problems)?),
            None => None,
        };
        let each = match &each {
            Some(entry) => Some((
                entry.key.clone(),
                self.expression(&entry.value, "{{ (", ") | json }}", problems)?,
            )),
            None => None,
        };
        Some(FileRule {
            source,
            target,
            when,
            each,
            raw,
        })
    }

    fn value(&mut self, node: &Node, problems: &mut Diagnostics) -> Option<OutputValue> {
        match &node.kind {
            yaml::Kind::Scalar(value) => Some(OutputValue::Literal(value.clone())),
            yaml::Kind::Text(text) => {
                let inner = text
                    .trim()
                    .strip_prefix("{{")
                    .and_then(|rest| rest.strip_suffix("}}"));
                match inner.filter(|inner| !inner.contains("{{")) {
                    Some(inner) => {
                        let expression = format!("{{{{ ({inner}) | json }}}}");
                        self.add(node, &expression, problems)
                            .map(OutputValue::Typed)
                    }
                    None => self.add(node, text, problems).map(OutputValue::Text),
                }
            }
            yaml::Kind::List(items) => items
                .iter()
                .map(|item| self.value(item, problems))
                .collect::<Option<_>>()
                .map(OutputValue::List),
            yaml::Kind::Map(entries) => entries
                .iter()
                .map(|entry| Some((entry.key.clone(), self.value(&entry.value, problems)?)))
                .collect::<Option<_>>()
                .map(OutputValue::Map),
        }
    }

    fn template(
        &mut self,
        node: &Node,
        text: &str,
        problems: &mut Diagnostics,
    ) -> Option<TemplateRef> {
        self.add(node, text, problems)
    }

    fn expression(
        &mut self,
        node: &Node,
        before: &str,
        after: &str,
        problems: &mut Diagnostics,
    ) -> Option<TemplateRef> {
        let yaml::Kind::Text(text) = &node.kind else {
            problems.push(Diagnostic::error(
                Code::WrongType,
                "a tera expression is a string",
                self.source,
                node.span,
            ));
            return None;
        };
        self.add(node, &format!("{before}{text}{after}"), problems)
    }

    fn add(&mut self, node: &Node, text: &str, problems: &mut Diagnostics) -> Option<TemplateRef> {
        self.counter += 1;
        // A loop is a `{%`; what the only function that makes something of nothing gives may be long.
        self.repeats |= text.contains("{%") || text.contains("range");
        match self
            .templates
            .add(format!("skill.yaml#{}", self.counter), text)
        {
            Ok(template) => Some(template),
            Err(problem) => {
                problems.push(Diagnostic::error(
                    Code::BadTemplate,
                    problem.message,
                    self.source,
                    node.span,
                ));
                None
            }
        }
    }
}

fn exists(files: &BTreeMap<String, Vec<u8>>, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    files.contains_key(path) || files.keys().any(|file| file.starts_with(&folder))
}
/// The output of every skill that does not make one of its own of that name.
pub(in crate::tool) fn rendered_files() -> Port {
    Port::new(
        "files",
        json!({ "type": "array", "items": { "type": "object" } }),
        "The rendered files: path, sha256, bytes.",
    )
}
