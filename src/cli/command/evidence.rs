//! `flowctl evidence verify` and `flowctl evidence rebuild`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Result;
use crate::cli::args::{ReportFormat, Verify};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::evidence::{PublicKey, Report, Seal, Tree, read_keys};

pub(super) fn verify(engine: &Engine, args: &Verify, output: &mut Output) -> Result {
    let path = args
        .path
        .clone()
        .unwrap_or_else(|| engine.layout.evidence());
    let trusted = match &args.trusted_keys {
        Some(file) => trusted(file)?,
        None => Vec::new(),
    };
    let shown = path.display().to_string();
    if !path.is_dir() {
        return Err(Failure::usage(format!("there is no folder `{shown}`"))
            .help("name the evidence folder, or a bundle in it"));
    }
    // What is half written would look damaged. A copy that cannot be locked has nobody who writes it.
    let lock = path.join(".lock");
    let _lock = lock.is_file().then(|| {
        crate::store::RunLock::wait(&lock, || {
            output.say("waiting for another process that writes evidence");
        })
        .ok()
    });
    // Of the workspace's own evidence it is known how far it went.
    let own = path.canonicalize().ok() == engine.layout.evidence().canonicalize().ok();
    let Some(mut report) = crate::evidence::verify(&Tree::Disk(path), &trusted) else {
        return Err(Failure::usage(format!(
            "`{shown}` is neither an evidence folder nor a bundle"
        ))
        .help("an evidence folder holds `index.json`, a bundle `manifest.json`"));
    };
    if own {
        let behind = crate::evidence::behind(&engine.layout)?;
        report.findings.extend(behind);
    }
    let keys = args.trusted_keys.as_ref();
    let keys = keys.map(|keys| keys.display().to_string());
    match args.format {
        ReportFormat::Json => output.json(
            &serde_json::to_string_pretty(&as_json(&shown, &report, keys.is_some()))
                .expect("JSON becomes text"),
        )?,
        ReportFormat::Text => output.data(&as_text(&shown, &report))?,
    }
    for note in &report.notes {
        output.say(&format!("note: {note}"));
    }
    if !report.findings.is_empty() {
        output.say("help: `flowctl evidence rebuild` makes it again where the runs are, and keeps what is there now");
        return Ok(Exit::NOT_INTACT);
    }
    let untrusted = report.untrusted();
    let Some(keys) = keys.filter(|_| !untrusted.is_empty()) else {
        return Ok(Exit::SUCCESS);
    };
    for (path, seal) in &untrusted {
        output.say(&format!("not trusted: {path}: {}", sealed(seal)));
    }
    output.say(&format!(
        "help: nothing was changed since it was written, and no key of `{keys}` vouches for what is listed; a key that is strange to you may be one to ask for, and what is unsigned was written without `--signing-key`"
    ));
    Ok(Exit::NOT_INTACT)
}

fn trusted(file: &Path) -> std::result::Result<Vec<PublicKey>, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
    let keys = read_keys(&text)
        .map_err(|message| Failure::usage(format!("`{shown}` cannot be used: {message}")))?;
    if keys.is_empty() {
        return Err(Failure::usage(format!("`{shown}` holds no key")));
    }
    Ok(keys)
}

fn sealed(seal: &Seal) -> String {
    match seal {
        Seal::Unsigned => "unsigned".to_owned(),
        Seal::Trusted(name) => format!("signed by {name}"),
        Seal::Unknown(key) => format!("signer unknown: {key}"),
        Seal::Unchecked => {
            "signature not checked: this flowctl was built without the feature `sign`".to_owned()
        }
    }
}

fn as_text(shown: &str, report: &Report) -> String {
    let mut lines = Vec::new();
    for finding in &report.findings {
        let line = finding
            .line
            .map_or_else(String::new, |line| format!(":{line}"));
        lines.push(format!("{}{line}: {}", finding.path, finding.message));
    }
    for (path, run, status, seal) in &report.bundles {
        lines.push(format!("  {path}: run {run}, {status}, {}", sealed(seal)));
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    lines.push(if report.findings.is_empty() {
        let seal = report
            .index
            .as_ref()
            .map_or_else(String::new, |seal| format!(", {}", sealed(seal)));
        format!("intact{seal}: {} in `{shown}`", count(report.files, "file"))
    } else {
        format!(
            "not intact: {} in `{shown}`",
            count(report.findings.len(), "finding")
        )
    });
    lines.join("\n")
}

fn as_json(shown: &str, report: &Report, judged: bool) -> Value {
    let seal = |seal: &Seal| match seal {
        Seal::Unsigned => json!({ "signature": "unsigned" }),
        Seal::Trusted(name) => json!({ "signature": "trusted", "signer": name }),
        Seal::Unknown(key) => json!({ "signature": "unknown", "signer": key }),
        Seal::Unchecked => json!({ "signature": "unchecked" }),
    };
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| json!({ "path": finding.path, "line": finding.line, "message": finding.message }))
        .collect();
    let bundles: Vec<Value> = report
        .bundles
        .iter()
        .map(|(path, run, status, signed)| json!({ "path": path, "run": run, "status": status, "signed": seal(signed) }))
        .collect();
    // Without keys, nobody asked.
    let trusted = judged.then(|| report.untrusted().is_empty());
    json!({
        "path": shown, "intact": report.findings.is_empty(), "trusted": trusted, "notes": report.notes, "files": report.files, "records": report.records,
        "index": report.index.as_ref().map(seal), "bundles": bundles, "findings": findings,
    })
}

pub(super) fn rebuild(engine: &Engine, output: &mut Output) -> Result {
    if !engine.layout.runs().is_dir() && !engine.layout.evidence().is_dir() {
        let runs: PathBuf = engine.layout.runs();
        return Err(Failure::usage(format!(
            "there are no runs in `{}`",
            runs.display()
        )));
    }
    let rebuilt = engine.rebuild_evidence()?;
    for path in &rebuilt.written {
        output.say(&format!("  written     {path}"));
    }
    for path in &rebuilt.moved {
        output.say(&format!("  moved aside {path}"));
    }
    for note in &rebuilt.notes {
        output.say(&format!("note: {note}"));
    }
    let aside = rebuilt
        .aside
        .map_or_else(String::new, |dir| format!("; what was there is in {dir}"));
    output.say(&format!(
        "{} files as they were, {} written again{aside}",
        rebuilt.kept,
        rebuilt.written.len()
    ));
    Ok(Exit::SUCCESS)
}
