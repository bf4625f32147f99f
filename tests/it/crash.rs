//! Kills, torn and damaged journals, two drivers, and signals: nothing that was journaled is lost,
//! nothing that succeeded runs again.

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Test, append, lives, until};

/// Twelve nodes in three layers, each of which leaves a line when it has done its work.
fn twelve() -> String {
    let node = |name: &str, reads: &[String]| {
        let inputs: String = reads
            .iter()
            .map(|read| format!("{read}: '${{{read}.output.n}}', "))
            .collect();
        format!(
            "  - {{ name: {name}, type: process, output: json, command: [sh, -c, 'sleep 0.05; echo {name} >> done; echo \"{{\\\"n\\\": $0}}\"', '{}'], inputs: {{ {inputs} }} }}\n",
            name.trim_start_matches(char::is_alphabetic)
        )
    };
    let mut yaml = "nodes:\n".to_owned();
    let mut above: Vec<String> = Vec::new();
    for layer in 0..3 {
        let names: Vec<String> = (1..=4).map(|at| format!("N{}", layer * 4 + at)).collect();
        for name in &names {
            yaml.push_str(&node(name, &above));
        }
        above = names;
    }
    yaml.push_str("outputs:\n");
    for at in 1..=12 {
        yaml.push_str(&format!("  n{at}: ${{N{at}.output.n}}\n"));
    }
    yaml
}

fn twelve_outputs() -> serde_json::Value {
    (1..=12)
        .map(|at| (format!("n{at}"), json!(at)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// No node ran again after its success was journaled, in any of the processes that drove the run.
pub(crate) fn no_second_success(test: &Test, run: &str) {
    let mut done = std::collections::BTreeSet::new();
    for event in test.events(run) {
        let node = event["data"]["node"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match event["event"].as_str().unwrap() {
            "node_started" => assert!(!done.contains(&node), "{node} started again"),
            "node_succeeded" => assert!(done.insert(node.clone()), "{node} succeeded twice"),
            _ => {}
        }
    }
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let test = Test::new().file(
        "flow.yaml",
        "order: sequential
nodes:
  - { name: First, type: process, command: [sh, -c, 'echo x >> first; echo 1'], output: json }
  - { name: Slow, type: process, command: [sh, -c, 'echo $$ >> slow; test -e go || exec sleep 60; echo 2'], output: json }
  - { name: Last, type: process, command: [sh, -c, 'echo x >> last; echo 3'], output: json }
outputs: { a: '${First.output}', b: '${Slow.output}', c: '${Last.output}' }
",
    );
    let run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the slow node runs", || test.lines("slow").len() == 1);
    run.kill();
    assert_eq!(
        test.output(["show", "r", "--json", "--exit-status"])
            .exits(130)
            .json()["status"],
        "interrupted"
    );
    test.write("go", "");
    let done = test.output(["resume", "r"]).exits(0);
    assert_eq!(done.json(), json!({ "a": 1, "b": 2, "c": 3 }));
    assert_eq!(
        ["first", "slow", "last"].map(|file| test.lines(file).len()),
        [1, 2, 1]
    );
    let left_behind = test.lines("slow")[0].trim().to_owned();
    assert!(
        !lives(&left_behind),
        "what the killed driver left behind runs beside the new attempt"
    );
    no_second_success(&test, "r");
    let keys: Vec<_> = test
        .events("r")
        .into_iter()
        .filter(|event| event["event"] == "node_started" && event["data"]["node"] == "Slow")
        .map(|event| event["data"]["key"].clone())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(
        keys[0], keys[1],
        "the same idempotency key on every attempt"
    );
}

#[test]
fn kills_at_any_moment_lose_nothing() {
    let reference = Test::new().file("flow.yaml", twelve());
    assert_eq!(
        reference.output(["run", "flow.yaml"]).exits(0).json(),
        twelve_outputs()
    );
    let test = Test::new().file("flow.yaml", twelve());
    // A small generator: the moments differ from each other, and are the same on every run.
    let mut seed = 7_u64;
    let mut moment = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::time::Duration::from_millis((seed >> 33) % 100 + 3)
    };
    let mut kills = 0;
    let mut driver = test.spawn(["run", "flow.yaml", "--run-id", "r", "--concurrency", "2"]);
    while kills < 15 {
        let end = std::time::Instant::now() + moment();
        while std::time::Instant::now() < end && !driver.ended() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        if driver.ended() {
            break;
        }
        driver.kill();
        kills += 1;
        // Killed before there was a journal, there is no run yet.
        let args: &[&str] = if test.journal("r").exists() {
            &["resume", "r", "--concurrency", "2"]
        } else {
            &["run", "flow.yaml", "--run-id", "r", "--concurrency", "2"]
        };
        driver = test.spawn(args);
    }
    driver.wait();
    assert!(kills >= 5, "only {kills} kills hit a living driver");
    assert_eq!(
        test.output(["resume", "r", "--json"]).exits(0).json()["outputs"],
        twelve_outputs()
    );
    no_second_success(&test, "r");
    // Every node did its work, and again only where a kill came between.
    let done = test.lines("done");
    for at in 1..=12 {
        let name = format!("N{at}");
        let ran = done.iter().filter(|line| **line == name).count();
        assert!((1..=kills + 1).contains(&ran), "{name}: {ran}");
    }
    assert!(
        done.len() <= 12 + 2 * kills,
        "two at a time: {}",
        done.len()
    );
}

#[test]
fn a_wait_between_attempts_survives_a_kill() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: R, type: process, command: [sh, -c, 'echo x >> tries; test -e go'], retry: { attempts: 3, backoff: { initial: 1s } } }
",
    );
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the first attempt has failed", || {
        test.count("r", "node_failed", "R") == 1
    });
    driver.kill();
    test.write("go", "");
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.lines("tries").len(), 2);
    let at = |event: &str, which: usize| -> jiff::Timestamp {
        let found = test
            .events("r")
            .into_iter()
            .filter(|record| record["event"] == event)
            .nth(which);
        found.unwrap()["ts"].as_str().unwrap().parse().unwrap()
    };
    let waited = at("node_started", 1).duration_since(at("node_failed", 0));
    assert!(
        waited >= jiff::SignedDuration::from_millis(990),
        "{waited:?}"
    );
}

