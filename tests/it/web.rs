//! The web page, over the real program: who is let in, what is decided, and what is refused.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::{Running, Test, until};

/// A running `flowctl serve`.
pub(crate) struct Web {
    running: std::sync::Mutex<Option<Running>>,
    pub(crate) address: SocketAddr,
    /// The key of this machine, if it was printed.
    pub(crate) key: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "no {text:?} in {self:?}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let from = self
            .body
            .find(&start)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"));
        let rest = &self.body[from + start.len()..];
        rest[..rest.find('"').unwrap()].to_owned()
    }
}

impl Web {
    pub(crate) fn start(test: &Test, args: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let log = test.path("serve.log");
        let mut command = test.command(&all);
        command.stderr(std::fs::File::create(&log).unwrap());
        let running = Running::of(command);
        let mut found = None;
        until("it serves", || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            found = text.lines().find_map(|line| {
                let url = line.strip_prefix("serving: http://")?;
                let (address, rest) = url.split_once('/').unwrap_or((url, ""));
                let key = rest.split_once("key=").map(|(_, key)| key.to_owned());
                Some((address.parse().ok()?, key))
            });
            found.is_some() && text.contains("Ctrl-C")
        });
        let (address, key) = found.unwrap();
        Self {
            running: std::sync::Mutex::new(Some(running)),
            address,
            key,
        }
    }

    /// As a power cut would.
    pub(crate) fn kill_now(&self) {
        if let Some(running) = self.running.lock().unwrap().take() {
            running.kill();
        }
    }

    /// Sends bytes as they are, and reads until the server hangs up.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Page {
        self.try_raw(bytes).expect("it answers")
    }

    /// The same, of a server that may not be there; an answer that is cut off is none.
    fn try_raw(&self, bytes: &[u8]) -> Option<Page> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(45)))
            .unwrap();
        // It may hang up before all is sent.
        _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Some(Page {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// As [`Self::send`], of a server that may not be there; what is no whole answer is none.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Page> {
        let page = self.try_raw(self.request(method, path, headers, body).as_bytes())?;
        let length = page.header("content-length")?.parse().ok();
        (page.status != 0 && length == Some(page.body.len())).then_some(page)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Page {
        self.raw(self.request(method, path, headers, body).as_bytes())
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        text
    }

    /// The cookie of somebody who logs in with a key or token.
    pub(crate) fn log_in(&self, key: &str) -> String {
        let page = self.post("/login", "", &[("key", key)]).is(303);
        let cookie = page.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) fn get(&self, path: &str, cookie: &str) -> Page {
        self.send(
            "GET",
            path,
            &[("cookie", cookie), ("accept", "text/html")],
            "",
        )
    }

    pub(crate) fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Page {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[("cookie", cookie), kind], &body.join("&"))
    }

    /// Opens the review page and answers as its form does; gives what the page says then.
    pub(crate) fn decide(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(path, cookie).is(200);
        let (token, digest) = (page.field("token"), page.field("digest"));
        let mut all = vec![("token", token.as_str()), ("digest", digest.as_str())];
        all.extend(fields);
        let sent = self.post(path, cookie, &all);
        match sent.header("location") {
            Some(location) => self.get(location, cookie),
            None => sent,
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.kill_now();
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

const FLOW: &str = "name: letter
inputs: { product: { type: string, default: '<script>alert(1)</script>' } }
nodes:
  - { name: Draft, type: process, command: [printf, 'Dear %s. %s', '${inputs.product}', '${feedback}'] }
  - name: Gate
    type: approval
    after: [Draft]
    approval: { form: { ticket: { type: string, pattern: '^CHG-[0-9]+$' }, sure: { type: boolean } } }
  - { name: Land, type: process, command: [echo, '${Gate.output.form.ticket} ${Gate.output.by}'], after: [Gate] }
outputs: { letter: '${Draft.output.stdout}', landed: '${Land.output.stdout}' }
";
const GATE: &str = "/runs/r/review/Gate";

fn waiting() -> Test {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

#[test]
fn whoever_works_here_looks_and_decides() {
    let test = waiting();
    let web = Web::start(&test, &[]);
    let cookie = web.log_in(web.key.as_ref().unwrap());
    let page = web.get(GATE, &cookie).is(200);
    assert!(!page.body.contains("<script>alert"), "{page:?}");
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // Not filled in right, a reason that is missing: nothing is sent or it does not count.
    let yes = ("decision", "approved");
    web.decide(GATE, &cookie, &[yes, ("form.ticket", "none")])
        .is(200)
        .says("does not count");
    web.decide(GATE, &cookie, &[("decision", "rejected")])
        .is(400)
        .says("needs a reason");
    let back = [
        ("decision", "sent_back"),
        ("target", "Draft"),
        ("comment", "shorter"),
    ];
    web.decide(GATE, &cookie, &back)
        .is(200)
        .says("Your answer counts");
    // The server goes on with it by itself.
    let paused = |times| {
        let events = test.events("r");
        let pauses = events.iter().filter(|event| event["event"] == "run_paused");
        pauses.count() == times && events.last().unwrap()["event"] == "run_paused"
    };
    until("it waits again", || paused(2));
    web.get(GATE, &cookie)
        .is(200)
        .says("sent back by")
        .says("Round 2");
    let filled = [yes, ("form.ticket", "CHG-7"), ("form.sure", "true")];
    web.decide(GATE, &cookie, &filled)
        .is(200)
        .says("Your answer counts");
    web.get(GATE, &cookie)
        .is(200)
        .says("does not wait for an answer");
    until("it has ended", || {
        let events = test.events("r");
        events
            .last()
            .is_some_and(|last| last["event"] == "run_sealed")
    });
    let shown = test.output(["show", "r", "--json"]).json();
    assert!(
        shown["outputs"]["landed"]
            .as_str()
            .unwrap()
            .starts_with("CHG-7 ")
    );
    assert!(
        shown["outputs"]["letter"]
            .as_str()
            .unwrap()
            .ends_with("shorter")
    );
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn nobody_else_is_let_in() {
    let test = waiting();
    let web = Web::start(&test, &[]);
    let key = web.key.clone().unwrap();
    let html = ("accept", "text/html");
    let to = web.send("GET", GATE, &[html], "").is(303);
    assert_eq!(
        to.header("location"),
        Some("/login?next=/runs/r/review/Gate")
    );
    for path in ["/", "/runs", "/runs/r", GATE] {
        web.send("GET", path, &[], "").is(401);
        web.get(path, "flowctl_session=abc.def").is(303);
        web.send("GET", path, &[("authorization", "Bearer abc")], "")
            .is(401);
    }
    web.send(
        "GET",
        "/runs",
        &[("authorization", &format!("Bearer {key}"))],
        "",
    )
    .is(200);
    web.post("/login", "", &[("key", "wrong")])
        .is(401)
        .says("is not right");
    let cookie = web.log_in(&key);
    // A form of nobody, of another session, and one that another site sends.
    let decide =
        |token: &str| web.post(GATE, &cookie, &[("token", token), ("decision", "approved")]);
    decide("").is(403);
    let other = web.get(GATE, &web.log_in(&key)).field("token");
    decide(&other).is(403);
    let own = web.get(GATE, &cookie).field("token");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let body = format!("token={own}&decision=approved");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [("cookie", cookie.as_str()), kind, (name, value)];
        web.send("POST", GATE, &headers, &body)
            .is(403)
            .says("another site");
    }
    // A name that leads here and is not ours.
    web.send("GET", "/login", &[("host", "evil.example")], "")
        .is(421);
    web.raw(b"GET /login HTTP/1.0\r\n\r\n").is(421);
    // A session ends when it is left; forms of it are no use to the next one.
    web.post("/logout", &cookie, &[("token", &own)]).is(303);
    assert_eq!(test.count("r", "approval_decided", "Gate"), 0);
    // Whoever guesses waits.
    let mut codes = (0..30).map(|_| web.post("/login", "", &[("key", "guess")]).status);
    assert!(codes.any(|status| status == 429));
    web.post("/login", "", &[("key", &key)]).is(429);
}

#[test]
fn hostile_requests_change_nothing() {
    let test = waiting();
    let web = Web::start(&test, &[]);
    let cookie = web.log_in(web.key.as_ref().unwrap());
    let before = std::fs::read(test.journal("r")).unwrap();
    for path in [
        "/runs/..%2f..%2fetc/review/Gate",
        "/runs/%2e%2e/review/Gate",
        "/runs/r/review/..%2f..%2fGate",
        "/runs/r/review/",
        "/runs/r%00/review/Gate",
        "/runs/nobody",
        "/assets/..%2fmod.rs",
        "/assets/style.css%00",
        "/etc/passwd",
        "/runs/r/review/%3Cscript%3E",
    ] {
        let page = web.get(path, &cookie);
        assert!((400..500).contains(&page.status), "{path}: {page:?}");
        assert!(
            !page.body.contains("<script>") && !page.body.contains("root:"),
            "{page:?}"
        );
    }
    let token = web.get(GATE, &cookie).field("token");
    for fields in [
        vec![("token", token.as_str())],
        vec![("token", &token), ("decision", "maybe")],
        vec![
            ("token", &token),
            ("decision", "approved"),
            ("digest", "sha256:zz"),
        ],
    ] {
        web.post(GATE, &cookie, &fields).is(400);
    }
    let long = "x".repeat(2 * 1024 * 1024);
    web.post(GATE, &cookie, &[("token", &token), ("comment", &long)])
        .is(413);
    web.get(&format!("/{}", "a".repeat(9_000)), &cookie).is(414);
    web.send("DELETE", GATE, &[("cookie", &cookie)], "").is(405);
    web.send(
        "POST",
        GATE,
        &[("cookie", &cookie), ("content-type", "application/json")],
        "{}",
    )
    .is(415);
    for bytes in [
        &b"GARBAGE\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let page = web.raw(bytes);
        assert!(page.status == 0 || (400..500).contains(&page.status), "{page:?}");
    }
    // Somebody who never ends the head of a request is hung up on.
    let begun = std::time::Instant::now();
    let page = web.raw(b"GET / HTTP/1.1\r\nhost: ");
    assert!(page.status == 0 || page.status == 408, "{page:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    web.get(GATE, &cookie).is(200);
    assert_eq!(std::fs::read(test.journal("r")).unwrap(), before);
}

#[test]
fn it_listens_elsewhere_only_when_people_are_told_apart() {
    let test = Test::new();
    let ran = test.output(["serve", "--listen", "0.0.0.0:0"]).exits(2);
    assert!(
        ran.stderr.contains("can be reached from other machines"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("flowctl approvers init"), "{ran:?}");
    test.output(["serve", "--proxy-header", "x-user"]).exits(2);
    let proxied = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--proxy-header",
        "x-user",
        "--proxy-from",
        "127.0.0.1",
    ];
    let ran = test.output(proxied).exits(2);
    assert!(
        ran.stderr.contains("there is no `approvers.yaml`"),
        "{ran:?}"
    );
}

#[test]
fn a_proxy_is_believed_from_its_own_address_only() {
    let test = waiting();
    test.write(
        "approvers.yaml",
        "users:\n  ada: { accounts: [ada@example.org] }\n",
    );
    let proxied = |from| ["--proxy-header", "X-User", "--proxy-from", from];
    let web = Web::start(&test, &proxied("127.0.0.1"));
    let as_user = |web: &Web, name: &str| web.send("GET", "/runs", &[("x-user", name)], "");
    as_user(&web, "ada@example.org").is(200);
    as_user(&web, "eve@example.org")
        .is(401)
        .says("nobody in `approvers.yaml`");
    web.send("GET", "/runs", &[], "").is(401);
    // A login would help them nothing: they are told.
    let html = [("x-user", "eve@example.org"), ("accept", "text/html")];
    web.send("GET", "/runs", &html, "")
        .is(401)
        .says("nobody in");
    web.send("GET", "/runs", &html[1..], "").is(303);
    drop(web);
    let web = Web::start(&test, &proxied("127.0.0.2"));
    as_user(&web, "ada@example.org").is(401).says("not trusted");
}

#[test]
fn the_api_is_behind_the_same_door_and_a_killed_server_goes_on() {
    let test = waiting();
    let web = Web::start(&test, &[]);
    let cookie = web.log_in(web.key.as_ref().unwrap());
    web.kill_now();
    let web = Web::start(&test, &["--max-runs", "2", "--concurrency", "2"]);
    web.send("GET", "/api/v1/runs", &[], "")
        .is(401)
        .says("unauthorized");
    web.send("GET", "/api/v1/health", &[], "").is(200);
    let me = web
        .send("GET", "/api/v1/me", &[("cookie", &cookie)], "")
        .is(200);
    let me: serde_json::Value = serde_json::from_str(&me.body).unwrap();
    assert_eq!(me["via"], serde_json::Value::Null);
    // A session alone changes nothing: another site could have sent it.
    let json = ("content-type", "application/json");
    let cancel = "/api/v1/runs/r/cancel";
    web.send("POST", cancel, &[("cookie", &cookie), json], "{}")
        .is(403)
        .says("no-form-token");
    assert_eq!(test.events("r").last().unwrap()["event"], "run_paused");
    let bearer = format!("Bearer {}", web.key.as_ref().unwrap());
    web.send("POST", cancel, &[("authorization", &bearer), json], "{}")
        .is(200)
        .says("accepted");
    until("it is cancelled and sealed", || {
        let events = test.events("r");
        events
            .last()
            .is_some_and(|last| last["event"] == "run_sealed")
    });
    assert_eq!(
        test.output(["show", "r", "--json"]).json()["status"],
        "cancelled"
    );
}
