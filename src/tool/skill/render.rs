//! Rendering: folder bytes and inputs in, files and outputs out.

use std::collections::BTreeSet;

use serde_json::json;
use tera::Context;

use super::{FileRule, OutputValue, Skill, TemplateRef};
use crate::port::{Failure, File, Outcome};
use crate::value::{Digest, Object, Value};

/// More files than this from one skill is a mistake in its manifest.
const MAX_FILES: usize = 20_000;
/// The most that one skill may render.
const MAX_BYTES: usize = 256 * 1024 * 1024;

impl Skill {
    /// Renders everything.
    ///
    /// # Errors
    /// Inputs that do not fit, templates that fail, targets that clash or lead out of the workspace.
    pub(crate) fn render(&self, inputs: &Object) -> Result<Outcome, Failure> {
        if self.python.is_some() {
            return Err(Failure::new(format!(
                "the skill `{}` is a Python function, which is called and not rendered",
                self.name
            ))
            .help("give it a node of its own, and its outputs to whoever renders"));
        }
        self.check_inputs(inputs)?;
        let mut context = Context::new();
        for port in &self.signature.inputs {
            match inputs.get(&port.name) {
                Some(value) => context.insert(port.name.clone(), value),
                // An optional input is null rather than undefined, so that templates can ask.
                None if !port.required => context.insert(port.name.clone(), &Value::Null),
                None => {}
            }
        }
        let files = self.run_rules(&self.rendered, &context)?;
        let evidence = self.run_rules(&self.evidence, &context)?;
        let listed: Vec<Value> = files
            .iter()
            .map(|file| json!({ "path": file.path, "sha256": Digest::of(&file.content).hex(), "bytes": file.content.len() }))
            .collect();
        context.insert("files", &listed);
        let mut output = Object::new();
        for (name, value) in &self.outputs {
            output.insert(name.clone(), self.output(value, &context)?);
        }
        if !output.contains_key("files") {
            output.insert("files".to_owned(), Value::Array(listed));
        }
        Ok(Outcome {
            output: Value::Object(output),
            files,
            evidence,
            subject: None,
            about: None,
        })
    }

    fn check_inputs(&self, inputs: &Object) -> Result<(), Failure> {
        for port in &self.signature.inputs {
            let Some(value) = inputs.get(&port.name) else {
                if port.required {
                    return Err(Failure::new(format!(
                        "the skill `{}` needs `{}`",
                        self.name, port.name
                    )));
                }
                continue;
            };
            if let Some(violation) = self
                .schemas
                .get(&port.name)
                .and_then(|schema| schema.check(value).into_iter().next())
            {
                return Err(Failure::new(format!(
                    "`{}` of the skill `{}`: {violation}",
                    port.name, self.name
                )));
            }
        }
        Ok(())
    }

    fn run_rules(&self, rules: &[FileRule], context: &Context) -> Result<Vec<File>, Failure> {
        let mut files = Vec::new();
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for rule in rules {
            match &rule.each {
                None => self.run_rule(rule, context, &mut files)?,
                Some((name, expression)) => {
                    let Value::Array(items) = self.typed(expression, context)? else {
                        return Err(Failure::new(format!(
                            "`each: {{ {name}: … }}` of the skill `{}` is not a list",
                            self.name
                        )));
                    };
                    for item in items {
                        let mut context = context.clone();
                        context.insert(name.clone(), &item);
                        self.run_rule(rule, &context, &mut files)?;
                    }
                }
            }
        }
        for file in &files {
            bytes += file.content.len();
            if files.len() > MAX_FILES || bytes > MAX_BYTES {
                return Err(Failure::new(format!(
                    "the skill `{}` renders more than {MAX_FILES} files or {MAX_BYTES} bytes",
                    self.name
                )));
            }
            if !seen.insert(file.path.as_str()) {
                return Err(Failure::new(format!(
                    "the skill `{}` renders `{}` twice",
                    self.name, file.path
                )));
            }
        }
        Ok(files)
    }