#[test]
fn an_approval_survives_a_kill() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Ok, type: approval }\n  - { name: Slow, type: process, command: [sh, -c, 'echo x >> slow; test -e go || exec sleep 60'] }\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let driver = test.spawn(["approve", "r", "--resume"]);
    until("the node below the gate runs", || {
        test.lines("slow").len() == 1
    });
    driver.kill();
    test.write("go", "");
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.count("r", "approval_decided", "Ok"), 1);
    assert_eq!(
        test.count("r", "approval_requested", "Ok"),
        1,
        "nobody is asked again"
    );
}

/// A run that waits at a gate, with two nodes behind it.
fn paused() -> Test {
    let test = Test::new().file("flow.yaml", "order: sequential\nnodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> a; echo 1'], output: json }\n  - { name: B, type: process, command: [sh, -c, 'echo x >> b; echo 2'], output: json }\n  - { name: Ok, type: approval }\noutputs: { a: '${A.output}', b: '${B.output}' }\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

#[test]
fn a_torn_last_line_is_dropped_and_said() {
    let test = paused();
    append(&test.journal("r"), b"{\"v\":1,\"seq\":99,\"ts\":\"2026");
    assert_eq!(
        test.output(["show", "r", "--json"]).exits(0).json()["status"],
        "paused"
    );
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 5
    --- stderr
    warning: the last write before an interruption was incomplete; 26 bytes that nobody relied on were dropped
    paused: `Ok` waits for approval
      review   flowctl review r
      approve  flowctl approve r --resume
      reject   flowctl reject r --reason '…'
    "#);
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!((test.lines("a").len(), test.lines("b").len()), (1, 1));
    for line in test.read("artifacts/runs/r/journal.jsonl").lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn a_journal_torn_at_any_record_goes_on_from_there() {
    let whole = paused().read("artifacts/runs/r/journal.jsonl");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for kept in 1..lines.len() {
        let test = paused();
        // The rest of the next line is half there.
        let half = &lines[kept][..lines[kept].len() / 2];
        std::fs::write(test.journal("r"), lines[..kept].concat() + half).unwrap();
        let resumed = test.output(["resume", "r"]).exits(5);
        assert!(resumed.stderr.contains("incomplete"), "{}", resumed.stderr);
        test.output(["approve", "r", "--resume"]).exits(0);
        assert_eq!(
            test.output(["show", "r", "--json"]).json()["outputs"],
            json!({ "a": 1, "b": 2 }),
            "{kept} lines kept"
        );
        let succeeded = |node: &str| {
            lines[..kept].iter().any(|line| {
                line.contains("node_succeeded") && line.contains(&format!("\"node\":\"{node}\""))
            })
        };
        assert_eq!(test.lines("a").len(), if succeeded("A") { 1 } else { 2 });
        assert_eq!(test.lines("b").len(), if succeeded("B") { 1 } else { 2 });
    }
}

#[test]
fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let test = paused();
    let mut bytes = std::fs::read(test.journal("r")).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 40;
    bytes[second] ^= 1;
    std::fs::write(test.journal("r"), &bytes).unwrap();
    for args in [
        &["resume", "r"][..],
        &["approve", "r"],
        &["show", "r"],
        &["cancel", "r"],
        &["logs", "r"],
        &["review", "r"],
    ] {
        test.output(args)
            .exits(1)
            .says("line 2 of `./artifacts/runs/r/journal.jsonl` is damaged");
    }
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 1
    --- stderr
    error: line 2 of `./artifacts/runs/r/journal.jsonl` is damaged: its hash does not match it and the line before
    help: nothing was changed; restore the file from a copy, for example the one in the run's evidence bundle
    "#);
    assert_eq!(
        std::fs::read(test.journal("r")).unwrap(),
        bytes,
        "nothing was changed"
    );
    assert!(test.output(["runs"]).exits(0).stdout.contains("damaged"));
    assert_eq!(
        test.output(["prune", "--keep", "0", "--older-than", "0s", "--yes"])
            .exits(0)
            .stdout,
        ""
    );
    assert!(test.journal("r").exists());
}

#[test]
fn lines_taken_out_or_swapped_are_damage() {
    let test = paused();
    let whole = test.read("artifacts/runs/r/journal.jsonl");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = [&lines[..1], &lines[2..]].concat().concat();
    std::fs::write(test.journal("r"), without).unwrap();
    test.output(["resume", "r"]).exits(1).says("line 2 of");
    let swapped = [&[lines[0], lines[2], lines[1]][..], &lines[3..]]
        .concat()
        .concat();
    std::fs::write(test.journal("r"), swapped).unwrap();
    test.output(["resume", "r"]).exits(1).says("line 2 of");
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let test = paused();
    let dir = test.path("artifacts/runs/r");
    let snapshot = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"))
        .unwrap();
    let text = std::fs::read_to_string(snapshot.path()).unwrap();
    std::fs::write(snapshot.path(), text.replace("echo 2", "echo 3")).unwrap();
    test.output(["resume", "r"])
        .exits(1)
        .says("its digest is not the one in the journal");
    std::fs::write(snapshot.path(), text).unwrap();
    test.output(["approve", "r", "--resume"]).exits(0);
}

#[test]
fn a_journal_of_a_newer_version_is_refused() {
    let test = paused();
    let text = test
        .read("artifacts/runs/r/journal.jsonl")
        .replace("{\"v\":1,", "{\"v\":2,");
    std::fs::write(test.journal("r"), &text).unwrap();
    test.output(["resume", "r"])
        .exits(1)
        .says("has format version 2");
    assert_eq!(test.read("artifacts/runs/r/journal.jsonl"), text);
}

#[test]
fn a_second_driver_is_told_who_the_first_is() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Slow, type: process, command: [sh, -c, 'echo x >> slow; while ! test -e go; do sleep 0.02; done'] }\n");
    let first = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it runs", || test.lines("slow").len() == 1);
    let second = test.output(["resume", "r"]).exits(7);
    assert!(
        second.stderr.contains(&format!("process {}", first.pid())),
        "{}",
        second.stderr
    );
    assert_snapshot!(test.scrub(&second.stderr), @r#"
    error: run `r` is driven by another process: `flowctl run`, process <pid> on <host>, since <time>
    help: wait for it to end, or follow it with `flowctl logs r -f`
    "#);
    assert_eq!(
        test.output(["show", "r", "--json"]).exits(0).json()["status"],
        "running"
    );
    test.write("go", "");
    assert_eq!(first.wait().code, 0);
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.lines("slow").len(), 1);
}

