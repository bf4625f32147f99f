//! [`Approvers::decode`]: from YAML, with every problem at its place.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::keys;
use super::model::{Approvers, User};
use super::public_key::PublicKey;
use super::token::{Token, TokenHash};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, or_list};
use crate::flow::{Cursor, Spanned};
use crate::value::Digest;
use crate::yaml::{self, Entry, Kind, Node};

/// The longest account or name.
const MAX_TEXT: usize = 256;

impl Approvers {
    /// Reads the file, and gives it with the warnings.
    ///
    /// # Errors
    /// Everything that is wrong with it, when any of it is an error.
    pub fn decode(source: &Arc<Source>) -> Result<(Self, Diagnostics), Diagnostics> {
        let mut problems = Diagnostics::default();
        let root = yaml::load(source, &mut problems);
        let mut reader = Reader {
            source,
            problems,
            claims: HashMap::new(),
        };
        let approvers = root.and_then(|root| reader.file(&root));
        match approvers {
            Some(approvers) if !reader.problems.has_errors() => Ok((approvers, reader.problems)),
            _ => Err(reader.problems),
        }
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    problems: Diagnostics,
    /// What somebody is known by, who that is, and where it says so.
    claims: HashMap<String, (String, Span)>,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> Option<Approvers> {
        if root.is_null() {
            self.problems.push(
                Diagnostic::error(
                    Code::MissingKey,
                    "the file is empty",
                    self.source,
                    root.span,
                )
                .help("`flowctl approvers init` writes one to begin with"),
            );
            return None;
        }
        let mut cursor = Cursor::open(
            root,
            "a file of approvers",
            &[keys::FILE],
            self.source,
            &mut self.problems,
        )?;
        cursor.text("$schema");
        if cursor.entry("users").is_none() {
            cursor.missing(
                "a file of approvers",
                "users",
                "add `users:`, and below it `NAME: { ssh_keys: […] }` for each",
            );
        }
        let user_entries = cursor.map("users");
        let group_entries = cursor.map("groups");
        let servers = cursor.get("servers");
        let mut users = IndexMap::new();
        for entry in user_entries {
            if let Some(user) = self.user(entry) {
                users.insert(entry.key.clone(), user);
            }
        }
        let mut groups = IndexMap::new();
        for entry in group_entries {
            // Of users that could not be read, too: one problem is not to be told as two.
            let members = self.group(entry, user_entries);
            groups.insert(entry.key.clone(), members);
        }
        let servers = self.keys(servers, "servers", "a server");
        Some(Approvers {
            digest: Digest::of(self.source.text.as_bytes()),
            users,
            groups,
            servers,
        })
    }

    fn user(&mut self, entry: &Entry) -> Option<User> {
        let name = entry.key.as_str();
        self.check_name("a user", entry);
        let (mut shown, mut accounts, mut ssh_keys, mut tokens) = (None, None, None, None);
        if !entry.value.is_null() {
            let mut cursor = Cursor::open(
                &entry.value,
                "a user",
                &[keys::USER],
                self.source,
                &mut self.problems,
            )?;
            shown = cursor.text("name");
            accounts = cursor.get("accounts");
            ssh_keys = cursor.get("ssh_keys");
            tokens = cursor.get("tokens");
        }
        if let Some(shown) = &shown {
            self.check_text("`name`", shown);
        }
        let has_default_account = accounts.is_none();
        let accounts = match accounts {
            Some(node) => self.texts(node, "accounts", "an account"),
            // Who says nothing of accounts has the one of their own name.
            None => vec![Spanned {
                value: name.to_owned(),
                span: entry.key_span,
            }],
        };
        let mut known = Vec::new();
        for account in accounts {
            self.check_text("an account", &account);
            let what = format!("the account `{}`", account.value);
            if self.claim(what, format!("`{name}`"), account.span) {
                known.push(account.value);
            }
        }
        Some(User {
            name: shown.map(|shown| shown.value),
            accounts: known,
            has_default_account,
            ssh_keys: self.keys(ssh_keys, "ssh_keys", &format!("`{name}`")),
            tokens: self.tokens(tokens, name),
        })
    }

    fn group(&mut self, entry: &Entry, users: &[Entry]) -> Vec<String> {
        self.check_name("a group", entry);
        let mut members: Vec<String> = Vec::new();
        for member in self.texts(&entry.value, &entry.key, "a member") {
            let name = member.value;
            if users.iter().any(|user| user.key == name) {
                if !members.contains(&name) {
                    members.push(name);
                }
                continue;
            }
            let problem = |message: String| {
                Diagnostic::error(Code::UnknownApprover, message, self.source, member.span)
            };
            let names = || users.iter().map(|user| user.key.as_str());
            self.problems.push(match name.strip_prefix('@') {
                Some(group) => problem("a group cannot hold a group".to_owned())
                    .help(format!("name the users of `{group}` here")),
                None => problem(format!("there is no user `{name}`"))
                    .did_you_mean(&name, names())
                    .help(format!("there is {}", or_list(names()))),
            });
        }
        members
    }

    fn keys(&mut self, node: Option<&Node>, key: &str, of: &str) -> Vec<PublicKey> {
        let Some(node) = node else {
            return Vec::new();
        };
        let lines = self.texts(node, key, "a key");
        if !cfg!(feature = "sign") && !lines.is_empty() {
            // Not read, so it may be a private one.
            let source = self.veiled(node.span, true);
            self.problems.push(
                Diagnostic::warning(
                    Code::BadKey,
                    "this flowctl was built without `sign`: keys are not read and prove nothing",
                    &source,
                    node.span,
                )
                .help("build it with `--features sign`"),
            );
            return Vec::new();
        }
        let mut keys = Vec::new();
        for line in lines {
            match parse_key(&line.value) {
                Ok(found) => {
                    let what = format!("the key {}", found.fingerprint);
                    if self.claim(what, of.to_owned(), line.span) {
                        keys.push(found);
                    }
                }
                Err(why) => {
                    let is_private = line.value.contains("PRIVATE KEY");
                    let help = if is_private {
                        "write the line of its `.pub` file; and make a new key, for this one is no secret any more"
                    } else {
                        "write the line of a `.pub` file: `ssh-ed25519 AAAA… ada@laptop`"
                    };
                    let source = self.veiled(line.span, is_private);
                    let diagnostic = Diagnostic::error(Code::BadKey, why, &source, line.span);
                    self.problems.push(diagnostic.help(help));
                }
            }
        }
        keys
    }

    fn tokens(&mut self, node: Option<&Node>, user: &str) -> Vec<Token> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let Kind::List(items) = &node.kind else {
            self.wrong(node, "`tokens`", "a list");
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| self.token(item, user))
            .collect()
    }

