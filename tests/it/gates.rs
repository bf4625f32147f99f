//! Gates: who may answer, what an answer counts for, deadlines, and what waits meanwhile.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Test, until};

/// A step that leaves a line behind.
fn step(name: &str, more: &str) -> String {
    format!(
        "  - {{ name: {name}, type: process, command: [sh, -c, 'echo x >> {name}.ran']{more} }}\n"
    )
}

fn ran(test: &Test, name: &str) -> usize {
    test.lines(&format!("{name}.ran")).len()
}

fn flow(parts: &[String]) -> String {
    format!("nodes:\n{}", parts.concat())
}

fn simple() -> Test {
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            step("A", ""),
            "  - { name: Ok, type: approval }\n".to_owned(),
            step("B", ""),
        ]),
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

#[test]
fn an_approval_is_recorded_with_who_and_why() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - name: Ship
    type: process
    command: [cat]
    output: json
    approval: {}
    inputs: { by: '${approval.by}', why: '${approval.comment}', how: 'as {{ approval.identity }}' }
outputs: { all: '${Ship.output}' }
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let done = test
        .output(["approve", "r", "--comment", "ship it", "--resume", "--json"])
        .exits(0)
        .json();
    let user = done["outputs"]["all"]["by"].as_str().unwrap().to_owned();
    assert_eq!(
        done["outputs"]["all"],
        json!({ "by": user, "why": "ship it", "how": "as unverified" })
    );
    let records = test.lines("artifacts/evidence/runs/Ship.jsonl").join("\n");
    assert!(
        records.contains("\"ship it\"") && records.contains("approved") && records.contains(&user),
        "{records}"
    );
    assert_eq!(test.count("r", "approval_decided", "Ship"), 1);
}

#[test]
fn nothing_below_a_gate_starts_before_the_yes_or_after_a_no() {
    let test = simple();
    assert_eq!((ran(&test, "A"), ran(&test, "B")), (1, 0));
    test.output(["resume", "r"]).exits(5);
    assert_eq!(ran(&test, "B"), 0);
    test.output(["reject", "r", "--reason", "not now"]).exits(0);
    test.output(["resume", "r"]).exits(6);
    assert_eq!(ran(&test, "B"), 0);
    let decided = test
        .events("r")
        .into_iter()
        .find(|event| event["event"] == "approval_decided")
        .unwrap();
    assert_eq!(
        (&decided["data"]["decision"], &decided["data"]["comment"]),
        (&json!("rejected"), &json!("not now"))
    );
    assert!(
        test.lines("artifacts/evidence/runs/Ok.jsonl")
            .join("")
            .contains("not now")
    );
}

