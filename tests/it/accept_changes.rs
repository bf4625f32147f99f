//! Files that are edited while a run waits: said on resume, adopted on request, exactly.

use insta::assert_snapshot;

use crate::harness::Test;

const FLOW: &str = "nodes:
  - { name: A, type: process, command: [sh, -c, 'echo x >> a; echo 1'], output: json }
  - { name: B, type: process, command: [sh, -c, 'echo x >> b; echo 2'], output: json, inputs: { a: '${A.output}' } }
  - { name: C, type: process, command: [sh, -c, 'echo x >> c; echo 3'], output: json, inputs: { b: '${B.output}' } }
  - { name: Free, type: process, command: [sh, -c, 'echo x >> free; echo 4'], output: json }
  - { name: Ok, type: approval, inputs: { c: '${C.output}' } }
  - { name: D, type: process, command: [sh, -c, 'echo x >> d; echo 5'], output: json }
outputs: { b: '${B.output}' }
";

fn counts(test: &Test) -> [usize; 5] {
    ["a", "b", "c", "free", "d"].map(|file| test.lines(file).len())
}

fn edited() -> Test {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.edit("flow.yaml", "echo 2'", "echo 22'");
    test
}

#[test]
fn a_plain_resume_says_what_is_stale_and_goes_on_with_the_snapshot() {
    let test = edited();
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 5
    --- stderr
    note: the flow's files were edited since the run began; the run goes on with what it began with. `--accept-changes` adopts the edit and runs again:
      B: what it runs was edited
      C: `B` before it changes
      Ok: `B` before it changes
    paused: `Ok` waits for approval
      review   flowctl review r
      approve  flowctl approve r --resume
      reject   flowctl reject r --reason '…'
    "#);
    assert_eq!(counts(&test), [1, 1, 1, 1, 0]);
    let done = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(done.json(), serde_json::json!({ "b": 2 }));
    assert_eq!(counts(&test), [1, 1, 1, 1, 1]);
}

