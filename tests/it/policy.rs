//! Who may answer a gate, how many must, what they fill in, and work that is sent back.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Ran, Test, until};
use crate::signed::key;

const FLOW: &str = "name: policy
inputs: { topic: { type: string, default: tea } }
nodes:
  - { name: Draft, type: process, command: [sh, -c, 'echo Draft >> $HOME/effects; echo \"$0, $1\"', '${inputs.topic}', '${feedback}'] }
  - { name: Aside, type: process, command: [sh, -c, 'echo Aside >> $HOME/effects; echo aside'] }
  - { name: Polish, type: process, command: [sh, -c, 'echo Polish >> $HOME/effects; echo \"$0\"', '${Draft.output.stdout}'] }
  - name: Gate
    type: approval
    after: [Polish]
    approval:
      scope: dependants
      approvers: ['@security', eve]
      quorum: 2
      separation_of_duties: true
      form:
        ticket: { type: string, pattern: '^CHG-[0-9]+$', description: The change. }
        risk: { type: string, enum: [low, high], default: low }
  - { name: Land, type: process, command: [echo, '${Gate.output.form.ticket} ${Gate.output.form.risk} ${Gate.output.approvals[1].by}'], after: [Gate] }
outputs: { landed: '${Land.output.stdout}', text: '${Polish.output.stdout}' }
";

/// A workspace with a key for each of four people; who runs the tests is `starter`.
fn people() -> Test {
    let test = Test::new().file("flow.yaml", FLOW);
    let mut users = String::new();
    for name in ["ada", "bob", "eve", "mallory"] {
        key(&test, name, &["ed25519"], "");
        let line = test.read(&format!("{name}.pub"));
        users.push_str(&format!("  {name}:\n    ssh_keys: [{}]\n", line.trim()));
    }
    test.write(
        "approvers.yaml",
        format!(
            "users:\n{users}  starter: {{ accounts: [{}] }}\ngroups: {{ security: [ada, bob] }}\n",
            account_of_tests()
        ),
    );
    test
}

