//! [`Llm`]: asks models.

use crate::port::Failure;
use crate::tool::http::{Client, Error, ErrorKind, Events, Request, Response, Retry};

use super::anthropic;
use super::openai::{self, Said, gives_message};
use super::problem;
use super::request::{LlmAnswer, LlmRequest, Outgoing, Provider, outgoing};

/// An answer is at most so long.
const LONGEST: usize = 16 << 20;
/// How often a model is asked: servers of models are busy, and say when to come back.
const ATTEMPTS: u32 = 10;

/// Asks models. Clones share connections.
#[derive(Clone, Debug)]
pub struct Llm(Client);

/// Why a try came to nothing: the connection broke in the middle of the answer, or anything else.
enum Trouble {
    Cut(Error),
    Final(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl Llm {
    /// By this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Asks a model. Dropping the future takes the question back.
    ///
    /// # Errors
    /// What is wrong with the request, or what the server or the way to it said last.
    pub async fn call(&self, request: &LlmRequest<'_>) -> Result<LlmAnswer, Failure> {
        let outgoing = outgoing(request)?;
        let retry = Retry {
            attempts: ATTEMPTS,
            ..Retry::default()
        };
        let mut sent = 0;
        loop {
            let trouble = match self.attempt(request, &outgoing, retry, &mut sent).await {
                Ok((output, usage, model)) => {
                    return Ok(LlmAnswer {
                        output,
                        usage,
                        model: match model {
                            Some(model) => model,
                            None => super::body::model(request.parameters)?,
                        },
                        request_digest: outgoing.digest(),
                        attempts: sent,
                    });
                }
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Final(failure) => return Err(failure),
                Trouble::Cut(error) if sent >= retry.attempts => {
                    return Err(problem::failed(&error, request));
                }
                Trouble::Cut(error) => {
                    tracing::info!(sent, "{}", error.message);
                    tokio::time::sleep(retry.wait(sent, request.key)).await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &LlmRequest<'_>,
        outgoing: &Outgoing,
        retry: Retry,
        sent: &mut u32,
    ) -> Result<Said, Trouble> {
        let stream = outgoing.body.get("stream") == Some(&true.into());
        let mut asked = Request::new("POST", &outgoing.url).json(&outgoing.body);
        for (name, value) in &outgoing.headers {
            asked = asked.header(*name, value);
        }
        asked.idempotency_key = Some(request.key.to_owned());
        asked.redactor = request.redactor.clone();
        asked.retry = Retry {
            attempts: retry.attempts - *sent,
            ..retry
        };
        let answer = match self.0.send(&asked).await {
            Ok(answer) => answer,
            Err(error) => return Err(Trouble::Final(problem::failed(&error, request))),
        };
        *sent += answer.attempts;
        let broken = |error: Error| match error.kind {
            ErrorKind::Cut | ErrorKind::Timeout => Trouble::Cut(error),
            _ => Trouble::Final(problem::failed(&error, request)),
        };
        let with_message = gives_message(request.parameters);
        let said = if stream && is_stream(&answer) {
            let mut events = answer.events(LONGEST);
            match outgoing.provider {
                Provider::OpenAi => {
                    let mut pieces = openai::Pieces::default();
                    while let Some(data) = next(&mut events).await.map_err(broken)? {
                        pieces.take(&data)?;
                    }
                    if !pieces.is_whole() {
                        return Err(Trouble::Cut(cut(outgoing)));
                    }
                    pieces.finish(with_message)?
                }
                Provider::Anthropic => {
                    let mut pieces = anthropic::Pieces::default();
                    while let Some(data) = next(&mut events).await.map_err(broken)? {
                        pieces.take(&data)?;
                    }
                    if !pieces.is_whole() {
                        return Err(Trouble::Cut(cut(outgoing)));
                    }
                    pieces.finish(request.parameters)?
                }
            }
        } else {
            // Servers that cannot stream answer as a whole.
            let whole = answer.json(LONGEST).await.map_err(broken)?;
            match outgoing.provider {
                Provider::OpenAi => openai::answer(request.api, &whole, with_message)?,
                Provider::Anthropic => anthropic::answer(&whole, request.parameters)?,
            }
        };
        Ok(said)
    }
}

fn is_stream(answer: &Response) -> bool {
    answer
        .header("content-type")
        .is_none_or(|kind| !kind.starts_with("application/json"))
}

async fn next(events: &mut Events) -> Result<Option<String>, Error> {
    Ok(events.next().await?.map(|event| event.data))
}

/// A stream that ended in the middle, politely.
fn cut(outgoing: &Outgoing) -> Error {
    let url = outgoing.url.split('?').next().unwrap_or_default();
    Error {
        kind: ErrorKind::Cut,
        message: format!("`POST {url}` ended its answer in the middle"),
        help: None,
        attempts: 1,
        body: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};

    use super::super::testing::{connection, request};
    use super::*;
    use crate::tool::Redactor;

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    const STREAM: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

    /// A server that gives these answers in order, the last again and again, and keeps what it was asked.
    struct Server {
        address: String,
        asked: Arc<Mutex<Vec<(String, Value)>>>,
    }

    fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
        let mut held = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
            held.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&held).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some((
                    head.to_owned(),
                    serde_json::from_str(body).unwrap_or_default(),
                ));
            }
        }
    }

    impl Server {
        fn new(answers: Vec<String>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}/v1", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&asked);
            std::thread::spawn(move || {
                for (at, stream) in listener.incoming().enumerate() {
                    let Ok(mut stream) = stream else { return };
                    if let Some(request) = read(&mut stream) {
                        kept.lock().unwrap().push(request);
                    }
                    let answer = answers.get(at).or(answers.last()).unwrap();
                    // Whoever asked may be gone.
                    stream.write_all(answer.as_bytes()).ok();
                }
            });
            Self { address, asked }
        }

        fn asked(&self) -> Vec<(String, Value)> {
            self.asked.lock().unwrap().clone()
        }
    }

