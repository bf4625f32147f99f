//! [`Client`]: sends requests, follows redirects, comes back later, and reads no more than it should.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};

use super::answer::{first_line, retry_after};
use super::events::{Event, EventReader};
use super::request::{Error, ErrorKind, Request, is_passing};
use crate::tool::Redactor;

const REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(15);
/// Between two bytes of an answer. A model may think for minutes before the first.
const SILENCE: Duration = Duration::from_mins(10);
/// How much is read of an answer that tells of an error.
const ERROR_BODY: usize = 16 * 1024;

/// Sends requests. Clones share connections. Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY`; certificates from the system, `SSL_CERT_FILE`, `SSL_CERT_DIR` and `REQUESTS_CA_BUNDLE`.
///
/// Dropping what a method gives cancels the request.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    variable: fn(&str) -> Option<String>,
    clock: fn() -> Timestamp,
    /// Made when they are needed: reading the system's certificates takes milliseconds, which a server on
    /// this machine costs nobody.
    plain: OnceLock<Result<reqwest::Client, String>>,
    secure: OnceLock<Result<reqwest::Client, String>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Client")
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// How often the request was sent.
    pub attempts: u32,
    inner: reqwest::Response,
    place: Place,
}

/// For errors: what was asked, and who may not be named.
#[derive(Clone, Debug)]
struct Place {
    /// `POST https://host/path`.
    shown: String,
    redactor: Redactor,
    attempts: u32,
}

impl Place {
    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        let again = match self.attempts {
            0 | 1 => String::new(),
            attempts => format!(" (after {attempts} attempts)"),
        };
        Error {
            kind,
            message: self
                .redactor
                .text(&format!("`{}` {what}{again}", self.shown)),
            help: None,
            attempts: self.attempts,
            body: None,
        }
    }
}

/// Why an attempt came to nothing.
struct Trouble {
    error: Error,
    passing: bool,
    after: Option<Duration>,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self {
            error,
            passing: false,
            after: None,
        }
    }
}

impl Client {
    /// A client; nothing is read or opened yet.
    #[must_use]
    pub fn new(variable: fn(&str) -> Option<String>, clock: fn() -> Timestamp) -> Self {
        Self(Arc::new(Inner {
            variable,
            clock,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        }))
    }

    /// Sends a request until it is answered as expected, or there is no use in trying.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let key = request.idempotency_key.as_deref().unwrap_or(&request.url);
        let mut attempt = 1;
        loop {
            let trouble = match self.attempt(request, attempt).await {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            if !trouble.passing || attempt >= request.retry.attempts {
                return Err(trouble.error);
            }
            let wait = match trouble.after {
                Some(after) if after > request.retry.longest => {
                    let seconds = after.as_secs();
                    return Err(Error {
                        help: Some(format!(
                            "it asks to come back in {seconds} s, which is longer than flowctl waits; try again then"
                        )),
                        ..trouble.error
                    });
                }
                Some(after) => after,
                None => request.retry.wait(attempt, key),
            };
            tracing::info!(
                attempt,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "{}",
                trouble.error.message
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &Request, attempts: u32) -> Result<Response, Trouble> {
        let mut place = Place {
            shown: request.method.clone(),
            redactor: request.redactor.clone(),
            attempts,
        };
        let (mut method, mut url, mut headers) = prepare(request, &mut place)?;
        let mut body = request.body.clone();
        for _ in 0..=REDIRECTS {
            place.shown = format!("{method} {}", shown(&url));
            let client = self.client(&url, &place)?;
            let mut builder = client
                .request(method.clone(), url.clone())
                .headers(headers.clone());
            if let Some(body) = &body {
                builder = builder.body(body.clone());
            }
            let answer = builder
                .send()
                .await
                .map_err(|error| broken(&error, &place))?;
            let status = answer.status();
            let target = answer.headers().get(LOCATION);
            let Some(target) =
                target.filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308))
            else {
                return judge(request, answer, place, (self.0.clock)()).await;
            };
            if request.expect.holds(status.as_u16()) {
                return judge(request, answer, place, (self.0.clock)()).await;
            }
            let target = redirect(&url, target, &place)?;
            let stays = target.origin() == url.origin();
            let keeps = matches!(status.as_u16(), 307 | 308)
                || matches!(method, Method::GET | Method::HEAD);
            if keeps && body.is_some() && !stays {
                let to = shown(&target);
                return Err(Error {
                    help: Some(format!(
                        "give `{to}` as its address, if that is whom you trust"
                    )),
                    ..place.error(
                        ErrorKind::Redirect,
                        &format!(
                            "is redirected to another server, `{to}`, and its body goes to no other"
                        ),
                    )
                }
                .into());
            }
            if !keeps {
                method = Method::GET;
                body = None;
                for name in ["content-type", "content-length", "content-encoding"] {
                    headers.remove(name);
                }
            }
            if !stays {
                // Whatever the author added may be a key.
                let kept = ["accept", "content-type", "user-agent"];
                headers = headers
                    .iter()
                    .filter(|(name, _)| kept.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
            }
            url = target;
        }
        Err(place
            .error(
                ErrorKind::Redirect,
                &format!("is redirected more than {REDIRECTS} times"),
            )
            .into())
    }

    fn client(&self, url: &Url, place: &Place) -> Result<reqwest::Client, Error> {
        let secure = url.scheme() == "https";
        let slot = if secure {
            &self.0.secure
        } else {
            &self.0.plain
        };
        let made = slot.get_or_init(|| make(secure, self.0.variable));
        made.clone().map_err(|message| Error {
            help: Some(
                "install the system's certificates (`ca-certificates`), or name a file of them in SSL_CERT_FILE"
                    .to_owned(),
            ),
            ..place.error(
                ErrorKind::Connect,
                &format!("cannot be asked: no TLS can be set up: {message}"),
            )
        })
    }
}

fn make(secure: bool, variable: fn(&str) -> Option<String>) -> Result<reqwest::Client, String> {
    // `ring` does the cryptography; a second time it is chosen already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("flowctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE);
    if secure {
        if let Some(path) = variable("REQUESTS_CA_BUNDLE").filter(|path| !path.is_empty()) {
            let certificates = std::fs::read(&path)
                .map_err(|error| error.to_string())
                .and_then(|pem| {
                    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| told(&error))
                })
                .map_err(|error| format!("the certificates in `{path}` cannot be read: {error}"))?;
            builder = builder.tls_certs_merge(certificates);
        }
    } else {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| told(&error))
}

