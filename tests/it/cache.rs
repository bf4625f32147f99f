//! `cache: true`: results of pure tools, reused across runs.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::harness::Test;

const FLOW: &str = "name: cards\ninputs:\n  who: { type: string, default: Ada }\nnodes:\n  - { name: Card, type: skill, cache: true, inputs: { who: '${inputs.who}' } }\n  - { name: Sub, type: flow, flow: sub.yaml, inputs: { who: '${inputs.who}' } }\noutputs:\n  text: ${Card.output.text}\n  all: ${Sub.output.all[*].text}\n";
const SUB: &str = "name: sub\ninputs:\n  who: { type: string }\nnodes:\n  - { name: Each, type: skill, skill: Line, cache: true, foreach: [x, y], inputs: { one: '${inputs.who}-${item}' } }\noutputs:\n  all: ${Each.output}\n";

fn workspace() -> Test {
    Test::new()
        .file("flow.yaml", FLOW)
        .file("sub.yaml", SUB)
        .file("skills/Line/skill.yaml", "inputs:\n  one: { schema: { type: string } }\noutputs:\n  text: { schema: { type: string }, value: '<{{ one }}>' }\n")
        .file("skills/Card/skill.yaml", "inputs:\n  who: { schema: { type: string } }\noutputs:\n  text: { schema: { type: string }, value: 'for {{ who }}' }\nfiles:\n  - { source: card.tera, target: 'cards/{{ who | lower }}.md' }\n")
        .file("skills/Card/card.tera", "Dear {{ who }},\n")
}

/// The nodes of a run whose results came from the cache.
fn cached(test: &Test, run: &str) -> Vec<String> {
    let events = test.events(run);
    let hits = events.iter().filter(|record| {
        record["event"] == "node_succeeded" && record["data"].get("cached").is_some()
    });
    hits.map(|record| record["data"]["node"].as_str().unwrap().to_owned())
        .collect()
}

fn run(test: &Test, id: &str, args: &[&str]) -> Vec<String> {
    let base = ["run", "flow.yaml", "--run-id", id, "--concurrency", "1"];
    test.output([&base, args].concat()).exits(0);
    cached(test, id)
}

const ALL: [&str; 3] = ["Card", "Sub/Each[0]", "Sub/Each[1]"];

#[test]
fn the_same_tool_on_the_same_inputs_runs_once() {
    let test = workspace();
    assert_eq!(run(&test, "a", &[]), [""; 0]);
    let first = test.published();
    fs::remove_dir_all(test.path("cards")).unwrap();
    assert_eq!(run(&test, "b", &[]), ALL);
    // What was kept is what would have been made, to the byte.
    assert_eq!(test.published(), first);
    let output = |run: &str, node: &str| {
        let found = test
            .events(run)
            .into_iter()
            .find(|record| record["event"] == "node_succeeded" && record["data"]["node"] == node);
        let data = found.unwrap()["data"].clone();
        (
            data["digest"].clone(),
            data["fingerprint"].clone(),
            data["files"][0]["sha256"].clone(),
        )
    };
    for node in ALL {
        assert_eq!(output("a", node), output("b", node));
    }
    // Another input, another template: only what they change is made again.
    assert_eq!(run(&test, "c", &["-i", "who=Bob"]), [""; 0]);
    test.edit("skills/Card/card.tera", "Dear", "Hello");
    assert_eq!(run(&test, "d", &[]), ALL[1..]);
    assert_eq!(test.read("cards/ada.md"), "Hello Ada,\n");
    assert_eq!(run(&test, "e", &[]), ALL);
    // Evidence says it too, and is whole.
    assert!(
        test.read("artifacts/evidence/bundles/cards/journal.ndjson")
            .contains("\"cached\":\"sha256:")
    );
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn people_are_told() {
    let test = workspace();
    run(&test, "a", &[]);
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "b", "--concurrency", "1"]), @r#"
    exit 0
    --- stdout
    {
      "text": "for Ada",
      "all": [
        "<Ada-x>",
        "<Ada-y>"
      ]
    }
    --- stderr
    run b of cards
      Card          succeeded in <duration>, cached, 1 file
      Sub/Each[0]   succeeded in <duration>, cached
      Sub/Each[1]   succeeded in <duration>, cached
      Sub/Each      succeeded in <duration>
      Sub           succeeded in <duration>
    publishing 1 file
    succeeded: run b; 1 file is in the workspace
      evidence artifacts/evidence/bundles/cards
    "#);
    let shown = test.output(["show", "b"]).exits(0).stdout;
    let lines = |node: &str| {
        shown
            .lines()
            .filter(|line| line.contains(node))
            .all(|line| line.contains(", cached"))
    };
    assert!(ALL.iter().all(|node| lines(node)), "{shown}");
    let shown = test.output(["show", "b", "Card", "--json"]).exits(0).json();
    assert!(shown["cached"].as_str().unwrap().starts_with("sha256:"));
    let listed = test.output(["cache", "--json"]).exits(0).json();
    assert_eq!(listed["entries"].as_array().unwrap().len(), 3);
    assert_eq!(listed["damaged"], 0);
    let ran = test.output(["cache"]).exits(0).says("3 entries, ");
    assert!(
        ran.stdout
            .lines()
            .all(|line| line.contains(" bytes  skill:")),
        "{}",
        ran.stdout
    );
    // Nothing here is older than a day.
    test.output(["cache", "clear", "--older-than", "1d"])
        .exits(0)
        .says("removed 0 entries, 0 bytes");
    assert_eq!(run(&test, "c", &[]), ALL);
    let cleared = test.output(["cache", "clear", "--json"]).exits(0).json();
    assert_eq!(cleared["entries"], 3);
    assert_eq!(
        fs::read_dir(test.path("artifacts/cache/files"))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(run(&test, "d", &[]), [""; 0]);
    test.output(["cache", "clear", "--older-than", "soon"])
        .exits(2)
        .says("`soon` is not a duration");
}