/// Whoever runs the tests.
fn account_of_tests() -> String {
    let output = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Answers as somebody: signs with their key and under their name.
fn answers(test: &Test, who: &str, args: &[&str]) -> Ran {
    let mut all: Vec<&str> = args.to_vec();
    all.extend(["--sign", "--key", who]);
    test.output(all)
}

fn waiting(test: &Test) {
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
}

fn effects(test: &Test, name: &str) -> usize {
    let effects = std::fs::read_to_string(test.home().join("effects")).unwrap_or_default();
    effects.lines().filter(|line| *line == name).count()
}

fn refused(ran: Ran, why: &str) {
    let ran = ran.exits(9);
    assert!(ran.stderr.contains(why), "{why}: {ran:?}");
}

fn last(test: &Test, event: &str) -> Value {
    let mut events = test.events("r").into_iter().rev();
    let found = events.find(|record| record["event"] == event);
    found.unwrap_or_else(|| panic!("no {event}"))["data"].take()
}

const YES: [&str; 5] = ["approve", "r", "Gate", "--form", "ticket=CHG-1"];

#[test]
fn as_many_as_it_takes_each_once_and_nobody_who_may_not() {
    let test = people();
    waiting(&test);
    refused(test.output(YES), "proves nothing");
    refused(
        answers(&test, "mallory", &YES),
        "mallory is not among those who may answer here: `@security` or `eve`",
    );
    answers(&test, "ada", &YES)
        .exits(0)
        .says("waits for 1 more to say yes");
    let listed = test.output(["runs", "--json"]).stdout;
    assert!(listed.contains("\"status\":\"paused\""), "{listed}");
    refused(answers(&test, "ada", &YES), "ada said yes at ");
    refused(
        answers(&test, "ada", &["reject", "r", "Gate", "--reason", "no"]),
        "ada said yes at ",
    );
    test.output(["resume", "r"]).exits(5);
    refused(
        answers(
            &test,
            "eve",
            &["approve", "r", "Gate", "--form", "ticket=CHG-2"],
        ),
        "ada said yes with other values in the form",
    );
    refused(
        answers(
            &test,
            "eve",
            &["approve", "r", "Gate", "--form", "ticket=none"],
        ),
        "the form is not filled in right",
    );
    refused(answers(&test, "eve", &["approve", "r", "Gate"]), "ticket");
    // The default is the same as saying it.
    let yes = [&YES[..], &["--form", "risk=low", "--resume"]].concat();
    answers(&test, "eve", &yes).exits(0);
    refused(answers(&test, "bob", &YES), "the run has ended");
    assert_eq!(
        test.output(["show", "r", "--json"]).json()["outputs"]["landed"],
        "CHG-1 low eve\n"
    );
    // Each answer is evidence, those that did not count too.
    let log = test.lines("artifacts/evidence/runs/Gate.jsonl");
    let count = |status: &str| {
        let field = format!("\"status\":\"{status}\"");
        log.iter().filter(|line| line.contains(&field)).count()
    };
    assert_eq!((count("approved"), count("refused")), (2, 8));
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn who_asked_cannot_approve() {
    let test = people();
    test.edit(
        "approvers.yaml",
        "  bob:\n",
        &format!("  bob:\n    accounts: [{}]\n", account_of_tests()),
    );
    test.edit(
        "approvers.yaml",
        &format!("  starter: {{ accounts: [{}] }}\n", account_of_tests()),
        "",
    );
    waiting(&test);
    refused(
        answers(&test, "bob", &YES),
        "separation of duties: bob asked for this run or changed it",
    );
    answers(&test, "ada", &YES).exits(0);
    // Nobody who is not known may ask, where duties are kept apart.
    test.edit(
        "approvers.yaml",
        &format!("    accounts: [{}]\n", account_of_tests()),
        "",
    );
    let ran = test.output(["run", "flow.yaml"]).exits(3);
    assert!(
        ran.stderr
            .contains("asks for this run and is nobody in `approvers.yaml`"),
        "{ran:?}"
    );
}

#[test]
fn later_edits_take_away_and_give_nothing() {
    let test = people();
    waiting(&test);
    let before = test.read("approvers.yaml");
    // Somebody who comes later.
    test.edit(
        "approvers.yaml",
        "security: [ada, bob]",
        "security: [ada, bob, mallory]",
    );
    refused(
        answers(&test, "mallory", &YES),
        "mallory is not among those",
    );
    // Somebody who is taken out.
    test.edit(
        "approvers.yaml",
        "security: [ada, bob, mallory]",
        "security: [bob]",
    );
    refused(answers(&test, "ada", &YES), "ada is not among those");
    std::fs::remove_file(test.path("approvers.yaml")).unwrap();
    refused(answers(&test, "ada", &YES), "`approvers.yaml` is gone");
    test.write("approvers.yaml", "users: 5\n");
    refused(
        answers(&test, "ada", &YES),
        "`approvers.yaml` cannot be read",
    );
    test.write("approvers.yaml", before);
    answers(&test, "ada", &YES).exits(0);
}

#[test]
fn a_name_is_no_proof() {
    let test = people();
    waiting(&test);
    // What mallory puts into the inbox says that it is from ada.
    let digest = last(&test, "approval_requested")["digest"].take();
    let forged = json!({ "kind": "decision", "decision": {
        "node": "Gate", "id": "f1", "digest": digest, "decision": "approved", "by": "ada",
        "at": "2026-11-23T00:00:00Z", "comment": null, "identity": "ssh-key SHA256:abc", "via": "token t1",
    } });
    test.write("artifacts/runs/r/inbox/f1.json", forged.to_string());
    test.output(["resume", "r"]).exits(5);
    let refused = last(&test, "decision_refused");
    assert_eq!(refused["decision"]["identity"], "unverified");
    assert!(
        refused["reason"]
            .as_str()
            .unwrap()
            .contains("proves nothing"),
        "{refused}"
    );
    assert_eq!(test.count("r", "approval_decided", "Gate"), 0);
}

#[test]
fn work_that_is_sent_back_is_done_again_and_asked_about_anew() {
    let test = people();
    waiting(&test);
    answers(&test, "ada", &YES).exits(0);
    let first = last(&test, "approval_requested")["digest"].take();
    let back = |to: &str, feedback: &str| {
        answers(
            &test,
            "bob",
            &[
                "send-back",
                "r",
                "Gate",
                "--to",
                to,
                "--feedback",
                feedback,
                "--resume",
            ],
        )
    };
    refused(
        back("Land", "x"),
        "work cannot be sent back to `Land`, which is not before `Gate`",
    );
    refused(back("Nobody", "x"), "it can to `Draft` or `Polish`");
    back("Draft", " ").exits(2);
    back("Draft", "shorter")
        .exits(5)
        .says("runs again in round 2: shorter");
    assert_eq!(
        (
            effects(&test, "Draft"),
            effects(&test, "Polish"),
            effects(&test, "Aside")
        ),
        (2, 2, 1)
    );
    let asked = last(&test, "approval_requested");
    assert_ne!(asked["digest"], first);
    // The yes of the round before is history, and so is its digest.
    let old = first.as_str().unwrap();
    refused(
        answers(&test, "eve", &[&YES[..], &["--digest", old]].concat()),
        "what waits is",
    );
    answers(&test, "ada", &YES)
        .exits(0)
        .says("waits for 1 more");
    // Nothing changes when it is resumed twice, and a second round comes on top.
    back("Polish", "again").exits(5);
    test.output(["resume", "r"]).exits(5);
    assert_eq!((effects(&test, "Draft"), effects(&test, "Polish")), (2, 3));
    answers(&test, "ada", &YES).exits(0);
    answers(&test, "bob", &[&YES[..], &["--resume"]].concat()).exits(0);
    let shown = test.output(["show", "r", "--json"]).json();
    assert_eq!(shown["outputs"]["text"], "tea, shorter\n\n");
    assert_eq!(test.count("r", "rewound", "Gate"), 2);
    test.output(["evidence", "verify"]).exits(0);
    // What was made of it can be made again.
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn sent_back_and_killed_before_the_round_begins() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: A, type: process, command: [sh, -c, 'echo A >> $HOME/effects'] }
  - { name: Gate, type: approval }
  - { name: Sub, type: flow, flow: child.yaml }
",
    ).file("child.yaml", "nodes:\n  - { name: B, type: process, foreach: [1, 2], command: [sh, -c, 'echo B >> $HOME/effects'] }\n  - { name: Inner, type: approval }\noutputs: {}\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.output(["approve", "r", "--resume"]).exits(5);
    // Without `--resume` the answer is journaled, and nobody has begun the round.
    let back = ["send-back", "r", "--to", "A", "--feedback", "no"];
    test.output(back).exits(0);
    assert_eq!(test.count("r", "rewound", "Sub/Inner"), 0);
    refused(
        test.output(["approve", "r", "Sub/Inner"]),
        "has just sent the work back",
    );
    test.output(["resume", "r"]).exits(5);
    assert_eq!((effects(&test, "A"), effects(&test, "B")), (2, 2));
    // The gate outside is asked again, and the items inside are made again.
    test.output(["approve", "r", "Gate", "--resume"]).exits(5);
    test.output(["approve", "r", "--resume"]).exits(0);
    assert_eq!((effects(&test, "A"), effects(&test, "B")), (2, 4));
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn every_gate_of_several_has_its_own_answer() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - { name: Left, type: approval, approval: { scope: dependants } }
  - { name: Right, type: approval, approval: { scope: dependants } }
  - { name: L, type: process, command: [echo, '${Left.output.comment}'] }
  - { name: R, type: process, command: [echo, '${Right.output.comment}'] }
outputs: { l: '${L.output.stdout}', r: '${R.output.stdout}' }
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test.output(["approve", "r", "Right", "--comment", "right", "--resume"])
        .exits(5);
    assert_eq!(test.count("r", "node_succeeded", "L"), 0);
    test.output(["approve", "r", "Left", "--comment", "left", "--resume"])
        .exits(0);
    let outputs = &test.output(["show", "r", "--json"]).json()["outputs"];
    assert_eq!(outputs, &json!({ "l": "left\n", "r": "right\n" }));
}

#[test]
fn a_retry_keeps_its_answer_and_the_two_clocks_are_two() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:
  - name: Flaky
    type: process
    timeout: 5s
    retry: { attempts: 2, backoff: { initial: 1ms } }
    approval: { timeout: 1h }
    command: [sh, -c, 'echo \"$0\" >> $HOME/effects; test -e $HOME/again || { : > $HOME/again; exit 1; }', '${approval.comment}']
",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    // Longer than the timeout of the node's work, which has not begun.
    std::thread::sleep(std::time::Duration::from_secs(6));
    test.output(["approve", "r", "--comment", "go", "--resume"])
        .exits(0);
    assert_eq!(effects(&test, "go"), 2);
    assert_eq!(test.count("r", "approval_requested", "Flaky"), 1);
}

