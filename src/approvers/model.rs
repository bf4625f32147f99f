//! [`Approvers`]: the file `approvers.yaml`.

use indexmap::IndexMap;

use super::pinned::{Pinned, PinnedUser};
use super::public_key::PublicKey;
use super::token::Token;
use crate::value::Digest;

/// Who may approve, and by what they prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
    /// Of the bytes of the file.
    pub digest: Digest,
    /// By name.
    pub users: IndexMap<String, User>,
    /// The names of users, by the group's name.
    pub groups: IndexMap<String, Vec<String>>,
    /// Servers whose word for what happens on the web is taken.
    pub servers: Vec<PublicKey>,
}

/// One who may approve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// What people call them.
    pub name: Option<String>,
    /// Accounts of the operating system, and names that a proxy gives.
    pub accounts: Vec<String>,
    /// Whether the file says nothing of accounts, so that the user's own name is the only one.
    pub has_default_account: bool,
    /// With which they sign.
    pub ssh_keys: Vec<PublicKey>,
    /// What they show on the web.
    pub tokens: Vec<Token>,
}

impl Approvers {
    /// Whether a user has a token that has not ended.
    #[must_use]
    pub fn has_token(&self, user: &str, id: &str, now: jiff::Timestamp) -> bool {
        let mut tokens = self
            .users
            .get(user)
            .into_iter()
            .flat_map(|user| &user.tokens);
        tokens.any(|token| token.id == id && !token.is_expired(now))
    }

    /// What a run remembers.
    #[must_use]
    pub fn pinned(&self) -> Pinned {
        let fingerprints = |keys: &[PublicKey]| -> Vec<String> {
            keys.iter().map(|key| key.fingerprint.clone()).collect()
        };
        let users = self.users.iter().map(|(name, user)| {
            let pinned = PinnedUser {
                name: user.name.clone(),
                accounts: user.accounts.clone(),
                ssh_keys: fingerprints(&user.ssh_keys),
                tokens: user.tokens.iter().map(|token| token.id.clone()).collect(),
            };
            (name.clone(), pinned)
        });
        Pinned {
            digest: self.digest,
            users: users.collect(),
            groups: self.groups.clone(),
            servers: fingerprints(&self.servers),
        }
    }

