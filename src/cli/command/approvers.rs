//! `flowctl approvers`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::Result;
use crate::approvers::{Approvers, PublicKey, Token, User};
use crate::cli::args::{Approvers as Args, ApproversAdd, ApproversList, ApproversRevoke};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render;
use crate::diagnostic::{Diagnostics, nearest, or_list};
use crate::engine::{ApproversDraft, ApproversError, ApproversFile, Engine};
use crate::flow::show_duration;
use crate::store::create_new;
use crate::yaml::{Change, scalar};

pub(super) fn approvers(engine: &Engine, args: &Args, output: &mut Output) -> Result {
    match args {
        Args::List(args) => list(engine, args, output),
        Args::Check => check(engine, output),
        Args::Init => init(engine, output),
        Args::Add(args) => add(engine, args, output),
        #[cfg(feature = "web")]
        Args::Token(args) => super::approvers_token::token(engine, args, output),
        #[cfg(not(feature = "web"))]
        Args::Token(_) => Err(Failure::usage(
            "this flowctl was built without `web`, and makes no tokens",
        )
        .help("build it with `--features web`; tokens are listed and revoked without it")),
        Args::Revoke(args) => revoke(engine, args, output),
        Args::Trust => trust(engine, output),
    }
}

impl From<ApproversError> for Failure {
    fn from(error: ApproversError) -> Self {
        let message = error.to_string();
        match error {
            ApproversError::Missing(_) => Self::usage(message)
                .help("`flowctl approvers init` writes one with you in it"),
            ApproversError::Invalid(problems) => Self::Diagnostics(problems),
            ApproversError::Unusual(_) => Self::new(Exit::UNEXPECTED, message).help(
                "nothing was written; write the lists of the file as `- item` lines without `&`, `*` and `<<`, or change it by hand",
            ),
            ApproversError::Overtaken(_) => {
                Self::new(Exit::UNEXPECTED, message).help("do the same again")
            }
            ApproversError::Store(error) => error.into(),
        }
    }
}

/// The file that is meant.
fn file(engine: &Engine) -> ApproversFile {
    ApproversFile::of(&engine.layout)
}

fn read(engine: &Engine) -> std::result::Result<(Approvers, Diagnostics), Failure> {
    let file = file(engine);
    file.read()
        .map_err(Failure::Diagnostics)?
        .ok_or_else(|| ApproversError::Missing(file.shown()).into())
}

pub(super) fn draft(
    engine: &Engine,
    output: &mut Output,
) -> std::result::Result<ApproversDraft, Failure> {
    let file = file(engine);
    let draft = file.draft(|| {
        output.say(&format!(
            "waiting for whoever else changes {}",
            file.shown()
        ));
    })?;
    Ok(draft)
}

pub(super) fn known<'a>(
    approvers: &'a Approvers,
    user: &str,
) -> std::result::Result<&'a User, Failure> {
    approvers.users.get(user).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no user `{}`", user.escape_debug()));
        let names = || approvers.users.keys().map(String::as_str);
        failure.help(match nearest(user, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "there is {}; `flowctl approvers add` adds one",
                or_list(names())
            ),
        })
    })
}

fn list(engine: &Engine, args: &ApproversList, output: &mut Output) -> Result {
    let (approvers, warnings) = read(engine)?;
    if !warnings.is_empty() {
        output.say_styled(render::text(&warnings).trim_end());
    }
    let now = engine.now();
    if args.json {
        let report = to_json(&approvers, now);
        output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
        return Ok(Exit::SUCCESS);
    }
    let mut text = String::new();
    for (id, user) in &approvers.users {
        let name = user.name.as_deref().unwrap_or_default();
        writeln!(text, "{}", format!("{id}  {name}").trim_end()).ok();
        if !user.accounts.is_empty() {
            writeln!(text, "  account  {}", user.accounts.join(", ")).ok();
        }
        for key in &user.ssh_keys {
            writeln!(text, "  ssh key  {}", key_line(key)).ok();
        }
        for token in &user.tokens {
            writeln!(text, "  token    {}", token_line(token, now)).ok();
        }
    }
    for (id, members) in &approvers.groups {
        writeln!(
            text,
            "{}",
            format!("@{id}  {}", members.join(", ")).trim_end()
        )
        .ok();
    }
    for key in &approvers.servers {
        writeln!(text, "server  {}", key_line(key)).ok();
    }
    if text.is_empty() {
        output.say("nobody may approve");
        let next = output.next("approvers add USER");
        output.say(&format!("help: `{next}` adds somebody"));
    } else {
        output.data(&text)?;
    }
    Ok(Exit::SUCCESS)
}