    fn token(&mut self, item: &Node, user: &str) -> Option<Token> {
        let next = format!("`flowctl approvers token {user}` makes one");
        let mut cursor = Cursor::open(
            item,
            "a token",
            &[keys::TOKEN],
            self.source,
            &mut self.problems,
        )?;
        for key in ["id", "hash"] {
            if cursor.entry(key).is_none() {
                cursor.missing("a token", key, &next);
            }
        }
        let (id, hash) = (cursor.text("id"), cursor.text("hash"));
        let times = ["created", "expires"].map(|key| (key, cursor.text(key)));
        let [created, expires] = times.map(|(key, text)| self.time(key, text));
        let (id, hash) = (id?, hash?);
        let problem = match TokenHash::parse(&hash.value) {
            Ok(parsed) if parsed.id() == id.value => {
                let what = format!("the token {}", id.value);
                return self
                    .claim(what, format!("`{user}`"), id.span)
                    .then_some(Token {
                        id: id.value,
                        hash: parsed,
                        created: created?,
                        expires: expires?,
                    });
            }
            Ok(parsed) => Diagnostic::error(
                Code::BadToken,
                "the id is not the one of this hash",
                self.source,
                id.span,
            )
            .help(format!(
                "the token of this hash is `{}`; if you do not know who changed the line, remove it",
                parsed.id()
            )),
            Err(why) => {
                // Whatever stands there instead of a hash may be a secret.
                let source = self.veiled(hash.span, true);
                Diagnostic::error(Code::BadToken, why, &source, hash.span)
                    .help(format!("remove it; {next}"))
            }
        };
        self.problems.push(problem);
        None
    }

