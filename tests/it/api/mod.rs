//! The JSON API over a real socket: what it gives, what it refuses, and that the document tells the truth.
//!
//! The server is this test program itself, with a door that believes everybody; `callers` has the real one.

#[cfg(target_os = "linux")]
mod callers;
mod decisions;
mod document;
#[cfg(target_os = "linux")]
mod people;
mod refused;
#[cfg(target_os = "linux")]
mod rounds;
mod runs;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use flowctl::engine::{Fleet, FleetLimits};
use flowctl::web::api::{self, Api, Caller, Guard, Problem};
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