#[test]
fn an_answer_to_something_else_does_not_count() {
    let test = simple();
    let wrong = format!("sha256:{}", "0".repeat(64));
    assert_snapshot!(test.run(["approve", "r", "--digest", &wrong, "--resume"]), @r#"
    exit 9
    --- stderr
    error: refused: the decision is about sha256:<digest>, and what waits is sha256:<digest>: look again with `flowctl review`
    "#);
    assert_eq!(ran(&test, "B"), 0);
    let refused = test
        .events("r")
        .into_iter()
        .find(|event| event["event"] == "decision_refused")
        .unwrap();
    assert_eq!(refused["data"]["decision"]["digest"], json!(wrong));
    assert!(
        test.output(["show", "r"])
            .exits(0)
            .stdout
            .contains("was refused")
    );
    test.output(["approve", "r", "--digest", "abc"])
        .exits(2)
        .says("is not a sha256 digest");
    let right = test.output(["show", "r", "--json"]).json()["waiting"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    test.output(["approve", "r", "--digest", &right, "--resume"])
        .exits(0);
    assert_eq!(ran(&test, "B"), 1);
}

#[test]
fn a_gate_is_answered_once() {
    let test = simple();
    test.output(["approve", "r"]).exits(0);
    assert_snapshot!(test.run(["approve", "r", "Ok"]), @r#"
    exit 9
    --- stderr
    error: refused: `Ok` has been answered already
    "#);
    assert_snapshot!(test.run(["reject", "r", "Ok", "--reason", "second thoughts"]), @r#"
    exit 9
    --- stderr
    error: refused: `Ok` has been answered already
    "#);
    assert_snapshot!(test.run(["approve", "r"]), @r#"
    exit 9
    --- stderr
    error: no gate of the run waits for an answer
    "#);
    assert_snapshot!(test.run(["approve", "r", "A"]), @r#"
    exit 9
    --- stderr
    error: refused: `A` is no gate
    "#);
    assert_snapshot!(test.run(["approve", "r", "Nobody"]), @r#"
    exit 9
    --- stderr
    error: refused: there is no node `Nobody` in this run
    "#);
    test.output(["resume", "r"]).exits(0);
    assert_eq!(test.count("r", "approval_decided", "Ok"), 1);
    test.output(["approve", "r", "Ok"])
        .exits(9)
        .says("the run has ended");
}

#[test]
fn of_many_answers_at_once_one_counts() {
    let test = simple();
    let all: Vec<_> = (0..6)
        .map(|at| {
            if at % 2 == 0 {
                test.spawn(["approve", "r", "Ok"])
            } else {
                test.spawn(["reject", "r", "Ok", "--reason", "no"])
            }
        })
        .collect();
    let codes: Vec<i32> = all.into_iter().map(|run| run.wait().code).collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert!(codes.iter().all(|code| [0, 9].contains(code)), "{codes:?}");
    assert_eq!(test.count("r", "approval_decided", "Ok"), 1);
    let approved = codes.iter().position(|code| *code == 0).unwrap() % 2 == 0;
    test.output(["resume", "r"])
        .exits(if approved { 0 } else { 6 });
    assert_eq!(ran(&test, "B"), usize::from(approved));
}

#[test]
fn what_is_no_request_is_put_aside() {
    let test = simple();
    test.write("artifacts/runs/r/inbox/a.json", "{\"kind\":");
    test.write("artifacts/runs/r/inbox/b.json", "{}");
    test.write("artifacts/runs/r/inbox/c.json/d", "");
    let ran = test.output(["resume", "r"]).exits(5);
    assert_eq!(
        ran.stderr.matches("it was put aside as").count(),
        3,
        "{}",
        ran.stderr
    );
    let again = test.output(["resume", "r"]).exits(5);
    assert!(!again.stderr.contains("put aside"), "{}", again.stderr);
    test.output(["approve", "r", "--resume"]).exits(0);
}

#[test]
fn a_gate_that_nobody_answers_in_time() {
    for (on_timeout, code, status) in [("reject", 6, "rejected"), ("fail", 4, "failed")] {
        let test = Test::new().file(
            "flow.yaml",
            flow(&[format!("  - {{ name: Ok, type: approval, approval: {{ timeout: 400ms, on_timeout: {on_timeout} }} }}\n"), step("B", "")]),
        );
        let paused = test
            .output(["run", "flow.yaml", "--run-id", "r", "--json"])
            .exits(5)
            .json();
        assert!(paused["waiting"][0]["deadline"].is_string(), "{paused}");
        // The deadline holds with no driver alive.
        until("the deadline is past", || {
            test.output(["resume", "r"]).code != 5
        });
        let shown = test
            .output(["show", "r", "--json", "--exit-status"])
            .exits(code)
            .json();
        assert_eq!(shown["status"], status);
        assert_eq!(ran(&test, "B"), 0);
        assert_eq!(test.count("r", "approval_expired", "Ok"), 1);
    }
}

#[test]
fn a_late_answer_is_refused_and_ends_the_wait() {
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            "  - { name: Ok, type: approval, approval: { timeout: 1s } }\n".to_owned(),
            step("B", ""),
        ]),
    );
    let paused = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(5)
        .json();
    let deadline: jiff::Timestamp = paused["waiting"][0]["deadline"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    until("the deadline is past", || jiff::Timestamp::now() > deadline);
    assert_snapshot!(test.run(["approve", "r", "--resume"]), @r#"
    exit 9
    --- stderr
    error: refused: the time to answer was up at <time>
    "#);
    test.output(["resume", "r"]).exits(6);
    assert_eq!(ran(&test, "B"), 0);
}

#[test]
fn following_holds_back_what_is_below_and_dependants_what_depends() {
    let gate = |scope: &str| {
        format!("  - {{ name: Ok, type: approval, approval: {{ scope: {scope} }} }}\n")
    };
    let nodes = |scope: &str| {
        flow(&[
            step("Above", ""),
            gate(scope),
            step("Free", ""),
            step("Bound", ", after: [Ok]"),
        ])
    };
    for (scope, free) in [("following", 0), ("dependants", 1)] {
        let test = Test::new().file("flow.yaml", nodes(scope));
        test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
        assert_eq!(
            (ran(&test, "Above"), ran(&test, "Free"), ran(&test, "Bound")),
            (1, free, 0),
            "{scope}"
        );
        test.output(["approve", "r", "--resume"]).exits(0);
        assert_eq!(
            (ran(&test, "Above"), ran(&test, "Free"), ran(&test, "Bound")),
            (1, 1, 1),
            "{scope}"
        );
    }
}

#[test]
fn several_gates_may_wait_at_once() {
    let gate = |name: &str| {
        format!("  - {{ name: {name}, type: approval, approval: {{ scope: dependants }} }}\n")
    };
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            gate("One"),
            gate("Two"),
            step("First", ", after: [One]"),
            step("Second", ", after: [Two]"),
        ]),
    );
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r"]), @r#"
    exit 5
    --- stderr
    run r of flow
      One           waits for approval
      Two           waits for approval
    paused: `One` waits for approval
    paused: `Two` waits for approval
      review   flowctl review r
      approve  flowctl approve r NODE --resume
      reject   flowctl reject r NODE --reason '…'
    "#);
    assert_snapshot!(test.run(["approve", "r"]), @r#"
    exit 9
    --- stderr
    error: several gates wait; say which: `One` or `Two`
    "#);
    test.output(["approve", "r", "Two", "--resume"]).exits(5);
    assert_eq!((ran(&test, "First"), ran(&test, "Second")), (0, 1));
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!((ran(&test, "First"), ran(&test, "Second")), (1, 1));
}

#[test]
fn a_gate_in_a_sub_flow_holds_back_the_flow_around_it() {
    let test = Test::new()
        .file(
            "flow.yaml",
            flow(&[
                "  - { name: Sub, type: flow, flow: sub.yaml }\n".to_owned(),
                step("Outer", ""),
            ]),
        )
        .file(
            "sub.yaml",
            flow(&[
                step("Inner", ""),
                "  - { name: Ok, type: approval }\n".to_owned(),
                step("Later", ""),
            ]),
        );
    let paused = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(5)
        .json();
    assert_eq!(paused["waiting"][0]["gate"], "Sub/Ok");
    assert_eq!(
        (
            ran(&test, "Inner"),
            ran(&test, "Later"),
            ran(&test, "Outer")
        ),
        (1, 0, 0)
    );
    test.output(["approve", "r", "Sub/Ok", "--resume"]).exits(0);
    assert_eq!(
        (
            ran(&test, "Inner"),
            ran(&test, "Later"),
            ran(&test, "Outer")
        ),
        (1, 1, 1)
    );
}

#[test]
fn gates_and_foreach() {
    // One yes for all items of a node,
    let test = Test::new().file("flow.yaml", flow(&["  - { name: Each, type: process, command: [sh, -c, 'echo $0 >> each', '${item}'], foreach: [1, 2, 3], approval: {} }\n".to_owned()]));
    let paused = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(5)
        .json();
    assert_eq!(paused["waiting"].as_array().unwrap().len(), 1);
    assert_eq!(test.lines("each").len(), 0);
    test.output(["approve", "r", "Each", "--resume"]).exits(0);
    let mut each = test.lines("each");
    each.sort();
    assert_eq!(each, ["1", "2", "3"]);
    // and one for each item of a sub-flow that has a gate.
    let test = Test::new()
        .file("flow.yaml", flow(&["  - { name: Each, type: flow, flow: sub.yaml, foreach: [a, b], inputs: { what: '${item}' } }\n".to_owned()]))
        .file("sub.yaml", "inputs: { what: { type: string } }\nnodes:\n  - { name: Ok, type: approval, inputs: { what: '${inputs.what}' } }\n  - { name: Do, type: process, command: [sh, -c, 'echo $0 >> done', '${inputs.what}'] }\n");
    let paused = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(5)
        .json();
    let gates: Vec<&str> = paused["waiting"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| gate["gate"].as_str().unwrap())
        .collect();
    assert_eq!(gates, ["Each[0]/Ok", "Each[1]/Ok"]);
    assert_ne!(
        paused["waiting"][0]["digest"], paused["waiting"][1]["digest"],
        "they ask about different inputs"
    );
    test.output(["approve", "r", "Each[1]/Ok", "--resume"])
        .exits(5);
    assert_eq!(test.lines("done"), ["b"]);
    test.output(["approve", "r", "Each[0]/Ok", "--resume"])
        .exits(0);
    assert_eq!(test.lines("done"), ["b", "a"]);
}

#[test]
fn a_living_driver_takes_the_answer_and_gives_a_receipt() {
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            "  - { name: Ok, type: approval, approval: { scope: dependants } }\n".to_owned(),
            "  - { name: Slow, type: process, command: [sh, -c, 'while ! test -e go; do sleep 0.02; done'] }\n".to_owned(),
            step("After", ", after: [Ok]"),
        ]),
    );
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the gate waits and the slow node runs", || {
        test.count("r", "approval_requested", "Ok") + test.count("r", "node_started", "Slow") == 2
    });
    let wrong = format!("sha256:{}", "0".repeat(64));
    test.output(["approve", "r", "--digest", &wrong])
        .exits(9)
        .says("refused: the decision is about");
    let ran_approve = test.output(["approve", "r"]).exits(0);
    assert!(
        ran_approve.stderr.contains("approved: `Ok` of run r"),
        "{}",
        ran_approve.stderr
    );
    until("what depended on the gate has run", || {
        ran(&test, "After") == 1
    });
    test.write("go", "");
    assert_eq!(driver.wait().code, 0);
}