    /// `None` when it is no time, `Some(None)` when there is none.
    #[expect(
        clippy::option_option,
        reason = "no time and a wrong time are different"
    )]
    fn time(&mut self, key: &str, text: Option<Spanned<String>>) -> Option<Option<Timestamp>> {
        let Some(text) = text else {
            return Some(None);
        };
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            self.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    format!("`{key}` is not a time"),
                    self.source,
                    text.span,
                )
                .help("write `2026-11-23T00:00:00Z`"),
            );
        }
        parsed.map(Some)
    }

    /// Notes by what somebody is known; says whether that is new.
    fn claim(&mut self, what: String, of: String, span: Span) -> bool {
        let Some((first, at)) = self.claims.get(&what) else {
            self.claims.insert(what, (of, span));
            return true;
        };
        let (message, help) = if *first == of {
            (
                format!("{what} of {of} stands here twice"),
                "remove one of them",
            )
        } else {
            (
                format!("{what} is of {first} and of {of}"),
                "nobody could tell the two apart: remove one of them",
            )
        };
        self.problems.push(
            Diagnostic::error(Code::ClaimedTwice, message, self.source, span)
                .label("second")
                .also(self.source, *at, "first")
                .help(help),
        );
        false
    }

    /// A list of texts; left out and empty are the same.
    fn texts(&mut self, node: &Node, key: &str, what: &str) -> Vec<Spanned<String>> {
        let items = match &node.kind {
            Kind::List(items) => items,
            _ if node.is_null() => return Vec::new(),
            _ => {
                self.wrong(node, &format!("`{key}`"), "a list");
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.kind {
                Kind::Text(text) => texts.push(Spanned {
                    value: text.clone(),
                    span: item.span,
                }),
                _ => self.wrong(item, what, "a string"),
            }
        }
        texts
    }

    fn check_text(&mut self, what: &str, text: &Spanned<String>) {
        let is_seen = !text.value.trim().is_empty() && !text.value.chars().any(char::is_control);
        if is_seen && text.value.len() <= MAX_TEXT {
            return;
        }
        self.problems.push(
            Diagnostic::error(
                Code::BadValue,
                format!("{what} must be a text that can be seen, of at most {MAX_TEXT} bytes"),
                self.source,
                text.span,
            )
            .help("leave it out, or write what people know"),
        );
    }

    fn check_name(&mut self, what: &str, entry: &Entry) {
        if crate::id::is_name(&entry.key) {
            return;
        }
        self.problems.push(
            Diagnostic::error(
                Code::BadName,
                format!("`{}` cannot name {what}", entry.key),
                self.source,
                entry.key_span,
            )
            .help("begin with a letter or `_`, go on with letters, digits, `_` or `-`; an address can be one of the `accounts`"),
        );
    }

    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        self.problems.push(
            Diagnostic::error(
                Code::WrongType,
                format!("{what} must be {wanted}"),
                self.source,
                node.span,
            )
            .label(format!("this is {}", node.type_name())),
        );
    }

    /// The file with stars in a place that nobody is to see on a screen or in a log.
    fn veiled(&self, span: Span, is_secret: bool) -> Arc<Source> {
        if !is_secret {
            return Arc::clone(self.source);
        }
        let text = &self.source.text;
        let (start, end) = (self.source.floor(span.start), self.source.floor(span.end));
        let stars: String = self
            .source
            .slice(span)
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { '*' })
            .collect();
        let veiled = format!("{}{stars}{}", &text[..start], &text[end.max(start)..]);
        Arc::new(Source::new(self.source.path.clone(), veiled))
    }
}

#[cfg(feature = "sign")]
fn parse_key(line: &str) -> Result<PublicKey, String> {
    PublicKey::parse(line)
}

#[cfg(not(feature = "sign"))]
fn parse_key(_: &str) -> Result<PublicKey, String> {
    Err("this flowctl was built without `sign`".to_owned())
}