    fn whole(status: &str, body: &Value) -> String {
        let body = body.to_string();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn said(text: &str) -> Value {
        json!({"model": "m-1", "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}})
    }

    fn chunk(text: &str) -> String {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"delta": {"content": text}, "finish_reason": null}]})
        )
    }

    fn clock() -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    async fn ask(server: &Server, stream: bool) -> Result<LlmAnswer, Failure> {
        let llm = Llm::new(Client::new(|_| None, clock));
        let connection = connection(
            "openai_compatible",
            &[("base_url", &server.address), ("api_key", "hush-hush")],
        );
        let parameters = json!({"model": "m"});
        let messages = [json!({"role": "user", "content": "hi"})];
        let redactor = Redactor::new(["hush-hush".to_owned()]);
        let request = LlmRequest {
            messages: &messages,
            stream,
            redactor: &redactor,
            ..request(&connection, parameters.as_object().unwrap())
        };
        llm.call(&request).await
    }

    #[tokio::test]
    async fn a_model_is_asked_and_answers() {
        let server = Server::new(vec![whole("200 OK", &said("hello"))]);
        let answer = ask(&server, false).await.unwrap();
        assert_eq!(answer.output, json!("hello"));
        assert_eq!(answer.model, "m-1");
        assert_eq!(answer.usage.unwrap()["total_tokens"], 8);
        assert_eq!(answer.attempts, 1);
        let asked = server.asked();
        let (head, body) = &asked[0];
        assert!(head.starts_with("POST /v1/chat/completions "), "{head}");
        assert!(head.contains("authorization: Bearer hush-hush"), "{head}");
        assert!(head.contains("idempotency-key: key"), "{head}");
        assert_eq!(
            *body,
            json!({"messages": [{"role": "user", "content": "hi"}], "model": "m",
                "temperature": 1.0, "top_p": 1.0, "stream": false})
        );
        assert!(answer.request_digest.starts_with("sha256:"));
    }

    #[tokio::test]
    async fn a_busy_server_is_asked_again_when_it_says() {
        let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let server = Server::new(vec![busy.to_owned(), whole("200 OK", &said("at last"))]);
        let begun = Instant::now();
        let answer = ask(&server, false).await.unwrap();
        assert_eq!((answer.output, answer.attempts), (json!("at last"), 2));
        assert!(begun.elapsed() >= Duration::from_secs(1));
        assert_eq!(
            server.asked()[0],
            server.asked()[1],
            "the very same request"
        );
    }

    #[tokio::test]
    async fn streams_are_put_together_and_asked_for_again_when_cut() {
        let cut = format!("{STREAM}{}", chunk("lost"));
        let good = format!(
            "{STREAM}: ping\n\n{}{}data: [DONE]\n\n",
            chunk("hel"),
            chunk("lo")
        );
        let server = Server::new(vec![cut, good]);
        let answer = ask(&server, true).await.unwrap();
        assert_eq!((answer.output, answer.attempts), (json!("hello"), 2));
        assert_eq!(server.asked()[0].1["stream"], true);
        // A server that cannot stream answers as a whole.
        let server = Server::new(vec![whole("200 OK", &said("whole"))]);
        assert_eq!(ask(&server, true).await.unwrap().output, json!("whole"));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_asked_for_again() {
        let cut = format!("{OK}content-length: 900\r\n\r\n{{\"choices\": [");
        let server = Server::new(vec![cut, whole("200 OK", &said("again"))]);
        assert_eq!(ask(&server, false).await.unwrap().output, json!("again"));
    }

    #[tokio::test]
    async fn what_goes_wrong_says_what_to_do_and_no_secret() {
        for (answer, message, help) in [
            (
                whole(
                    "401 Unauthorized",
                    &json!({"error": {"message": "bad key hush-hush"}}),
                ),
                "answered 401 Unauthorized: bad key [secret]",
                "is the key of the connection `c` right? `flowctl connection set c` sets it",
            ),
            (
                whole(
                    "404 Not Found",
                    &json!({"error": {"code": "DeploymentNotFound", "message": "no such"}}),
                ),
                "answered 404 Not Found: no such",
                "is there a model or deployment `m`, and is the address of the connection `c` right?",
            ),
            (
                whole(
                    "400 Bad Request",
                    &json!({"error": {"code": "content_filter", "message": "flagged"}}),
                ),
                "answered 400 Bad Request: flagged",
                "the server's content filter refused the prompt; word it differently, or change the filter of the deployment",
            ),
            (
                whole(
                    "400 Bad Request",
                    &json!({"error": {"code": "context_length_exceeded", "message": "long"}}),
                ),
                "answered 400 Bad Request: long",
                "the prompt and `max_tokens` are more than `m` holds; shorten the prompt, or take a model that holds more",
            ),
        ] {
            let server = Server::new(vec![answer]);
            let failure = ask(&server, false).await.unwrap_err();
            assert!(failure.message.ends_with(message), "{}", failure.message);
            assert_eq!(failure.help.as_deref(), Some(help));
            assert!(!format!("{failure:?}").contains("hush"));
            assert_eq!(server.asked().len(), 1, "there is no use in asking again");
        }
        for (answer, stream, message) in [
            (
                whole("200 OK", &json!({"choices": []})),
                false,
                "it has no `choices`",
            ),
            (
                format!("{STREAM}data: {{nope\n\n"),
                true,
                "an event of it is no JSON",
            ),
            (
                format!("{STREAM}data: {{\"error\": {{\"message\": \"overloaded\"}}}}\n\n"),
                true,
                "the server says: overloaded",
            ),
            (
                format!(
                    "{OK}connection: close\r\n\r\n\"{}\"",
                    "x".repeat(LONGEST + 1)
                ),
                false,
                "answered more than 16 MiB",
            ),
        ] {
            let server = Server::new(vec![answer]);
            let failure = ask(&server, stream).await.unwrap_err();
            assert!(failure.message.contains(message), "{}", failure.message);
        }
    }
}
