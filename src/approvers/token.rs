//! [`Token`]: what a user shows on the web instead of a key, and the hash by which it is known.
//!
//! A token is `flowctl_USER_ID_SECRET`, its secret 32 random bytes. The file holds only the Argon2id hash
//! of the secret, and an id that is the beginning of that hash's digest: so an id that a run remembers
//! can never come to mean another secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;

use crate::value::Digest;

/// How tokens begin, so that people and scanners know them.
const PREFIX: &str = "flowctl_";
/// The least that a hash must cost: OWASP's, and what flowctl itself takes. A secret of 256 bits cannot be
/// guessed anyway.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most, so that no file can keep a server busy: 1 GiB.
const MAX_MEMORY: u32 = 1_048_576;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
const ID_DIGITS: usize = 12;

/// A token as the file knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// By which people, records and `revoke` call it.
    pub id: String,
    /// Of its secret.
    pub hash: TokenHash,
    /// When it was made, if the file says so.
    pub created: Option<Timestamp>,
    /// From when on it is no longer taken.
    pub expires: Option<Timestamp>,
}

impl Token {
    /// Whether its time is over.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// An Argon2id hash in PHC form.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash(String);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TokenHash({})", self.id())
    }
}

impl TokenHash {
    /// Reads `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`: every hash has one such form only, so that it has
    /// one id only.
    ///
    /// # Errors
    /// A sentence fragment that says why it will not do.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with(PREFIX) {
            return Err(
                "this is the token itself, and now known to whoever reads the file".to_owned(),
            );
        }
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, hash] = parts[..] else {
            return Err("this is no Argon2id hash of version 19 in PHC form".to_owned());
        };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, passes, lanes] = costs[..] else {
            return Err("the hash must state `m`, `t` and `p`, and nothing else".to_owned());
        };
        for (part, name, least, most) in [
            (memory, "m", MEMORY, MAX_MEMORY),
            (passes, "t", PASSES, MAX_PASSES),
            (lanes, "p", LANES, MAX_LANES),
        ] {
            let cost = part
                .strip_prefix(name)
                .and_then(|part| part.strip_prefix('='))
                .and_then(|number| Some((number, number.parse::<u32>().ok()?)))
                // Not `+2` and not `02`.
                .filter(|(written, number)| number.to_string() == **written)
                .ok_or_else(|| format!("the hash has no whole number `{name}=` in its place"))?
                .1;
            if cost < least {
                return Err(format!(
                    "the hash is too cheap: `{name}={cost}`, and at least {least} is needed"
                ));
            }
            if cost > most {
                return Err(format!(
                    "the hash is too dear: `{name}={cost}`, and at most {most} is taken"
                ));
            }
        }
        for (part, name, lengths) in [(salt, "salt", 16..=48), (hash, "hash", 32..=64)] {
            let length = STANDARD_NO_PAD.decode(part).map(|bytes| bytes.len());
            if !length.is_ok_and(|length| lengths.contains(&length)) {
                return Err(format!(
                    "its {name} is not {} to {} bytes in base64 without padding",
                    lengths.start(),
                    lengths.end()
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The hash as the file has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of whatever token has this hash.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of(self.0.as_bytes()).hex()[..ID_DIGITS].to_owned()
    }
}

/// What a token says of itself: user, id and secret.
#[cfg(feature = "web")]
pub(super) fn parts(token: &str) -> Option<(&str, &str, &str)> {
    let (rest, secret) = token.strip_prefix(PREFIX)?.rsplit_once('_')?;
    // Users may have `_` in their names; ids and secrets have none.
    let (user, id) = rest.rsplit_once('_')?;
    Some((user, id, secret))
}

/// A token that was just made. Has no `Debug`: it holds the secret.
#[cfg(feature = "web")]
pub struct NewToken {
    /// What its user is given, once.
    pub text: String,
    /// What the file gets.
    pub hash: TokenHash,
}

#[cfg(feature = "web")]
impl NewToken {
    /// Makes a token out of random bytes.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn make(user: &str, secret: [u8; 32], salt: [u8; 16]) -> Result<Self, String> {
        use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
        let secret = Digest::from_bytes(secret).hex();
        let hash = Params::new(MEMORY, PASSES, LANES, None)
            .map_err(|error| error.to_string())
            .and_then(|params| {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_with_salt(secret.as_bytes(), &salt)
                    .map_err(|error| error.to_string())
            })?;
        let hash = TokenHash::parse(&hash.to_string())?;
        Ok(Self {
            text: format!("{PREFIX}{user}_{}_{secret}", hash.id()),
            hash,
        })
    }
}

#[cfg(feature = "web")]
impl TokenHash {
    /// Costs as much as any hash that flowctl made, and nobody knows its secret.
    pub(super) fn of_nobody() -> Self {
        Self(format!(
            "$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${}${}",
            "A".repeat(22),
            "A".repeat(43)
        ))
    }

    /// Whether it is the hash of this secret; takes as long whether it is or not.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        use argon2::{Argon2, PasswordVerifier as _};
        Argon2::default()
            .verify_password(secret.as_bytes(), self.0.as_str())
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(costs: &str) -> String {
        format!(
            "$argon2id$v=19${costs}${}${}",
            "c2FsdHNhbHRzYWx0c2FsdA",
            "A".repeat(43)
        )
    }

    #[test]
    fn a_hash_has_one_form_only() {
        let good = hash("m=19456,t=2,p=1");
        let id = TokenHash::parse(&good).unwrap().id();
        assert!(
            id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
        let dearer = TokenHash::parse(&hash("m=65536,t=3,p=4")).unwrap();
        assert_ne!(dearer.id(), id);
        for (bad, why) in [
            (hash("m=19455,t=2,p=1"), "too cheap: `m=19455`"),
            (hash("m=19456,t=1,p=1"), "too cheap: `t=1`"),
            (hash("m=19456,t=2,p=0"), "too cheap: `p=0`"),
            (hash("m=99999999,t=2,p=1"), "too dear: `m=99999999`"),
            (hash("m=19456,t=2000,p=1"), "too dear"),
            (hash("m=+19456,t=2,p=1"), "no whole number `m=`"),
            (hash("m=019456,t=2,p=1"), "no whole number `m=`"),
            (hash("m=19456,p=1,t=2"), "no whole number `t=`"),
            (hash("m=99999999999,t=2,p=1"), "no whole number `m=`"),
            (hash("m=19456,t=2,p=1,keyid=AAAA"), "nothing else"),
            (hash("m=19456,t=2"), "nothing else"),
            (good.replace("argon2id", "argon2i"), "no Argon2id hash"),
            (good.replace("v=19", "v=16"), "no Argon2id hash"),
            (good.replace("$v=19", ""), "no Argon2id hash"),
            (format!("{good}$"), "no Argon2id hash"),
            (good.replace("c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA"), "its salt"),
            (good.replace("c2FsdA$", "c2FsdB$"), "its salt"),
            (format!("{good}="), "its hash"),
            (good[..good.len() - 8].to_owned(), "its hash"),
            ("hunter2".to_owned(), "no Argon2id hash"),
            (String::new(), "no Argon2id hash"),
            ("flowctl_ada_1_2".to_owned(), "the token itself"),
        ] {
            let said = TokenHash::parse(&bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[cfg(feature = "web")]
    #[test]
    fn a_token_is_taken_apart_from_its_end() {
        assert_eq!(
            parts("flowctl_a_b_id_secret"),
            Some(("a_b", "id", "secret"))
        );
        for bad in ["", "flowctl_", "flowctl_a_b", "token_a_b_c", "flowctl"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[cfg(feature = "web")]
    #[test]
    fn a_hash_knows_its_secret_alone() {
        let made = NewToken::make("ada_l", [7; 32], [8; 16]).unwrap();
        let (user, id, secret) = parts(&made.text).unwrap();
        assert_eq!((user, id), ("ada_l", made.hash.id().as_str()));
        assert_eq!(secret, "07".repeat(32));
        assert!(made.hash.is_of(secret));
        assert!(!made.hash.is_of(&"08".repeat(32)) && !made.hash.is_of(""));
        let again = NewToken::make("ada_l", [7; 32], [9; 16]).unwrap();
        assert_ne!(
            again.hash.id(),
            made.hash.id(),
            "another salt is another token"
        );
        assert!(!format!("{:?}", made.hash).contains("argon2"));
        // It is a hash that can be computed, or it would take no time.
        let nobody = TokenHash::of_nobody();
        assert!(TokenHash::parse(nobody.as_str()).is_ok() && !nobody.is_of(secret));
    }
}
