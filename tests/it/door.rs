//! The door of the real server: sessions that are left, links, wrong logins behind a proxy, and those who
//! take their time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::Test;
use crate::web::{Page, Web};

fn people() -> Test {
    Test::new().file(
        "approvers.yaml",
        "users:\n  ada: { accounts: [ada@example.org] }\n",
    )
}

fn token(test: &Test) -> String {
    let made = test.output(["approvers", "token", "ada"]).exits(0);
    made.stdout.trim().to_owned()
}

#[test]
fn a_session_that_was_left_is_of_no_use_to_who_kept_it() {
    let test = people();
    let token = token(&test);
    let web = Web::start(&test, &[]);
    let (left, other) = (web.log_in(&token), web.log_in(&token));
    let form = web.get("/runs", &left).is(200).field("token");
    web.post("/logout", &left, &[("token", "guess")]).is(403);
    web.get("/runs", &left).is(200);
    let gone = web.post("/logout", &left, &[("token", &form)]).is(303);
    assert!(gone.header("set-cookie").unwrap().contains("Max-Age=0"));
    let is_left = |web: &Web| {
        web.get("/runs", &left).is(303);
        web.send("GET", "/api/v1/me", &[("cookie", &left)], "")
            .is(401)
            .says("session has ended");
        web.post("/logout", &left, &[("token", &form)]).is(401);
        web.get("/runs", &other).is(200);
    };
    is_left(&web);
    // Nor after a restart, which ends nobody else's session.
    web.kill_now();
    let web = Web::start(&test, &[]);
    is_left(&web);
    let kept = test.read(".flowctl/serve/left-sessions");
    assert!(!kept.contains(left.split('=').nth(1).unwrap()), "{kept}");
}

#[test]
fn a_link_lets_in_whoever_is_at_this_machine_and_nobody_else() {
    let test = Test::new();
    let web = Web::start(&test, &[]);
    let key = web.key.clone().unwrap();
    let link = |web: &Web, key: &str| {
        let path = format!("/login?key={key}&next=/start");
        web.send("GET", &path, &[], "")
    };
    let in_now = link(&web, &key).is(303);
    assert_eq!(in_now.header("location"), Some("/start"));
    link(&web, "guess").is(401);
    drop(web);
    test.write("approvers.yaml", "users:\n  ada: {}\n");
    let token = token(&test);
    let web = Web::start(&test, &[]);
    // Neither a good token nor the key of before; and nothing of it stands in the page.
    for key in [&token, &key] {
        let page = link(&web, key).is(401).says("in histories and logs");
        assert!(page.header("set-cookie").is_none() && !page.body.contains(key.as_str()));
    }
    web.log_in(&token);
}

#[test]
fn wrong_logins_behind_a_proxy_are_counted_by_who_is_behind_it() {
    let test = people();
    let guess = |web: &Web, from: &str| {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [kind, ("x-forwarded-for", from)];
        web.send("POST", "/login", &headers, "key=guess").status
    };
    let until_told_to_wait = |web: &Web, from: &str| (0..30).any(|_| guess(web, from) == 429);
    let web = Web::start(&test, &["--proxy-from", "127.0.0.0/8"]);
    assert!(until_told_to_wait(&web, "192.0.2.1"));
    // What the guesser says itself stands further left, and helps it nothing.
    assert_eq!(guess(&web, "192.0.2.99, 192.0.2.1"), 429);
    assert_eq!(guess(&web, "192.0.2.2"), 401);
    let bearer = ("authorization", "Bearer guess");
    let api = |from: &str| {
        web.send(
            "GET",
            "/api/v1/me",
            &[bearer, ("x-forwarded-for", from)],
            "",
        )
    };
    api("192.0.2.1").is(429);
    api("192.0.2.2").is(401);
    drop(web);
    // Of somebody who is no proxy of ours nothing is believed.
    let web = Web::start(&test, &["--proxy-from", "192.0.2.0/24"]);
    assert!(until_told_to_wait(&web, "192.0.2.1"));
    assert_eq!(guess(&web, "192.0.2.2"), 429);
}

#[test]
fn a_proxy_may_be_anywhere_in_a_range() {
    let test = people();
    let as_ada = |from: &str| {
        let web = Web::start(&test, &["--proxy-header", "X-User", "--proxy-from", from]);
        web.send("GET", "/runs", &[("x-user", "ada@example.org")], "")
    };
    as_ada("127.0.0.0/30").is(200);
    as_ada("127.0.0.4/30").is(401).says("not trusted");
    for wrong in ["0.0.0.0/0", "127.0.0.1/33", "proxy.example"] {
        let args = ["serve", "--proxy-header", "X-User", "--proxy-from", wrong];
        test.output(args).exits(2);
    }
}

fn whole(mut stream: &TcpStream) -> Page {
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Page {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

#[test]
fn whoever_takes_their_time_holds_nothing_for_long() {
    // More than the system takes in for somebody who reads nothing.
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Big, type: process, command: [sh, -c, 'head -c 15000000 /dev/zero | tr \"\\0\" x'] }\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    let web = Web::start(&test, &[]);
    let bearer = format!("Bearer {}", web.key.as_ref().unwrap());
    let begun = Instant::now();
    let head = |request: &str| {
        let mut stream = TcpStream::connect(web.address).unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nauthorization: {bearer}\r\n",
            web.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    // A form that never ends is not waited for, wherever it goes; that a path ends like that of a stream does
    // not make it one.
    let slow: Vec<TcpStream> = [
        "POST /runs/r/do/events",
        "POST /api/v1/runs/r/decisions",
        "POST /login",
    ]
    .into_iter()
    .map(|request| {
        let mut stream = head(request);
        let kind = if request.contains("/api/") {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        write!(
            stream,
            "content-type: {kind}\r\ncontent-length: 100\r\n\r\n{{"
        )
        .unwrap();
        stream
    })
    .collect();
    // Somebody who asks for a lot and takes nothing.
    let mut reader = head("GET /api/v1/runs/r");
    reader.write_all(b"\r\n").unwrap();
    for stream in &slow {
        let page = whole(stream);
        assert_eq!(page.status, 408, "{page:?}");
    }
    assert!(begun.elapsed() > Duration::from_secs(20));
    assert!(begun.elapsed() < Duration::from_secs(50));
    // It was hung up on: what comes is what the system held, and not all.
    let page = whole(&reader);
    assert_eq!(page.status, 200);
    let length: usize = page.header("content-length").unwrap().parse().unwrap();
    assert!(length > 15_000_000);
    assert!(page.body.len() < length, "{}", page.body.len());
    // Somebody who reads gets all of it.
    let mut reader = head("GET /api/v1/runs/r");
    reader.write_all(b"connection: close\r\n\r\n").unwrap();
    assert_eq!(whole(&reader).body.len(), length);
}
