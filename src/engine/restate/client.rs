//! [`Client`]: what is asked of a Restate server over HTTP.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the server says of an invocation that is there and has not ended.
const UNFINISHED: u16 = 470;

/// Why a server did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It cannot be reached.
    #[error("Restate cannot be reached at {url}: {message}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why not.
        message: String,
    },
    /// It said no.
    #[error("Restate at {url} said {status}: {message}")]
    Refused {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// Its own words.
        message: String,
    },
}

/// A client of one of a server's two faces, ingress or admin.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token.
        formatter.debug_tuple("Client").field(&self.base).finish()
    }
}

impl Client {
    /// A client of the server at a URL; the token goes along with each request.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: &str, token: Option<String>) -> Result<Self, ClientError> {
        crate::export::choose_tls();
        let base = base.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("flowctl/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientError::Unreachable {
                url: base.clone(),
                message: told(&error),
            })?;
        Ok(Self { http, base, token })
    }

    /// Where.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks, and reads the answer as JSON; an empty one is null.
    ///
    /// # Errors
    /// A server that cannot be reached, or says no.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ClientError> {
        let (status, bytes) = self.send(method, path, body).await?;
        if !status.is_success() {
            return Err(self.refused(status, &bytes));
        }
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| ClientError::Refused {
            url: self.base.clone(),
            status: StatusCode::OK.as_u16(),
            message: format!("its answer cannot be read: {error}"),
        })
    }

    /// Whether a workflow has come to its end, well or not. One that the server does not know has not.
    ///
    /// # Errors
    /// A server that cannot be reached, or does not say.
    pub(super) async fn has_ended(&self, service: &str, key: &str) -> Result<bool, ClientError> {
        let path = format!("/restate/workflow/{service}/{key}/output");
        let (status, bytes) = self.send(Method::GET, &path, None::<&Value>).await?;
        if status.is_success() {
            return Ok(true);
        }
        if [StatusCode::NOT_FOUND.as_u16(), UNFINISHED].contains(&status.as_u16()) {
            return Ok(false);
        }
        // What the workflow ended with has a status of its own; the rest is the server's, or a proxy's.
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if said.get("source").and_then(Value::as_str) == Some("invocation") {
            return Ok(true);
        }
        Err(self.refused(status, &bytes))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let url = format!("{}{path}", self.base);
        let mut request = self
            .http
            .request(method, &url)
            .header("accept", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            let bytes = serde_json::to_vec(body).expect("plain data becomes JSON");
            request = request
                .header("content-type", "application/json")
                .body(bytes);
        }
        let unreachable = |error: &reqwest::Error| ClientError::Unreachable {
            url: self.base.clone(),
            message: told(error),
        };
        let answer = request.send().await.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| unreachable(&error))?;
        Ok((status, bytes))
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> ClientError {
        let message = serde_json::from_slice::<Value>(bytes)
            .ok()
            .and_then(|answer| Some(answer.get("message")?.as_str()?.to_owned()))
            .unwrap_or_else(|| {
                let text = String::from_utf8_lossy(bytes);
                text.chars().take(300).collect()
            });
        ClientError::Refused {
            url: self.base.clone(),
            status: status.as_u16(),
            message,
        }
    }
}

/// An error with its causes: the outermost says the least.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of the answer of a server that gives just this one.
    async fn told(status: u16, body: &'static str) -> Result<bool, ClientError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it listens");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("somebody asks");
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).await.expect("it can be read");
            let answer = format!(
                "HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.expect("it reads");
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let client = Client::new(&format!("http://{address}/"), Some("t".to_owned()));
        let told = client.expect("a client").has_ended("FlowRun", "r~2").await;
        let asked = server.await.expect("it has answered");
        assert!(asked.starts_with("GET /restate/workflow/FlowRun/r~2/output HTTP/1.1\r\n"));
        assert!(asked.contains("authorization: Bearer t\r\n"), "{asked}");
        told
    }

    #[tokio::test]
    async fn only_the_workflows_own_end_is_an_end() {
        assert!(told(200, "\"succeeded\"").await.expect("it says so"));
        let killed = r#"{"code":409,"message":"killed","source":"invocation"}"#;
        assert!(told(409, killed).await.expect("it says so"));
        let runs = r#"{"code":470,"message":"has not completed yet","source":"ingress"}"#;
        assert!(!told(470, runs).await.expect("it says so"));
        let unknown = r#"{"code":404,"message":"invocation not found","source":"ingress"}"#;
        assert!(!told(404, unknown).await.expect("it says so"));
        for proxy in ["no token", r#"{"message":"no token"}"#] {
            let refused = told(403, proxy).await.expect_err("it does not say");
            assert!(refused.to_string().ends_with("said 403: no token"));
        }
    }
}
