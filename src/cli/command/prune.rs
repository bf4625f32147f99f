//! `flowctl prune`.

use super::Result;
use crate::cli::args::Prune;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Engine, Overview};
use crate::flow::parse_duration;
use crate::store::{Holder, RunLock};

pub(super) fn prune(engine: &Engine, args: &Prune, output: &mut Output) -> Result {
    let Some(age) = parse_duration(&args.older_than) else {
        return Err(
            Failure::usage(format!("`{}` is not a duration", args.older_than))
                .help("write `12h` or `30d`"),
        );
    };
    let mut removed = 0;
    for dir in engine.layout.all_runs()?.into_iter().skip(args.keep) {
        // A damaged journal may be all that is left of a run: it is never removed.
        let Ok(overview) = Overview::of(&dir) else {
            continue;
        };
        let old = overview
            .last
            .checked_add(age)
            .is_ok_and(|end| end <= engine.now());
        if !overview.sealed || !old {
            continue;
        }
        removed += 1;
        output.data(dir.id.as_str())?;
        if args.yes {
            let holder = Holder {
                pid: std::process::id(),
                host: engine.who.host.clone(),
                since: engine.now().to_string(),
                command: "prune".to_owned(),
            };
            let _lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &holder)?;
            std::fs::remove_dir_all(&dir.path).map_err(|error| {
                Failure::new(
                    Exit::UNEXPECTED,
                    format!("cannot remove `{}`: {error}", dir.path.display()),
                )
            })?;
        }
    }
    let what = if args.yes {
        "removed"
    } else {
        "would be removed; `--yes` does it"
    };
    output.say(&format!("{removed} runs {what}; evidence is kept"));
    Ok(Exit::SUCCESS)
}