fn key_line(key: &PublicKey) -> String {
    format!("{}  {}", key.fingerprint, key.comment)
        .trim_end()
        .to_owned()
}

fn token_line(token: &Token, now: Timestamp) -> String {
    let mut text = token.id.clone();
    if let Some(made) = token.created {
        let age = std::time::Duration::try_from(now.duration_since(made)).unwrap_or_default();
        if age.as_secs() < 60 {
            text += "  made just now";
        } else {
            write!(text, "  made {} ago", show_duration(age)).ok();
        }
    }
    if let Some(end) = token.expires {
        let verb = if token.is_expired(now) {
            "expired"
        } else {
            "expires"
        };
        write!(text, "  {verb} {end}").ok();
    }
    text
}

fn to_json(approvers: &Approvers, now: Timestamp) -> serde_json::Value {
    let keys = |keys: &[PublicKey]| -> Vec<serde_json::Value> {
        keys.iter()
            .map(|key| json!({ "fingerprint": key.fingerprint, "comment": key.comment }))
            .collect()
    };
    let users: serde_json::Map<_, _> = approvers
        .users
        .iter()
        .map(|(id, user)| {
            let tokens: Vec<_> = user
                .tokens
                .iter()
                .map(|token| {
                    json!({
                        "id": token.id,
                        "created": token.created,
                        "expires": token.expires,
                        "expired": token.is_expired(now),
                    })
                })
                .collect();
            let told = json!({
                "name": user.name,
                "accounts": user.accounts,
                "ssh_keys": keys(&user.ssh_keys),
                "tokens": tokens,
            });
            (id.clone(), told)
        })
        .collect();
    json!({
        "digest": approvers.digest,
        "users": users,
        "groups": approvers.groups,
        "servers": keys(&approvers.servers),
    })
}

fn check(engine: &Engine, output: &mut Output) -> Result {
    let (approvers, warnings) = read(engine)?;
    if !warnings.is_empty() {
        output.say_styled(render::text(&warnings).trim_end());
    }
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    output.say(&format!(
        "{}: valid: {}, {}, {}",
        file(engine).shown(),
        count(approvers.users.len(), "user"),
        count(approvers.groups.len(), "group"),
        count(approvers.servers.len(), "server"),
    ));
    Ok(Exit::SUCCESS)
}

fn init(engine: &Engine, output: &mut Output) -> Result {
    let file = file(engine);
    let account = &engine.who.user;
    // A name for flows; the account itself may be `uid:1000` or `first.last`.
    let user: String = account
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let user = if crate::id::is_name(&user) {
        user
    } else {
        format!("_{user}")
    };
    let text = format!(
        "# Who may approve, and by what they prove it. `flowctl approvers` changes single lines of this file and leaves\n\
         # the rest as it is; runs that have begun only take note of what is taken away.\n\
         users:\n\
         \x20 {}:\n\
         \x20   # Accounts of the operating system, and names that a proxy gives: who starts a run is known by them.\n\
         \x20   accounts: [{}]\n\
         \x20   # Answers count when they are signed with one of these; each is the line of a `.pub` file.\n\
         \x20   ssh_keys: []\n\
         # Flows name a group as `@security`.\n\
         groups: {{}}\n",
        scalar(&user),
        scalar(account)
    );
    if !create_new(file.path(), text.as_bytes())? {
        return Err(Failure::new(
            Exit::UNEXPECTED,
            format!("`{}` is there already", file.shown()),
        )
        .help("nothing was written; `flowctl approvers add` adds to it"));
    }
    output.say(&format!("{}: written, with `{user}` in it", file.shown()));
    let add = output.next(&format!(
        "approvers add {user} --ssh-key ~/.ssh/id_ed25519.pub"
    ));
    output.say(&format!("  a key    {add}"));
    output.say(&format!(
        "  a token  {}",
        output.next(&format!("approvers token {user}"))
    ));
    Ok(Exit::SUCCESS)
}