#[test]
fn answers_that_come_together_count_to_the_quorum_and_no_further() {
    let test = people();
    waiting(&test);
    let mut children: Vec<_> = ["ada", "bob", "eve"]
        .into_iter()
        .map(|who| test.spawn([&YES[..], &["--sign", "--key", who]].concat()))
        .collect();
    let codes: Vec<i32> = children.drain(..).map(|child| child.wait().code).collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        2,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 9).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(test.count("r", "approval_decided", "Gate"), 2);
    assert_eq!(test.count("r", "decision_refused", ""), 0);
    until("it goes on", || test.output(["resume", "r"]).code == 0);
}

#[test]
fn policy_is_held_against_who_there_is() {
    let test = people();
    test.write(
        "flow.yaml",
        "nodes:
  - { name: A, type: approval, approval: { approvers: [adda, '@securty'] } }
  - { name: B, type: approval, approval: { approvers: ['@security'], quorum: 3 } }
  - { name: C, type: approval, approval: { quorum: 9 } }
  - { name: D, type: process, command: [echo, '${approval.form.x}'], approval: { form: { ticket: { type: string } } } }
  - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }
",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r##"
    exit 3
    --- stderr
    error[expr::unknown-output]: the answer has no `x` here
     --> flow.yaml:5:48
      |
    5 |   - { name: D, type: process, command: [echo, '${approval.form.x}'], approval: { form: { ticket: { type: string } } } }
      |                                                ^^^^^^^^^^^^^^^^^^
      |
      = help: there is `ticket`

    error[flow::wrong-type]: an approver must be a string
     --> flow.yaml:6:56
      |
    6 |   - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }
      |                                                        ^ this is an integer

    error[flow::bad-value]: `` is no name of a user or group
     --> flow.yaml:6:59
      |
    6 |   - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }
      |                                                           ^^
      |
      = help: write names of `approvers.yaml`: `ada` for a user, `'@security'` for a group

    error[flow::wrong-type]: `quorum` must be a whole number from 1 to 1000
     --> flow.yaml:6:72
      |
    6 |   - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }
      |                                                                        ^^^^ this is a string

    error[flow::bad-value]: `type` cannot be `text`
     --> flow.yaml:6:97
      |
    6 |   - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }
      |                                                                                                 ^^^^
      |
      = help: write `string`, `integer`, `int`, `number`, `double`, `boolean`, `bool`, `list` or `object`

    error: 5 errors
    "##);
    test.edit("flow.yaml", "  - { name: E, type: approval, approval: { approvers: [5, ''], quorum: none, form: { x: { type: text } } } }\n", "");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r##"
    exit 3
    --- stderr
    error[expr::unknown-output]: the answer has no `x` here
     --> flow.yaml:5:48
      |
    5 |   - { name: D, type: process, command: [echo, '${approval.form.x}'], approval: { form: { ticket: { type: string } } } }
      |                                                ^^^^^^^^^^^^^^^^^^
      |
      = help: there is `ticket`
    "##);
    test.edit("flow.yaml", "form.x", "form.ticket");
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r##"
    exit 3
    --- stderr
    error[approval::approvers-needed]: `approvers.yaml` has no user `adda`
     --> flow.yaml:2:32
      |
    2 |   - { name: A, type: approval, approval: { approvers: [adda, '@securty'] } }
      |                                ^^^^^^^^
      |
      = help: did you mean `ada`?

    error[approval::approvers-needed]: `approvers.yaml` has no group `@securty`
     --> flow.yaml:2:32
      |
    2 |   - { name: A, type: approval, approval: { approvers: [adda, '@securty'] } }
      |                                ^^^^^^^^
      |
      = help: did you mean `@security`?

    error[approval::approvers-needed]: 3 must say yes to `B`, and 2 may
     --> flow.yaml:3:32
      |
    3 |   - { name: B, type: approval, approval: { approvers: ['@security'], quorum: 3 } }
      |                                ^^^^^^^^ who may: ada, bob
      |
      = help: lower `quorum`, or name more `approvers`

    error[approval::approvers-needed]: 9 must say yes to `C`, and 5 may
     --> flow.yaml:4:32
      |
    4 |   - { name: C, type: approval, approval: { quorum: 9 } }
      |                                ^^^^^^^^ who may: ada, bob, eve, mallory, starter
      |
      = help: lower `quorum`, or name more `approvers`

    error: 4 errors
    "##);
}
