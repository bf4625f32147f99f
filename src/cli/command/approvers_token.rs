//! `flowctl approvers token`.

use jiff::Timestamp;

use super::Result;
use super::approvers::{draft, known};
use crate::approvers::NewToken;
use crate::cli::args::ApproversToken;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::flow::parse_duration;
use crate::yaml::{Change, scalar};

pub(super) fn token(engine: &Engine, args: &ApproversToken, output: &mut Output) -> Result {
    let user = args.user.as_str();
    // Whole seconds: the file is for people.
    let now = Timestamp::from_second(engine.now().as_second()).unwrap_or_else(|_| engine.now());
    let expires = args
        .expires
        .as_deref()
        .map(|text| {
            parse_duration(text)
                .filter(|duration| !duration.is_zero())
                .and_then(|duration| now.checked_add(duration).ok())
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "`{}` is no time that a token can last",
                        text.escape_debug()
                    ))
                    .help("write `12h` or `90d`")
                })
        })
        .transpose()?;
    let mut draft = draft(engine, output)?;
    known(draft.approvers(), user)?;
    let made = NewToken::make(user, random()?, random()?).map_err(|error| {
        Failure::new(
            Exit::UNEXPECTED,
            format!("the token cannot be hashed: {error}"),
        )
    })?;
    let end = expires.map_or_else(String::new, |end| format!(", expires: {end}"));
    let item = format!(
        "{{ id: {}, hash: {}, created: {now}{end} }}",
        scalar(&made.hash.id()),
        scalar(made.hash.as_str())
    );
    draft.change(&["users", user, "tokens"], Change::Push(&item))?;
    // Without it no answer by token would count, and nobody would know why.
    #[cfg(feature = "sign")]
    if draft.approvers().servers.is_empty() {
        super::approvers::trust_server(engine, &mut draft, output)?;
    }
    draft.save()?;
    // Only what is in the file is given out.
    output.data(&made.text)?;
    let id = made.hash.id();
    output.say(&format!(
        "the token {id} of `{user}` is shown this once; who has it can approve as `{user}` on the web"
    ));
    output.say(&format!(
        "  revoke   {}",
        output.next(&format!("approvers revoke {user} {id}"))
    ));
    Ok(Exit::SUCCESS)
}

fn random<const N: usize>() -> std::result::Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            Exit::UNEXPECTED,
            format!("the system gives no random bytes: {error}"),
        )
    })?;
    Ok(bytes)
}
