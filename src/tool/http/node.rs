//! What an `http` node does: its inputs to a request, the answer to its output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::client::{Client, Response};
use super::request::{Error, ErrorKind, Request};
use crate::flow::Expect;
use crate::port::{Failure, FailureKind, Outcome};
use crate::tool::Asked;
use crate::value::{Object, Value, to_text};

/// The largest answer; it becomes the node's output, which is kept.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Sends what a node says, and reads the answer.
pub(super) async fn call(client: &Client, asked: &Asked) -> Result<Outcome, Failure> {
    let request = request(asked)?;
    let say = |what: &str| {
        if let Some(log) = &asked.log {
            let place = super::client::shown_text(&request.url);
            let line = format!("{} {place}: {what}\n", request.method);
            log.write(asked.redactor.text(&line).as_bytes());
        }
    };
    let response = match client.send(&request).await {
        Ok(response) => response,
        Err(error) => {
            say(&error.message);
            return Err(failure(error));
        }
    };
    let (status, attempts) = (response.status, response.attempts);
    say(&status.to_string());
    let output = read(response).await?;
    Ok(Outcome {
        output,
        about: Some(json!({ "attempts": attempts })),
        ..Outcome::default()
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure(error)
    }
}

fn failure(error: Error) -> Failure {
    Failure {
        kind: match error.kind {
            ErrorKind::Timeout => FailureKind::Timeout,
            _ => FailureKind::Error,
        },
        findings: match error.kind {
            ErrorKind::Status(status) => Some(Box::new(json!({
                "status": status,
                "body": error.body,
            }))),
            _ => None,
        },
        message: error.message,
        help: error.help,
    }
}

fn request(asked: &Asked) -> Result<Request, Failure> {
    let inputs = &asked.inputs;
    let text = |name: &str| {
        inputs
            .get(name)
            .filter(|value| !value.is_null())
            .map(to_text)
    };
    let body = inputs.get("body").filter(|value| !value.is_null());
    let method = text("method").unwrap_or_else(|| {
        let method = if body.is_some() { "POST" } else { "GET" };
        method.to_owned()
    });
    let mut request = Request::new(method, text("url").unwrap_or_default());
    request.redactor = asked.redactor.clone();
    request.idempotency_key = Some(asked.key.clone());
    if let Some(Value::Object(query)) = inputs.get("query") {
        request.url = super::client::with_query(&request.url, &pairs(query))
            .map_err(|error| failure_of_url(&error))?;
    }
    if let Some(Value::Object(headers)) = inputs.get("headers") {
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_null()) {
            request = request.header(name, to_text(value));
        }
    }
    if let Some(expect) = inputs.get("expect").filter(|expect| !expect.is_null()) {
        request.expect = self::expect(expect)?;
    }
    let kind = match body {
        None => return Ok(request),
        Some(Value::String(text)) => {
            request.body = Some(text.clone().into_bytes());
            "text/plain; charset=utf-8"
        }
        Some(value) => {
            request.body = Some(value.to_string().into_bytes());
            "application/json"
        }
    };
    if !request.has_header("content-type") {
        request = request.header("content-type", kind);
    }
    Ok(request)
}

fn failure_of_url(error: &str) -> Failure {
    Failure::new(format!("its address is wrong: {error}"))
        .help("`url` begins with `https://` or `http://`")
}

/// A list is one parameter several times; null is none.
fn pairs(query: &Object) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in query {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                pairs.extend(items.iter().map(|item| (name.clone(), to_text(item))));
            }
            other => pairs.push((name.clone(), to_text(other))),
        }
    }
    pairs
}

fn expect(value: &Value) -> Result<Expect, Failure> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Vec<String> = items.iter().map(to_text).collect();
    Expect::parse(texts.iter().map(String::as_str)).map_err(|part| {
        Failure::new(format!("its `expect` holds `{part}`, which is no status"))
            .help("write `200`, `200-204` or `2xx`")
    })
}

async fn read(response: Response) -> Result<Value, Failure> {
    let status = response.status;
    let mut headers = Object::new();
    for (name, value) in &response.headers {
        // Who has a cookie of a session is who has begun it.
        if name == "set-cookie" {
            continue;
        }
        match headers.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            _ => {
                headers.insert(name.clone(), json!(value));
            }
        }
    }
    let kind = response.header("content-type").unwrap_or_default();
    let is_json = is_json(kind);
    let shown = response.shown().to_owned();
    let bytes = response.bytes(MAX_BODY).await.map_err(|error| {
        let too_large = error.kind == ErrorKind::TooLarge;
        let failure = failure(error);
        if too_large {
            failure.help("fetch large files with a `type: process` node, and keep them as files")
        } else {
            failure
        }
    })?;
    let mut output = json!({ "status": status, "headers": headers });
    output["body"] = if is_json && !bytes.is_empty() {
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(format!(
                "`{shown}` says that it answers JSON, and it is not: {error}"
            ))
            .help("`flowctl logs RUN NODE` shows what was asked; is this the right address?")
        })?
    } else if is_json {
        Value::Null
    } else {
        match String::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(error) => {
                output["encoding"] = json!("base64");
                json!(STANDARD.encode(error.as_bytes()))
            }
        }
    };
    Ok(output)
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}
