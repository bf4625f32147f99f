//! `flowctl evidence export`.

use serde_json::json;

use super::{Result, drive};
use crate::cli::args::{Export, ReportFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Objects;
use crate::cli::signals;
use crate::engine::Engine;
use crate::export::{Destination, Error, Options, Report, Target, Trouble};

/// How many failures are told one by one.
const SHOWN: usize = 5;

pub(super) fn export(engine: &Engine, args: &Export, output: &mut Output) -> Result {
    let destination = Destination::parse(&args.to)?;
    let options = Options {
        dry_run: args.dry_run,
        read_back: args.read_back,
        concurrency: usize::from(args.concurrency),
    };
    let quiet = args.format == ReportFormat::Json;
    let runtime = drive::runtime()?;
    let report = {
        let mut progress = Objects::new(output, quiet);
        runtime.block_on(async {
            let stop = signals::stop();
            #[cfg(feature = "export")]
            if let Destination::Adx { .. } = destination {
                let table = crate::export::Adx::open(&destination, engine.variable)?;
                return table
                    .export(&engine.layout, options, stop, &mut progress)
                    .await;
            }
            let target = Target::open(&destination, &engine.layout)?;
            crate::export::export(&engine.layout, &target, options, stop, &mut progress).await
        })?
    };
    runtime.shutdown_background();
    match args.format {
        ReportFormat::Json => output.json(&json(&destination, options, &report).to_string())?,
        ReportFormat::Text => text(&destination, options, &report, output)?,
    }
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    let worst = |found: fn(&Trouble) -> bool| report.troubles.values().any(found);
    if worst(|trouble| !matches!(trouble, Trouble::Failed(_))) {
        Exit::NOT_INTACT
    } else if worst(|trouble| matches!(trouble, Trouble::Failed(_))) {
        Exit::UNEXPECTED
    } else if report.interrupted {
        Exit::INTERRUPTED
    } else {
        Exit::SUCCESS
    }
}

fn json(destination: &Destination, options: Options, report: &Report) -> serde_json::Value {
    let troubles: Vec<_> = report
        .troubles
        .iter()
        .map(|(name, trouble)| json!({ "name": name, "kind": trouble.word(), "message": trouble.message() }))
        .collect();
    json!({
        "to": destination.to_string(),
        "dry_run": options.dry_run,
        "exported": report.exported.keys().collect::<Vec<_>>(),
        "exported_bytes": report.exported.values().sum::<u64>(),
        "already_there": report.there,
        "troubles": troubles,
        "not_tried": report.left,
        "open": report.open,
        "manifest": report.manifest,
        "rows": report.rows.map(|rows| json!({ "exported": rows.sent, "already_there": rows.there })),
        "interrupted": report.interrupted,
    })
}

fn text(
    destination: &Destination,
    options: Options,
    report: &Report,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    if options.dry_run {
        for name in report.exported.keys() {
            output.data(name)?;
        }
    }
    let mut failures = 0;
    for (name, trouble) in &report.troubles {
        // Failures are mostly the same; conflicts and damage are each a matter of their own.
        let failed = matches!(trouble, Trouble::Failed(_));
        failures += usize::from(failed);
        if !failed || failures <= SHOWN {
            let (word, message) = (trouble.word(), trouble.message());
            output.say(&format!("{word}: `{name}`: {message}"));
        }
    }
    if failures > SHOWN {
        output.say(&format!("… and {} more failures", failures - SHOWN));
    }
    for bundle in &report.open {
        output.say(&format!(
            "note: `{bundle}` is not closed yet; the next export takes it along"
        ));
    }
    let verb = if options.dry_run {
        "would be exported"
    } else {
        "exported"
    };
    let left = match report.troubles.len() + report.left {
        0 => String::new(),
        left => format!(", not exported {left}"),
    };
    let summary = match report.rows {
        Some(rows) => format!("{verb} {} rows, already there {}", rows.sent, rows.there),
        None => format!(
            "{verb} {}, already there {}",
            report.exported.len(),
            report.there.len()
        ),
    };
    output.say(&format!("{summary}{left}: {destination}"));
    if let Some(manifest) = report.manifest.as_ref().filter(|_| !options.dry_run) {
        output.say(&format!("  everything is listed in {manifest}"));
    }
    let any = |found: fn(&Trouble) -> bool| report.troubles.values().any(found);
    if any(|trouble| matches!(trouble, Trouble::Conflict(_))) {
        output.say("help: nothing was overwritten; find out which of the two is right. If another workspace exports there, give this one another prefix");
    }
    if any(|trouble| matches!(trouble, Trouble::Damaged(_))) {
        output.say("help: what is damaged stays here; `flowctl resume` writes the evidence of a run that was interrupted while it was closed");
    }
    if report.interrupted || any(|trouble| matches!(trouble, Trouble::Failed(_))) {
        output.say("help: export again; what is there is not sent again");
    }
    Ok(())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Store(error) => error.into(),
            Error::Destination { help, .. } => Self::usage(message).help(help),
            Error::Nothing(_) => Self::usage(message)
                .help("run a flow first, or say where it is with `--workspace DIR`"),
            Error::Remote { help, .. } => {
                let failure = Self::new(Exit::UNEXPECTED, message);
                match help {
                    Some(help) => failure.help(help),
                    None => failure,
                }
            }
        }
    }
}