#[test]
fn a_failure_withdraws_open_gates_and_a_resume_asks_again() {
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            "  - { name: Ok, type: approval, approval: { scope: dependants } }\n".to_owned(),
            "  - { name: Bad, type: process, command: [test, -e, go] }\n".to_owned(),
            step("After", ", after: [Ok]"),
        ]),
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    test.output(["approve", "r"])
        .exits(9)
        .says("no gate waits: the run is failed");
    test.write("go", "");
    test.output(["resume", "r"]).exits(5);
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(ran(&test, "After"), 1);
}

#[test]
fn a_deadline_is_kept_while_a_driver_lives() {
    let test = Test::new().file(
        "flow.yaml",
        flow(&[
            "  - { name: Ok, type: approval, approval: { scope: dependants, timeout: 200ms } }\n".to_owned(),
            "  - { name: Slow, type: process, command: [sh, -c, 'while ! test -e go; do sleep 0.02; done'] }\n".to_owned(),
            step("After", ", after: [Ok]"),
        ]),
    );
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the deadline is judged", || {
        test.count("r", "approval_expired", "Ok") == 1
    });
    test.write("go", "");
    assert_eq!(driver.wait().code, 6);
    assert_eq!(ran(&test, "After"), 0);
    assert_eq!(test.count("r", "node_succeeded", "Slow"), 1);
}

