//! `flowctl evidence export --to adx://…` against a server of this test's own, which notes what it
//! is sent and answers as it is told to.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::harness::{Test, append};

/// A request as it came.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map_or("", |(_, value)| value)
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&self.body[..])
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

/// What the server says next; after that it says yes.
type Answers = Arc<Mutex<VecDeque<(u16, &'static str)>>>;

struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Answers,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            requests: Arc::default(),
            answers: Arc::default(),
        };
        let (requests, answers) = (server.requests.clone(), server.answers.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, answers) = (requests.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, &requests, &answers));
            }
        });
        server
    }

    fn to(&self) -> String {
        format!("adx://{}/Audit/FlowctlEvidence", self.address)
    }

    fn answer(&self, answers: &[(u16, &'static str)]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn taken(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn serve(stream: TcpStream, requests: &Mutex<Vec<Request>>, answers: &Answers) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut request = Request {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = request.header("content-length").parse().unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).unwrap();
        requests.lock().unwrap().push(request);
        let (status, body) = answers.lock().unwrap().pop_front().unwrap_or((200, "{}"));
        if status == 0 {
            return; // It hangs up without an answer.
        }
        write!(
            reader.get_mut(),
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
}

fn workspace() -> Test {
    let test = Test::new()
        .file(
            "flow.yaml",
            "name: built\nnodes:\n  - { name: Build, type: process, evidence: true, command: [printf, built] }\n",
        )
        .env("FLOWCTL_ADX_TOKEN", "hush-token");
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(0);
    test
}

const LOG: &str = "artifacts/evidence/runs/Build.jsonl";

#[test]
fn rows_are_sent_as_the_official_client_sends_them() {
    let (test, server) = (workspace(), Server::start());
    let to = server.to();
    let ran = test
        .output(["evidence", "export", "--to", &to, "-vvv"])
        .exits(0)
        .says("exported 1 rows, already there 0: adx://127.0.0.1:");
    assert!(!ran.stderr.contains("hush"), "{ran:?}");
    let requests = server.taken();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.target,
        "/v1/rest/ingest/Audit/FlowctlEvidence?streamFormat=multijson&mappingName=FlowctlEvidence"
    );
    for (name, value) in [
        ("authorization", "Bearer hush-token"),
        ("accept", "application/json"),
        ("content-encoding", "gzip"),
        ("x-ms-version", "2024-12-12"),
        ("x-ms-app", "flowctl"),
        ("host", &server.address),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    let id = request.header("x-ms-client-request-id");
    assert!(id.starts_with("flowctl.executeStreamingIngest;"), "{id}");
    assert_eq!(request.lines(), test.read(LOG));
    // What was acknowledged is not sent again.
    test.output(["evidence", "export", "--to", &to])
        .exits(0)
        .says("exported 0 rows, already there 1: ");
    test.output(["run", "flow.yaml", "--run-id", "two"])
        .exits(0);
    let report = test
        .output(["evidence", "export", "--to", &to, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        report["rows"],
        serde_json::json!({ "exported": 1, "already_there": 1 })
    );
    let requests = server.taken();
    assert_eq!(requests.len(), 1);
    let second = test.read(LOG).lines().nth(1).unwrap().to_owned() + "\n";
    assert_eq!(requests[0].lines(), second);
}

#[test]
fn every_column_of_the_mapping_is_in_a_record() {
    let test = workspace();
    let kql =
        std::fs::read_to_string(crate::harness::repository("schemas/adx/evidence.kql")).unwrap();
    let (_, rest) = kql.split_once("```\n").unwrap();
    let (mapping, _) = rest.split_once("```").unwrap();
    let mapping: Vec<serde_json::Value> = serde_json::from_str(mapping).unwrap();
    let columns = kql
        .lines()
        .find_map(|line| line.strip_prefix(".create-merge table FlowctlEvidence ("))
        .unwrap();
    let columns: Vec<&str> = columns
        .trim_end_matches(')')
        .split(", ")
        .filter_map(|column| column.split(':').next())
        .collect();
    let mapped: Vec<&str> = mapping
        .iter()
        .filter_map(|row| row["Column"].as_str())
        .collect();
    assert_eq!(columns, mapped);
    let record: serde_json::Value =
        serde_json::from_str(test.read(LOG).lines().next().unwrap()).unwrap();
    for row in &mapping {
        let path = row["Properties"]["Path"].as_str().unwrap();
        let field = path.strip_prefix('$').unwrap().trim_start_matches('.');
        assert!(field.is_empty() || !record[field].is_null(), "{path}");
    }
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_told() {
    let (test, server) = (workspace(), Server::start());
    let to = server.to();
    server.answer(&[(503, ""), (0, ""), (429, "{}")]);
    test.output(["evidence", "export", "--to", &to]).exits(0);
    assert_eq!(server.taken().len(), 4);
    test.output(["run", "flow.yaml", "--run-id", "two"])
        .exits(0);
    server.answer(&[(
        400,
        r#"{"error":{"code":"BadRequest","@message":"Entity not found","@permanent":true}}"#,
    )]);
    test.output(["evidence", "export", "--to", &to])
        .exits(1)
        .says("failed: `runs/Build.jsonl`: the answer is 400 Bad Request: Entity not found; are the table, its mapping and its streaming policy there (schemas/adx/evidence.kql)?")
        .says("exported 0 rows, already there 1, not exported 1: ");
    assert_eq!(server.taken().len(), 1);
    // The token is asked for once more, then it is no use.
    server.answer(&[(401, "{}"), (401, "{}")]);
    test.output(["evidence", "export", "--to", &to])
        .exits(1)
        .says("401 Unauthorized");
    assert_eq!(server.taken().len(), 2);
    test.output(["evidence", "export", "--to", &to])
        .exits(0)
        .says("exported 1 rows, already there 1");
}

#[test]
fn big_logs_go_in_batches_and_a_record_that_is_too_big_is_told() {
    let (test, server) = (workspace(), Server::start());
    let to = server.to();
    for number in 0..5 {
        let line = format!(
            "{{\"n\":{number},\"text\":\"{}\"}}\n",
            "x".repeat(1_500_000)
        );
        append(&test.path(LOG), line.as_bytes());
    }
    test.output(["evidence", "export", "--to", &to])
        .exits(0)
        .says("exported 6 rows");
    let requests = server.taken();
    assert_eq!(requests.len(), 3);
    let sent: String = requests.iter().map(Request::lines).collect();
    assert!(sent == test.read(LOG));
    assert!(
        requests
            .iter()
            .all(|request| request.lines().len() <= 4_000_000)
    );
    append(
        &test.path(LOG),
        format!("\"{}\"\n", "x".repeat(4_000_000)).as_bytes(),
    );
    test.output(["evidence", "export", "--to", &to])
        .exits(1)
        .says("record 7 has 4000003 bytes, and streaming ingestion takes 4000000");
    assert!(server.taken().is_empty());
}

#[test]
fn a_log_that_was_rewritten_is_refused() {
    let (test, server) = (workspace(), Server::start());
    let to = server.to();
    test.output(["evidence", "export", "--to", &to]).exits(0);
    test.edit(LOG, "Build", "Built");
    test.output(["evidence", "export", "--to", &to])
        .exits(10)
        .says("conflict: `runs/Build.jsonl`: its first 1 records are not those that were sent");
    assert_eq!(server.taken().len(), 1);
}

/// At least once: whatever is killed when, every record arrives, and what was acknowledged and
/// noted does not arrive again.
#[test]
fn killed_at_any_moment_every_row_arrives() {
    let (test, server) = (workspace(), Server::start());
    let to = server.to();
    for number in 0..8 {
        let line = format!(
            "{{\"n\":{number},\"text\":\"{}\"}}\n",
            "x".repeat(3_000_000)
        );
        append(&test.path(LOG), line.as_bytes());
    }
    let mut arrived = Vec::new();
    for round in 0..20_u64 {
        let mut export = test.spawn(["evidence", "export", "--to", &to]);
        std::thread::sleep(std::time::Duration::from_millis(20 + round * 7 % 90));
        let ended = export.ended();
        export.kill();
        arrived.extend(server.taken());
        if ended {
            break;
        }
    }
    test.output(["evidence", "export", "--to", &to]).exits(0);
    arrived.extend(server.taken());
    let mut lines: Vec<String> = arrived
        .iter()
        .flat_map(|request| {
            request
                .lines()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    lines.sort();
    lines.dedup();
    let mut all = test.lines(LOG);
    all.sort();
    assert!(lines == all);
    test.output(["evidence", "export", "--to", &to])
        .exits(0)
        .says("exported 0 rows, already there 9");
    assert!(server.taken().is_empty());
}

#[test]
fn a_token_comes_from_where_azure_puts_it() {
    let server = Server::start();
    let plain = |test: Test| {
        test.output(["run", "flow.yaml", "--run-id", "one"])
            .exits(0);
        test.output(["evidence", "export", "--to", &server.to(), "-vvv"])
    };
    let fresh = || {
        Test::new().file(
            "flow.yaml",
            "name: built\nnodes:\n  - { name: Build, type: process, evidence: true, command: [printf, built] }\n",
        )
    };
    let login = format!("http://{}", server.address);
    let token = (200, r#"{"access_token":"from-azure","expires_in":3599}"#);
    // An application with a secret.
    server.answer(&[token]);
    let ran = plain(
        fresh()
            .env("AZURE_AUTHORITY_HOST", &login)
            .env("AZURE_TENANT_ID", "tenant-1")
            .env("AZURE_CLIENT_ID", "app-1")
            .env("AZURE_CLIENT_SECRET", "hush&hush"),
    )
    .exits(0);
    assert!(!ran.stderr.contains("hush"), "{ran:?}");
    let requests = server.taken();
    assert_eq!(requests[0].target, "/tenant-1/oauth2/v2.0/token");
    let form = String::from_utf8_lossy(&requests[0].body).into_owned();
    let scope = format!(
        "scope=http%3A%2F%2F{}%2F.default",
        server.address.replace(':', "%3A")
    );
    assert_eq!(
        form,
        format!("grant_type=client_credentials&client_id=app-1&{scope}&client_secret=hush%26hush")
    );
    assert_eq!(requests[1].header("authorization"), "Bearer from-azure");
    // A workload identity.
    server.answer(&[token]);
    plain(
        fresh()
            .file("jwt", "a.b.c\n")
            .env("AZURE_AUTHORITY_HOST", &login)
            .env("AZURE_TENANT_ID", "tenant-1")
            .env("AZURE_CLIENT_ID", "app-1")
            .env("AZURE_FEDERATED_TOKEN_FILE", "jwt"),
    )
    .exits(0);
    let form = String::from_utf8_lossy(&server.taken()[0].body).into_owned();
    assert!(form.ends_with("client_assertion=a.b.c"), "{form}");
    // A managed identity.
    server.answer(&[token]);
    plain(fresh().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &login)).exits(0);
    let request = server.taken().remove(0);
    assert_eq!(request.header("metadata"), "true");
    assert!(
        request
            .target
            .starts_with("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=http"),
        "{request:?}"
    );
    // A refusal says why, and where a token could come from.
    server.answer(&[(
        401,
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: no\r\nTrace"}"#,
    )]);
    plain(
        fresh()
            .env("AZURE_AUTHORITY_HOST", &login)
            .env("AZURE_TENANT_ID", "tenant-1")
            .env("AZURE_CLIENT_ID", "app-1")
            .env("AZURE_CLIENT_SECRET", "hush"),
    )
    .exits(1)
    .says("error: cannot get a token for Azure Data Explorer: the answer is 401 Unauthorized AADSTS7000215: no\n")
    .says("help: set FLOWCTL_ADX_TOKEN to a ready token");
}
