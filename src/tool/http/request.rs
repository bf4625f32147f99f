//! [`Request`], [`Expect`], [`Retry`] and [`Error`]: what is asked, and what can go wrong.

use std::time::Duration;

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

/// The statuses that count as a success: ranges, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect(Vec<(u16, u16)>);

impl Default for Expect {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl std::fmt::Display for Expect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (from, to)) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            if from == to {
                write!(formatter, "{from}")?;
            } else {
                write!(formatter, "{from}-{to}")?;
            }
        }
        Ok(())
    }
}

impl Expect {
    /// Reads `200`, `2xx`, `200-204`, and lists of them.
    ///
    /// # Errors
    /// The part that is none of these.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for part in parts.into_iter().flat_map(|part| part.split(',')) {
            let part = part.trim();
            let range = status_range(part).ok_or_else(|| part.to_owned())?;
            ranges.push(range);
        }
        if ranges.is_empty() {
            return Err(String::new());
        }
        Ok(Self(ranges))
    }

    /// Whether a status is among them.
    #[must_use]
    pub fn holds(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status))
    }
}

fn status_range(text: &str) -> Option<(u16, u16)> {
    let status = |text: &str| {
        let text = text.trim();
        let status: u16 = text.parse().ok()?;
        (text.len() == 3 && (100..600).contains(&status)).then_some(status)
    };
    if let Some(class) = text.to_ascii_lowercase().strip_suffix("xx") {
        let class: u16 = class.parse().ok()?;
        return (1..=5)
            .contains(&class)
            .then_some((class * 100, class * 100 + 99));
    }
    match text.split_once('-') {
        Some((from, to)) => {
            let (from, to) = (status(from)?, status(to)?);
            (from <= to).then_some((from, to))
        }
        None => status(text).map(|status| (status, status)),
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
    fn statuses_are_numbers_ranges_and_classes() {
        let all = Expect::parse(["200", "3XX", "404-410, 503"]).unwrap();
        for (status, holds) in [
            (200, true),
            (201, false),
            (304, true),
            (403, false),
            (404, true),
            (410, true),
            (503, true),
        ] {
            assert_eq!(all.holds(status), holds, "{status}");
        }
        assert_eq!(all.to_string(), "200, 300-399, 404-410, 503");
        for wrong in [
            "", "20", "2x", "6xx", "600", "0200", "204-200", "-200", "ok", "200,",
        ] {
            assert!(Expect::parse([wrong]).is_err(), "{wrong}");
        }
        assert!(Expect::parse([]).is_err());
    }

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