fn add(engine: &Engine, args: &ApproversAdd, output: &mut Output) -> Result {
    let user = args.user.as_str();
    if !crate::id::is_name(user) {
        return Err(Failure::usage(format!(
            "`{}` cannot name a user",
            user.escape_debug()
        ))
        .help("begin with a letter or `_`, go on with letters, digits, `_` or `-`; an address can be an `--account`"));
    }
    let mut lines = Vec::new();
    for path in &args.ssh_key {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read the key `{shown}`: {error}")))?;
        if text.contains("PRIVATE KEY") {
            return Err(Failure::usage(format!("`{shown}` is a private key"))
                .help(format!("give its public half: `{shown}.pub`")));
        }
        lines.extend(
            text.lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty() && !line.starts_with('#')),
        );
    }
    let mut draft = draft(engine, output)?;
    let now = draft.approvers();
    let known = now.users.get(user);
    let is_held = |line: &str| {
        let fingerprint = crate::approvers::fingerprint(line);
        let keys = known.map_or(&[][..], |known| known.ssh_keys.as_slice());
        keys.iter()
            .any(|key| Some(&key.fingerprint) == fingerprint.as_ref())
    };
    lines.retain(|line| !is_held(line));
    let lines: Vec<String> = lines.iter().map(|line| scalar(line)).collect();
    let accounts: Vec<String> = args.account.iter().map(|name| scalar(name)).collect();
    let own = scalar(user);
    let name = args.name.as_deref().map(scalar);
    let mut changes: Vec<(Vec<&str>, Change<'_>)> = Vec::new();
    if known.is_none() {
        changes.push((vec!["users", user], Change::Put("{}")));
    }
    if let Some(name) = &name {
        if known.is_some_and(|known| known.name.is_some()) {
            return Err(Failure::usage(format!("`{user}` has a name already"))
                .help("change it in the file"));
        }
        changes.push((vec!["users", user, "name"], Change::Put(name)));
    }
    let has_account = |name: &String| known.is_some_and(|known| known.accounts.contains(name));
    let mut new_accounts = args
        .account
        .iter()
        .zip(&accounts)
        .filter(|(name, _)| !has_account(name))
        .peekable();
    // Who says nothing of accounts has the one of their own name, and keeps it beside another.
    if known.is_some_and(|known| known.has_default_account) && new_accounts.peek().is_some() {
        changes.push((vec!["users", user, "accounts"], Change::Push(&own)));
    }
    for (_, account) in new_accounts {
        changes.push((vec!["users", user, "accounts"], Change::Push(account)));
    }
    for line in &lines {
        changes.push((vec!["users", user, "ssh_keys"], Change::Push(line)));
    }
    for group in &args.group {
        let members = now.groups.get(group);
        if !members.is_some_and(|members| members.iter().any(|one| one == user)) {
            changes.push((vec!["groups", group], Change::Push(&own)));
        }
    }
    let shown = file(engine).shown();
    if changes.is_empty() {
        output.say(&format!("{shown} says so already; nothing was changed"));
        return Ok(Exit::SUCCESS);
    }
    draft.change_all(&changes)?;
    draft.save()?;
    output.say(&format!(
        "`{user}` is in {shown}; what was added does not count for runs that have begun"
    ));
    Ok(Exit::SUCCESS)
}