    fn run_rule(
        &self,
        rule: &FileRule,
        context: &Context,
        files: &mut Vec<File>,
    ) -> Result<(), Failure> {
        if let Some(when) = &rule.when
            && self.templates.render(when, context)? != "true"
        {
            return Ok(());
        }
        let source = self.templates.render(&rule.source, context)?;
        let source = source.trim_end_matches('/');
        let target = self.templates.render(&rule.target, context)?;
        let target = target.trim_end_matches('/');
        if self.files.contains_key(source) {
            files.push(self.render_file(source, target.to_owned(), rule.raw, context)?);
            return Ok(());
        }
        let folder = format!("{source}/");
        let inside: Vec<&String> = self
            .files
            .range(folder.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&folder))
            .collect();
        if inside.is_empty() {
            return Err(Failure::new(format!(
                "there is no `{source}` in {}",
                self.origin
            )));
        }
        for path in inside {
            let rest = &path[folder.len()..];
            let name = if rule.raw {
                rest
            } else {
                rest.strip_suffix(".tera").unwrap_or(rest)
            };
            files.push(self.render_file(path, format!("{target}/{name}"), rule.raw, context)?);
        }
        Ok(())
    }

    fn render_file(
        &self,
        source: &str,
        path: String,
        raw: bool,
        context: &Context,
    ) -> Result<File, Failure> {
        if let Err(reason) = check_path(&path) {
            return Err(Failure::new(format!(
                "the skill `{}` renders `{path}`, {reason}",
                self.name
            )));
        }
        let content = if raw || !source.ends_with(".tera") {
            self.files.get(source).cloned().unwrap_or_default()
        } else {
            self.templates.render_name(source, context)?.into_bytes()
        };
        Ok(File { path, content })
    }

    fn output(&self, value: &OutputValue, context: &Context) -> Result<Value, Failure> {
        Ok(match value {
            OutputValue::Literal(value) => value.clone(),
            OutputValue::Text(template) => Value::String(self.templates.render(template, context)?),
            OutputValue::Typed(template) => self.typed(template, context)?,
            OutputValue::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.output(item, context))
                    .collect::<Result<_, _>>()?,
            ),
            OutputValue::Map(entries) => {
                let entries: Result<Object, Failure> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.output(value, context)?)))
                    .collect();
                Value::Object(entries?)
            }
        })
    }

    fn typed(&self, template: &TemplateRef, context: &Context) -> Result<Value, Failure> {
        let text = self.templates.render(template, context)?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!(
                "a value of the skill `{}` is not JSON: {error}",
                self.name
            ))
        })
    }
}

