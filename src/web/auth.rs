//! Who asks: [`Person`], and how it is known.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use jiff::Timestamp;

use super::guard::wants_html;
use super::pages;
use super::session::Session;
use super::state::App;

/// The cookie of the session.
pub(super) const COOKIE: &str = "flowctl_session";
/// Wrong tries from one address within a minute, and from all together.
const TRIES: u32 = 10;
const ALL_TRIES: u32 = 200;
/// Addresses that are remembered.
const ADDRESSES: usize = 10_000;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// A user of `approvers.yaml`, or whoever works on this machine.
    pub(super) user: String,
    /// How it is known.
    pub(super) via: Via,
    /// Of the session; a program that brings its token with each request has none.
    nonce: Option<String>,
}

/// How it is known who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// They have the key that only whoever works on this machine has.
    Local,
    /// A token of theirs, by its id.
    Token(String),
    /// The proxy in front says so, in this header.
    Proxy(String),
}

impl Person {
    /// As decisions say it; nothing when nobody is told apart.
    pub(super) fn via(&self) -> Option<String> {
        match &self.via {
            Via::Local => None,
            Via::Token(id) => Some(format!("token {id}")),
            Via::Proxy(header) => Some(format!("proxy {header}")),
        }
    }

    /// What their forms bring along.
    pub(super) fn form_token(&self, app: &App) -> String {
        let nonce = self.nonce.as_deref().unwrap_or_default();
        app.keys.form_token(&self.user, nonce)
    }

    /// Refuses a form that was not made for them.
    pub(super) fn check_form(&self, app: &App, token: &str) -> Result<(), pages::Problem> {
        if self.owns_form(app, token) {
            return Ok(());
        }
        Err(pages::Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "this form is not yours, or too old; open the page again",
        ))
    }

    /// Whether a form was made for them.
    pub(super) fn owns_form(&self, app: &App, token: &str) -> bool {
        let nonce = self.nonce.as_deref().unwrap_or_default();
        app.keys.is_form_token(&self.user, nonce, token)
    }

    /// Whether they came with a header that no other site can make a browser send.
    pub(super) fn is_program(&self) -> bool {
        self.nonce.is_none() && !matches!(self.via, Via::Proxy(_))
    }
}

/// Why nobody is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// They have not said who they are, or it is not so.
    Unknown(&'static str),
    /// They have tried too often.
    TooOften,
    /// `approvers.yaml` cannot be read.
    Broken(String),
}

/// Wrong tries of the minute.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    minute: i64,
    all: u32,
    by: HashMap<IpAddr, u32>,
}

impl Attempts {
    fn at(&mut self, now: Timestamp) -> &mut Self {
        let minute = now.as_second() / 60;
        if minute != self.minute {
            *self = Self {
                minute,
                ..Self::default()
            };
        }
        self
    }

    fn too_often(&mut self, from: IpAddr, now: Timestamp) -> bool {
        let (attempts, from) = (self.at(now), network(from));
        attempts.all >= ALL_TRIES || attempts.by.get(&from).is_some_and(|tries| *tries >= TRIES)
    }

    fn count(&mut self, from: IpAddr, now: Timestamp) {
        let (attempts, from) = (self.at(now), network(from));
        attempts.all += 1;
        // Those of a flood count together only.
        if attempts.by.len() < ADDRESSES || attempts.by.contains_key(&from) {
            *attempts.by.entry(from).or_default() += 1;
        }
    }
}

/// Of IPv6 whoever has one address has 2⁶⁴ of them.
fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::from(std::net::Ipv6Addr::from(bits))
        }
    }
}

impl App {
    /// Whether people are told apart.
    pub(super) async fn knows_people(&self) -> Result<bool, Denied> {
        let known = self.blocking(|engine| engine.approvers().map(|found| found.is_some()));
        let known = known
            .await
            .map_err(|error| Denied::Broken(first_line(&error)))?;
        Ok(known || self.config.proxy.header.is_some())
    }

    /// Whose key or token it is; `from` is where wrong ones are counted.
    pub(super) async fn verify(&self, given: &str, from: IpAddr) -> Result<Person, Denied> {
        let now = self.engine.now();
        let lock = || self.attempts.lock().expect("no holder panics");
        if lock().too_often(from, now) {
            return Err(Denied::TooOften);
        }
        let found = if self.knows_people().await? {
            let _turn = self.hashing.acquire().await.map_err(|_| Denied::TooOften)?;
            let given = given.to_owned();
            let found = self.blocking(move |engine| {
                let approvers = engine.approvers()?;
                let found = approvers
                    .as_ref()
                    .and_then(|all| all.verify_token(&given, now));
                Ok(found.map(|(user, id)| (user.to_owned(), Via::Token(id.to_owned()))))
            });
            found
                .await
                .map_err(|error: crate::engine::Error| Denied::Broken(first_line(&error)))?
        } else if self.keys.same(given, &self.local_key) {
            Some((self.engine.who.user.clone(), Via::Local))
        } else {
            None
        };
        let Some((user, via)) = found else {
            lock().count(from, now);
            return Err(Denied::Unknown("the key or token is not right"));
        };
        Ok(Person {
            user,
            via,
            nonce: None,
        })
    }

