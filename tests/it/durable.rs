//! What is on disk before what: told by the system calls of the real binary; and outputs that are too
//! large for a record.

use std::process::Command;

use serde_json::json;

use crate::harness::{Test, not_run, repository};

/// The system calls of a run that matter here, one line each, in the order in which they ended.
fn traced(test: &Test, name: &str, args: &[&str]) -> Option<Vec<String>> {
    let there = Command::new("strace").arg("-V").output();
    if !there.is_ok_and(|ran| ran.status.success()) {
        not_run(name, "there is no `strace`");
        return None;
    }
    let mut traced = vec![
        "-f",
        "-y",
        "-s",
        "20000",
        "-o",
        "trace",
        "-e",
        "trace=write,fsync,fdatasync,execve,rename,renameat,renameat2,linkat,link",
        env!("CARGO_BIN_EXE_flowctl"),
    ];
    traced.extend(args);
    let own = test.command(args);
    let mut command = Command::new("strace");
    command.args(traced).current_dir(test.path(".")).env_clear();
    command.envs(
        own.get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let ran = command.output().unwrap();
    if !test.exists("trace") || test.read("trace").contains("Operation not permitted") {
        not_run(name, "processes cannot be traced here");
        return None;
    }
    assert!(ran.status.success(), "{ran:?}");
    // A call that another thread interrupted stands in two lines: it has ended with the second.
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in test.read("trace").lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(call) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread.to_owned(), call.to_owned());
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            let first = begun.remove(thread).unwrap_or_default();
            calls.push(format!("{first}{rest}"));
        } else {
            calls.push(call.to_owned());
        }
    }
    Some(calls)
}

/// Where the first call is, from a place on, that holds all these words.
#[track_caller]
fn find(calls: &[String], from: usize, words: &[&str]) -> usize {
    let holds = |call: &String| words.iter().all(|word| call.contains(word));
    let at = calls[from..].iter().position(holds);
    from + at.unwrap_or_else(|| panic!("no {words:?} after call {from}:\n{}", calls.join("\n")))
}