/// Checks everything that can be checked before anything is sent.
fn prepare(request: &Request, place: &mut Place) -> Result<(Method, Url, HeaderMap), Error> {
    let wrong = |place: &Place, what: String| place.error(ErrorKind::Request, &what);
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| wrong(place, "is no method".to_owned()))?;
    let url = Url::parse(&request.url).map_err(|error| {
        wrong(
            place,
            format!("cannot be sent: its address is wrong: {error}"),
        )
    })?;
    place.shown = format!("{method} {}", shown(&url));
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(
            place,
            format!(
                "cannot be sent: `{}` is not `http` or `https`",
                url.scheme()
            ),
        ));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            wrong(
                place,
                format!("cannot be sent: `{name}` is no name of a header"),
            )
        })?;
        // A value may be a secret: it is not shown. A last newline comes with files.
        let mut value = HeaderValue::from_bytes(value.trim_end_matches(['\r', '\n']).as_bytes())
            .map_err(|_| Error {
                help: Some("a header is one line of text".to_owned()),
                ..wrong(
                    place,
                    format!(
                        "cannot be sent: the value of its header `{name}` holds a control character"
                    ),
                )
            })?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    if let Some(key) = &request.idempotency_key
        && let Ok(value) = HeaderValue::from_str(key)
    {
        headers.entry("idempotency-key").or_insert(value);
    }
    Ok((method, url, headers))
}

/// Where a redirect leads, if it may.
fn redirect(from: &Url, target: &HeaderValue, place: &Place) -> Result<Url, Error> {
    let to = std::str::from_utf8(target.as_bytes())
        .ok()
        .and_then(|target| from.join(target).ok())
        .ok_or_else(|| place.error(ErrorKind::Redirect, "is redirected to what is no address"))?;
    if !matches!(to.scheme(), "http" | "https") {
        return Err(place.error(
            ErrorKind::Redirect,
            &format!("is redirected to `{}:`, which is not the web", to.scheme()),
        ));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(place.error(
            ErrorKind::Redirect,
            &format!(
                "is redirected from https to `{}`, which is not encrypted",
                shown(&to)
            ),
        ));
    }
    Ok(to)
}

/// An answer, when it is what was expected.
async fn judge(
    request: &Request,
    answer: reqwest::Response,
    place: Place,
    now: Timestamp,
) -> Result<Response, Trouble> {
    let status = answer.status();
    let text = |name| {
        let value: Option<&HeaderValue> = answer.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    if request.expect.holds(status.as_u16()) {
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        return Ok(Response {
            status: status.as_u16(),
            headers,
            attempts: place.attempts,
            inner: answer,
            place,
        });
    }
    // Some services say it in milliseconds.
    let milliseconds = text(HeaderName::from_static("retry-after-ms"))
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_millis);
    let after = milliseconds
        .or_else(|| text(RETRY_AFTER).and_then(|header| retry_after(header, text(DATE), now)));
    let body = beginning(answer).await;
    let said = first_line(&body).map_or_else(String::new, |line| format!(": {line}"));
    let reason = status.canonical_reason().unwrap_or_default();
    let what = format!("answered {} {reason}", status.as_u16());
    let body = String::from_utf8_lossy(&body).into_owned();
    let error = Error {
        body: Some(place.redactor.text(&body)),
        help: help(status.as_u16()).map(str::to_owned),
        ..place.error(
            ErrorKind::Status(status.as_u16()),
            &format!("{}{said}", what.trim_end()),
        )
    };
    Err(Trouble {
        error,
        passing: is_passing(status.as_u16()),
        after,
    })
}

