//! [`Pinned`]: what a run remembers of `approvers.yaml`. Names, fingerprints and ids only: it goes into
//! the journal and the evidence, which anybody may read.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::value::Digest;

/// The approvers as they were when a run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Of the bytes of the file.
    pub digest: Digest,
    /// By name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub users: IndexMap<String, PinnedUser>,
    /// The names of users, by the group's name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub groups: IndexMap<String, Vec<String>>,
    /// Fingerprints of the keys of servers whose word is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
}

/// By what a user is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedUser {
    /// What people call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Accounts of the operating system, and names that a proxy gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Fingerprints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
    /// Ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
}

impl Pinned {
    /// What still holds, given the file as it is now: later edits only take away. A key or account that
    /// was given to somebody else in the meantime is nobody's.
    #[must_use]
    pub fn narrowed(&self, now: &Self) -> Self {
        let users: IndexMap<String, PinnedUser> = self
            .users
            .iter()
            .filter(|(name, _)| now.users.contains_key(*name))
            .map(|(name, user)| {
                let is_theirs =
                    |before: Option<&str>, after: Option<&str>| before.is_some() && before == after;
                let left = PinnedUser {
                    name: user.name.clone(),
                    accounts: kept(&user.accounts, |account| {
                        is_theirs(self.user_of_account(account), now.user_of_account(account))
                    }),
                    ssh_keys: kept(&user.ssh_keys, |key| {
                        is_theirs(self.user_of_key(key), now.user_of_key(key))
                    }),
                    tokens: kept(&user.tokens, |id| now.holds_token(name, id)),
                };
                (name.clone(), left)
            })
            .collect();
        let groups = self
            .groups
            .iter()
            .filter_map(|(name, members)| {
                let today = now.groups.get(name)?;
                let left = kept(members, |member| {
                    today.iter().any(|one| one == member) && users.contains_key(member)
                });
                Some((name.clone(), left))
            })
            .collect();
        Self {
            digest: self.digest,
            users,
            groups,
            servers: kept(&self.servers, |server| now.is_server(server)),
        }
    }

    /// The users that a list of users (`ada`) and groups (`@security`) means. Whoever is not in the file
    /// is not among them.
    #[must_use]
    pub fn members(&self, approvers: &[String]) -> BTreeSet<&str> {
        let mut members = BTreeSet::new();
        for approver in approvers {
            let named = match approver.strip_prefix('@') {
                Some(group) => self.groups.get(group).map_or(&[][..], Vec::as_slice),
                None => std::slice::from_ref(approver),
            };
            for name in named {
                // The name of the file, which lives as long as what is asked.
                members.extend(self.users.get_key_value(name).map(|(name, _)| &**name));
            }
        }
        members
    }

    /// Whose account it is; nobody's when two claim it. A user's own name is always theirs: who begins
    /// a run on the web is known by that.
    #[must_use]
    pub fn user_of_account(&self, account: &str) -> Option<&str> {
        self.only(|name, user| name == account || user.accounts.iter().any(|one| one == account))
    }

    /// Whose key has this fingerprint; nobody's when two claim it.
    #[must_use]
    pub fn user_of_key(&self, fingerprint: &str) -> Option<&str> {
        self.only(|_, user| user.ssh_keys.iter().any(|one| one == fingerprint))
    }

    /// Whether the word of the server with this key is taken.
    #[must_use]
    pub fn is_server(&self, fingerprint: &str) -> bool {
        self.servers.iter().any(|one| one == fingerprint)
    }

    /// Whether a user holds the token of an id.
    #[must_use]
    pub fn holds_token(&self, user: &str, id: &str) -> bool {
        self.users
            .get(user)
            .is_some_and(|user| user.tokens.iter().any(|one| one == id))
    }

    fn only(&self, is_theirs: impl Fn(&str, &PinnedUser) -> bool) -> Option<&str> {
        let mut theirs = self
            .users
            .iter()
            .filter(|(name, user)| is_theirs(name, user));
        let (name, _) = theirs.next()?;
        theirs.next().is_none().then_some(name.as_str())
    }
}

