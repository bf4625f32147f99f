//! Runs: begun, followed, answered, tried again, cancelled, and listed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{GATE, Served, answer, call, post, started};
use crate::harness::{Test, until};

#[test]
fn a_run_from_beginning_to_end() {
    let test = Test::new().file("gate.yaml", GATE);
    let served = Served::start(&test);
    let run = started(&served, &test);
    // What the command says, to the letter.
    let shown = served.get(&format!("/runs/{run}")).is(200);
    assert_eq!(shown, test.output(["show", &run, "--json"]).exits(0).json());
    let node = served.get(&format!("/runs/{run}/nodes/Build")).is(200);
    assert_eq!(
        node,
        test.output(["show", &run, "Build", "--json"])
            .exits(0)
            .json()
    );
    assert_eq!(
        served.get("/me").is(200),
        json!({ "user": "ada", "via": null })
    );
    let listed = served.get("/runs?waiting=true").is(200);
    assert_eq!(listed["runs"][0]["run"], run.as_str());
    assert_eq!(listed["runs"][0]["by"], "ada");
    let fleet = served.get("/fleet").is(200);
    assert_eq!(fleet["runs"][0]["state"], "paused");
    // One who follows sees it all, in order, and then that there is no more.
    let following = std::thread::spawn({
        let (port, run) = (served.port(), run.clone());
        move || follow(port, &run, None)
    });
    let verdict = served.post(
        &format!("/runs/{run}/decisions"),
        &answer(&served, &run, "approved"),
    );
    assert_eq!(verdict.is(200)["verdict"], "accepted");
    assert_eq!(
        test.count(&run, "approval_decided", "Ok"),
        1,
        "acknowledged is journaled"
    );
    let seen = following.join().unwrap();
    let written: Vec<(u64, String)> = test
        .events(&run)
        .iter()
        .map(|event| {
            (
                event["seq"].as_u64().unwrap(),
                event["event"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(seen, written);
    let half = written[written.len() / 2].0;
    assert_eq!(
        follow(served.port(), &run, Some(half)),
        written[usize::try_from(half).unwrap()..]
    );
    let all = written.last().unwrap().0.to_string();
    let nothing = call(
        served.port(),
        "GET",
        &format!("/runs/{run}/events"),
        &[
            ("authorization", "Bearer ada"),
            ("accept", "text/event-stream"),
            ("last-event-id", &all),
        ],
        b"",
    )
    .unwrap();
    assert_eq!(nothing.status, 204);
    let list = served
        .get(&format!("/runs/{run}/events?after=2&limit=3"))
        .is(200);
    assert_eq!(list["events"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&list["events"][0]["seq"], &list["next"]),
        (&json!(3), &json!(5))
    );
    let shown = served.get(&format!("/runs/{run}")).is(200);
    assert_eq!(shown["outputs"], json!({ "said": "done\n" }));
    // A second answer is refused, and the first one again under its key is what it was.
    let again = served.post(
        &format!("/runs/{run}/decisions"),
        &json!({
            "node": "Ok", "digest": format!("sha256:{}", "0".repeat(64)), "decision": "approved",
        }),
    );
    assert_eq!(
        (again.is(409)["code"].as_str(), again.header("content-type")),
        (Some("decision-refused"), Some("application/problem+json"))
    );
    served.end();
}

/// All events until the server ends the stream: number and kind.
fn follow(port: u16, run: &str, after: Option<u64>) -> Vec<(u64, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let last = after.map_or_else(String::new, |after| format!("last-event-id: {after}\r\n"));
    let head = format!(
        "GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: Bearer eve\r\naccept: text/event-stream\r\n{last}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (mut found, mut id, mut event) = (Vec::new(), 0, String::new());
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("id: ") {
            id = number.parse().unwrap();
        } else if let Some(word) = line.strip_prefix("event: ") {
            word.clone_into(&mut event);
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["event"], event.as_str());
        } else if line.is_empty() && id > 0 && !event.is_empty() {
            found.push((id, std::mem::take(&mut event)));
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_answer_twice_is_one() {
    let test = Test::new().file("gate.yaml", GATE);
    let served = Served::start(&test);
    let run = started(&served, &test);
    let (path, body) = (
        format!("/runs/{run}/decisions"),
        answer(&served, &run, "rejected"),
    );
    for _ in 0..2 {
        let reply = post(served.port(), &path, "ada", Some("k1"), &body).unwrap();
        assert_eq!(reply.is(200)["verdict"], "accepted");
    }
    assert_eq!(test.count(&run, "approval_decided", "Ok"), 1);
    // Another under the same key is another's.
    assert_eq!(
        post(served.port(), &path, "bob", Some("k1"), &body)
            .unwrap()
            .status,
        409
    );
    until("it has ended", || {
        test.events(&run)
            .iter()
            .any(|event| event["event"] == "run_sealed")
    });
    let ended = served
        .post(&format!("/runs/{run}/cancel"), &json!({}))
        .is(409);
    assert!(
        ended["detail"].as_str().unwrap().contains("rejected"),
        "{ended}"
    );
    assert_eq!(
        served
            .post(&format!("/runs/{run}/resume"), &json!({}))
            .is(409)["code"],
        "refused"
    );
    assert_eq!(
        served
            .post(&format!("/runs/{run}/retry"), &json!({}))
            .is(409)["code"],
        "refused"
    );
}

#[test]
fn a_failed_run_is_tried_again_and_a_long_one_cancelled() {
    let test = Test::new()
        .file("fails.yaml", "nodes:\n  - { name: A, type: process, command: [sh, -c, 'test -e go'] }\n")
        .file("long.yaml", "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> long; exec sleep 60'] }\n");
    let served = Served::start(&test);
    let run = served
        .post("/runs", &json!({ "flow": "fails.yaml", "run": "f" }))
        .is(201);
    assert_eq!(run["run"], "f");
    let is =
        |run: &str, status: &str| served.get(&format!("/runs/{run}")).is(200)["status"] == status;
    until("it has failed", || {
        is("f", "failed") && served.get("/fleet").is(200)["runs"] == json!([])
    });
    test.write("go", "");
    assert_eq!(
        served.post("/runs/f/retry", &json!({})).is(202)["verdict"],
        "accepted"
    );
    until("it has succeeded", || is("f", "succeeded"));
    assert_eq!(
        served
            .post("/runs", &json!({ "flow": "fails.yaml", "run": "f" }))
            .is(409)["code"],
        "exists"
    );
    served
        .post("/runs", &json!({ "flow": "long.yaml", "run": "l" }))
        .is(201);
    until("it runs", || test.lines("long").len() == 1);
    assert_eq!(
        served.post("/runs/l/cancel", &json!({})).is(200)["verdict"],
        "accepted"
    );
    until("it is cancelled", || is("l", "cancelled"));
    served.end();
}

#[test]
fn pages_come_one_after_the_other() {
    let test = Test::new().file("gate.yaml", GATE);
    for at in 0..5 {
        test.output(["run", "gate.yaml", "--run-id", &format!("r{at}")])
            .exits(5);
    }
    let served = Served::start(&test);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = served
            .get(&format!("/runs?limit=2&status=paused{cursor}"))
            .is(200);
        let runs = page["runs"].as_array().unwrap();
        seen.extend(
            runs.iter()
                .map(|run| run["run"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["r4", "r3", "r2", "r1", "r0"]);
    assert_eq!(
        served.get("/runs?status=failed").is(200),
        json!({ "runs": [], "next": null })
    );
}
