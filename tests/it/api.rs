//! The JSON API over a real socket: what it gives, what it refuses, and that the document tells the truth.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use flowctl::engine::{Fleet, FleetLimits};
use flowctl::web::api::{self, Api, Caller, Guard, Problem};
use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::fleet::engine;
use crate::harness::{Test, until};

const WORKSPACE: &str = "API_TEST_WORKSPACE";

/// Takes any token for the name of its holder.
struct Named;

impl Guard for Named {
    fn caller(&self, parts: &Parts) -> Result<Caller, Problem> {
        let header = parts.headers.get("authorization");
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let user = token.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "who are you?")
        })?;
        Ok(Caller {
            user: user.to_owned(),
            via: None,
        })
    }
}

/// Is the server when it is told to, and does nothing otherwise.
#[test]
fn api_process() {
    let Some(workspace) = std::env::var_os(WORKSPACE) else {
        return;
    };
    let workspace = std::path::PathBuf::from(workspace);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let limits = FleetLimits {
            concurrency: 4,
            runs: 4,
        };
        let engine = engine(&workspace);
        let fleet = Fleet::new(engine.clone(), limits, None);
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let driving = tokio::spawn({
            let fleet = fleet.clone();
            async move { fleet.run(stopped).await }
        });
        let router = api::router(Api::new(engine, fleet, Arc::new(Named)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        fs::write(workspace.join("port.new"), port).unwrap();
        fs::rename(workspace.join("port.new"), workspace.join("port")).unwrap();
        let mut signal =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            _ = signal.recv() => {}
        }
        stop.send_replace(true);
        driving.await.unwrap();
    });
}

/// A server in a process of its own.
pub(crate) struct Served {
    child: Child,
    port: u16,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn is(&self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Served {
    pub(crate) fn start(test: &Test) -> Self {
        _ = fs::remove_file(test.path("port"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "api::api_process", "--nocapture"])
            .env(WORKSPACE, test.path(""))
            .current_dir(test.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it listens", || test.exists("port"));
        let port = test.read("port").parse().unwrap();
        Self { child, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        _ = kill_process(pid, signal);
    }

    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    fn end(mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }

    fn get(&self, path: &str) -> Reply {
        call(
            self.port,
            "GET",
            path,
            &[("authorization", "Bearer ada")],
            b"",
        )
        .unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        post(self.port, path, "ada", None, body).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Posts JSON, as somebody.
pub(crate) fn post(
    port: u16,
    path: &str,
    who: &str,
    key: Option<&str>,
    body: &Value,
) -> Option<Reply> {
    let token = format!("Bearer {who}");
    let mut headers = vec![
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    call(port, "POST", path, &headers, body.to_string().as_bytes())
}

/// One request on a connection of its own; nothing when the server was gone before its answer was whole.
fn call(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let head = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // A server that has refused already need not read it.
    _ = stream.write_all(body);
    let mut answer = Vec::new();
    // A server that closes without reading all of a body resets the connection after its answer.
    let mut chunk = [0; 8192];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
        }
    }
    parse(&answer)
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = answer[end + 4..].to_vec();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: Option<usize> = length.and_then(|(_, length)| length.parse().ok());
    (length.is_none_or(|length| length == body.len())).then_some(Reply {
        status,
        headers,
        body,
    })
}

const GATE: &str = "inputs: { name: { type: string, default: World } }
nodes:
  - { name: Build, type: process, command: [echo, 'built ${inputs.name}'] }
  - { name: Ok, type: approval, after: [Build] }
  - { name: After, type: process, after: [Ok], command: [echo, done] }
outputs: { said: '${After.output.stdout}' }
";

fn started(served: &Served, test: &Test) -> String {
    let run = served
        .post(
            "/runs",
            &json!({ "flow": "gate.yaml", "inputs": { "name": "Ada" } }),
        )
        .is(201)["run"]
        .as_str()
        .unwrap()
        .to_owned();
    until("it waits", || {
        test.events(&run)
            .last()
            .is_some_and(|last| last["event"] == "run_paused")
    });
    run
}

fn answer(served: &Served, run: &str, decision: &str) -> Value {
    let shown = served.get(&format!("/runs/{run}")).is(200);
    json!({ "node": "Ok", "digest": shown["waiting"][0]["digest"], "decision": decision, "comment": "so be it" })
}

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

#[test]
fn the_document_tells_what_is_given() {
    let test = Test::new().file("gate.yaml", GATE);
    let served = Served::start(&test);
    let run = started(&served, &test);
    let document = served.get("/openapi.json").is(200);
    assert_eq!(document, api::document());
    let schema = |name: &str| {
        let mut schema = document["components"]["schemas"][name].clone();
        schema["components"] = document["components"].clone();
        flowctl::port::Schema::compile(&schema).unwrap()
    };
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(get) = operations.get("get") else {
            continue;
        };
        let Some(name) =
            get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str()
        else {
            continue;
        };
        let name = name.rsplit('/').next().unwrap();
        let path = path.replace("{id}", &run).replace("{path}", "Build");
        let given = served.get(&path).is(200);
        let wrong = schema(name).check(&given);
        assert!(wrong.is_empty(), "{path}: {wrong:?}\n{given}");
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
    let verdict = served
        .post(&format!("/runs/{run}/cancel"), &json!({}))
        .is(200);
    assert!(schema("Verdict").check(&verdict).is_empty());
    let problem = served.get("/runs/none").is(404);
    assert!(schema("Problem").check(&problem).is_empty(), "{problem}");
    // For validators elsewhere: `scripts/check-openapi`.
    if let Some(path) = std::env::var_os("OPENAPI_TO") {
        fs::write(path, document.to_string()).unwrap();
    }
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
