//! What is wrong is said, and changes nothing.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{GATE, Served, answer, call, started};
use crate::harness::Test;

#[test]
fn files_are_found_by_name_and_never_by_path() {
    let test = Test::new()
        .file("skills/S/skill.yaml", "name: S\nversion: 1.0.0\n")
        .file("secret.txt", "nobody reads this");
    let served = Served::start(&test);
    test.output(["run", "../none.yaml"]).exits(3);
    for path in [
        "/runs/..%2f..%2fsecret.txt",
        "/runs/../../secret.txt",
        "/runs/r/files/../../../secret.txt",
        "/runs/r/files/..%2f..%2f..%2fsecret.txt",
        "/runs/r/nodes/%ff",
        "/runs/%00",
        "/runs/latest",
        "/nothing",
        "/../../etc/passwd",
    ] {
        let reply = served.get(path);
        assert!(matches!(reply.status, 400 | 404), "{path}: {reply:?}");
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!body.contains("nobody reads"), "{path}: {body}");
    }
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let test = Test::new().file("gate.yaml", GATE);
    let served = Served::start(&test);
    let run = started(&served, &test);
    let before = test.read(&format!("artifacts/runs/{run}/journal.jsonl"));
    let decisions = format!("/runs/{run}/decisions");
    let good = answer(&served, &run, "approved");
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let port = served.port();
    let ada = ("authorization", "Bearer ada");
    let json_type = ("content-type", "application/json");
    // Who does not say who they are gets nothing but whether it is there.
    for (method, path) in [
        ("GET", "/runs"),
        ("GET", "/me"),
        ("GET", "/fleet"),
        ("POST", "/runs"),
        ("POST", decisions.as_str()),
    ] {
        let reply = call(
            port,
            method,
            path,
            &[json_type],
            good.to_string().as_bytes(),
        )
        .unwrap();
        assert_eq!(
            (reply.status, reply.header("www-authenticate")),
            (401, Some("Bearer")),
            "{method} {path}"
        );
    }
    assert_eq!(
        call(port, "GET", "/health", &[], b"").unwrap().is(200)["status"],
        "ok"
    );
    let large = json!({ "node": "x".repeat(3 << 20) });
    let form = call(
        port,
        "POST",
        &decisions,
        &[ada, ("content-type", "application/x-www-form-urlencoded")],
        b"node=Ok",
    )
    .unwrap();
    let broken = call(port, "POST", &decisions, &[ada, json_type], b"{\"node\":").unwrap();
    let deep = call(
        port,
        "POST",
        &decisions,
        &[ada, json_type],
        "[".repeat(100_000).as_bytes(),
    )
    .unwrap();
    let put = call(port, "PUT", "/runs", &[ada, json_type], b"{}").unwrap();
    for (reply, status, code) in [
        (form, 415, "not-json"),
        (broken, 400, "bad-body"),
        (deep, 400, "bad-body"),
        (put, 405, "method-not-allowed"),
        (served.post(&decisions, &large), 413, "too-large"),
        (
            served.post(&decisions, &with("digest", json!("abc"))),
            422,
            "bad-digest",
        ),
        (
            served.post(&decisions, &with("decision", json!("maybe"))),
            400,
            "bad-body",
        ),
        (
            served.post(&decisions, &with("by", json!("mallory"))),
            400,
            "bad-body",
        ),
        (
            served.post(&decisions, &with("target", json!("Build"))),
            422,
            "bad-target",
        ),
        (
            served.post(
                &decisions,
                &json!({ "node": "Ok", "digest": good["digest"], "decision": "rejected" }),
            ),
            422,
            "comment-missing",
        ),
        (served.post("/runs/none/decisions", &good), 404, "not-found"),
        (
            served.post("/runs", &json!({ "flow": "../gate.yaml" })),
            409,
            "refused",
        ),
        (
            served.post("/runs", &json!({ "flow": "gate.yaml", "run": "../../x" })),
            400,
            "bad-run-id",
        ),
        (
            served.post(
                "/runs",
                &json!({ "flow": "gate.yaml", "inputs": { "nmae": 1 } }),
            ),
            422,
            "invalid",
        ),
        (served.get("/runs?limit=many"), 400, "bad-query"),
        (served.get("/runs?cursor=none"), 400, "bad-cursor"),
    ] {
        let body = reply.is(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(!body["detail"].as_str().unwrap().is_empty());
    }
    assert_eq!(
        test.read(&format!("artifacts/runs/{run}/journal.jsonl")),
        before
    );
    let invalid = served
        .post(
            "/runs",
            &json!({ "flow": "gate.yaml", "inputs": { "nmae": 1 } }),
        )
        .json();
    let shown = serde_json::to_string_pretty(&invalid).unwrap();
    assert_snapshot!(test.scrub(&shown), @r#"
    {
      "type": "about:blank",
      "title": "Unprocessable Entity",
      "status": 422,
      "code": "invalid",
      "detail": "the flow or its inputs are invalid",
      "help": null,
      "diagnostics": [
        {
          "code": "input::undeclared",
          "message": "the flow has no input `nmae`",
          "help": [
            "did you mean `name`?"
          ],
          "file": "<dir>/gate.yaml",
          "line": 1,
          "column": 11
        }
      ]
    }
    "#);
}
