//! `type: http` nodes over the real program.

use std::io::Write as _;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::Test;
use crate::server::{Server, reply};

fn flow(node: &str) -> String {
    format!("nodes:\n  - name: Ask\n    type: http\n{node}outputs:\n  answer: ${{Ask.output}}\n")
}

fn test(node: &str) -> Test {
    Test::new().file("flow.yaml", flow(node))
}

/// The text with the server's port hidden.
fn without_port(text: &str) -> String {
    let rule = regex::Regex::new(r"127\.0\.0\.1:[0-9]+").unwrap();
    rule.replace_all(text, "127.0.0.1:<port>").into_owned()
}

#[test]
fn a_request_and_its_answer() {
    let server = Server::saying(
        "201 Created",
        "content-type: application/json; charset=utf-8\r\nset-cookie: session=hush\r\nx-a: 1\r\nx-a: 2\r\n",
        "{\"id\": 7}",
    );
    let test = test(&format!(
        "    url: {}?b=2\n    query: {{ q: 'a b&c', n: 3, many: [1, x], none: null }}\n    headers: {{ X-Team: '${{inputs.team}}' }}\n    body: {{ team: '${{inputs.team}}', deep: [1, {{ x: true }}] }}\n",
        server.url("/items")
    ));
    test.edit(
        "flow.yaml",
        "nodes:",
        "inputs:\n  team: { type: string, default: blue }\nnodes:",
    );
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0);
    assert_eq!(
        ran.json()["outputs"]["answer"],
        json!({
            "status": 201,
            "headers": { "connection": "close", "content-length": "9", "content-type": "application/json; charset=utf-8", "x-a": "1, 2" },
            "body": { "id": 7 },
        })
    );
    let asked = &server.received()[0];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.target, "/items?b=2&q=a+b%26c&n=3&many=1&many=x");
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("x-team"), Some("blue"));
    assert!(asked.header("user-agent").unwrap().starts_with("flowctl/"));
    assert_eq!(
        asked.json(),
        json!({ "team": "blue", "deep": [1, { "x": true }] })
    );
    // The same key on every attempt, and one of its own for every node and run.
    assert!(asked.header("idempotency-key").unwrap().len() > 10);
    let shown = test.output(["logs", "r", "Ask"]).exits(0);
    assert!(shown.stdout.contains("/items?…: 201"), "{shown:?}");
}

#[test]
fn text_bytes_and_nothing() {
    let server = Server::start(|asked, _, stream| match asked.target.as_str() {
        "/text" => reply(
            stream,
            "200 OK",
            "content-type: text/html\r\n",
            "é".as_bytes(),
        ),
        "/bytes" => reply(stream, "200 OK", "", b"\xff\x00"),
        _ => reply(
            stream,
            "204 No Content",
            "content-type: application/json\r\n",
            b"",
        ),
    });
    let answer = |path: &str| {
        let test = test(&format!(
            "    url: {}\n    body: ping\n    method: PUT\n",
            server.url(path)
        ));
        let mut answer =
            test.output(["run", "flow.yaml", "--json"]).exits(0).json()["outputs"]["answer"].take();
        answer.as_object_mut().unwrap().remove("headers");
        answer
    };
    assert_eq!(answer("/text"), json!({ "status": 200, "body": "é" }));
    assert_eq!(
        answer("/bytes"),
        json!({ "status": 200, "body": "/wA=", "encoding": "base64" })
    );
    assert_eq!(answer("/none"), json!({ "status": 204, "body": null }));
    assert_eq!(server.received()[0].body, b"ping");
    assert_eq!(
        server.received()[0].header("content-type"),
        Some("text/plain; charset=utf-8")
    );
}

#[test]
fn a_busy_server_is_asked_again_with_the_same_key() {
    let server = Server::start(|_, number, stream| match number {
        0 => reply(
            stream,
            "429 Too Many Requests",
            "retry-after: 1\r\n",
            b"slow down",
        ),
        1 => reply(stream, "503 Service Unavailable", "", b""),
        2 => {}
        _ => reply(stream, "200 OK", "", b"fine"),
    });
    let test = test(&format!("    url: {}\n", server.url("/")));
    let ran = test
        .output(["run", "flow.yaml", "--run-id", "r", "--json"])
        .exits(0);
    assert_eq!(ran.json()["outputs"]["answer"]["body"], "fine");
    let received = server.received();
    let keys: Vec<_> = received
        .iter()
        .map(|asked| asked.header("idempotency-key").unwrap())
        .collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let done = test.events("r");
    let about = done
        .iter()
        .find(|record| record["event"] == "node_succeeded")
        .unwrap();
    assert_eq!(about["data"]["about"], json!({ "attempts": 4 }));
    // Done is done.
    test.output(["resume", "r"]).exits(0);
    assert_eq!(server.received().len(), 4);
}

