//! [`Request`], [`Retry`] and [`Error`]: what is asked, and what can go wrong.

use std::time::Duration;

use crate::flow::Expect;
use crate::tool::Redactor;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to; `http` or `https`.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent with it.
    pub body: Option<Vec<u8>>,
    /// The same on every attempt; sent as `Idempotency-Key`, unless a header of that name is there.
    pub idempotency_key: Option<String>,
    /// What counts as a success.
    pub expect: Expect,
    /// How often, and when, it is sent again.
    pub retry: Retry,
    /// Takes secrets out of errors.
    pub redactor: Redactor,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            idempotency_key: None,
            expect: Expect::default(),
            retry: Retry::default(),
            redactor: Redactor::default(),
        }
    }

    /// The same, with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same, with a body of JSON.
    #[must_use]
    pub fn json(mut self, body: &crate::value::Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self.header("content-type", "application/json")
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        names.any(|other| other.eq_ignore_ascii_case(name))
    }
}

/// How often, and when, a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent, at most; never less than once.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles.
    pub first: Duration,
    /// The longest wait. A server that asks for a longer one is not asked again.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(500),
            longest: Duration::from_mins(2),
        }
    }
}

impl Retry {
    /// The wait after an attempt, the first being 1. It is scattered by the key, so that many nodes do not
    /// come back at once, and that a test sees the same waits again.
    #[must_use]
    pub fn wait(&self, attempt: u32, key: &str) -> Duration {
        use sha2::Digest as _;
        let digest = sha2::Sha256::new()
            .chain_update(key)
            .chain_update(attempt.to_be_bytes())
            .finalize();
        let scatter = f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX);
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.min(self.longest).mul_f64(0.5 + scatter / 2.0)
    }
}

/// Statuses that may be gone when the same is asked again.
#[cfg(feature = "llm")]
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599) && !matches!(status, 501 | 505 | 511)
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which kind of thing.
    pub kind: ErrorKind,
    /// Host, status and what the server said; without secrets.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// What the server answered with an unexpected status, without secrets; cut at 16 KiB.
    pub body: Option<String>,
}

/// Which kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is wrong; nothing was sent.
    Request,
    /// No connection came about.
    Connect,
    /// The server took too long.
    Timeout,
    /// The connection broke before the answer was whole.
    Cut,
    /// A status that is not expected.
    Status(u16),
    /// The answer, or an event in it, is too large.
    TooLarge,
    /// A redirect that is not followed.
    Redirect,
    /// The answer cannot be read.
    Answer,
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_the_same_for_a_key() {
        let retry = Retry::default();
        assert_eq!(retry.wait(1, "a"), retry.wait(1, "a"));
        assert_ne!(retry.wait(1, "a"), retry.wait(1, "b"));
        for attempt in 1..200 {
            let wait = retry.wait(attempt, "k");
            let most = retry
                .first
                .saturating_mul(1 << (attempt - 1).min(20))
                .min(retry.longest);
            assert!(wait >= most / 2 && wait <= most, "{attempt}: {wait:?}");
        }
    }
}