fn revoke(engine: &Engine, args: &ApproversRevoke, output: &mut Output) -> Result {
    let user = args.user.as_str();
    let mut draft = draft(engine, output)?;
    let held = known(draft.approvers(), user)?;
    let (list, index, what) = match (&args.token, &args.key) {
        (Some(id), _) => {
            let index = found(
                "token",
                user,
                id,
                held.tokens.iter().map(|token| token.id.as_str()),
            )?;
            ("tokens", index, format!("token {}", held.tokens[index].id))
        }
        (None, Some(fingerprint)) => {
            let index = found(
                "key",
                user,
                fingerprint,
                held.ssh_keys.iter().map(|key| key.fingerprint.as_str()),
            )?;
            let what = format!("key {}", held.ssh_keys[index].fingerprint);
            ("ssh_keys", index, what)
        }
        (None, None) => return Err(Failure::usage("say which token, or which `--key`")),
    };
    draft.change(&["users", user, list], Change::Remove(index))?;
    draft.save()?;
    output.say(&format!(
        "revoked: the {what} of `{user}`; from now on it counts nowhere, in runs that have begun neither"
    ));
    Ok(Exit::SUCCESS)
}

/// The place of what a person means: a whole name, or a unique beginning.
fn found<'a>(
    what: &str,
    user: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> std::result::Result<usize, Failure> {
    let names: Vec<&str> = names.collect();
    let matching: Vec<usize> = (0..names.len())
        .filter(|&at| !wanted.is_empty() && names[at].starts_with(wanted))
        .collect();
    match matching.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::usage(format!(
            "`{user}` has no {what} `{}`",
            wanted.escape_debug()
        ))
        .help(format!("there is {}", or_list(names)))),
        many => {
            let names = or_list(many.iter().map(|&at| names[at]));
            Err(Failure::usage(format!(
                "`{wanted}` could be {names}; give more of it"
            )))
        }
    }
}

#[cfg(not(feature = "sign"))]
fn trust(_: &Engine, _: &mut Output) -> Result {
    Err(
        Failure::usage("this flowctl was built without `sign`, and its server has no key")
            .help("build it with `--features sign`"),
    )
}

#[cfg(feature = "sign")]
fn trust(engine: &Engine, output: &mut Output) -> Result {
    let mut draft = draft(engine, output)?;
    let added = trust_server(engine, &mut draft, output)?;
    if added {
        draft.save()?;
    } else {
        output.say("the server of this workspace is trusted already; nothing was changed");
    }
    Ok(Exit::SUCCESS)
}

/// Adds the key of this workspace's server, and says so; says whether it was not there yet.
#[cfg(feature = "sign")]
pub(super) fn trust_server(
    engine: &Engine,
    draft: &mut ApproversDraft,
    output: &mut Output,
) -> std::result::Result<bool, Failure> {
    let key = crate::engine::ServerKey::load_or_make(&engine.layout.serve(), &engine.who.host)?;
    let fingerprint = key.fingerprint();
    let servers = &draft.approvers().servers;
    if servers.iter().any(|one| one.fingerprint == fingerprint) {
        return Ok(false);
    }
    draft.change(&["servers"], Change::Push(&scalar(&key.public_line())))?;
    output.say(&format!(
        "trusted: what `flowctl serve` of this workspace says of answers on the web, signed with {fingerprint}"
    ));
    Ok(true)
}

#[cfg(feature = "sign")]
impl From<crate::engine::ServerKeyError> for Failure {
    fn from(error: crate::engine::ServerKeyError) -> Self {
        use crate::engine::ServerKeyError;
        let message = format!("the server's key cannot be used: {error}");
        match error {
            ServerKeyError::Exposed { path, .. } => Self::new(Exit::UNEXPECTED, message)
                .help(format!("whoever read it can claim answers: remove it and its line under `servers`, and make a new one; or, if nobody did, `chmod 600 {}`", path.display())),
            ServerKeyError::Unusable { path, .. } => Self::new(Exit::UNEXPECTED, message)
                .help(format!("remove `{}`; a new one is made", path.display())),
            ServerKeyError::Store(error) => error.into(),
            ServerKeyError::Random(_) | ServerKeyError::Sign(_) => {
                Self::new(Exit::UNEXPECTED, message)
            }
        }
    }
}
