//! The HTTP client against servers that behave badly.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flowctl::flow::Expect;
use flowctl::tool::Redactor;
use flowctl::tool::http::{Client, Error, ErrorKind, Request, Response, Retry};

use crate::server::{Server, reply};

fn client() -> Client {
    Client::new(|_| None, jiff::Timestamp::now)
}

/// Waits are short; who comes too early is seen.
fn request(method: &str, url: String) -> Request {
    Request {
        retry: Retry {
            attempts: 3,
            first: Duration::from_millis(20),
            longest: Duration::from_secs(3),
        },
        ..Request::new(method, url)
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(Duration::from_secs(25), future)
                .await
                .expect("it ends")
        })
}

fn send(request: &Request) -> Result<Response, Error> {
    block(client().send(request))
}

fn get(url: String) -> Result<Vec<u8>, Error> {
    block(async {
        let response = client().send(&request("GET", url)).await?;
        response.bytes(1 << 20).await
    })
}

#[test]
fn a_server_says_when_to_come_back() {
    let server = Server::start(|_, number, stream| match number {
        0 => reply(stream, "429 Too Many Requests", "retry-after: 1\r\n", b""),
        1 => reply(
            stream,
            "503 Service Unavailable",
            "retry-after-ms: 30\r\n",
            b"",
        ),
        _ => reply(stream, "200 OK", "", b"fine"),
    });
    let begun = Instant::now();
    let mut asked = request("POST", server.url("/x"));
    asked.idempotency_key = Some("k1".to_owned());
    asked.body = Some(b"once".to_vec());
    let response = send(&asked).unwrap();
    assert_eq!((response.status, response.attempts), (200, 3));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let received = server.received();
    assert_eq!(received.len(), 3);
    for one in received {
        assert_eq!(one.header("idempotency-key"), Some("k1"));
        assert_eq!(one.body, b"once");
    }
}

#[test]
fn who_asks_for_too_long_a_wait_is_not_asked_again() {
    let server = Server::saying(
        "429 Too Many Requests",
        "retry-after: Sun, 22 Nov 2037 09:00:00 GMT\r\n",
        "{\"error\": {\"message\": \"quota of s3cret-key is used up\"}}",
    );
    let mut asked = request("GET", server.url("/x?key=s3cret-key"));
    asked.redactor = Redactor::new(["s3cret-key".to_owned()]);
    let error = send(&asked).unwrap_err();
    assert_eq!(server.received().len(), 1);
    assert_eq!(error.kind, ErrorKind::Status(429));
    let url = server.url("/x");
    assert_eq!(
        error.message,
        format!("`GET {url}?…` answered 429 Too Many Requests: quota of [secret] is used up")
    );
    assert!(error.help.unwrap().contains("longer than flowctl waits"));
    assert!(!error.body.unwrap().contains("s3cret"));
}

#[test]
fn what_will_not_pass_is_not_repeated() {
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "422 X",
        "501 X",
    ] {
        let server = Server::saying(status, "", "no");
        send(&request("GET", server.url("/"))).unwrap_err();
        assert_eq!(server.received().len(), 1, "{status}");
    }
    let server = Server::saying("500 Oh", "", "");
    let error = send(&request("GET", server.url("/"))).unwrap_err();
    assert_eq!((server.received().len(), error.attempts), (3, 3));
    assert!(error.message.ends_with("(after 3 attempts)"), "{error}");
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let server = Server::start(|_, number, stream| {
        if number < 2 {
            return;
        }
        reply(stream, "200 OK", "", b"fine");
    });
    assert_eq!(get(server.url("/")).unwrap(), b"fine");
    assert_eq!(server.received().len(), 3);
    // An answer that has begun is not asked for again: what is streamed was used already.
    let server = Server::start(|_, _, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            .unwrap();
    });
    let error = get(server.url("/")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cut);
    assert_eq!(server.received().len(), 1);
}

#[test]
fn nobody_there_is_said_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = get(format!("http://127.0.0.1:{port}/v1")).unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Connect, 1));
    assert!(error.message.contains("refused"), "{error}");
    assert!(error.help.unwrap().contains("does the server run"));
}

