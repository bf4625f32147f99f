//! Answers: what a form takes, and those that come late.

use serde_json::{Value, json};

use super::{Served, post};
use crate::harness::{Test, until};

const FORM: &str = "nodes:
  - name: Ok
    type: approval
    approval:
      form:
        ticket: { type: string, pattern: '^CHG-[0-9]+$' }
        copies: { type: integer, minimum: 1 }
        notes: { type: string, default: none }
  - { name: After, type: process, command: [echo, '${Ok.output.form.ticket} x${Ok.output.form.copies} ${Ok.output.form.notes}'], after: [Ok] }
outputs: { said: '${After.output.stdout}' }
";

fn begun(served: &Served, test: &Test, flow: &str) {
    served
        .post("/runs", &json!({ "flow": flow, "run": "r" }))
        .is(201);
    waits(test, 1);
}

/// Until it has paused so often, and is paused.
fn waits(test: &Test, times: usize) {
    until("it waits", || {
        let events = test.events("r");
        let pauses = events.iter().filter(|event| event["event"] == "run_paused");
        pauses.count() == times && events.last().unwrap()["event"] == "run_paused"
    });
}

fn ends(test: &Test) {
    until("it has ended", || {
        let events = test.events("r");
        events.iter().any(|event| event["event"] == "run_sealed")
    });
}

fn digest(served: &Served) -> Value {
    served.get("/runs/r").is(200)["waiting"][0]["digest"].clone()
}

/// Somebody answers: what is said, in words.
fn says(served: &Served, who: &str, body: &Value) -> String {
    let reply = post(served.port(), "/runs/r/decisions", who, None, body).unwrap();
    let said = reply.json();
    match reply.status {
        200 => said["verdict"].as_str().unwrap().to_owned(),
        409 => {
            assert_eq!(said["code"], "decision-refused");
            said["detail"].as_str().unwrap().to_owned()
        }
        _ => panic!("{reply:?}"),
    }
}

/// The reasons for which answers did not count, as they are recorded.
fn refused(test: &Test) -> Vec<(String, String)> {
    let events = test.events("r").into_iter();
    events
        .filter(|event| event["event"] == "decision_refused")
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&event["data"]["decision"]["by"]),
                text(&event["data"]["reason"]),
            )
        })
        .collect()
}

#[test]
fn a_form_is_filled_in_as_it_asks() {
    let test = Test::new().file("form.yaml", FORM);
    let served = Served::start(&test);
    begun(&served, &test, "form.yaml");
    let shown = digest(&served);
    let yes = |form: Value| json!({ "node": "Ok", "digest": shown, "decision": "approved", "form": form });
    let wrong = [
        (json!({ "copies": 1 }), "ticket"),
        (json!({ "ticket": "CHG-1" }), "copies"),
        (json!({ "ticket": "CHG-1", "copies": "1" }), "copies"),
        (json!({ "ticket": "CHG-1", "copies": 0 }), "copies"),
        (json!({ "ticket": "CHG-1", "copies": 1.5 }), "copies"),
        (json!({ "ticket": "none", "copies": 1 }), "ticket"),
        (
            json!({ "ticket": "CHG-1", "copies": 1, "more": true }),
            "more",
        ),
        (json!({}), "ticket"),
    ];
    for (form, field) in &wrong {
        let said = says(&served, "ada", &yes(form.clone()));
        assert!(
            said.starts_with("the form is not filled in right: ") && said.contains(field),
            "{form}: {said}"
        );
    }
    // What is no form at all is not even asked of the run.
    for form in [json!([]), json!("CHG-1"), json!(1)] {
        let reply = served.post("/runs/r/decisions", &yes(form));
        assert_eq!(reply.is(400)["code"], "bad-body");
    }
    assert_eq!(refused(&test).len(), wrong.len());
    let good = yes(json!({ "ticket": "CHG-7", "copies": 2 }));
    assert_eq!(says(&served, "ada", &good), "accepted");
    ends(&test);
    let shown = served.get("/runs/r").is(200);
    assert_eq!(shown["outputs"]["said"], "CHG-7 x2 none\n");
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_gate_without_a_form_takes_none() {
    let test = Test::new().file("gate.yaml", super::GATE);
    let served = Served::start(&test);
    begun(&served, &test, "gate.yaml");
    let yes = json!({ "node": "Ok", "digest": digest(&served), "decision": "approved", "form": { "a": 1 } });
    assert_eq!(
        says(&served, "ada", &yes),
        "the gate has no form to fill in"
    );
}

#[test]
fn whoever_is_late_is_told_so() {
    let test = Test::new().file("late.yaml", "nodes:\n  - { name: Ok, type: approval, approval: { timeout: 1s, on_timeout: reject } }\n  - { name: After, type: process, command: [sh, -c, 'echo x > after'] }\n");
    let served = Served::start(&test);
    begun(&served, &test, "late.yaml");
    let yes = json!({ "node": "Ok", "digest": digest(&served), "decision": "approved" });
    until("its time is up", || {
        test.count("r", "approval_expired", "Ok") == 1
    });
    let said = says(&served, "ada", &yes);
    assert!(
        said.contains("ended") || said.contains("time to answer was up"),
        "{said}"
    );
    ends(&test);
    assert_eq!(refused(&test).len(), 1);
    assert!(!test.exists("after"));
    test.output(["evidence", "verify"]).exits(0);
}
