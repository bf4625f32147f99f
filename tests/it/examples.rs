//! Every example and every flow validates, and runs to its end.

use std::path::{Path, PathBuf};

use crate::harness::{Test, has_python, repository};

/// The repository's flows: YAML files below `examples/` and `flows/` that have `nodes:`.
fn flows() -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for dir in ["examples", "flows"] {
        walk(&repository(dir), &mut found);
    }
    let root = repository("");
    let mut flows: Vec<String> = found
        .into_iter()
        .filter(|path| {
            std::fs::read_to_string(path)
                .unwrap()
                .lines()
                .any(|line| line.starts_with("nodes:"))
        })
        // What this program was built without, it refuses; see `http_nodes`.
        .filter(|path| {
            cfg!(feature = "llm")
                || !std::fs::read_to_string(path)
                    .unwrap()
                    .contains("type: http")
        })
        .map(|path| {
            path.strip_prefix(&root)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    flows.sort();
    flows
}

/// A workspace with the examples in it.
fn copy() -> Test {
    fn walk(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                if entry.file_name() != "artifacts" {
                    walk(&entry.path(), &target);
                }
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let test = Test::new();
    for dir in ["examples", "flows"] {
        walk(&repository(dir), &test.path(dir));
    }
    test
}

/// An example with `skills/` beside it is its own workspace.
fn workspace(flow: &str) -> String {
    let beside = Path::new(flow).parent().unwrap();
    if repository(&beside.join("skills").to_string_lossy()).is_dir() {
        beside.to_string_lossy().into_owned()
    } else {
        ".".to_owned()
    }
}

#[test]
fn every_flow_of_the_repository_validates() {
    let flows = flows();
    for wanted in [
        "hello",
        "parallel",
        "approval",
        "foreach",
        "sub-flow",
        "reordered-personas",
        "flows/infra-product",
    ] {
        assert!(
            flows.iter().any(|flow| flow.contains(wanted)),
            "there is no example for {wanted}: {flows:?}"
        );
    }
    for flow in flows {
        if flow.contains("prompt-flow")
            && !has_python("examples::every_flow_of_the_repository_validates")
        {
            continue;
        }
        let test = copy();
        let ran = test
            .output(["--workspace", &workspace(&flow), "validate", &flow])
            .exits(0);
        assert!(!ran.stderr.contains("warning"), "{flow}: {}", ran.stderr);
    }
}

#[test]
fn every_example_runs_to_its_end() {
    let all = flows();
    // What another flow names as its sub-flow is run by that one.
    let is_part = |flow: &String| {
        let name = Path::new(flow).file_name().unwrap().to_string_lossy();
        let beside = |other: &&String| Path::new(other).parent() == Path::new(flow).parent();
        all.iter().filter(beside).any(|other| {
            std::fs::read_to_string(repository(other))
                .unwrap()
                .contains(&format!("flow: {name}"))
        })
    };
    let examples = all.iter().filter(|flow| flow.starts_with("examples/"));
    for flow in examples.filter(|flow| !is_part(flow)) {
        if flow.contains("prompt-flow") && !has_python("examples::every_example_runs_to_its_end") {
            continue;
        }
        let test = copy();
        if flow.contains("prompt-flow/lines") {
            let data = "examples/prompt-flow/rows.jsonl";
            let ran = test.output(["batch", flow, "--data", data]).exits(0);
            assert!(
                ran.stderr.contains("4 of 5 lines succeeded"),
                "{}",
                ran.stderr
            );
            continue;
        }
        let at = workspace(flow);
        let inputs = std::fs::read_to_string(repository(flow)).unwrap();
        // The slow checks of QA are for `scripts/test-all`.
        let fast: &[&str] = if inputs
            .lines()
            .any(|line| line.trim_start().starts_with("qa_checks:"))
        {
            &["-i", "qa_checks=fast"]
        } else {
            &[]
        };
        let mut ran = test.output(
            [
                &["--workspace", &at, "run", flow, "--run-id", "r", "--json"],
                fast,
            ]
            .concat(),
        );
        let mut gates = 0;
        while ran.code == 5 {
            gates += 1;
            assert!(gates < 10, "{flow} asks without end");
            let gate = ran.json()["waiting"][0]["gate"]
                .as_str()
                .unwrap()
                .to_owned();
            ran = test.output([
                "--workspace",
                &at,
                "approve",
                "r",
                &gate,
                "--resume",
                "--json",
            ]);
        }
        assert_eq!(ran.code, 0, "{flow}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.json()["status"], "succeeded", "{flow}");
    }
}
