//! What goes wrong with a model, in words that say what to do.

use crate::port::Failure;
use crate::tool::http::{Error, ErrorKind};
use crate::value::Value;

use super::request::LlmRequest;

/// The server's own words about an error.
pub(super) fn said(error: &Value) -> Failure {
    let message = error.get("message").and_then(Value::as_str);
    let message = message.or(error.as_str()).unwrap_or("it failed");
    let message: String = message.chars().take(300).collect();
    Failure::new(format!("the server says: {message}"))
}

/// An answer that is none.
pub(super) fn unreadable(why: &str, answer: &Value) -> Failure {
    let shown: String = answer.to_string().chars().take(200).collect();
    Failure::new(format!("the answer cannot be read: {why}")).help(format!(
        "is this the address of a language model? It answered {shown}"
    ))
}

/// An answer that the server kept to itself.
pub(super) fn filtered() -> Failure {
    Failure::new("the server's content filter withheld the answer")
        .help("word the prompt differently, or change the filter of the deployment")
}

/// What the client could not do.
pub(super) fn failed(error: &Error, request: &LlmRequest<'_>) -> Failure {
    let body: Option<Value> = error
        .body
        .as_deref()
        .and_then(|body| serde_json::from_str(body).ok());
    let word = |pointer: &str| {
        let found = body.as_ref().and_then(|body| body.pointer(pointer));
        found.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let codes = [
        word("/error/code"),
        word("/error/type"),
        word("/error/innererror/code"),
        word("/code"),
    ];
    let has = |code: &str| codes.iter().any(|found| found == code);
    let connection = &request.connection.name;
    let model = super::body::model(request.parameters).unwrap_or_default();
    let message = word("/error/message").to_ascii_lowercase();
    let help = if has("content_filter") || has("ResponsibleAIPolicyViolation") {
        Some("the server's content filter refused the prompt; word it differently, or change the filter of the deployment".to_owned())
    } else if has("context_length_exceeded")
        || message.contains("maximum context length")
        || message.contains("prompt is too long")
    {
        Some(format!(
            "the prompt and `max_tokens` are more than `{model}` holds; shorten the prompt, or take a model that holds more"
        ))
    } else if has("insufficient_quota") || message.contains("credit balance") {
        Some(format!(
            "the account behind the connection `{connection}` has nothing left to spend"
        ))
    } else {
        match error.kind {
            ErrorKind::Status(401 | 403) => Some(format!(
                "is the key of the connection `{connection}` right? `flowctl connection set {connection}` sets it"
            )),
            ErrorKind::Status(404) => Some(format!(
                "is there a model or deployment `{model}`, and is the address of the connection `{connection}` right?"
            )),
            _ => error.help.clone(),
        }
    };
    let mut failure = Failure::new(error.message.clone());
    failure.help = help;
    if matches!(error.kind, ErrorKind::Timeout) && failure.help.is_none() {
        failure.help = Some("give the node a longer `timeout`, or ask for fewer tokens".to_owned());
    }
    failure
}
