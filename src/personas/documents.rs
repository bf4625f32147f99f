//! Keeps `docs/personas.md` and its example in step with the code.

use std::path::Path;

use serde_json::json;

use super::testing::{designed, in_step};
use crate::contracts;
use crate::port::{Effect, Port};

fn line(port: &Port) -> String {
    let carries = match &port.contract {
        Some(contract) => format!(": {contract}"),
        None => String::new(),
    };
    let optional = if port.required { "" } else { " (optional)" };
    format!(
        "- `{}`{carries}{optional}: {}\n",
        port.name, port.description
    )
}

#[test]
fn the_ports_are_documented() {
    let mut text = String::new();
    for persona in super::all() {
        let signature = (persona.signature)();
        let effect = if persona.effect == Effect::Pure {
            "pure"
        } else {
            "effectful"
        };
        text.extend([
            format!("### {}\n\n{} ", persona.name, persona.summary),
            format!("Tool `{}`, {effect}.\n\nTakes\n\n", persona.tool),
        ]);
        text.extend(signature.inputs.iter().map(line));
        text.push_str("\nGives\n\n");
        text.extend(signature.outputs.iter().map(line));
        text.push('\n');
    }
    in_step("personas.md", "personas", text.trim());
}

#[test]
fn the_documented_persona_runs() {
    let text = include_str!("../../docs/personas.md");
    let section = &text[text.find("## A persona of your own").unwrap()..];
    let block = |language: &str| {
        let begin = format!("```{language}\n");
        let from = section.find(&begin).unwrap() + begin.len();
        section[from..].split("```").next().unwrap()
    };
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().join("skills/FinOps");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("skill.yaml"), block("yaml")).unwrap();
    std::fs::write(folder.join("notes.md.tera"), block("jinja")).unwrap();
    let library = crate::tool::Library::live(Path::new(workspace.path()));
    let registry = crate::tool::Registry::new(library, Vec::new(), contracts::schema);
    let mut given = designed("abc");
    given["iac_plan"] = json!({
        "product_slug": "abc", "modules": [], "stacks": [], "shared_files": [],
        "tree_sha256": "0".repeat(64),
    });
    let outcome = registry
        .render("FinOps", given.as_object().unwrap())
        .unwrap();
    assert_eq!(outcome.files[0].path, "docs/cost/abc.md");
    let notes = outcome.output["cost_notes"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note.as_str().unwrap().starts_with("ADR-AZ-002")),
        "{notes:?}"
    );
}