#[test]
fn redirects_are_followed_but_keys_stay_at_home() {
    let other = Server::saying("200 OK", "", "other");
    let there = other.url("/there");
    let server = Server::start(move |asked, _, stream| {
        let to = match asked.target.as_str() {
            "/here" => "/end".to_owned(),
            "/away" | "/away-post" => there.clone(),
            "/loop" => "/loop".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            "/bad" => "http://[".to_owned(),
            _ => return reply(stream, "200 OK", "", asked.method.as_bytes()),
        };
        let status = if asked.target == "/away-post" {
            "307 X"
        } else {
            "302 X"
        };
        reply(stream, status, &format!("location: {to}\r\n"), b"");
    });
    let with_key = |path: &str| {
        request("GET", server.url(path))
            .header("authorization", "Bearer hush")
            .header("api-key", "hush")
            .header("accept", "text/plain")
    };
    let body = |request: &Request| block(async { client().send(request).await?.bytes(100).await });
    assert_eq!(body(&with_key("/here")).unwrap(), b"GET");
    assert_eq!(server.received()[1].header("api-key"), Some("hush"));
    let mut post = with_key("/here");
    post.method = "POST".to_owned();
    post.body = Some(b"hush".to_vec());
    // As browsers do, and everybody else.
    assert_eq!(body(&post).unwrap(), b"GET");
    assert_eq!(server.received()[3].body, b"");
    assert_eq!(body(&with_key("/away")).unwrap(), b"other");
    let seen = &other.received()[0];
    assert_eq!(seen.header("accept"), Some("text/plain"));
    assert!(!format!("{seen:?}").contains("hush"), "{seen:?}");
    let mut post = with_key("/away-post");
    post.method = "POST".to_owned();
    post.body = Some(b"hush".to_vec());
    let kinds = |request: &Request| body(request).unwrap_err().kind;
    assert_eq!(kinds(&post), ErrorKind::Redirect);
    assert_eq!(other.received().len(), 1);
    for path in ["/loop", "/file", "/bad"] {
        assert_eq!(kinds(&with_key(path)), ErrorKind::Redirect, "{path}");
    }
    // Who expects the redirect itself gets it.
    let mut asked = with_key("/loop");
    asked.expect = Expect::parse(["302"]).unwrap();
    let response = send(&asked).unwrap();
    assert_eq!(response.header("Location"), Some("/loop"));
}

#[test]
fn there_is_an_end_to_an_answer() {
    let server = Server::start(|asked, _, stream| {
        if asked.target == "/said" {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
                .unwrap();
            return;
        }
        _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        let chunk = vec![b'x'; 1 << 16];
        while stream.write_all(&chunk).is_ok() {}
    });
    for path in ["/said", "/endless"] {
        let error = get(server.url(path)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge, "{path}");
        assert!(
            error.message.ends_with("answered more than 1 MiB"),
            "{error}"
        );
    }
    // Of an error, the beginning is enough.
    let server = Server::start(|_, _, stream| {
        _ = stream.write_all(b"HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\n");
        let chunk = vec![b'x'; 1 << 16];
        while stream.write_all(&chunk).is_ok() {}
    });
    let error = get(server.url("/")).unwrap_err();
    assert_eq!(error.body.unwrap().len(), 16 * 1024);
}

#[test]
fn a_request_that_is_dropped_is_over() {
    let server = Server::start(|_, _, stream| {
        let mut byte = [0];
        // Ends when the client hangs up.
        _ = std::io::Read::read(stream, &mut byte);
        _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    let begun = Instant::now();
    block(async {
        let (client, asked) = (client(), request("GET", server.url("/")));
        let sent = client.send(&asked);
        tokio::time::timeout(Duration::from_millis(200), sent)
            .await
            .unwrap_err();
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(server.received().len(), 1);
}

#[test]
fn wrong_requests_are_not_sent() {
    let server = Server::saying("200 OK", "", "");
    let url = server.url("/");
    let wrong = [
        request("GET", "nowhere".to_owned()),
        request("GET", "ftp://h/".to_owned()),
        request("GET", "file:///etc/passwd".to_owned()),
        request("G E T", url.clone()),
        request("GET", url.clone()).header("a b", "x"),
        request("GET", url.clone()).header("a", "x\r\nb: hush"),
    ];
    for request in wrong {
        let error = send(&request).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Request, "{request:?}");
        assert!(!error.message.contains("hush"), "{error}");
    }
    assert!(server.received().is_empty());
    let text = server.url("/").replace("http://", "http://ada:hush@");
    let error = send(&Request {
        expect: Expect::parse(["500"]).unwrap(),
        ..request("GET", text)
    })
    .unwrap_err();
    assert!(!error.message.contains("hush"), "{error}");
}

#[test]
fn json_that_is_none_is_told() {
    let server = Server::saying(
        "200 OK",
        "content-type: application/json\r\n",
        "<html><title>Login</title>",
    );
    let error = block(async {
        let response = client().send(&request("GET", server.url("/"))).await?;
        response.json(1000).await
    })
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Answer);
    assert!(error.message.ends_with("it begins with `Login`"), "{error}");
}

#[test]
fn events_come_as_they_are_sent() {
    let server = Server::start(|asked, _, stream| {
        _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
        );
        for piece in ["data: {\"a\"", ": 1}\n", "\ndata: b\n\n"] {
            _ = stream.write_all(piece.as_bytes());
            _ = stream.flush();
            std::thread::sleep(Duration::from_millis(20));
        }
        if asked.target == "/endless" {
            while stream.write_all(b"data: more and more\n\n").is_ok() {}
        } else {
            _ = stream.write_all(b"data: [DONE]\n\n");
        }
    });
    let all = |path: &'static str| {
        let url = server.url(path);
        block(async {
            let response = client().send(&request("GET", url)).await?;
            let mut events = response.events(1 << 20);
            let mut data = Vec::new();
            while let Some(event) = events.next().await? {
                data.push(event.data);
            }
            Ok(data)
        })
    };
    assert_eq!(all("/").unwrap(), ["{\"a\": 1}", "b", "[DONE]"]);
    let error: Error = all("/endless").unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

#[test]
fn the_waits_of_a_key_are_its_own() {
    let retry = Retry::default();
    assert_eq!(retry.wait(2, "run/node"), retry.wait(2, "run/node"));
    assert_ne!(retry.wait(2, "run/node"), retry.wait(2, "run/other"));
}
