//! Whether a rendered bundle is one that Backstage reads: checked before anybody is asked about it.
//!
//! Not Backstage's own validators, which are not there in a run; what a template that somebody edits
//! breaks first: YAML, the envelope of an entity, expressions that name nothing.

use std::collections::BTreeSet;

use serde::Deserialize as _;

use crate::port::{Failure, File};
use crate::value::Value;

/// Checks the entities of a bundle: `template.yaml` and `catalog-info.yaml` in its folder, and that
/// every other YAML file outside the skeleton can be read.
///
/// # Errors
/// Everything that is wrong, with its file.
pub(super) fn check(folder: &str, files: &[File]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut entities = BTreeSet::new();
    for file in files {
        let Some(name) = file.path.strip_prefix(&format!("{folder}/")) else {
            continue;
        };
        // The skeleton is a template of Backstage, and YAML only after that.
        let yaml = [".yaml", ".yml"].iter().any(|end| name.ends_with(end));
        if !yaml || name.starts_with("skeleton/") {
            continue;
        }
        match documents(&file.content) {
            Err(problem) => problems.push(format!("{}: {problem}", file.path)),
            Ok(documents) if matches!(name, "template.yaml" | "catalog-info.yaml") => {
                entities.insert(name);
                for document in &documents {
                    let found = entity(document);
                    problems.extend(found.into_iter().map(|it| format!("{}: {it}", file.path)));
                }
            }
            Ok(_) => {}
        }
    }
    for name in ["template.yaml", "catalog-info.yaml"] {
        let broken = problems.iter().any(|problem| problem.contains(name));
        if !entities.contains(name) && !broken {
            problems.push(format!("{folder}/{name} was not rendered"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Backstage would refuse the bundle:\n  {}",
        problems.join("\n  ")
    );
    Err(Failure::new(message).help(
        "mend the templates of the skill `backstage_scaffolder`, then `flowctl resume RUN --accept-changes`",
    ))
}

fn documents(content: &[u8]) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).map_err(|error| error.to_string()))
        .collect()
}

/// What is wrong with an entity.
fn entity(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for path in [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/spec/type",
        "/spec/owner",
    ] {
        if document
            .pointer(path)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            problems.push(format!("`{}` is missing", path[1..].replace('/', ".")));
        }
    }
    if let Some(name) = document.pointer("/metadata/name").and_then(Value::as_str)
        && !is_entity_name(name)
    {
        problems.push(format!("`{name}` is no entity name"));
    }
    if document["kind"] == "Template" {
        problems.extend(template(document));
    }
    problems
}

/// Letters, digits and `-_.` between them, at most 63.
fn is_entity_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Steps have an id and an action, and expressions name parameters and steps that are there.
fn template(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let spec = &document["spec"];
    let pages = match &spec["parameters"] {
        Value::Array(pages) => pages.iter().collect(),
        page => vec![page],
    };
    let parameters: BTreeSet<&str> = pages
        .iter()
        .filter_map(|page| page["properties"].as_object())
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    let mut steps = BTreeSet::new();
    let listed = spec["steps"].as_array().map_or(&[][..], Vec::as_slice);
    if listed.is_empty() {
        problems.push("`spec.steps` has no step".to_owned());
    }
    let mut expressions = Vec::new();
    for step in listed {
        match step["id"].as_str() {
            Some(id) if !steps.insert(id) => problems.push(format!("two steps have the id `{id}`")),
            _ => {}
        }
        if step["action"].as_str().is_none() {
            problems.push(format!("the step {} has no `action`", step["id"]));
        }
        texts(step, &mut expressions);
    }
    texts(&spec["output"], &mut expressions);
    for expression in expressions {
        for (head, known) in [("parameters.", &parameters), ("steps.", &steps)] {
            for name in names(expression, head) {
                if !known.contains(name) {
                    problems.push(format!(
                        "`{expression}` names `{head}{name}`, which is not there"
                    ));
                }
            }
        }
    }
    problems
}

/// The insides of `${{ … }}` in every text of a value.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some((_, after)) = rest.split_once("${{") {
                let Some((inside, after)) = after.split_once("}}") else {
                    break;
                };
                found.push(inside.trim());
                rest = after;
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

/// The names that follow a head such as `parameters.` in an expression.
fn names<'a>(expression: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    expression.match_indices(head).filter_map(move |(at, _)| {
        if expression[..at].ends_with(|c| word(c) || c == '.') {
            return None;
        }
        let rest = &expression[at + head.len()..];
        Some(&rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: { name: abc, title: 'x ${{ parameters.not_looked_at }}' }
spec:
  type: service
  owner: team
  parameters: [{ properties: { name: {} } }]
  steps:
    - { id: one, action: fetch:template, input: { values: { name: '${{ parameters.name | upper }}' } } }
  output: { links: [{ url: '${{ steps.one.output.url }}' }] }
";
    const COMPONENT: &str = "apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: abc }
spec: { type: service, owner: team }
";

    fn problems(template: &str, component: &str) -> String {
        let files = [
            ("template.yaml", template),
            ("catalog-info.yaml", component),
            ("skeleton/x.yaml", "a: ${{"),
        ]
        .map(|(name, text)| File {
            path: format!("b/{name}"),
            content: text.into(),
        });
        check("b", &files)
            .err()
            .map_or_else(String::new, |failure| failure.message)
    }

    #[test]
    fn a_good_bundle_has_no_problems() {
        assert_eq!(problems(TEMPLATE, COMPONENT), "");
    }

    #[test]
    fn what_backstage_would_refuse_is_named() {
        let broken = TEMPLATE
            .replace("parameters.name |", "parameters.nmae |")
            .replace("steps.one.", "steps.two.")
            .replace("name: abc", "name: 'a b'");
        let said = problems(&broken, &COMPONENT.replace("owner: team", ""));
        for expected in [
            "b/template.yaml: `parameters.nmae | upper` names `parameters.nmae`, which is not there",
            "names `steps.two`",
            "`a b` is no entity name",
            "b/catalog-info.yaml: `spec.owner` is missing",
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(problems("a: [", COMPONENT).contains("b/template.yaml: "));
        assert!(
            check("b", &[])
                .unwrap_err()
                .message
                .contains("b/catalog-info.yaml was not rendered")
        );
    }
}
