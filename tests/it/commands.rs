//! The command contract: exit codes, `--json`, streams, and how runs are named.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::Test;

const GATED: &str = "name: gated
inputs: { who: { type: string, default: you } }
nodes:
  - { name: Make, type: process, command: [echo, 'hi ${inputs.who}'] }
  - { name: Ok, type: approval }
  - { name: After, type: process, command: [cat], inputs: { by: '${Ok.output.decision}' }, output: json }
outputs: { decision: '${After.output.by}' }
";

fn gated() -> Test {
    Test::new().file("flow.yaml", GATED)
}

fn paused(id: &str) -> Test {
    let test = gated();
    test.output(["run", "flow.yaml", "--run-id", id]).exits(5);
    test
}

#[test]
fn a_run_pauses_says_what_to_type_and_ends() {
    let test = gated();
    assert_snapshot!(test.run(["run", "flow.yaml", "-i", "who=Ada"]), @r#"
    exit 5
    --- stderr
    run <run> of gated
      Make          succeeded in <duration>
      Ok            waits for approval
    paused: `Ok` waits for approval
      review   flowctl review <run>
      approve  flowctl approve <run> --resume
      reject   flowctl reject <run> --reason '…'
    "#);
    assert_snapshot!(test.run(["approve", "latest", "--comment", "looks good"]), @r#"
    exit 0
    --- stderr
    approved: `Ok` of run <run>
      resume   flowctl resume <run>
    "#);
    assert_snapshot!(test.run(["resume", "latest"]), @r#"
    exit 0
    --- stdout
    {
      "decision": "approved"
    }
    --- stderr
      Ok            succeeded
      After         succeeded in <duration>
    succeeded: run <run>
      evidence artifacts/evidence/bundles/gated
    "#);
    let journal = std::fs::read(
        test.path("artifacts/runs")
            .read_dir()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
            .join("journal.jsonl"),
    )
    .unwrap();
    assert_snapshot!(test.run(["resume", "latest"]), @r#"
    exit 0
    --- stderr
    run <run> is succeeded already; nothing was done
    "#);
    let now = std::fs::read(
        test.path("artifacts/runs")
            .read_dir()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
            .join("journal.jsonl"),
    )
    .unwrap();
    assert_eq!(journal, now, "a resume of an ended run writes nothing");
}

#[test]
fn what_is_to_be_typed_next_names_the_workspace() {
    let test = Test::new().file("flow.yaml", GATED).file("my space/x", "");
    test.output([
        "--workspace",
        "my space",
        "run",
        "flow.yaml",
        "--run-id",
        "r",
    ])
    .exits(5)
    .says("--workspace 'my space' approve r --resume");
    test.output(["--workspace", "my space", "approve", "r", "--resume"])
        .exits(0);
}

#[test]
fn the_json_of_every_status_has_the_same_keys() {
    let test = Test::new()
        .file("flow.yaml", GATED)
        .file("fails.yaml", "nodes:\n  - { name: A, type: process, command: ['false'] }\n  - { name: B, type: process, command: ['true'], after: [A] }\n")
        .file("wrong.yaml", "nodes: 3\n");
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let expected = ["run", "status", "outputs", "nodes", "waiting", "error"];

    let paused = test
        .output(["run", "flow.yaml", "--run-id", "p", "--json"])
        .exits(5);
    assert_eq!(paused.stderr, "", "with --json nothing else is said");
    let paused = paused.json();
    assert_eq!(keys(&paused), expected);
    assert_eq!(paused["run"], "p");
    assert_eq!(paused["status"], "paused");
    assert_eq!(
        keys(&paused["waiting"][0]),
        ["gate", "node", "round", "digest", "deadline"]
    );
    assert_eq!(paused["waiting"][0]["gate"], "Ok");
    assert_eq!(
        paused["nodes"]["Make"],
        json!({ "status": "succeeded", "output": { "stdout": "hi you\n", "exit_code": 0 } })
    );
    assert_eq!(paused["nodes"]["Ok"]["status"], "waiting");
    assert_eq!(paused["nodes"]["After"]["status"], "pending");
    assert_eq!(test.output(["show", "p", "--json"]).exits(0).json(), paused);

    let done = test
        .output(["approve", "p", "--resume", "--json"])
        .exits(0)
        .json();
    assert_eq!(keys(&done), expected);
    assert_eq!(
        (&done["status"], &done["outputs"], &done["waiting"]),
        (
            &json!("succeeded"),
            &json!({ "decision": "approved" }),
            &json!([])
        )
    );
    assert_eq!(test.output(["resume", "p", "--json"]).exits(0).json(), done);

    let failed = test.output(["run", "fails.yaml", "--json"]).exits(4).json();
    assert_eq!(keys(&failed), expected);
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["nodes"]["A"]["status"], "failed");
    assert_eq!(
        failed["nodes"]["A"]["error"]["message"],
        "`false` exited with code 1"
    );
    assert_eq!(failed["nodes"]["B"]["status"], "pending");
    assert_eq!(failed["error"]["node"], "A");

    let invalid = test.output(["run", "wrong.yaml", "--json"]).exits(3).json();
    assert_eq!(keys(&invalid), expected);
    assert_eq!(
        (&invalid["run"], &invalid["status"]),
        (&Value::Null, &json!("invalid"))
    );
    assert_eq!(
        invalid["error"]["diagnostics"][0]["code"],
        "flow::wrong-type"
    );
    assert_eq!(invalid["error"]["diagnostics"][0]["line"], 1);
}

#[test]
fn an_answer_gives_the_same_json() {
    let test = paused("r");
    let approved = test.output(["approve", "r", "--json"]).exits(0).json();
    assert_eq!(
        approved,
        test.output(["show", "r", "--json"]).exits(0).json()
    );
    // Answered, and nobody drives it.
    assert_eq!(approved["status"], "interrupted");
    assert_eq!(approved["waiting"], json!([]));
    test.output(["show", "r", "--exit-status"]).exits(130);
    let test = paused("s");
    let rejected = test
        .output(["reject", "s", "--reason", "no", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&rejected["status"], &rejected["error"]["reason"]),
        (&json!("rejected"), &json!("no"))
    );
}

#[test]
fn several_files_are_validated_in_one_go() {
    let test = gated()
        .file("bad.yaml", "nodes: 1\n")
        .file("worse.yaml", "nodes: [\n");
    assert_snapshot!(test.run(["validate", "flow.yaml", "bad.yaml", "worse.yaml"]), @r#"
    exit 3
    --- stderr
    flow.yaml: valid
    error[flow::wrong-type]: `nodes` must be a list
     --> bad.yaml:1:8
      |
    1 | nodes: 1
      |        ^ this is an integer
    error[yaml::syntax]: unclosed bracket '['
     --> worse.yaml:1:8
      |
    1 | nodes: [
      |        ^
    "#);
    let report = test
        .output(["validate", "--format", "json", "flow.yaml", "bad.yaml"])
        .exits(3)
        .json();
    assert_eq!(
        report["files"],
        json!([{ "path": "flow.yaml", "valid": true }, { "path": "bad.yaml", "valid": false }])
    );
}

#[test]
fn one_of_many_gets_a_run_id() {
    let test = gated();
    let all: Vec<_> = (0..6)
        .map(|_| test.spawn(["run", "flow.yaml", "--run-id", "r"]))
        .collect();
    let mut codes: Vec<i32> = all.into_iter().map(|run| run.wait().code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes.iter().filter(|code| **code == 5).count(),
        1,
        "{codes:?}"
    );
    assert!(
        codes.iter().all(|code| [2, 5, 7].contains(code)),
        "{codes:?}"
    );
    test.output(["approve", "r", "--resume"]).exits(0);
}

#[test]
fn stdout_carries_data_only() {
    let test = gated();
    assert_eq!(
        test.output(["run", "flow.yaml", "--run-id", "r"])
            .exits(5)
            .stdout,
        ""
    );
    assert_eq!(test.output(["approve", "r"]).exits(0).stdout, "");
    let ended = test.output(["resume", "r"]).exits(0);
    assert_eq!(ended.json(), json!({ "decision": "approved" }));
    assert_eq!(test.output(["validate", "flow.yaml"]).exits(0).stdout, "");
    assert_eq!(test.output(["show", "nothing"]).exits(2).stdout, "");
}

#[test]
fn runs_are_found_by_id_prefix_and_latest() {
    let test = gated();
    for id in ["alpha-1", "alpha-2", "beta"] {
        test.output(["run", "flow.yaml", "--run-id", id]).exits(5);
    }
    assert_eq!(
        test.output(["show", "b", "--json"]).exits(0).json()["run"],
        "beta"
    );
    assert_eq!(
        test.output(["show", "latest", "--json"]).exits(0).json()["run"],
        "beta"
    );
    assert_eq!(
        test.output(["show", "alpha-1", "--json"]).exits(0).json()["run"],
        "alpha-1"
    );
    assert_snapshot!(test.run(["show", "alpha"]), @r#"
    exit 2
    --- stderr
    error: `alpha` could be `alpha-2` or `alpha-1`; give more of it
    "#);
    assert_snapshot!(test.run(["show", "betta"]), @r#"
    exit 2
    --- stderr
    error: there is no run `betta`; did you mean `beta`?
    "#);
    assert_snapshot!(Test::new().run(["show", "latest"]), @r#"
    exit 2
    --- stderr
    error: there is no run in `./artifacts/runs`; start one with `flowctl run FLOW`
    "#);
    for command in ["resume", "approve", "cancel", "show", "logs", "review"] {
        test.output([command, "gone"])
            .exits(2)
            .says("there is no run `gone`");
    }
    test.output(["reject", "gone", "--reason", "x"])
        .exits(2)
        .says("there is no run `gone`");
}

#[test]
fn run_ids_are_checked_and_never_taken_twice() {
    let test = paused("r1");
    let journal = test.read("artifacts/runs/r1/journal.jsonl");
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r1"]), @r#"
    exit 2
    --- stderr
    error: there is a run `r1` already
    help: resume it, or give another `--run-id`
    "#);
    assert_eq!(test.read("artifacts/runs/r1/journal.jsonl"), journal);
    for bad in ["", "a b", "../up", "a/b", "ü", &"x".repeat(65)] {
        test.output(["run", "flow.yaml", "--run-id", bad]).exits(2);
    }
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "../up"]), @r#"
    exit 2
    --- stderr
    error: `../up` is not a run id: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with `.` or `-`
    "#);
    test.output(["run", "flow.yaml", "--run-id", &"x".repeat(64)])
        .exits(5);
    for reserved in [".", ".."] {
        test.output(["run", "flow.yaml", "--run-id", reserved])
            .exits(2);
    }
}

#[test]
fn usage_errors_are_two() {
    let test = gated();
    for args in [
        &["frobnicate"][..],
        &["run"],
        &["run", "flow.yaml", "--nope"],
        &["run", "flow.yaml", "-i", "who"],
        &["validate"],
    ] {
        let ran = test.output(args).exits(2);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert_eq!(test.output(["--help"]).exits(0).stderr, "");
    assert_snapshot!(test.run(["run", "flow.yaml", "-i", "who"]), @r#"
    exit 2
    --- stderr
    error: `-i who` has no `=`
    help: write `-i NAME=VALUE`
    "#);
    assert_snapshot!(test.run(["--version"]), @r#"
    exit 0
    --- stdout
    flowctl 0.1.0
    "#);
}

#[test]
fn a_rejected_run_stays_rejected() {
    let test = paused("r");
    assert_snapshot!(test.run(["reject", "r", "--reason", "too expensive"]), @r#"
    exit 0
    --- stderr
    rejected by <user> at `Ok`: too expensive
    "#);
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 6
    --- stderr
    run r is rejected already; nothing was done
    "#);
    let shown = test
        .output(["show", "r", "--json", "--exit-status"])
        .exits(6)
        .json();
    assert_eq!(shown["status"], "rejected");
    assert_eq!(shown["error"]["reason"], "too expensive");
    assert_eq!(shown["nodes"]["After"]["status"], "pending");
    test.output(["reject", "r", "--reason", " "])
        .exits(2)
        .says("`--reason` is empty");
}

#[test]
fn a_cancelled_run_stays_cancelled() {
    let test = paused("r");
    assert_snapshot!(test.run(["cancel", "r"]), @r#"
    exit 0
    --- stderr
    cancelled: run r
    "#);
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 8
    --- stderr
    run r is cancelled already; nothing was done
    "#);
    assert_snapshot!(test.run(["cancel", "r"]), @r#"
    exit 0
    --- stderr
    run r is cancelled already; nothing was done
    "#);
    test.output(["show", "r", "--exit-status"]).exits(8);
    test.output(["approve", "r"])
        .exits(9)
        .says("no gate waits: the run is cancelled");
}

#[test]
fn a_failed_run_retries_what_failed_only() {
    let test = Test::new().file(
        "flow.yaml",
        "order: sequential
nodes:
  - { name: Once, type: process, command: [sh, -c, 'echo x >> once'] }
  - { name: Fails, type: process, command: [sh, -c, 'echo x >> fails; test -e ready'] }
  - { name: Last, type: process, command: [sh, -c, 'echo x >> last'] }
",
    );
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r"]), @r#"
    exit 4
    --- stderr
    run r of flow
      Once          succeeded in <duration>
      Fails         failed: `sh` exited with code 1
    failed: `Fails`: `sh` exited with code 1
    help: `flowctl logs r Fails` shows all that it printed
      resume   flowctl resume r
    "#);
    test.output(["resume", "r"]).exits(4);
    test.output(["show", "r", "--exit-status"]).exits(4);
    test.write("ready", "");
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 0
    --- stderr
      Fails         succeeded in <duration>
      Last          succeeded in <duration>
    succeeded: run r
      evidence artifacts/evidence/bundles/flow
    "#);
    assert_eq!(
        ["once", "fails", "last"].map(|file| test.lines(file).len()),
        [1, 3, 1]
    );
}

#[test]
fn show_and_runs_and_logs() {
    let test = paused("r");
    test.output(["run", "flow.yaml", "--run-id", "s"]).exits(5);
    test.output(["reject", "s", "--reason", "no"]).exits(0);
    assert_snapshot!(test.run(["show", "r"]), @r#"
    exit 0
    --- stdout
    run r of gated: paused
    started by <user> at <time>, from flow.yaml
      who = "you"

      Make   succeeded <duration>
      Ok     waiting
      After  pending
    "#);
    assert_snapshot!(test.run(["show", "s"]), @r#"
    exit 0
    --- stdout
    run s of gated: rejected
    started by <user> at <time>, from flow.yaml
      who = "you"

      Make   succeeded <duration>
      Ok     pending
      After  pending

    `Ok` rejected by <user> (unverified) at <time>: no

    evidence artifacts/evidence/bundles/gated
    "#);
    assert_snapshot!(test.run(["show", "r", "Make"]), @r#"
    exit 0
    --- stdout
    Make of run r: succeeded (<duration>)
    {
      "stdout": "hi you\n",
      "exit_code": 0
    }
    "#);
    assert_snapshot!(test.run(["show", "r", "Mak"]), @r#"
    exit 2
    --- stderr
    error: the run has no node `Mak`
    help: did you mean `Make`?
    "#);
    assert_snapshot!(test.run(["runs"]), @r#"
    exit 0
    --- stdout
    RUN  STATUS       STARTED               FLOW
    s    rejected     <time>  gated
    r    paused       <time>  gated (waits: Ok)
    "#);
    assert_snapshot!(test.run(["runs", "--waiting"]), @r#"
    exit 0
    --- stdout
    RUN  STATUS       STARTED               FLOW
    r    paused       <time>  gated (waits: Ok)
    "#);
    let lines: Vec<Value> = test
        .output(["runs", "--json"])
        .exits(0)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().map(|line| &line["run"]).collect::<Vec<_>>(),
        ["s", "r"]
    );
    assert_eq!(lines[1]["waiting"], json!(["Ok"]));
    assert_eq!(
        test.output(["runs", "--limit", "1"])
            .exits(0)
            .stdout
            .lines()
            .count(),
        2
    );
    assert_snapshot!(test.run(["logs", "r"]), @r#"
    exit 0
    --- stdout
    Make: hi you
    "#);
    assert_eq!(
        test.output(["logs", "r", "Make"]).exits(0).stdout,
        "hi you\n"
    );
    assert_snapshot!(test.run(["logs", "r", "Ok"]), @r#"
    exit 0
    --- stderr
    nothing was printed; `flowctl show` shows results
    "#);
    assert_snapshot!(test.run(["logs", "r", "Nope"]), @r#"
    exit 2
    --- stderr
    error: the run has no node `Nope`
    help: `flowctl show RUN` lists its nodes
    "#);
    assert_snapshot!(Test::new().run(["runs"]), @r#"
    exit 0
    --- stderr
    there are no runs; start one with `flowctl run FLOW`
    "#);
}

#[test]
fn logs_follow_until_the_run_ends() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo one; while ! test -e go; do sleep 0.02; done; echo two'] }\n");
    let run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    crate::harness::until("the first line is there", || {
        test.exists("artifacts/runs/r/logs/A.log")
    });
    let seen = std::fs::File::create(test.path("seen")).unwrap();
    let mut follow = test
        .command(["logs", "r", "A", "-f"])
        .stdout(seen)
        .spawn()
        .unwrap();
    crate::harness::until("the first line is followed", || {
        test.lines("seen") == ["one"]
    });
    assert!(
        follow.try_wait().unwrap().is_none(),
        "it follows while the run goes on"
    );
    test.write("go", "");
    assert_eq!(run.wait().code, 0);
    assert_eq!(follow.wait().unwrap().code(), Some(0));
    assert_eq!(test.lines("seen"), ["one", "two"]);
}

#[test]
fn review_shows_what_would_land() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:\n  - { name: Pages, type: skill }\n  - { name: Ok, type: approval }\n",
        )
        .file(
            "skills/Pages/skill.yaml",
            "files:\n  - { source: tree, target: site }\n",
        )
        .file("skills/Pages/tree/new.txt", "new\n")
        .file("skills/Pages/tree/changed.txt", "one\nTWO\n")
        .file("skills/Pages/tree/same.txt", "same\n")
        .file("site/changed.txt", "one\ntwo\n")
        .file("site/same.txt", "same\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    assert_snapshot!(test.run(["review", "r"]), @r#"
    exit 0
    --- stdout
    run r of flow: paused
    `Ok` asks for approval of sha256:<digest>

    3 files: 1 new, 1 changed, 1 as they are

    M site/changed.txt  (Pages, 8 bytes)
    A site/new.txt  (Pages, 4 bytes)
    = site/same.txt  (Pages, 5 bytes)

    --- a/site/changed.txt
    +++ b/site/changed.txt
    @@ -1,2 +1,2 @@
     one
    -two
    +TWO

    --- /dev/null
    +++ b/site/new.txt
    @@ -0,0 +1 @@
    +new
    "#);
    assert_snapshot!(test.run(["review", "r", "--stat"]), @r#"
    exit 0
    --- stdout
    run r of flow: paused
    `Ok` asks for approval of sha256:<digest>

    3 files: 1 new, 1 changed, 1 as they are

    M site/changed.txt  (Pages, 8 bytes)
    A site/new.txt  (Pages, 4 bytes)
    = site/same.txt  (Pages, 5 bytes)
    "#);
    assert_eq!(test.read("site/changed.txt"), "one\ntwo\n");
}

#[test]
fn graphs_in_three_forms() {
    let test = Test::new()
        .file("flow.yaml", "inputs: { n: { type: integer, default: 1 } }\nnodes:\n  - { name: Count, type: skill }\n  - { name: Show, type: skill, foreach: '${Count.output.list}', inputs: { one: '${item}' } }\n  - { name: Ok, type: approval }\n  - { name: Say, type: process, command: [echo, '${Show.output[0].text}', '${inputs.n}'], when: 'Count.output.list | length > 0' }\n")
        .file("skills/Count/skill.yaml", "inputs:\n  n: { schema: { type: integer } }\noutputs:\n  list: { schema: { type: array }, value: '{{ [n] }}' }\n")
        .file("skills/Show/skill.yaml", "inputs:\n  one: {}\noutputs:\n  text: { schema: { type: string }, value: '<{{ one }}>' }\n");
    assert_snapshot!(test.run(["graph", "flow.yaml"]), @r#"
    exit 0
    --- stdout
    Count (skill, line 3)
      n <- ${inputs.n}: the flow input of that name; no node above offers it
    Show (skill, line 4)
      one <- ${item}: written under `inputs:`
      after Count (condition)
    Ok (approval, line 5)
      after Count (gate), Show (gate)
      waits for approval
    Say (process, line 6)
      after Count (condition), Show (command), Ok (gate)
    "#);
    assert_snapshot!(test.run(["graph", "flow.yaml", "--format", "mermaid"]), @r#"
    exit 0
    --- stdout
    flowchart TD
      n_Count["Count"]
      n_Show["Show (each)"]
      n_Ok{{"Ok"}}
      n_Say["Say"]
      n_Count -.->|"condition"| n_Show
      n_Count -.->|"gate"| n_Ok
      n_Show -.->|"gate"| n_Ok
      n_Count -.->|"condition"| n_Say
      n_Show -->|"command"| n_Say
      n_Ok -.->|"gate"| n_Say
    "#);
    assert_snapshot!(test.run(["graph", "flow.yaml", "--format", "dot"]), @r#"
    exit 0
    --- stdout
    digraph "flow" {
      rankdir=TB;
      node [shape=box, fontname="sans-serif"];
      "Count" [label="Count\nskill"];
      "Show" [label="Show (each)\nskill"];
      "Ok" [label="Ok\napproval", shape=hexagon];
      "Say" [label="Say\nprocess"];
      "Count" -> "Show" [label="condition", style=dashed];
      "Count" -> "Ok" [label="gate", style=dashed];
      "Show" -> "Ok" [label="gate", style=dashed];
      "Count" -> "Say" [label="condition", style=dashed];
      "Show" -> "Say" [label="command"];
      "Ok" -> "Say" [label="gate", style=dashed];
    }
    "#);
    test.write("broken.yaml", "nodes: 1\n");
    test.output(["graph", "broken.yaml"]).exits(3);
}

#[test]
fn tools_and_schemas() {
    let test = Test::new().file("skills/Mine/skill.yaml", "description: My own.\ninputs:\n  a: { schema: { type: string } }\n  b: { required: false }\n");
    let tools = test.output(["tools"]).exits(0).stdout;
    for name in [
        "ProductManager: runs product_manager.run",
        "QA: runs qa_verification.run",
        "Approvals: runs qa_verification.run",
        "EvidenceSink: runs evidence_sink.run",
    ] {
        assert!(
            tools.contains(&format!("persona {name}")),
            "{name}: {tools}"
        );
    }
    assert!(
        tools.contains(
            "skill Mine: pure, from skills/Mine\n  My own.\n  takes a, b?\n  gives files\n"
        ),
        "{tools}"
    );
    let all = test.output(["tools", "--json"]).exits(0).json();
    let mine = all
        .as_array()
        .unwrap()
        .iter()
        .find(|tool| tool["name"] == "Mine")
        .unwrap();
    assert_eq!(
        mine["inputs"][0],
        json!({ "name": "a", "required": true, "contract": null, "schema": { "type": "string" }, "description": "" })
    );

    let schema = test.output(["schema"]).exits(0).json();
    assert_eq!(
        schema,
        serde_json::from_str::<Value>(
            &std::fs::read_to_string(crate::harness::repository("schemas/flow.schema.json"))
                .unwrap()
        )
        .unwrap()
    );
    let list = test.output(["schema", "--list"]).exits(0).stdout;
    for name in list.lines() {
        test.output(["schema", name]).exits(0).json();
    }
    assert!(list.contains("QASummary"));
    assert_snapshot!(test.run(["schema", "QaSummary"]), @r#"
    exit 2
    --- stderr
    error: there is no schema `QaSummary`
    help: did you mean `QASummary`?
    "#);
}

#[test]
fn init_writes_the_flagship_out_and_keeps_edits() {
    let test = Test::new();
    test.output(["init"])
        .exits(0)
        .says(" files written, 0 were there already\n  run it   ");
    assert!(
        test.exists("skills/iac_synthesis/skill.yaml") && test.exists("schemas/flow.schema.json")
    );
    test.output(["validate", "flows/infra-product.yaml"])
        .exits(0);
    test.write("flows/infra-product.yaml", "# mine\n");
    test.output(["init"])
        .exits(1)
        .says("`flows/infra-product.yaml`");
    assert_eq!(test.read("flows/infra-product.yaml"), "# mine\n");
    test.output(["init", "--force"])
        .exits(0)
        .says("1 files written");
    test.output(["init", "other"]).exits(0);
    assert!(test.exists("other/flows/infra-product.yaml"));
}

#[test]
fn prune_removes_old_ended_runs_only() {
    let test = gated();
    for id in ["open", "ended", "newest"] {
        test.output(["run", "flow.yaml", "--run-id", id]).exits(5);
    }
    test.output(["reject", "ended", "--reason", "x"]).exits(0);
    let prune = |args: &[&str]| {
        test.output([&["prune", "--keep", "0"], args].concat())
            .exits(0)
            .stdout
    };
    assert_eq!(prune(&["--older-than", "1d"]), "");
    assert_eq!(prune(&["--older-than", "0s"]), "ended\n");
    assert!(
        test.exists("artifacts/runs/ended"),
        "dry unless told otherwise"
    );
    assert_eq!(prune(&["--older-than", "0s", "--yes"]), "ended\n");
    assert!(!test.exists("artifacts/runs/ended"));
    assert!(
        test.exists("artifacts/runs/open/journal.jsonl")
            && test.exists("artifacts/runs/newest/journal.jsonl")
    );
    test.output(["prune", "--older-than", "soon"]).exits(2);
}

#[test]
fn completions_for_every_shell() {
    let test = Test::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            test.output(["completions", shell])
                .exits(0)
                .stdout
                .contains("flowctl"),
            "{shell}"
        );
    }
    test.output(["completions", "tcsh"]).exits(2);
}

#[test]
fn a_broken_pipe_is_no_error() {
    let test = Test::new();
    let program = env!("CARGO_BIN_EXE_flowctl");
    // A pipe that nobody reads: every write fails.
    for command in ["tools --json", "schema", "--help", "completions bash"] {
        let script = format!(
            "exec 3>status; {{ \"$0\" {command}; echo $? >&3; }} | true; exec 3>&-; cat status"
        );
        let ran = std::process::Command::new("bash")
            .args(["-c", &script, program])
            .current_dir(test.path(""))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&ran.stdout),
            "0\n",
            "{command}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{command}");
    }
}

#[test]
fn inputs_from_files_and_the_command_line() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "inputs:
  text: { type: string }
  count: { type: integer, default: 1 }
  clouds: { type: list, items: { enum: [azure, aws, gcp, oci] }, default: [azure] }
  tags: { type: object, default: {} }
nodes:
  - { name: Echo, type: process, command: [cat], output: json, inputs: { text: '${inputs.text}', count: '${inputs.count}', clouds: '${inputs.clouds}', tags: '${inputs.tags}' } }
outputs: { all: '${Echo.output}' }
",
        )
        .file("in.yaml", "text: '007'\ncount: 2\n")
        .file("list.yaml", "- 1\n");
    let given = |args: &[&str]| {
        test.output([&["run", "flow.yaml"], args].concat())
            .exits(0)
            .json()["all"]
            .clone()
    };
    assert_eq!(
        given(&["-i", "text=007", "-i", "clouds=aws,gcp"]),
        json!({ "text": "007", "count": 1, "clouds": ["aws", "gcp"], "tags": {} })
    );
    assert_eq!(
        given(&["--inputs", "in.yaml"]),
        json!({ "text": "007", "count": 2, "clouds": ["azure"], "tags": {} })
    );
    assert_eq!(
        given(&[
            "--inputs",
            "in.yaml",
            "-i",
            "count=3",
            "-i",
            "tags={a: [1]}",
            "-i",
            "clouds=[\"oci\"]",
            "-i",
            "text=a=b"
        ]),
        json!({ "text": "a=b", "count": 3, "clouds": ["oci"], "tags": { "a": [1] } })
    );
    assert_snapshot!(test.run(["run", "flow.yaml", "-i", "text=x", "-i", "clouds=ibm"]), @r#"
    exit 3
    --- stderr
    error[input::bad-value]: `clouds` cannot be `["ibm"]`
     --> flow.yaml:4:3
      |
    4 |   clouds: { type: list, items: { enum: [azure, aws, gcp, oci] }, default: [azure] }
      |   ^^^^^^ at `0`: "ibm" is not one of "azure", "aws" or 2 other candidates
      |
      = help: give a list of azure, aws, gcp, oci
    "#);
    test.output(["run", "flow.yaml", "--inputs", "list.yaml"])
        .exits(2)
        .says("inputs are a mapping");
    test.output(["run", "flow.yaml", "--inputs", "gone.yaml"])
        .exits(2)
        .says("cannot read `gone.yaml`");
    test.output(["run", "flow.yaml", "-i", "text=x", "-i", "count=[1"])
        .exits(2)
        .says("give a whole number");
}

#[test]
fn logging_is_for_stderr_and_off_by_default() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: ['true'] }\n",
    );
    let loud = test
        .output(["-vv", "--log-format", "json", "run", "flow.yaml"])
        .exits(0);
    let line = loud
        .stderr
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("no JSON line: {}", loud.stderr));
    assert_eq!(
        serde_json::from_str::<Value>(line).unwrap()["level"],
        "DEBUG"
    );
    assert!(
        !test
            .output(["run", "flow.yaml"])
            .exits(0)
            .stderr
            .contains("DEBUG")
    );
    let forced = |test: Test| {
        test.env("CLICOLOR_FORCE", "1")
            .file("flow.yaml", "nodes: 1\n")
            .output(["validate", "flow.yaml"])
            .stderr
    };
    assert!(forced(Test::new()).contains('\u{1b}'));
    assert!(
        !forced(Test::new().env("NO_COLOR", "1")).contains('\u{1b}'),
        "NO_COLOR is respected"
    );
}

#[test]
fn a_busy_run_hears_that_it_is_cancelled() {
    use std::fmt::Write as _;
    let mut yaml = "order: sequential\nnodes:\n".to_owned();
    for at in 0..1500 {
        writeln!(
            yaml,
            "  - {{ name: n{at}, type: process, command: ['true'] }}"
        )
        .unwrap();
    }
    let test = Test::new().file("flow.yaml", &yaml);
    let run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    crate::harness::until("it is under way", || {
        test.path("artifacts/runs/r/journal.jsonl").exists()
    });
    test.output(["cancel", "r"]).exits(0);
    run.wait().exits(8);
}

/// What this program was built without it says before anything is begun.
#[test]
#[cfg(not(feature = "restate"))]
fn a_run_on_restate_needs_a_program_that_was_built_for_it() {
    let test = Test::new().file(
        "flow.yaml",
        "name: f\nnodes:\n  - { name: a, type: process, command: [echo, x] }\n",
    );
    let ran = test
        .output(["run", "flow.yaml", "--on", "restate"])
        .exits(2);
    assert!(ran.stderr.contains("--features restate"), "{}", ran.stderr);
    assert!(!test.path("artifacts").exists());
}

/// What Restate has nobody else takes up, whatever is asked of it.
#[test]
fn a_run_that_restate_has_is_left_alone() {
    let test = Test::new().file(
        "flow.yaml",
        "name: f\nnodes:\n  - { name: ask, type: approval }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let note = serde_json::json!({
        "ingress": "http://127.0.0.1:1",
        "open": true,
        "life": {
            "run": "r", "name": "r.00000000", "number": 1, "after": 1, "head": "", "flow": "f", "jobs": 1, "by": "me",
            "snapshot": format!("sha256:{}", "0".repeat(64)),
        },
    });
    let test = test.file("artifacts/runs/r/restate.json", note.to_string());
    let journal = std::fs::read(test.path("artifacts/runs/r/journal.jsonl")).unwrap();
    for command in [
        &["approve", "r"][..],
        &["reject", "r", "--reason", "no"],
        &["cancel", "r"],
        &["resume", "r"],
    ] {
        let ran = test.output(command);
        assert!(
            ran.code == 1 || ran.code == 2,
            "{command:?}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("http://127.0.0.1:1") || ran.stderr.contains("--features restate"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(
        std::fs::read(test.path("artifacts/runs/r/journal.jsonl")).unwrap(),
        journal
    );
    test.output(["show", "r"]).exits(0);
}