#[test]
fn a_living_driver_is_cancelled_and_its_processes_end() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Slow, type: process, command: [sh, -c, 'sleep 60 & echo $! > child; echo $$ > parent; wait'] }\n");
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it runs", || !test.lines("parent").is_empty());
    test.output(["cancel", "r"]).exits(0);
    assert_eq!(driver.wait().code, 8);
    assert_eq!(test.count("r", "node_cancelled", "Slow"), 1);
    for file in ["parent", "child"] {
        let pid = test.lines(file)[0].clone();
        until("the process is gone", || !crate::harness::lives(&pid));
    }
    test.output(["resume", "r"]).exits(8);
}

#[test]
fn an_answer_from_before_the_question_is_refused() {
    let test = simple();
    let asked = test
        .events("r")
        .into_iter()
        .find(|event| event["event"] == "approval_requested")
        .unwrap();
    let at: jiff::Timestamp = asked["ts"].as_str().unwrap().parse().unwrap();
    let answer = |id: &str, minutes: i64| {
        let at = at - jiff::SignedDuration::from_mins(minutes);
        let decision = json!({
            "node": "Ok", "id": id, "digest": asked["data"]["digest"], "decision": "approved", "by": "ada",
            "at": at.to_string(), "comment": null, "identity": "unverified",
        });
        let request = json!({ "kind": "decision", "decision": decision });
        test.write(
            &format!("artifacts/runs/r/inbox/{id}.json"),
            request.to_string(),
        );
        test.output(["resume", "r"])
    };
    answer("early", 6).exits(5);
    let refused = test
        .events("r")
        .into_iter()
        .find(|event| event["event"] == "decision_refused")
        .unwrap();
    let reason = refused["data"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("nobody can have answered before; set the clock"),
        "{reason}"
    );
    assert_eq!((ran(&test, "A"), ran(&test, "B")), (1, 0));
    // Clocks may be a little apart.
    answer("skewed", 4).exits(0);
    assert_eq!(ran(&test, "B"), 1);
}