#[test]
fn what_fails_says_what_and_what_next() {
    let server = Server::start(|asked, _, stream| match asked.target.as_str() {
        "/refused" => reply(
            stream,
            "403 Forbidden",
            "content-type: application/json\r\n",
            b"{\"message\": \"not yours\"}",
        ),
        "/broken" => reply(
            stream,
            "200 OK",
            "content-type: application/json\r\n",
            b"{\"a\": ",
        ),
        "/loop" => reply(stream, "302 Found", "location: /loop\r\n", b""),
        "/huge" => {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
            let chunk = vec![b'x'; 1 << 16];
            while stream.write_all(&chunk).is_ok() {}
        }
        _ => {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
        }
    });
    let said = |path: &str| {
        let test = test(&format!("    url: {}\n", server.url(path)));
        let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
        let lines: Vec<&str> = ran
            .stderr
            .lines()
            .filter(|line| !line.contains("run r of") && !line.contains("resume"))
            .collect();
        without_port(&test.scrub(&lines.join("\n")))
    };
    assert_snapshot!(said("/refused"), @r#"
      Ask           failed: `GET http://127.0.0.1:<port>/refused` answered 403 Forbidden: not yours
    failed: `Ask`: `GET http://127.0.0.1:<port>/refused` answered 403 Forbidden: not yours
    help: the key may not do this
    "#);
    assert_snapshot!(said("/broken"), @r#"
      Ask           failed: `GET http://127.0.0.1:<port>/broken` says that it answers JSON, and it is not: EOF while parsing a value at line 1 column 6
    failed: `Ask`: `GET http://127.0.0.1:<port>/broken` says that it answers JSON, and it is not: EOF while parsing a value at line 1 column 6
    help: `flowctl logs r Ask` shows what was asked; is this the right address?
    "#);
    assert_snapshot!(said("/loop"), @r#"
      Ask           failed: `GET http://127.0.0.1:<port>/loop` is redirected more than 10 times
    failed: `Ask`: `GET http://127.0.0.1:<port>/loop` is redirected more than 10 times
    "#);
    assert_snapshot!(said("/huge"), @r#"
      Ask           failed: `GET http://127.0.0.1:<port>/huge` answered more than 16 MiB
    failed: `Ask`: `GET http://127.0.0.1:<port>/huge` answered more than 16 MiB
    help: fetch large files with a `type: process` node, and keep them as files
    "#);
    assert_snapshot!(said("/cut"), @r#"
      Ask           failed: `GET http://127.0.0.1:<port>/cut` broke off in the middle of its answer: error reading a body from connection: end of file before message length reached
    failed: `Ask`: `GET http://127.0.0.1:<port>/cut` broke off in the middle of its answer: error reading a body from connection: end of file before message length reached
    "#);
}

#[test]
fn a_slow_server_meets_the_timeout_of_the_node() {
    let server = Server::start(|_, _, stream| {
        std::thread::sleep(Duration::from_secs(20));
        reply(stream, "200 OK", "", b"");
    });
    let test = test(&format!(
        "    url: {}\n    timeout: 300ms\n",
        server.url("/")
    ));
    test.output(["run", "flow.yaml"])
        .exits(4)
        .says("it took longer than its timeout of 300ms");
}

#[test]
fn expected_is_what_the_author_says() {
    let server = Server::saying("404 Not Found", "", "gone");
    let url = server.url("/");
    let status = |expect: &str| {
        let test = test(&format!("    url: {url}\n    expect: {expect}\n"));
        test.output(["run", "flow.yaml", "--json"])
    };
    for expect in ["404", "[200, 404]", "4xx", "'400-410'"] {
        let ran = status(expect).exits(0);
        assert_eq!(ran.json()["outputs"]["answer"]["status"], 404, "{expect}");
    }
    status("2xx").exits(4);
}

#[test]
fn a_secret_reaches_the_server_and_nothing_else() {
    let secret = "t0p/s3cret&value";
    let server = Server::start(|asked, number, stream| {
        let echo = format!(
            "{{\"echo\": {}, \"target\": {}}}",
            json!(asked.header("authorization")),
            json!(asked.target)
        );
        let status = if number == 1 {
            "400 Bad Request"
        } else {
            "200 OK"
        };
        reply(
            stream,
            status,
            &format!(
                "content-type: application/json\r\nx-echo: {}\r\n",
                asked.header("authorization").unwrap()
            ),
            echo.as_bytes(),
        );
    });
    let node = format!(
        "    url: {}${{secrets.token}}\n    query: {{ k: '${{secrets.token}}' }}\n    headers: {{ Authorization: 'Bearer ${{secrets.token}}' }}\n    body: {{ t: '${{secrets.token}}' }}\n",
        server.url("/x/")
    );
    let test = test(&node).env("FLOWCTL_SECRET_TOKEN", secret);
    let good = test
        .output(["run", "flow.yaml", "--run-id", "good", "--json", "-vvv"])
        .exits(0);
    let bad = test
        .output(["run", "flow.yaml", "--run-id", "bad", "--json", "-vvv"])
        .exits(4);
    let asked = &server.received()[0];
    assert_eq!(
        asked.header("authorization"),
        Some("Bearer t0p/s3cret&value")
    );
    assert_eq!(asked.json(), json!({ "t": secret }));
    assert_eq!(
        good.json()["outputs"]["answer"]["headers"]["x-echo"],
        "Bearer [secret]"
    );
    let mut everything = format!("{good:?}{bad:?}");
    for path in test.published().into_keys() {
        everything.push_str(&path);
    }
    let mut files = vec![test.path("artifacts")];
    let mut count = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .flatten()
                    .map(|entry| entry.path()),
            );
        } else {
            count += 1;
            everything.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    assert!(count > 5);
    for form in [secret, "t0p%2Fs3cret%26value", "s3cret", "t0p"] {
        assert!(!everything.contains(form), "{form} got out");
    }
}

#[test]
fn mistakes_are_seen_before_anything_is_sent() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: http }\n  - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }\n  - { name: C, type: process, command: [a], url: https://h }\n  - { name: D, type: http, url: 'https://h', expect: [], after: [C] }\n",
    );
    assert_snapshot!(test.run(["validate", "flow.yaml"]), @r#"
    exit 3
    --- stderr
    error[flow::missing-key]: the http node `A` needs the key `url`
     --> flow.yaml:2:5
      |
    2 |   - { name: A, type: http }
      |     ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `url: https://HOST/PATH`

    error[flow::bad-value]: `url` is no address of the web
     --> flow.yaml:3:33
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                 ^^^^^^^^^^^
      |
      = help: begin with `https://` or `http://`

    error[flow::bad-value]: `method` cannot be `Get`
     --> flow.yaml:3:54
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                      ^^^
      |
      = help: did you mean `GET`?
      = help: write `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`

    error[flow::bad-value]: `expect` takes statuses
     --> flow.yaml:3:68
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                                    ^^
      |
      = help: write `200`, `200-204`, `2xx`, or a list of such

    error[flow::bad-value]: `expect` takes statuses
     --> flow.yaml:3:72
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                                        ^^
      |
      = help: write `200`, `200-204`, `2xx`, or a list of such

    error[flow::wrong-type]: the header `a` must be a string
     --> flow.yaml:3:91
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                                                           ^^^ this is a list

    error[flow::wrong-type]: `query` must be a mapping
     --> flow.yaml:3:105
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                                                                         ^ this is a string

    error[flow::conflict]: the http node `B` has no `inputs`
     --> flow.yaml:3:108
      |
    3 |   - { name: B, type: http, url: example.com, method: Get, expect: [20, ok], headers: { a: [1] }, query: x, inputs: { c: 1 } }
      |                                                                                                            ^^^^^^
      |
      = help: write values where they are sent: in `url`, `query`, `headers` and `body`

    error[flow::conflict]: `url` belongs to nodes of `type: http`, and `C` is of type `process`
     --> flow.yaml:4:45
      |
    4 |   - { name: C, type: process, command: [a], url: https://h }
      |                                             ^^^
      |
      = help: remove `url`, or write `type: http`

    error[flow::bad-value]: `expect` is empty, and no answer would be a success
     --> flow.yaml:5:54
      |
    5 |   - { name: D, type: http, url: 'https://h', expect: [], after: [C] }
      |                                                      ^^
      |
      = help: leave it out for `2xx`

    error: 10 errors
    "#);
}
