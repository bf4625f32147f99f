//! `flowctl review`.

use std::fmt::Write as _;

use similar::TextDiff;

use super::Result;
use crate::cli::args::Review as ReviewArgs;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::engine::{Change, Engine, Error, OpenRun, Review, ReviewedFile};

pub(super) fn review(engine: &Engine, args: &ReviewArgs, output: &mut Output) -> Result {
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    let review = Review::of(&run, engine.layout.workspace())?;
    let mut text = head(&run)?;
    let count = |change| {
        review
            .files
            .iter()
            .filter(|file| file.change == change)
            .count()
    };
    _ = writeln!(
        text,
        "{} files: {} new, {} changed, {} as they are\n",
        review.files.len(),
        count(Change::Added),
        count(Change::Modified),
        count(Change::Unchanged)
    );
    for file in &review.files {
        let mark = match file.change {
            Change::Added => 'A',
            Change::Modified => 'M',
            Change::Unchanged => '=',
        };
        _ = writeln!(
            text,
            "{mark} {}  ({}, {} bytes)",
            file.file.path, file.node, file.file.bytes
        );
    }
    if !args.stat {
        for file in review
            .files
            .iter()
            .filter(|file| file.change != Change::Unchanged)
        {
            text.push('\n');
            text.push_str(&diff(file));
        }
    }
    output.data(&text)?;
    Ok(Exit::SUCCESS)
}

/// What a person should see first: the gates, and what was not tested.
fn head(run: &OpenRun) -> std::result::Result<String, Error> {
    let mut text = format!(
        "run {} of {}: {}\n",
        run.id(),
        run.started.flow,
        run.status_word()
    );
    for id in run.state.waiting() {
        let instance = run.state.instance(id);
        if let Some(request) = &instance.request {
            _ = writeln!(
                text,
                "`{}` asks for approval of {}",
                instance.path, request.digest
            );
        }
    }
    for case in run.tests()?.iter().filter(|case| !case.passed()) {
        let reason = if case.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", case.reason)
        };
        _ = writeln!(text, "test {} {}{reason}", case.id, case.verdict());
    }
    text.push('\n');
    Ok(text)
}

fn diff(file: &ReviewedFile) -> String {
    let path = &file.file.path;
    let (Some(after), true) = (
        &file.after,
        file.before.is_some() || file.change == Change::Added,
    ) else {
        return format!("Binary file {path} differs\n");
    };
    let before = file.before.as_deref().unwrap_or_default();
    let old = if file.change == Change::Added {
        "/dev/null".to_owned()
    } else {
        format!("a/{path}")
    };
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&old, &format!("b/{path}"))
        .to_string()
}
