//! Who calls, on the real server: tokens, sessions and a proxy's word, and what each must bring along to
//! change something.

use serde_json::json;

use super::people::{
    DECIDE, JSON, digest, ended, parsed, posts, proxied, refused, says, waits, workspace,
};
use crate::harness::{Test, until};
use crate::web::Web;

const GATE: &str = "/runs/r/review/Ok";

fn gate(policy: &str) -> String {
    format!(
        "nodes:\n  - {{ name: Ok, type: approval, approval: {{ {policy} }} }}\n  - {{ name: After, type: process, command: [echo, done] }}\n"
    )
}

fn token(test: &Test, user: &str) -> String {
    let made = test.output(["approvers", "token", user]).exits(0);
    made.stdout.trim().to_owned()
}

#[test]
fn a_quorum_of_those_who_did_not_ask_for_it() {
    let test = workspace(&gate(
        "approvers: ['@leads'], quorum: 2, separation_of_duties: true",
    ));
    let web = proxied(&test);
    // Ada asks for the run, so that she is none of those who let it pass.
    let start = json!({ "flow": "flow.yaml", "run": "r" });
    posts(&web, "ada", "/api/v1/runs", &start).is(201);
    waits(&test, 1);
    let yes = json!({ "node": "Ok", "digest": digest(&web), "decision": "approved" });
    let own = says(&web, "ada", &yes);
    assert!(own.contains("separation of duties: ada"), "{own}");
    let stranger = says(&web, "eve", &yes);
    assert!(stranger.contains("eve"), "{stranger}");
    assert_eq!(says(&web, "bob", &yes), "accepted");
    let twice = says(&web, "bob", &yes);
    assert!(twice.contains("one person counts once"), "{twice}");
    assert_eq!(test.count("r", "node_succeeded", "After"), 0);
    assert_eq!(says(&web, "carol", &yes), "accepted");
    ended(&test);
    assert_eq!(test.count("r", "approval_decided", "Ok"), 2);
    assert_eq!(refused(&test).len(), 3);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_proxys_word_alone_changes_nothing() {
    let test = workspace(&gate("approvers: [ada]"));
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let web = proxied(&test);
    let ada = ("x-user", "ada@example.org");
    let me = web.send("GET", "/api/v1/me", &[ada], "").is(200);
    assert_eq!(parsed(&me), json!({ "user": "ada", "via": "proxy x-user" }));
    let run = parsed(&web.send("GET", "/api/v1/runs/r", &[ada], ""));
    let body =
        json!({ "node": "Ok", "digest": run["waiting"][0]["digest"], "decision": "approved" })
            .to_string();
    // Her browser could be made to send this by any page that she looks at.
    let post = |headers: &[(&str, &str)]| web.send("POST", DECIDE, headers, &body);
    post(&[ada, JSON]).is(403).says("no-form-token");
    post(&[ada, JSON, ("x-csrf-token", "guess")])
        .is(403)
        .says("no-form-token");
    let of = |who: &str| {
        web.send("GET", GATE, &[("x-user", who)], "")
            .is(200)
            .field("token")
    };
    let (own, eves) = (of("ada@example.org"), of("eve@example.org"));
    post(&[ada, JSON, ("x-csrf-token", &eves)]).is(403);
    let whole = [ada, JSON, ("x-csrf-token", own.as_str())];
    let from = |name, value| [&whole[..], &[(name, value)]].concat();
    post(&from("origin", "https://evil.example")).is(403);
    post(&from("sec-fetch-site", "cross-site")).is(403);
    // What a form of another site can send is no JSON.
    let kind = ("content-type", "text/plain");
    let plain = [ada, kind, ("x-csrf-token", own.as_str())];
    post(&plain).is(415);
    post(&[("x-user", "nobody@example.org"), JSON]).is(401);
    post(&[JSON]).is(401);
    assert_eq!(test.events("r").last().unwrap()["event"], "run_paused");
    post(&whole).is(200).says("accepted");
    ended(&test);
    let events = test.events("r");
    let decided = events
        .iter()
        .find(|event| event["event"] == "approval_decided")
        .unwrap();
    assert_eq!(decided["data"]["by"], "ada");
    let identity = decided["data"]["identity"].as_str().unwrap();
    assert!(
        identity.starts_with("server SHA256:") && identity.ends_with(" proxy x-user"),
        "{identity}"
    );
}

#[test]
fn a_session_needs_its_own_proof_and_a_token_none() {
    let test = workspace(&gate("approvers: ['@leads'], quorum: 2"));
    let (ada, bob) = (token(&test, "ada"), token(&test, "bob"));
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let late = token(&test, "carol");
    let web = Web::start(&test, &[]);
    let cookie = web.log_in(&ada);
    let session = ("cookie", cookie.as_str());
    let me = parsed(&web.send("GET", "/api/v1/me", &[session], ""));
    assert_eq!(me["user"], "ada");
    assert!(me["via"].as_str().unwrap().starts_with("token "), "{me}");
    let run = parsed(&web.send("GET", "/api/v1/runs/r", &[session], ""));
    let body =
        json!({ "node": "Ok", "digest": run["waiting"][0]["digest"], "decision": "approved" })
            .to_string();
    let post = |headers: &[(&str, &str)]| web.send("POST", DECIDE, headers, &body);
    post(&[session, JSON]).is(403).says("no-form-token");
    let other = web.log_in(&ada);
    let of = |cookie: &str| web.get(GATE, cookie).is(200).field("token");
    post(&[session, JSON, ("x-csrf-token", &of(&other))]).is(403);
    let own = of(&cookie);
    post(&[("cookie", &other), JSON, ("x-csrf-token", &own)]).is(403);
    for act in ["cancel", "resume", "retry"] {
        let path = format!("/api/v1/runs/r/{act}");
        web.send("POST", &path, &[session, JSON], "{}")
            .is(403)
            .says("no-form-token");
    }
    // A header with a token that is wrong is not made good by a session beside it.
    let wrong = ("authorization", "Bearer flowctl_none");
    let denied = post(&[session, JSON, ("x-csrf-token", &own), wrong]).is(401);
    assert_eq!(denied.header("www-authenticate"), Some("Bearer"));
    assert_eq!(test.events("r").last().unwrap()["event"], "run_paused");
    post(&[session, JSON, ("x-csrf-token", &own)])
        .is(200)
        .says("accepted");
    // A token that was made after the run began says nothing to it.
    let bearer = format!("Bearer {late}");
    post(&[("authorization", &bearer), JSON])
        .is(409)
        .says("as it was when the run began");
    // No other site can make a browser send this header: it is proof enough.
    let bearer = format!("Bearer {bob}");
    post(&[("authorization", &bearer), JSON])
        .is(200)
        .says("accepted");
    ended(&test);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn what_is_made_up_is_refused_and_recorded() {
    let test = workspace(&gate("approvers: [ada]"));
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let web = proxied(&test);
    let eve = ("x-user", "eve@example.org");
    let run = parsed(&web.send("GET", "/api/v1/runs/r", &[eve], ""));
    let digest = run["waiting"][0]["digest"].clone();
    let csrf = web.send("GET", GATE, &[eve], "").is(200).field("token");
    let headers = [eve, JSON, ("x-csrf-token", csrf.as_str())];
    let good = json!({ "node": "Ok", "digest": digest, "decision": "approved" });
    // Who they are is not theirs to say.
    for (name, value) in [
        ("by", json!("ada")),
        ("via", json!("token t1")),
        ("identity", json!("ssh SHA256:abc")),
        ("signature", json!({ "statement": "", "ssh": "" })),
        ("id", json!("1")),
        ("at", json!("2020-01-01T00:00:00Z")),
    ] {
        let mut body = good.clone();
        body[name] = value;
        web.send("POST", DECIDE, &headers, &body.to_string())
            .is(400)
            .says("bad-body");
    }
    assert_eq!(test.count("r", "decision_refused", "Ok"), 0);
    // A decision about something else, and one for another node.
    let mut about = good.clone();
    about["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    let mut elsewhere = good.clone();
    elsewhere["node"] = "After".into();
    for body in [&good, &about, &elsewhere] {
        web.send("POST", DECIDE, &headers, &body.to_string())
            .is(409)
            .says("decision-refused");
    }
    // Whoever can write into the inbox can still not sign for her.
    let forged = json!({ "kind": "decision", "decision": {
        "id": "forged", "node": "Ok", "digest": digest, "decision": "approved", "by": "ada", "at": jiff::Timestamp::now().to_string(),
        "comment": null,
        "via": "proxy x-user", "identity": "server SHA256:abc proxy x-user",
    } });
    test.write("forged.json", forged.to_string());
    std::fs::create_dir_all(test.path("artifacts/runs/r/inbox")).unwrap();
    std::fs::rename(
        test.path("forged.json"),
        test.path("artifacts/runs/r/inbox/forged.json"),
    )
    .unwrap();
    until("it is judged", || refused(&test).len() == 4);
    let last = refused(&test).pop().unwrap();
    assert_eq!(last["decision"]["by"], "ada");
    assert_eq!(last["decision"]["identity"], "unverified");
    assert_eq!(test.count("r", "approval_decided", "Ok"), 0);
    assert_eq!(test.count("r", "node_started", "After"), 0);
    assert_eq!(says(&web, "ada", &good), "accepted");
    ended(&test);
    test.output(["evidence", "verify"]).exits(0);
}