    /// Whose token this is, and its id. Computes one hash, whoever it claims to be of, so that the time
    /// tells nobody which users and tokens there are.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn verify_token(&self, token: &str, now: jiff::Timestamp) -> Option<(&str, &str)> {
        use super::token::{TokenHash, parts};
        let (claimed, secret) = match parts(token) {
            Some((user, id, secret)) => {
                let known = self.users.get_key_value(user).and_then(|(name, user)| {
                    let token = user.tokens.iter().find(|token| token.id == id)?;
                    Some((name, token))
                });
                (known, secret)
            }
            None => (None, ""),
        };
        let hash = claimed.map_or_else(TokenHash::of_nobody, |(_, token)| token.hash.clone());
        let holds = hash.is_of(secret);
        let (name, token) = claimed.filter(|_| holds)?;
        (!token.is_expired(now)).then_some((name.as_str(), token.id.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{Code, Diagnostics, Source};

    #[cfg(feature = "sign")]
    const ADA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnfRAllhM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh ada@laptop";
    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn decode(text: &str) -> Result<(Approvers, Diagnostics), Diagnostics> {
        Approvers::decode(&Arc::new(Source::new("approvers.yaml", text)))
    }

    fn codes(text: &str) -> Vec<Code> {
        let problems = decode(text).unwrap_err();
        problems.iter().map(|problem| problem.code).collect()
    }

    fn id() -> String {
        crate::approvers::TokenHash::parse(HASH).unwrap().id()
    }

    #[cfg(feature = "sign")]
    #[test]
    fn a_run_remembers_names_fingerprints_and_ids() {
        let text = format!(
            "x-team: platform\nusers:\n  ada:\n    name: Ada Lovelace\n    accounts: [ada, alovelace]\n    ssh_keys:\n      - {ADA}\n    tokens:\n      - {{ id: {}, hash: '{HASH}', created: 2026-11-23T00:00:00Z }}\n  bob:\n  eve: {{ accounts: [] }}\ngroups:\n  security: [bob, ada, bob]\n  empty:\nservers: []\n",
            id()
        );
        let (approvers, warnings) = decode(&text).unwrap();
        assert!(warnings.is_empty());
        let pinned = serde_json::to_value(approvers.pinned()).unwrap();
        let key = "SHA256:v4kFZMGpYNVFenhMxMlRmNYI/xmFMOf9Sy4cf/SGVts";
        assert_eq!(
            pinned,
            serde_json::json!({
                "digest": Digest::of(text.as_bytes()),
                "users": {
                    "ada": { "name": "Ada Lovelace", "accounts": ["ada", "alovelace"], "ssh_keys": [key], "tokens": [id()] },
                    "bob": { "accounts": ["bob"] },
                    "eve": {},
                },
                "groups": { "security": ["bob", "ada"], "empty": [] },
            })
        );
        assert_eq!(approvers.users["ada"].ssh_keys[0].comment, "ada@laptop");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let token = format!("{{ id: {}, hash: '{HASH}' }}", id());
        assert_eq!(
            codes(&format!(
                "user: 1\nusers:\n  1x: {{}}\n  ada: {{ acounts: [], accounts: [bob, 7, ''], name: \"a\\u0007\" }}\n  bob: {{ tokens: [{token}, {{ id: y }}, {{ id: z, hash: '{HASH}', expires: soon }}] }}\n  eve: {{ tokens: [{token}] }}\ngroups: {{ g: [ada, adda, '@h'], h: x }}\n"
            )),
            [
                Code::UnknownKey,
                Code::BadName,
                Code::UnknownKey,
                Code::BadValue,
                Code::WrongType,
                Code::BadValue,
                Code::ClaimedTwice,
                Code::MissingKey,
                Code::BadValue,
                Code::BadToken,
                Code::ClaimedTwice,
                Code::UnknownApprover,
                Code::UnknownApprover,
                Code::WrongType,
            ]
        );
        assert_eq!(codes(""), [Code::MissingKey]);
        assert_eq!(codes("groups: {}\n"), [Code::MissingKey]);
        assert_eq!(codes("[]"), [Code::WrongType]);
        assert_eq!(
            codes("users: {a: 1, a: 2}"),
            [Code::YamlDuplicateKey, Code::WrongType]
        );
    }

    #[cfg(feature = "sign")]
    #[test]
    fn keys_that_prove_nothing_are_refused() {
        let one = |line: &str| {
            let line = serde_json::json!(line);
            codes(&format!("users: {{ ada: {{ ssh_keys: [{line}] }} }}"))
        };
        for bad in [
            "",
            "AAAAC3NzaC1lZDI1NTE5AAAAIBnfRAllhM3",
            "ssh-ed25519 AAAA",
            &ADA.replace("ssh-ed25519", "ssh-rsa"),
            &format!("from=\"10.0.0.1\" {ADA}"),
            "ssh-dss AAAAB3NzaC1kc3MAAACBAIA",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
        ] {
            assert_eq!(one(bad), [Code::BadKey], "{bad}");
        }
        let twice = format!("users: {{ ada: {{ ssh_keys: [{ADA}] }} }}\nservers: [{ADA}]\n");
        assert_eq!(codes(&twice), [Code::ClaimedTwice], "a server is no user");
        let twice = format!("users: {{ ada: {{ ssh_keys: [{ADA}, {ADA}] }} }}");
        assert_eq!(codes(&twice), [Code::ClaimedTwice]);
    }

    #[test]
    fn secrets_in_the_wrong_place_are_not_shown() {
        for (text, secret) in [
            (
                "users:\n  ada: { ssh_keys: [\"-----BEGIN OPENSSH PRIVATE KEY-----\\nc2VjcmV0\"] }\n",
                "c2VjcmV0",
            ),
            (
                "users:\n  ada: { tokens: [{ id: x, hash: flowctl_ada_x_c2VjcmV0 }] }\n",
                "c2VjcmV0",
            ),
        ] {
            let (Ok((_, problems)) | Err(problems)) = decode(text);
            assert!(!problems.is_empty());
            for problem in &problems {
                assert!(!problem.primary.source.text.contains(secret));
                assert_eq!(problem.primary.source.text.len(), text.len());
            }
        }
    }

    #[cfg(feature = "web")]
    #[test]
    fn a_token_is_its_users_until_it_expires() {
        use crate::approvers::NewToken;
        let made = NewToken::make("ada", [1; 32], [2; 16]).unwrap();
        let (id, hash) = (made.hash.id(), made.hash.as_str());
        let text = format!(
            "users:\n  ada: {{ tokens: [{{ id: {id}, hash: '{hash}', expires: 2026-12-01T00:00:00Z }}] }}\n  bob:\n"
        );
        let (approvers, _) = decode(&text).unwrap();
        let before = "2026-11-30T23:59:59Z".parse().unwrap();
        let after = "2026-12-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            approvers.verify_token(&made.text, before),
            Some(("ada", &*id))
        );
        assert_eq!(approvers.verify_token(&made.text, after), None);
        let other = NewToken::make("ada", [3; 32], [2; 16]).unwrap();
        for wrong in [
            made.text.replace("_ada_", "_bob_"),
            made.text.replace("_ada_", "_eve_"),
            made.text.replace(&id, "000000000000"),
            made.text.to_uppercase(),
            format!("{} ", made.text),
            format!("{}0", made.text),
            made.text[..made.text.len() - 1].to_owned(),
            made.text.replacen("01", "02", 1),
            other.text,
            hash.to_owned(),
            String::new(),
        ] {
            assert_eq!(approvers.verify_token(&wrong, before), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(users|groups|servers|tokens|ada|id|hash|: |\\n|  |- |\\[|\\]|\\{|\\}|, |@|'|ü){0,24}") {
            let (Ok((_, problems)) | Err(problems)) = decode(&text);
            for problem in &problems {
                prop_assert!(problem.primary.span.start <= text.len());
            }
        }
    }
}