#[test]
fn an_effect_is_on_disk_before_anything_depends_on_it() {
    let test = Test::new()
        .file("one.sh", "#!/bin/sh\necho one\n")
        .file("two.sh", "#!/bin/sh\ncat\n")
        .file(
            "flow.yaml",
            "nodes:
  - { name: One, type: process, command: [sh, one.sh] }
  - { name: Two, type: process, command: [sh, two.sh], inputs: { it: '${One.output.stdout}' } }
",
        );
    let args = ["run", "flow.yaml", "--run-id", "r"];
    let Some(calls) = traced(
        &test,
        "an_effect_is_on_disk_before_anything_depends_on_it",
        &args,
    ) else {
        return;
    };
    let written = find(
        &calls,
        0,
        &[
            "write(",
            r#"\"event\":\"node_succeeded\""#,
            r#"\"node\":\"One\""#,
        ],
    );
    let synced = find(&calls, written, &["fdatasync(", "journal.jsonl", "= 0"]);
    let started = find(&calls, 0, &["execve(", "two.sh"]);
    assert!(
        written < synced && synced < started,
        "{written} {synced} {started}"
    );
    // And the end of the run before anybody is told of it.
    let ended = find(
        &calls,
        started,
        &["write(", r#"\"event\":\"run_succeeded\""#],
    );
    let synced = find(&calls, ended, &["fdatasync(", "journal.jsonl", "= 0"]);
    let told = find(&calls, ended, &["write(2", "succeeded: run r"]);
    assert!(synced < told);
}

#[test]
fn a_large_output_is_on_disk_before_the_record_that_names_it() {
    let test = large("three", "");
    let args = ["run", "flow.yaml", "--run-id", "r"];
    let Some(calls) = traced(
        &test,
        "a_large_output_is_on_disk_before_the_record_that_names_it",
        &args,
    ) else {
        return;
    };
    let sha256 = external(&test, "Make");
    let placed = find(&calls, 0, &["rename", &format!("files/{sha256}")]);
    let synced = find(
        &calls,
        placed,
        &["fsync(", &format!("files/{sha256}>"), "= 0"],
    );
    let folder = find(&calls, synced, &["fsync(", "r/files>", "= 0"]);
    let named = find(
        &calls,
        0,
        &["write(", "journal.jsonl>", "\\\"external\\\"", &sha256],
    );
    assert!(placed < synced && synced < folder && folder < named);
}

/// A node that gives three megabytes, and one that reads them; `between` is more nodes.
fn large(seed: &str, between: &str) -> Test {
    let yaml = format!(
        "name: large
nodes:
  - {{ name: Make, type: process, evidence: true, command: [sh, -c, 'yes {seed} | head -c 3000000'] }}
{between}  - {{ name: Read, type: process, command: [wc, -c], inputs: {{ it: '${{Make.output.stdout}}' }} }}
outputs: {{ read: '${{Read.output.stdout}}', made: '${{Make.output.stdout}}' }}
"
    );
    Test::new().file("flow.yaml", yaml)
}

/// The digest of the file that a node's output is in.
#[track_caller]
fn external(test: &Test, node: &str) -> String {
    let events = test.events("r");
    let found = events
        .iter()
        .find(|event| event["event"] == "node_succeeded" && event["data"]["node"] == node);
    let data = &found.unwrap()["data"];
    assert!(data["output"].is_null());
    let digest = data["external"]["sha256"].as_str().unwrap();
    digest.strip_prefix("sha256:").unwrap().to_owned()
}

#[test]
fn a_large_output_is_a_file_and_everybody_reads_it() {
    let test = large("three", "");
    let made: String = "three\n".repeat(500_000);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    let sha256 = external(&test, "Make");
    let file = test.read(&format!("artifacts/runs/r/files/{sha256}"));
    assert_eq!(file, json!({ "stdout": made, "exit_code": 0 }).to_string());
    // No record is large, not that of the run's end either.
    let journal = test.read("artifacts/runs/r/journal.jsonl");
    assert!(journal.lines().all(|line| line.len() < 2000));
    let whole = test.output(["show", "r", "--json"]).exits(0).json();
    assert_eq!(whole["nodes"]["Make"]["output"]["stdout"], made);
    assert_eq!(whole["outputs"]["made"], made);
    let read: u32 = whole["outputs"]["read"]
        .as_str()
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(read > 3_000_000);
    let node = test.output(["show", "r", "Make", "--json"]).exits(0).json();
    assert_eq!(node["output"]["stdout"], made);
    test.output(["logs", "r", "Make"]).exits(0);
    test.output(["runs"]).exits(0);
    test.output(["resume", "r"]).exits(0);
    // The evidence holds it once a bundle, and can be checked and made again from what it holds.
    let bundled = format!("artifacts/evidence/bundles/large/outputs/{sha256}.json");
    assert_eq!(test.read(&bundled), file);
    let log = test.read("artifacts/evidence/runs/Make.jsonl");
    assert!(log.len() < 2000 && log.contains(&sha256));
    let folder = format!("artifacts/evidence/outputs/{sha256}.json");
    assert_eq!(test.read(&folder), file);
    test.output(["evidence", "verify"]).exits(0);
    let alone = Test::new();
    copy(
        &test.path("artifacts/evidence/bundles/large"),
        &alone.path("b"),
    );
    alone.output(["evidence", "verify", "b"]).exits(0);
    let before = test.read("artifacts/evidence/index.json");
    std::fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    test.output(["evidence", "rebuild"]).exits(0);
    assert_eq!(test.read("artifacts/evidence/index.json"), before);
    assert_eq!(test.read(&bundled), file);
    std::fs::remove_dir_all(test.path("artifacts/runs/r")).unwrap();
    std::fs::remove_file(test.path("artifacts/evidence/index.json")).unwrap();
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
    // A bundle without it, or with another, is not intact.
    std::fs::remove_file(alone.path(&format!("b/outputs/{sha256}.json"))).unwrap();
    let report = alone.output(["evidence", "verify", "b"]).exits(10);
    assert!(report.stdout.contains(&sha256) || report.stderr.contains(&sha256));
}

#[test]
fn a_large_output_that_is_damaged_or_gone_is_refused_and_no_node_is_blamed() {
    let test = large("four", "  - { name: Ask, type: approval }\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let path = format!("artifacts/runs/r/files/{}", external(&test, "Make"));
    let whole = test.read(&path);
    test.output(["approve", "r"]).exits(0);
    let refused = |message: &str| {
        for args in [
            &["resume", "r"][..],
            &["show", "r", "Make"],
            &["show", "r", "--json"],
        ] {
            test.output(args.iter())
                .exits(1)
                .says("the output of `Make` in run `r` is not intact")
                .says(message)
                .says(&path)
                .says("help: nothing was changed; put the file back from a copy");
        }
        // What needs it not works on.
        test.output(["show", "r"]).exits(0);
        test.output(["runs"]).exits(0);
        assert_eq!(test.count("r", "node_failed", "Read"), 0);
    };
    test.write(&path, whole.replacen("four", "five", 1));
    refused("is damaged: the content does not match its name");
    std::fs::remove_file(test.path(&path)).unwrap();
    refused("is gone");
    test.write(&path, &whole);
    let outputs = test.output(["resume", "r", "--json"]).exits(0).json()["outputs"].clone();
    assert_eq!(outputs["made"], "four\n".repeat(600_000));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn every_guarantee_names_tests_that_are_there() {
    let design = std::fs::read_to_string(repository("docs/design.md")).unwrap();
    let table = design
        .split("### What each kind of node guarantees")
        .nth(1)
        .unwrap();
    let table = table.split("\n## ").next().unwrap();
    let mut named = 0;
    for word in table.split('`').skip(1).step_by(2) {
        let Some((module, test)) = word.split_once("::") else {
            continue;
        };
        let path = ["tests/it", "src/run", "src/store"]
            .map(|folder| repository(&format!("{folder}/{module}.rs")));
        let text = path
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        let text = text.unwrap_or_else(|| panic!("`{word}`: no such file"));
        assert!(
            text.contains(&format!("fn {test}(")),
            "`{word}`: no such test"
        );
        named += 1;
    }
    assert!(named >= 10, "{named}");
}
