//! Sessions: a cookie that says who somebody is until when, signed. Of a session nothing is kept on the
//! server until somebody leaves it, so that a restart ends nobody's; taking a token away does.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a session lasts.
pub(super) const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// Who somebody is, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The user.
    pub(super) user: String,
    /// The id of the token that they came with; none of whoever works on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// When it ends.
    pub(super) until: Timestamp,
    /// Tells sessions apart.
    pub(super) nonce: String,
}

/// Signs cookies and tokens of forms.
pub(super) struct Keys(Hmac<Sha256>);

impl Keys {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key may have any length"))
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }

    fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        BASE64.encode(self.mac(purpose, parts).finalize().into_bytes())
    }

    /// Takes as long for every wrong answer.
    fn verify(&self, purpose: &str, parts: &[&str], signature: &str) -> bool {
        let signature = BASE64.decode(signature).unwrap_or_default();
        self.mac(purpose, parts).verify_slice(&signature).is_ok()
    }

    /// The value of the cookie.
    pub(super) fn cookie(&self, session: &Session) -> String {
        let text = serde_json::to_string(session).expect("a session becomes JSON");
        let body = BASE64.encode(text);
        let signature = self.sign("session", &[&body]);
        format!("{body}.{signature}")
    }

    /// The session of a cookie that was made here and has not ended.
    pub(super) fn session(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let (body, signature) = cookie.split_once('.')?;
        if !self.verify("session", &[body], signature) {
            return None;
        }
        let text = BASE64.decode(body).ok()?;
        let session: Session = serde_json::from_slice(&text).ok()?;
        (session.until > now).then_some(session)
    }

    /// What a form must bring along, so that no other site can send it.
    pub(super) fn form_token(&self, user: &str, nonce: &str) -> String {
        self.sign("form", &[user, nonce])
    }

    pub(super) fn is_form_token(&self, user: &str, nonce: &str, given: &str) -> bool {
        self.verify("form", &[user, nonce], given)
    }

    /// Whether two secrets are the same, in a time that tells nothing.
    pub(super) fn same(&self, one: &str, other: &str) -> bool {
        self.verify("same", &[one], &self.sign("same", &[other]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_what_was_signed_and_ends() {
        let keys = Keys::new(b"secret");
        let now = Timestamp::UNIX_EPOCH;
        let session = Session {
            user: "ada".to_owned(),
            token: Some("t1".to_owned()),
            until: now + LASTS,
            nonce: "n".to_owned(),
        };
        let cookie = keys.cookie(&session);
        assert_eq!(keys.session(&cookie, now), Some(session.clone()));
        assert_eq!(keys.session(&cookie, now + LASTS), None);
        assert_eq!(Keys::new(b"other").session(&cookie, now), None);
        let (body, signature) = cookie.split_once('.').unwrap();
        for wrong in [
            body.to_owned(),
            format!("{body}."),
            format!("{body}.{}", &signature[1..]),
            format!("{}.{signature}", BASE64.encode("{}")),
            format!("x{body}.{signature}"),
            String::new(),
            ".".to_owned(),
        ] {
            assert_eq!(keys.session(&wrong, now), None, "{wrong}");
        }
        // A token of a form is no cookie, and not another's.
        let token = keys.form_token("ada", "n");
        assert!(keys.is_form_token("ada", "n", &token));
        assert!(!keys.is_form_token("ad", "an", &token));
        assert!(!keys.is_form_token("ada", "m", &token));
        assert!(keys.same("a", "a") && !keys.same("a", "b"));
    }
}
