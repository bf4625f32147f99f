//! People whom a proxy names, at the real server: the helper of the tests beside it.

use serde_json::Value;

use crate::harness::{Test, until};
use crate::web::{Page, Web};

pub(super) const DECIDE: &str = "/api/v1/runs/r/decisions";
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

const PEOPLE: &str = "users:
  ada: { accounts: [ada@example.org] }
  bob: { accounts: [bob@example.org] }
  carol: { accounts: [carol@example.org] }
  dan: { accounts: [dan@example.org] }
  eve: { accounts: [eve@example.org] }
groups:
  leads: [ada, bob, carol]
";

/// A workspace with people in it, and a flow.
pub(super) fn workspace(flow: &str) -> Test {
    let test = Test::new()
        .file("approvers.yaml", PEOPLE)
        .file("flow.yaml", flow);
    // The server's word is taken for who is at the page.
    test.output(["approvers", "trust"]).exits(0);
    test
}

/// A server that believes a proxy on this machine.
pub(super) fn proxied(test: &Test) -> Web {
    Web::start(
        test,
        &["--proxy-header", "X-User", "--proxy-from", "127.0.0.1"],
    )
}

#[track_caller]
pub(super) fn parsed(page: &Page) -> Value {
    serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {page:?}"))
}

/// What the API gives to somebody.
#[track_caller]
pub(super) fn shown(web: &Web, user: &str, path: &str) -> Value {
    let name = format!("{user}@example.org");
    let path = format!("/api/v1{path}");
    parsed(&web.send("GET", &path, &[("x-user", &name)], "").is(200))
}

/// What somebody posts, as their page would: with the token of its forms.
#[track_caller]
pub(super) fn posts(web: &Web, user: &str, path: &str, body: &Value) -> Page {
    let name = format!("{user}@example.org");
    let who = ("x-user", name.as_str());
    let token = web.send("GET", "/runs", &[who], "").is(200).field("token");
    let headers = [who, JSON, ("x-csrf-token", token.as_str())];
    web.send("POST", path, &headers, &body.to_string())
}

/// Somebody answers: what is said, in words.
#[track_caller]
pub(super) fn says(web: &Web, user: &str, body: &Value) -> String {
    let page = posts(web, user, DECIDE, body);
    let said = parsed(&page);
    let word = match page.status {
        200 => &said["verdict"],
        409 => {
            assert_eq!(said["code"], "decision-refused");
            &said["detail"]
        }
        _ => panic!("{page:?}"),
    };
    word.as_str().unwrap().to_owned()
}

/// What waits to be looked at.
#[track_caller]
pub(super) fn digest(web: &Web) -> Value {
    shown(web, "eve", "/runs/r")["waiting"][0]["digest"].clone()
}

/// Until it has paused so often, and is paused.
pub(super) fn waits(test: &Test, times: usize) {
    until("it waits", || {
        let events = test.events("r");
        let pauses = events.iter().filter(|event| event["event"] == "run_paused");
        pauses.count() == times && events.last().unwrap()["event"] == "run_paused"
    });
}

pub(super) fn ended(test: &Test) {
    until("it has ended", || {
        let events = test.events("r");
        events.iter().any(|event| event["event"] == "run_sealed")
    });
}

/// The answers that did not count, as they are recorded.
pub(super) fn refused(test: &Test) -> Vec<Value> {
    let events = test.events("r").into_iter();
    let refused = events.filter(|event| event["event"] == "decision_refused");
    refused.map(|event| event["data"].clone()).collect()
}
