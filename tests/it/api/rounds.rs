//! Rounds: work that is sent back, and a second answer to what is answered.

use serde_json::{Value, json};

use super::people::{digest, ended, proxied, refused, says, shown, waits, workspace};
use crate::harness::Test;
use crate::web::Web;

const LETTER: &str = "nodes:
  - { name: Draft, type: process, command: [printf, 'Dear %s', '${feedback}'] }
  - { name: Other, type: process, command: [echo, other] }
  - name: Ok
    type: approval
    approval: { quorum: 2 }
    inputs: { letter: '${Draft.output.stdout}' }
  - { name: After, type: process, command: [echo, '${Draft.output.stdout}'], after: [Ok] }
outputs: { said: '${After.output.stdout}' }
";

fn begun() -> (Test, Web) {
    let test = workspace(LETTER);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let web = proxied(&test);
    (test, web)
}

#[test]
fn work_that_is_sent_back_is_judged_anew() {
    let (test, web) = begun();
    let first = digest(&web);
    let answer = |digest: &Value, decision: &str| json!({ "node": "Ok", "digest": digest, "decision": decision, "comment": "shorter" });
    let back = |digest: &Value, target: &str| {
        let mut body = answer(digest, "sent_back");
        body["target"] = target.into();
        body
    };
    assert_eq!(says(&web, "bob", &answer(&first, "approved")), "accepted");
    for (target, why) in [("After", "which is not before"), ("Nobody", "it can to")] {
        let said = says(&web, "ada", &back(&first, target));
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(says(&web, "ada", &back(&first, "Draft")), "accepted");
    waits(&test, 2);
    // The feedback is what the node was given, and the yes of the round before is gone.
    let draft = shown(&web, "eve", "/runs/r/nodes/Draft");
    assert_eq!(draft["output"]["stdout"], "Dear shorter");
    let gate = shown(&web, "eve", "/runs/r/nodes/Ok");
    assert_eq!(gate["inputs"], json!({ "letter": "Dear shorter" }));
    let run = shown(&web, "eve", "/runs/r");
    assert_eq!(run["waiting"][0]["round"], 2);
    let second = digest(&web);
    assert_ne!(first, second);
    for decision in ["approved", "rejected"] {
        let said = says(&web, "carol", &answer(&first, decision));
        assert!(said.contains("look again"), "{said}");
    }
    let said = says(&web, "carol", &back(&first, "Draft"));
    assert!(said.contains("look again"), "{said}");
    // Nobody who said yes to what was before has said so to this.
    assert_eq!(
        says(&web, "carol", &answer(&second, "approved")),
        "accepted"
    );
    assert_eq!(shown(&web, "eve", "/runs/r")["status"], "paused");
    assert_eq!(says(&web, "bob", &answer(&second, "approved")), "accepted");
    ended(&test);
    let run = shown(&web, "eve", "/runs/r");
    assert_eq!(run["outputs"]["said"], "Dear shorter\n");
    assert_eq!(
        shown(&web, "eve", "/runs/r/nodes/Other")["attempt"],
        1,
        "what did not come from it ran once"
    );
    assert_eq!(refused(&test).len(), 5);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_second_answer_changes_nothing_and_is_recorded() {
    let (test, web) = begun();
    let seen = digest(&web);
    let answer = |decision: &str| json!({ "node": "Ok", "digest": seen, "decision": decision, "comment": "so be it" });
    assert_eq!(says(&web, "ada", &answer("approved")), "accepted");
    // Twice, and another word after the first.
    for decision in ["approved", "rejected"] {
        let said = says(&web, "ada", &answer(decision));
        assert!(said.contains("one person counts once"), "{said}");
    }
    // A no of another counts, however many have said yes.
    assert_eq!(says(&web, "bob", &answer("rejected")), "accepted");
    ended(&test);
    for (who, decision) in [
        ("carol", "approved"),
        ("bob", "approved"),
        ("dan", "rejected"),
    ] {
        let said = says(&web, who, &answer(decision));
        assert!(said.contains("rejected"), "{said}");
    }
    assert_eq!(shown(&web, "eve", "/runs/r")["status"], "rejected");
    let by: Vec<String> = refused(&test)
        .iter()
        .map(|data| data["decision"]["by"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(by, ["ada", "ada", "carol", "bob", "dan"]);
    test.output(["evidence", "verify"]).exits(0);
}