#[test]
fn an_interrupt_leaves_a_run_that_can_be_resumed() {
    for signal in [Signal::INT, Signal::TERM] {
        let test = Test::new().file("flow.yaml", "order: sequential\nnodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> a'] }\n  - { name: Slow, type: process, command: [sh, -c, 'echo $$ >> slow; test -e go || exec sleep 60'] }\n");
        let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
        until("it runs", || test.lines("slow").len() == 1);
        driver.signal(signal);
        let ran = driver.wait();
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        assert!(ran.stderr.contains("resume r"), "{}", ran.stderr);
        let pid = test.lines("slow")[0].clone();
        assert!(!lives(&pid), "the process was ended with the driver");
        assert_eq!(
            test.output(["show", "r", "--json", "--exit-status"])
                .exits(130)
                .json()["status"],
            "interrupted"
        );
        test.write("go", "");
        test.output(["resume", "r"]).exits(0);
        assert_eq!((test.lines("a").len(), test.lines("slow").len()), (1, 2));
    }
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Deaf, type: process, command: [sh, -c, 'trap \"\" TERM; echo $$ > pid; while ! test -e go; do sleep 0.05; done'] }\n");
    let mut driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it runs", || !test.lines("pid").is_empty());
    driver.signal(Signal::INT);
    let begun = std::time::Instant::now();
    until("a second interrupt ends it", || {
        driver.signal(Signal::INT);
        driver.ended()
    });
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(8),
        "the grace of ten seconds is not waited for"
    );
    assert_eq!(driver.wait().code, 130);
    test.write("go", "");
    test.output(["resume", "r"]).exits(0);
}

#[test]
fn a_failed_run_that_was_never_sealed_is_tried_again_at_once() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [test, -e, go] }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    let journal = test.path("artifacts/runs/r/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    assert!(text[cut..].contains("\"run_sealed\""));
    std::fs::write(&journal, &text[..cut]).unwrap();
    test.write("go", "");
    test.output(["resume", "r"]).exits(0);
}