#[test]
fn what_is_damaged_is_made_again() {
    let test = workspace();
    run(&test, "a", &[]);
    let digest = test
        .events("a")
        .iter()
        .find(|record| record["data"]["node"] == "Card" && record["event"] == "node_succeeded")
        .unwrap()["data"]["files"][0]["sha256"]
        .clone();
    let blob = format!(
        "artifacts/cache/files/{}",
        digest.as_str().unwrap().strip_prefix("sha256:").unwrap()
    );
    test.write(&blob, "Evil Ada,\n");
    test.output(["run", "flow.yaml", "--run-id", "b"])
        .exits(0)
        .says("the cache cannot give an output, which is made again: ");
    assert_eq!(cached(&test, "b").len(), 2);
    assert_eq!(test.read("cards/ada.md"), "Dear Ada,\n");
    assert_eq!(run(&test, "c", &[]), ALL);
    for entry in fs::read_dir(test.path("artifacts/cache"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
    {
        let text = fs::read_to_string(&entry).unwrap();
        fs::write(entry, text.replace("Ada", "Eve")).unwrap();
    }
    assert_eq!(
        test.output(["cache", "--json"]).exits(0).json()["damaged"],
        3
    );
    assert_eq!(run(&test, "d", &[]), [""; 0]);
    assert_eq!(
        test.output(["show", "d", "--json"]).exits(0).json()["outputs"],
        serde_json::from_str::<Value>(r#"{ "text": "for Ada", "all": ["<Ada-x>", "<Ada-y>"] }"#)
            .unwrap()
    );
    assert_eq!(run(&test, "e", &[]), ALL);
}

#[test]
fn runs_at_the_same_time_share_it() {
    let test = workspace();
    let runs: Vec<_> = (0..8)
        .map(|n| test.spawn(["run", "flow.yaml", "--run-id", &format!("r{n}")]))
        .collect();
    for run in runs {
        let ran = run.wait();
        // Two that publish the same file at once are told so; the cache is none of that.
        assert!([0, 4].contains(&ran.code), "{ran:?}");
        assert!(!ran.stderr.contains("the cache"), "{}", ran.stderr);
    }
    let listed = test.output(["cache", "--json"]).exits(0).json();
    assert_eq!(
        (
            listed["entries"].as_array().unwrap().len(),
            &listed["damaged"]
        ),
        (3, &0.into())
    );
    assert_eq!(run(&test, "last", &[]), ALL);
}

#[test]
fn what_reads_a_secret_is_not_kept() {
    // Not where the node itself reads it: that is an error; but it may have come from outside.
    let test = workspace()
        .file("outer.yaml", "nodes:\n  - { name: Sub, type: flow, flow: sub.yaml, inputs: { who: '${secrets.t}' } }\n")
        .env("FLOWCTL_SECRET_T", "s3cr3t-value");
    for id in ["a", "b"] {
        let ran = test.output(["run", "outer.yaml", "--run-id", id]);
        assert!(!format!("{ran:?}").contains("s3cr3t-value"));
        assert_eq!(cached(&test, id), [""; 0]);
    }
    let found = std::process::Command::new("grep")
        .args(["-rl", "s3cr3t-value", "artifacts"])
        .current_dir(test.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn only_pure_results_are_kept() {
    let test = workspace().file(
        "bad.yaml",
        "nodes:\n  - { name: A, type: process, command: [date], cache: true }\n  - { name: B, type: skill, skill: Line, cache: true, inputs: { one: '${secrets.t}' } }\n  - { name: C, type: flow, flow: sub.yaml, cache: true, inputs: { who: x } }\n  - { name: D, type: approval, approval: {}, cache: true }\n",
    );
    assert_snapshot!(test.run(["validate", "bad.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::conflict]: `A` runs a command, which may read or change anything: a result of before may be wrong now
     --> bad.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [date], cache: true }
      |                                                ^^^^^
      |
      = help: remove `cache`; only results of pure tools, which depend on their inputs alone, are kept

    error[flow::conflict]: `B` reads a secret, and what is made of secrets is not kept
     --> bad.yaml:3:42
      |
    3 |   - { name: B, type: skill, skill: Line, cache: true, inputs: { one: '${secrets.t}' } }
      |                                          ^^^^^
      |
      = help: remove `cache`, or take the secret out of its inputs

    error[flow::conflict]: `C` is a sub-flow, whose nodes are cached one by one
     --> bad.yaml:4:44
      |
    4 |   - { name: C, type: flow, flow: sub.yaml, cache: true, inputs: { who: x } }
      |                                            ^^^^^
      |
      = help: write `cache: true` on nodes inside it

    error[flow::conflict]: a gate has no `cache`
     --> bad.yaml:5:46
      |
    5 |   - { name: D, type: approval, approval: {}, cache: true }
      |                                              ^^^^^
      |
      = help: remove it: a gate runs nothing

    error: 4 errors
    "#);
    assert!(!test.exists("artifacts/cache"));
}