#[test]
fn accepting_changes_runs_what_they_touch_again_and_voids_the_approval() {
    let test = edited();
    // Approved before the edit is adopted: what was approved is no longer what would land.
    test.output(["approve", "r"]).exits(0);
    assert_snapshot!(test.run(["resume", "r", "--accept-changes"]), @r#"
    exit 5
    --- stderr
      B             runs again: what it runs was edited
      C             runs again: `B` before it changes
      Ok            runs again: `B` before it changes
      B             succeeded in <duration>
      C             succeeded in <duration>
      Ok            waits for approval
    paused: `Ok` waits for approval
      review   flowctl review r
      approve  flowctl approve r --resume
      reject   flowctl reject r --reason '…'
    "#);
    assert_eq!(counts(&test), [1, 2, 2, 1, 0]);
    let waiting = test.output(["show", "r", "--json"]).json()["waiting"].clone();
    assert_eq!(waiting[0]["gate"], "Ok");
    let done = test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(done.json(), serde_json::json!({ "b": 22 }));
    assert_eq!(counts(&test), [1, 2, 2, 1, 1]);
    assert_snapshot!(test.run(["resume", "r"]), @r#"
    exit 0
    --- stderr
    run r is succeeded already; nothing was done
    "#);
}

#[test]
fn an_old_answer_does_not_fit_the_new_question() {
    let test = edited();
    let digest = |test: &Test| {
        test.output(["show", "r", "--json"]).json()["waiting"][0]["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let before = digest(&test);
    test.output(["resume", "r", "--accept-changes"]).exits(5);
    assert_ne!(digest(&test), before);
    test.output(["approve", "r", "--digest", &before]).exits(9);
}

#[test]
fn an_approval_of_what_did_not_change_stays() {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.output(["approve", "r"]).exits(0);
    test.edit("flow.yaml", "echo 5'", "echo 55'");
    test.output(["resume", "r", "--accept-changes"]).exits(0);
    assert_eq!(counts(&test), [1, 1, 1, 1, 1]);
    assert_eq!(test.count("r", "approval_requested", "Ok"), 1);
}

#[test]
fn comments_and_nothing_are_no_changes_to_run_for() {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.output(["resume", "r", "--accept-changes"])
        .exits(5)
        .says("nothing was edited");
    test.write("flow.yaml", format!("# a comment\n{FLOW}"));
    test.output(["resume", "r"])
        .exits(5)
        .says("nothing that ran would change");
    test.output(["resume", "r", "--accept-changes"]).exits(5);
    assert_eq!(counts(&test), [1, 1, 1, 1, 0]);
}

#[test]
fn an_edited_skill_is_an_edit_too() {
    let test = Test::new()
        .file("flow.yaml", "nodes:\n  - { name: Page, type: skill }\n  - { name: Other, type: process, command: [sh, -c, 'echo x >> other'] }\n  - { name: Ok, type: approval }\n")
        .file("skills/Page/skill.yaml", "files:\n  - { source: a.tera, target: page.txt }\n")
        .file("skills/Page/a.tera", "first");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.write("skills/Page/a.tera", "second");
    test.output(["resume", "r"])
        .exits(5)
        .says("Page: what it runs was edited");
    test.output(["resume", "r", "--accept-changes"])
        .exits(5)
        .says("runs again: what it runs was edited");
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(test.read("page.txt"), "second");
    assert_eq!(test.lines("other").len(), 1);
}

#[test]
fn an_edit_with_a_mistake_is_not_adopted() {
    let test = edited();
    test.edit("flow.yaml", "${A.output}", "${Gone.output}");
    test.output(["resume", "r"])
        .exits(5)
        .says("have errors now; the run goes on with what it began with");
    test.output(["resume", "r", "--accept-changes"])
        .exits(3)
        .says("expr::unknown-node");
    assert_eq!(counts(&test), [1, 1, 1, 1, 0]);
    test.output(["approve", "r", "--resume"]).exits(0);
}

#[test]
fn a_failed_run_is_mended_by_an_edit() {
    let test = Test::new().file(
        "flow.yaml",
        "order: sequential
nodes:
  - { name: A, type: process, command: [sh, -c, 'echo x >> a'] }
  - { name: Bad, type: process, command: ['false'] }
  - { name: C, type: process, command: [sh, -c, 'echo x >> c'] }
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    test.edit("flow.yaml", "'false'", "'true'");
    // Without the word it is the old flow that is tried again.
    test.output(["resume", "r"]).exits(4);
    test.output(["resume", "r", "--accept-changes"]).exits(0);
    assert_eq!((test.lines("a").len(), test.lines("c").len()), (1, 1));
}

#[test]
fn nodes_may_come_and_go() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: A, type: process, command: [sh, -c, 'echo x >> a'] }
  - { name: Ok, type: approval }
  - { name: B, type: process, command: [sh, -c, 'echo x >> b'] }
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.write(
        "flow.yaml",
        "nodes:
  - { name: New, type: process, command: [sh, -c, 'echo x >> new'] }
  - { name: A, type: process, command: [sh, -c, 'echo x >> a'] }
  - { name: Gate, type: approval }
  - { name: B, type: process, command: [sh, -c, 'echo x >> b'], timeout: 5s }
",
    );
    let shown = test
        .output(["resume", "r", "--accept-changes", "--json"])
        .exits(5)
        .json();
    assert_eq!(shown["waiting"][0]["gate"], "Gate");
    assert_eq!(
        shown["nodes"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["New", "A", "Gate", "B"]
    );
    test.output(["approve", "r", "Ok"]).exits(9);
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!(
        ["new", "a", "b"].map(|file| test.lines(file).len()),
        [1, 1, 1]
    );
}

#[test]
fn an_edit_of_a_sub_flow_or_of_a_list_runs_it_again() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:
  - { name: Each, type: flow, flow: sub.yaml, foreach: [a, b], inputs: { x: '${item}' } }
  - { name: Free, type: process, command: [sh, -c, 'echo x >> free'] }
  - { name: Ok, type: approval }
outputs: { each: '${Each.output[*].q}' }
",
        )
        .file(
            "sub.yaml",
            "inputs: { x: { type: string } }
nodes:
  - { name: P, type: process, command: [echo, 'old ${inputs.x}'] }
outputs: { q: '${P.output.stdout}' }
",
        );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.edit("sub.yaml", "old", "new");
    test.output(["resume", "r", "--accept-changes"])
        .exits(5)
        .says("Each          runs again: its sub-flow was edited");
    test.edit("flow.yaml", "[a, b]", "[a, b, c]");
    test.output(["resume", "r", "--accept-changes"])
        .exits(5)
        .says("Each          runs again: ");
    assert_eq!(
        test.output(["approve", "r", "--resume"]).exits(0).json(),
        serde_json::json!({ "each": ["new a\n", "new b\n", "new c\n"] })
    );
    assert_eq!(test.lines("free").len(), 1);
}

#[test]
fn a_gate_that_is_taken_out_is_named() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [echo, a] }\n  - { name: Ok, type: approval }\n  - { name: B, type: process, command: [echo, b] }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.edit("flow.yaml", "  - { name: Ok, type: approval }\n", "");
    test.output(["resume", "r"])
        .exits(5)
        .says("Ok: it is no longer in the flow");
    test.output(["resume", "r", "--accept-changes"]).exits(0);
}

#[test]
fn a_command_that_moves_in_the_file_is_the_same_command() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [echo, a] }\n  - { name: B, type: process, command: [sh, -c, 'echo x >> b; echo \"$0\"', '${A.output.stdout}'], env: { E: '{{ A.output.exit_code }}' } }\n  - { name: Ok, type: approval }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.edit(
        "flow.yaml",
        "nodes:\n",
        "# A comment moves every line.\nnodes:\n",
    );
    test.output(["resume", "r", "--accept-changes"]).exits(5);
    assert_eq!(
        test.lines("b").len(),
        1,
        "an effect was made again for a comment"
    );
}
