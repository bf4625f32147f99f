//! Renders the skill folders of this repository for the personas' tests.

use std::path::{Path, PathBuf};

use super::testing::NoHost;
use crate::expr;
use crate::port::{Command, Completed, Failure, File, Host, Outcome};
use crate::value::{Object, Value};

/// A host that renders from `skills/` and does nothing else.
pub(super) struct SkillHost;

impl Host for SkillHost {
    fn render(&self, skill: &str, inputs: &Object) -> Result<Outcome, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("skills")
            .join(skill);
        let text = std::fs::read_to_string(folder.join("skill.yaml"))
            .map_err(|error| Failure::new(format!("{skill}: {error}")))?;
        let manifest: Value = serde_yaml::from_str(&text).unwrap();
        let mut context = Object::new();
        for (name, _) in manifest["inputs"].as_object().unwrap() {
            if let Some(value) = inputs.get(name) {
                context.insert(name.clone(), value.clone());
            }
        }
        for name in inputs.keys() {
            assert!(
                context.contains_key(name),
                "{skill} declares no input {name}"
            );
        }
        if let Ok(dump) = std::env::var("DUMP") { // TEMP
            for (list, at) in [("files", ""), ("evidence", "artifacts/evidence/")] {
                for file in files(&folder, &manifest[list], &context)? {
                    let path = format!("{dump}/{at}{}", file.path);
                    std::fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
                    std::fs::write(path, file.content).unwrap();
                }
            }
        }
        Ok(Outcome {
            files: files(&folder, &manifest["files"], &context)?,
            evidence: files(&folder, &manifest["evidence"], &context)?,
            ..Outcome::default()
        })
    }

    fn staged(&self) -> Result<PathBuf, Failure> {
        NoHost.staged()
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        NoHost.scratch()
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        NoHost.run(command)
    }

    fn now(&self) -> String {
        NoHost.now()
    }
}

fn files(folder: &Path, entries: &Value, context: &Object) -> Result<Vec<File>, Failure> {
    let mut engine = expr::engine();
    let mut templates = Vec::new();
    walk(folder, folder, &mut |path, relative| {
        if let Ok(text) = std::fs::read_to_string(path)
            && relative.ends_with(".tera")
        {
            templates.push((relative.to_owned(), text));
        }
    });
    engine
        .add_raw_templates(templates)
        .map_err(|error| Failure::new(error.to_string()))?;
    let render = |text: &str, context: &Object| -> Result<String, Failure> {
        let context = tera::Context::from_serialize(context).unwrap();
        engine
            .render_str(text, &context, false)
            .map_err(|error| Failure::new(error.to_string()))
    };
    let mut files = Vec::new();
    for entry in entries.as_array().into_iter().flatten() {
        let mut contexts = vec![context.clone()];
        for (name, list) in entry["each"].as_object().into_iter().flatten() {
            let list: Value = serde_json::from_str(&render(
                &format!("{{{{ {} | json }}}}", list.as_str().unwrap()),
                context,
            )?)
            .unwrap();
            contexts = list
                .as_array()
                .unwrap()
                .iter()
                .map(|item| {
                    let mut context = context.clone();
                    context.insert(name.clone(), item.clone());
                    context
                })
                .collect();
        }
        for context in contexts {
            if let Some(condition) = entry["when"].as_str() {
                let text = format!("{{% if {condition} %}}yes{{% endif %}}");
                if render(&text, &context)? != "yes" {
                    continue;
                }
            }
            let source = folder.join(render(entry["source"].as_str().unwrap(), &context)?);
            let target = render(entry["target"].as_str().unwrap(), &context)?;
            let raw = entry["raw"].as_bool().unwrap_or_default();
            let mut found = Vec::new();
            if source.is_dir() {
                walk(&source, &source, &mut |path, relative| {
                    found.push((path.to_owned(), format!("{target}/{relative}")));
                });
            } else {
                found.push((source, target));
            }
            for (path, target) in found {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                let content = std::fs::read(&path)
                    .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
                let (target, content) = if name.ends_with(".tera") && !raw {
                    let context = tera::Context::from_serialize(&context).unwrap();
                    let text = engine
                        .render(name, &context)
                        .map_err(|error| Failure::new(error.to_string()))?;
                    let target = target.strip_suffix(".tera").unwrap_or(&target).to_owned();
                    (target, text.into_bytes())
                } else {
                    (target, content)
                };
                files.push(File {
                    path: target,
                    content,
                });
            }
        }
    }
    Ok(files)
}

fn walk(root: &Path, folder: &Path, visit: &mut dyn FnMut(&Path, &str)) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(root, &path, visit);
        } else {
            visit(&path, path.strip_prefix(root).unwrap().to_str().unwrap());
        }
    }
}