/// Whether a staged path may be: relative, and without `.`, `..`, empty parts or control characters.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', '\0']) {
        return Err("which is not a relative path");
    }
    if path.chars().any(char::is_control) {
        return Err("which holds control characters");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("which could lead out of the workspace");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tool::library::FoundSkill;

    fn skill(files: &[(&str, &str)]) -> Result<Skill, Vec<String>> {
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let found = FoundSkill {
            origin: "skills/t".to_owned(),
            files,
        };
        Skill::load("t", found, |_| None).map_err(|problems| {
            problems
                .sorted()
                .iter()
                .map(|problem| {
                    let at = problem.primary.source.position(problem.primary.span.start);
                    format!(
                        "{} {}:{}:{}",
                        problem.code.slug(),
                        problem.primary.source.path,
                        at.line,
                        at.column
                    )
                })
                .collect()
        })
    }

    const MANIFEST: &str = "name: t\ninputs:\n  clouds: { schema: { type: array } }\n  note: { schema: { type: string }, required: false }\n\
        outputs:\n  count: { value: '{{ clouds | length }}' }\n  text: { value: 'n={{ clouds | length }}' }\n\
        files:\n  - { source: tree, target: 'out/{{ c }}', each: { c: clouds }, when: 'c != \"no\"' }\n  - { source: raw.tera, target: raw.txt, raw: true }\n";

    #[test]
    fn trees_loops_and_outputs() {
        let skill = skill(&[
            ("skill.yaml", MANIFEST),
            ("tree/a.txt.tera", "{{ c }} {% include 'part.tera' %}"),
            ("tree/b.txt", "{{ c }}"),
            ("part.tera", "p"),
            ("raw.tera", "{{ x"),
        ]);
        // `raw.tera` is no template, yet every `.tera` file is compiled: it must be called otherwise.
        assert!(skill.is_err());
        let skill = super::tests::skill(&[
            ("skill.yaml", &MANIFEST.replace("raw.tera", "raw.txt")),
            (
                "tree/a.txt.tera",
                "{{ c }} {% include 'part.tera' %}{% if note %}!{% endif %}",
            ),
            ("tree/b.txt", "{{ c }}"),
            ("part.tera", "p"),
            ("raw.txt", "{{ x"),
        ])
        .expect("it loads");
        let inputs = json!({"clouds": ["x", "no", "y"]});
        let outcome = skill
            .render(inputs.as_object().expect("an object"))
            .expect("it renders");
        let files: Vec<(String, String)> = outcome
            .files
            .iter()
            .map(|file| {
                (
                    file.path.clone(),
                    String::from_utf8_lossy(&file.content).into_owned(),
                )
            })
            .collect();
        assert_eq!(
            files,
            [
                ("out/x/a.txt", "x p"),
                ("out/x/b.txt", "{{ c }}"),
                ("out/y/a.txt", "y p"),
                ("out/y/b.txt", "{{ c }}"),
                ("raw.txt", "{{ x")
            ]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
        );
        assert_eq!(outcome.output["count"], json!(3));
        assert_eq!(outcome.output["text"], json!("n=3"));
    }

    #[test]
    fn problems_name_their_own_file() {
        let broken = skill(&[
            (
                "skill.yaml",
                "name: t\nfile: []\nfiles:\n  - { source: tre, target: x }\n",
            ),
            ("tree/a.tera", "line\n{{ 1 + }}"),
        ]);
        assert_eq!(
            broken.expect_err("it is broken"),
            [
                "flow::unknown-key skills/t/skill.yaml:2:1",
                "tool::bad-skill skills/t/skill.yaml:4:15",
                "template::syntax skills/t/tree/a.tera:2:8"
            ]
        );
        let skill = skill(&[
            (
                "skill.yaml",
                "name: t\nfiles:\n  - { source: a.tera, target: x }\n",
            ),
            ("a.tera", "one\n  {{ gone }}"),
        ])
        .expect("it loads");
        let failure = skill.render(&Object::new()).expect_err("it fails");
        assert!(
            failure.message.starts_with("skills/t/a.tera:2:6: "),
            "{}",
            failure.message
        );
    }

    #[test]
    fn unknown_filters_are_found_before_the_run() {
        let manifest = "name: t\nfiles:\n  - { source: a.tera, target: x }\n";
        let broken = skill(&[("skill.yaml", manifest), ("a.tera", "one\né{{ 1 | nope }}")]);
        assert_eq!(
            broken.expect_err("it is broken"),
            ["template::syntax skills/t/a.tera:2:9"]
        );
    }

    #[test]
    fn targets_stay_inside() {
        for target in ["../x", "/etc/x", "a//b", "a/./b", "{{ p }}"] {
            let manifest = format!(
                "name: t\ninputs:\n  p: {{ schema: {{ type: string }} }}\nfiles:\n  - {{ source: a.txt, target: '{target}' }}\n"
            );
            let skill = skill(&[("skill.yaml", &manifest), ("a.txt", "x")]).expect("it loads");
            let inputs = json!({"p": "a/../../b"});
            assert!(
                skill
                    .render(inputs.as_object().expect("an object"))
                    .is_err(),
                "{target}"
            );
        }
    }
}