fn kept(all: &[String], holds: impl Fn(&str) -> bool) -> Vec<String> {
    all.iter().filter(|one| holds(one)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pinned(value: serde_json::Value) -> Pinned {
        let mut value = value;
        value["digest"] = json!(Digest::of(b"a"));
        serde_json::from_value(value).unwrap()
    }

    fn names<'a>(members: &BTreeSet<&'a str>) -> Vec<&'a str> {
        members.iter().copied().collect()
    }

    #[test]
    fn users_are_found_by_what_is_theirs() {
        let all = pinned(json!({
            "users": {
                "ada": { "name": "Ada", "accounts": ["ada", "alovelace"], "ssh_keys": ["SHA256:a"], "tokens": ["t1"] },
                "bob": { "accounts": ["bob", "shared"], "ssh_keys": ["SHA256:s"] },
                "eve": { "accounts": ["shared"], "ssh_keys": ["SHA256:s"] },
            },
            "groups": { "security": ["bob", "gone"], "nobody": [] },
            "servers": ["SHA256:srv"],
        }));
        assert_eq!(all.user_of_account("alovelace"), Some("ada"));
        assert_eq!(all.user_of_account("root"), None);
        assert_eq!(all.user_of_account("shared"), None, "two claim it");
        assert_eq!(all.user_of_key("SHA256:a"), Some("ada"));
        assert_eq!(all.user_of_key("SHA256:s"), None, "two claim it");
        assert_eq!(all.user_of_key("SHA256:srv"), None, "a server is no user");
        assert!(all.is_server("SHA256:srv") && !all.is_server("SHA256:a"));
        assert!(all.holds_token("ada", "t1"));
        assert!(!all.holds_token("bob", "t1") && !all.holds_token("gone", "t1"));
        let members = |approvers: &[&str]| {
            let approvers: Vec<String> = approvers.iter().map(|&name| name.to_owned()).collect();
            names(&all.members(&approvers)).join(" ")
        };
        assert_eq!(members(&["ada", "@security", "ada"]), "ada bob");
        assert_eq!(
            members(&["@gone", "gone", "@nobody", "@ada", "security"]),
            ""
        );
        assert_eq!(members(&[]), "");
    }

    #[test]
    fn what_is_empty_is_not_written() {
        let text = serde_json::to_string(&pinned(json!({ "users": { "ada": {} } }))).unwrap();
        let digest = Digest::of(b"a");
        assert_eq!(
            text,
            format!(r#"{{"digest":"{digest}","users":{{"ada":{{}}}}}}"#)
        );
    }

    #[test]
    fn what_was_taken_away_or_given_to_another_is_gone() {
        let begun = pinned(json!({
            "users": {
                "ada": { "accounts": ["ada"], "ssh_keys": ["k1", "k2"], "tokens": ["t1", "t2"] },
                "bob": { "ssh_keys": ["k3"] },
                "eve": {},
            },
            "groups": { "security": ["ada", "bob", "eve"], "gone": ["ada"] },
            "servers": ["s1", "s2"],
        }));
        let now = pinned(json!({
            "users": {
                "bob": { "accounts": ["ada"], "ssh_keys": ["k2", "k3"], "tokens": ["t1"] },
                "ada": { "ssh_keys": ["k1", "k9"], "tokens": ["t2", "t9"] },
                "new": { "accounts": ["new"] },
            },
            "groups": { "security": ["new", "eve", "bob"], "other": ["bob"] },
            "servers": ["s2", "s3"],
        }));
        let left = pinned(json!({
            "users": {
                "ada": { "ssh_keys": ["k1"], "tokens": ["t2"] },
                "bob": { "ssh_keys": ["k3"] },
            },
            "groups": { "security": ["bob"] },
            "servers": ["s2"],
        }));
        assert_eq!(begun.narrowed(&now), left);
        assert_eq!(begun.narrowed(&begun), begun, "nothing happened");
    }

    fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        proptest::sample::subsequence(of, 0..=of.len())
            .prop_map(|some| some.into_iter().map(str::to_owned).collect())
    }

    const WHO: &[&str] = &["ada", "bob", "eve"];
    const WHAT: &[&str] = &["1", "2", "3"];

    prop_compose! {
        /// Any at all, also what no file may say.
        fn any_pinned()(
            users in proptest::collection::vec((some(WHAT), some(WHAT), some(WHAT)), 3),
            present in some(WHO),
            groups in proptest::collection::vec(some(WHO), 3),
            servers in some(WHAT),
        ) -> Pinned {
            Pinned {
                digest: Digest::of(b"a"),
                users: WHO
                    .iter()
                    .zip(users)
                    .filter(|(name, _)| present.iter().any(|one| one == *name))
                    .map(|(name, (accounts, ssh_keys, tokens))| {
                        let user = PinnedUser { name: None, accounts, ssh_keys, tokens };
                        ((*name).to_owned(), user)
                    })
                    .collect(),
                groups: WHAT.iter().map(|&name| name.to_owned()).zip(groups).collect(),
                servers,
            }
        }
    }

    /// Everything that somebody could do by it.
    fn powers(of: &Pinned) -> BTreeSet<String> {
        let mut powers = BTreeSet::new();
        for name in WHO {
            if of.members(&[(*name).to_owned()]).contains(name) {
                powers.insert(format!("{name} is there"));
            }
        }
        for what in WHAT {
            for member in of.members(&[format!("@{what}")]) {
                powers.insert(format!("{member} is in {what}"));
            }
            if let Some(user) = of.user_of_account(what) {
                powers.insert(format!("account {what} is {user}"));
            }
            if let Some(user) = of.user_of_key(what) {
                powers.insert(format!("key {what} is {user}"));
            }
            for user in WHO.iter().filter(|user| of.holds_token(user, what)) {
                powers.insert(format!("token {what} is {user}"));
            }
            if of.is_server(what) {
                powers.insert(format!("server {what}"));
            }
        }
        powers
    }

    proptest! {
        #[test]
        fn later_edits_never_give_anybody_more(begun in any_pinned(), now in any_pinned()) {
            let left = begun.narrowed(&now);
            let both: BTreeSet<String> = powers(&begun).intersection(&powers(&now)).cloned().collect();
            prop_assert_eq!(powers(&left), both);
            // The same file twice says nothing new.
            prop_assert_eq!(left.narrowed(&now), left);
        }
    }
}