    /// The session that a cookie says, if it has not ended and nobody has left it.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let session = self.keys.session(cookie(headers)?, self.engine.now())?;
        (!self.left.holds(&session)).then_some(session)
    }

    /// Who asks, or why nobody is let in.
    pub(super) async fn whoever(
        &self,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> Result<Person, Denied> {
        if let Some(bearer) = bearer(headers) {
            let from = self.config.proxy.client(headers, peer.ip());
            return self.verify(bearer, from).await;
        }
        if let Some(header) = &self.config.proxy.header
            && let Some(name) = headers.get(header.as_str())
        {
            if !self.config.proxy.is_at(peer.ip()) {
                return Err(Denied::Unknown(
                    "the header that says who somebody is comes from an address that is not trusted",
                ));
            }
            let name = name.to_str().unwrap_or_default().to_owned();
            let user = self.blocking(move |engine| {
                let approvers = engine.approvers()?.map(|approvers| approvers.pinned());
                let user = match &approvers {
                    Some(pinned) => pinned.user_of_account(&name).map(str::to_owned),
                    None => None,
                };
                Ok(user)
            });
            let user = user
                .await
                .map_err(|error: crate::engine::Error| Denied::Broken(first_line(&error)))?;
            let user = user.ok_or(Denied::Unknown(
                "the proxy names somebody who is nobody in `approvers.yaml`",
            ))?;
            return Ok(Person {
                user,
                via: Via::Proxy(header.clone()),
                nonce: Some("proxy".to_owned()),
            });
        }
        if cookie(headers).is_none() {
            return Err(Denied::Unknown("please log in"));
        }
        let session = self.session(headers).ok_or(Denied::Unknown(
            "the session has ended; please log in again",
        ))?;
        let Session {
            user, token, nonce, ..
        } = session;
        let via = match token {
            None if self.knows_people().await? => {
                return Err(Denied::Unknown(
                    "people are told apart now; please log in again",
                ));
            }
            None => Via::Local,
            Some(id) => {
                let now = self.engine.now();
                let (wanted, theirs) = (user.clone(), id.clone());
                let holds = self.blocking(move |engine| {
                    let approvers = engine.approvers()?;
                    Ok(approvers.is_some_and(|all| all.has_token(&wanted, &theirs, now)))
                });
                let holds = holds
                    .await
                    .map_err(|error: crate::engine::Error| Denied::Broken(first_line(&error)))?;
                if !holds {
                    return Err(Denied::Unknown("the token was revoked or has ended"));
                }
                Via::Token(id)
            }
        };
        Ok(Person {
            user,
            via,
            nonce: Some(nonce),
        })
    }
}

fn first_line(error: &dyn std::fmt::Display) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

impl FromRequestParts<App> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |info| info.0);
        let denied = match app.whoever(&parts.headers, peer).await {
            Ok(person) => return Ok(person),
            Err(denied) => denied,
        };
        let path = parts.uri.path();
        // Whom the proxy names no login would help: the name would be judged again.
        let header = app.config.proxy.header.as_ref();
        let named = header.is_some_and(|header| parts.headers.contains_key(header));
        let goes_on = parts.method == Method::GET && wants_html(&parts.headers) && !named;
        if goes_on && matches!(denied, Denied::Unknown(_)) && !path.starts_with("/api/") {
            let next = parts
                .uri
                .path_and_query()
                .map_or("/", |whole| whole.as_str());
            return Err(pages::to_login(next));
        }
        Err(pages::denied(&denied, path.starts_with("/api/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_by_the_minute() {
        let mut attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        let (one, other) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([2, 2, 2, 2]));
        for _ in 0..TRIES {
            assert!(!attempts.too_often(one, now));
            attempts.count(one, now);
        }
        assert!(attempts.too_often(one, now));
        assert!(!attempts.too_often(other, now));
        for index in 0..ALL_TRIES {
            attempts.count(IpAddr::from(index.to_be_bytes()), now);
        }
        assert!(attempts.too_often(other, now));
        let near = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            attempts.count(near("2001:db8::1"), now);
        }
        assert!(attempts.too_often(near("2001:db8::2:3"), now));
        assert!(!attempts.too_often(near("2001:db8:0:1::1"), now));
        let later = now + jiff::SignedDuration::from_mins(1);
        assert!(!attempts.too_often(one, later) && !attempts.too_often(other, later));
    }
}