fn help(status: u16) -> Option<&'static str> {
    Some(match status {
        401 => "the key is missing, wrong or no longer valid",
        403 => "the key may not do this",
        404 => "is the address right, and what it names there?",
        407 => {
            "the proxy wants to know who you are: put user and password into its address (HTTPS_PROXY)"
        }
        429 => "the server is asked too often; run fewer nodes at once (`--concurrency`)",
        _ => return None,
    })
}

/// The first of a body that tells of an error; what cannot be read is left out.
async fn beginning(mut answer: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ERROR_BODY {
            body.truncate(ERROR_BODY);
            break;
        }
    }
    body
}

/// Why no answer came.
fn broken(error: &reqwest::Error, place: &Place) -> Trouble {
    let told = told(error);
    let (kind, what) = if error.is_timeout() {
        (
            ErrorKind::Timeout,
            format!("was not answered in time: {told}"),
        )
    } else if error.is_connect() {
        (ErrorKind::Connect, format!("reaches nobody: {told}"))
    } else if error.is_builder() {
        (ErrorKind::Request, format!("cannot be sent: {told}"))
    } else {
        (ErrorKind::Cut, format!("was not answered: {told}"))
    };
    let refused = told.contains("refused");
    let mut error = place.error(kind, &what);
    if refused {
        error.help = Some("does the server run, and is this its address?".to_owned());
    } else if told.contains("certificate") || told.contains("UnknownIssuer") {
        error.help = Some(
            "name the certificates of your own authority in SSL_CERT_FILE or REQUESTS_CA_BUNDLE"
                .to_owned(),
        );
    }
    Trouble {
        // Nobody is there, and nobody will be in a second: not worth a wait, but for names and networks
        // that fail now and then.
        passing: kind != ErrorKind::Request && error.help.is_none(),
        error,
        after: None,
    }
}

/// An error with its causes, in one line, without the address: it is told already, and may hold a key.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let text = match inner.downcast_ref::<reqwest::Error>() {
            // It names the address, and says little.
            Some(_) => String::new(),
            None => inner.to_string(),
        };
        if !text.is_empty() && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = inner.source();
    }
    if parts.is_empty() {
        parts.push("the request failed".to_owned());
    }
    parts.join(": ")
}

/// An address without what may be a key: user, query and fragment.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let query = if url.query().is_some() { "?…" } else { "" };
    format!("{}://{host}{port}{}{query}", url.scheme(), url.path())
}

/// The same of a text.
pub(super) fn shown_text(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "…".to_owned(), |url| shown(&url))
}

/// An address with these parameters behind its own.
pub(super) fn with_query(url: &str, pairs: &[(String, String)]) -> Result<String, String> {
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url.into())
}

impl Response {
    /// What was asked: method and address.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.place.shown
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it is larger than this, or breaks off.
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let stated = self.inner.content_length().unwrap_or(0);
        if stated > limit as u64 {
            return Err(self.too_large(limit));
        }
        let mut body = Vec::with_capacity(usize::try_from(stated).unwrap_or(0));
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(self.too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// As [`Response::bytes`], and when it is not JSON.
    pub async fn json(self, limit: usize) -> Result<crate::value::Value, Error> {
        let place = self.place.clone();
        let body = self.bytes(limit).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let said = first_line(&body).unwrap_or_default();
            place.error(
                ErrorKind::Answer,
                &format!("answered what is not JSON: {error}; it begins with `{said}`"),
            )
        })
    }

    /// The body as server-sent events, at most this many bytes of them.
    #[must_use]
    pub fn events(self, limit: usize) -> Events {
        Events {
            response: self,
            reader: EventReader::default(),
            taken: 0,
            limit,
            ended: false,
        }
    }

    async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        self.inner.chunk().await.map_err(|error| {
            let kind = if error.is_timeout() {
                ErrorKind::Timeout
            } else {
                ErrorKind::Cut
            };
            let what = format!("broke off in the middle of its answer: {}", told(&error));
            self.place.error(kind, &what)
        })
    }

    fn too_large(&self, limit: usize) -> Error {
        let what = format!("answered more than {} MiB", limit >> 20);
        self.place.error(ErrorKind::TooLarge, &what)
    }
}

/// Server-sent events, one after the other.
#[derive(Debug)]
pub struct Events {
    response: Response,
    reader: EventReader,
    taken: usize,
    limit: usize,
    ended: bool,
}

impl Events {
    /// The next event; `None` when the server has ended the stream.
    ///
    /// # Errors
    /// When it breaks off, also in the middle of an event, or is too large.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let found = self.reader.take().map_err(|_| {
                let what = "sent an event that has no end";
                self.response.place.error(ErrorKind::TooLarge, what)
            })?;
            if found.is_some() {
                return Ok(found);
            }
            if self.ended {
                return Ok(None);
            }
            let Some(chunk) = self.response.chunk().await? else {
                self.ended = true;
                // Some servers leave the last empty line out.
                let whole = self.reader.is_between_events();
                if !whole {
                    self.reader.push(b"\n\n");
                }
                continue;
            };
            self.taken += chunk.len();
            if self.taken > self.limit {
                return Err(self.response.too_large(self.limit));
            }
            self.reader.push(&chunk);
        }
    }
}
