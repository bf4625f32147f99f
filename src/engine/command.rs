//! The command of a process node: runs it, and reads what it printed. Knows nothing of attempts but
//! what they come to.

use std::time::Duration;

use serde_json::json;

use super::attempt::{Success, finish_value, timed_out};
use super::host::NodeHost;
use crate::flow::ProcessOutput;
use crate::port::Failure;
use crate::store::Blobs;
use crate::tool::{Cancel, Finished, ProcessSpec, run_process};
use crate::value::Value;

/// Runs a process node; it finds the staged files where `FLOWCTL_STAGED` says.
pub(super) async fn run_command(
    mut spec: Box<ProcessSpec>,
    host: Option<Box<NodeHost>>,
    output: ProcessOutput,
    timeout: Option<Duration>,
    cancel: Cancel,
    blobs: &Blobs,
) -> (Result<Success, Failure>, bool) {
    // The folder lives as long as its host does.
    let mut held = None;
    if let Some(host) = host {
        let laid_out = tokio::task::spawn_blocking(move || host.staged().map(|dir| (dir, host)));
        match laid_out.await {
            Ok(Ok((dir, host))) => {
                let dir = std::path::absolute(&dir).unwrap_or(dir);
                let dir = dir.to_string_lossy().into_owned();
                spec.env.push(("FLOWCTL_STAGED".to_owned(), dir));
                held = Some(host);
            }
            Ok(Err(failure)) => return (Err(failure), false),
            Err(error) => return (Err(Failure::new(error.to_string())), false),
        }
    }
    let finished = run_process(&spec, cancel).await;
    drop(held);
    match finished {
        Ok(finished) => {
            let stopped = finished.cancelled;
            // What is said was cleaned as it came; read as JSON, it may be said anew.
            let result = read_process(&spec, finished, output, timeout)
                .and_then(|value| finish_value(spec.redactor.value(value), blobs));
            (result, stopped)
        }
        Err(error) => (Err(cannot_start(&spec, &error)), false),
    }
}

fn cannot_start(spec: &ProcessSpec, error: &std::io::Error) -> Failure {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let failure = Failure::new(format!("cannot start `{program}`: {error}"));
    match error.kind() {
        std::io::ErrorKind::NotFound if !spec.cwd.is_dir() => failure.help(format!(
            "there is no folder `{}`; see `cwd`",
            spec.cwd.display()
        )),
        std::io::ErrorKind::NotFound => {
            failure.help("is it installed and on the PATH? no shell looks for it")
        }
        _ => failure,
    }
}

fn read_process(
    spec: &ProcessSpec,
    finished: Finished,
    output: ProcessOutput,
    timeout: Option<Duration>,
) -> Result<Value, Failure> {
    let program = spec.argv.first().cloned().unwrap_or_default();
    if finished.cancelled {
        return Err(Failure::new("it was stopped"));
    }
    let mut tail = last_lines(&finished.stderr, 5);
    if tail.is_empty() && !finished.truncated {
        // Many say on standard output what went wrong.
        tail = last_lines(&finished.stdout, 5);
    }
    if !tail.is_empty() {
        tail.insert(0, '\n');
    }
    let logs = "`flowctl logs RUN NODE` shows all that it printed";
    if finished.timed_out {
        let mut failure = timed_out(timeout.unwrap_or_default());
        failure.message.push_str(&tail);
        return Err(failure);
    }
    match (finished.exit_code, finished.signal) {
        (Some(0), _) => {}
        (Some(code), _) => {
            return Err(
                Failure::new(format!("`{program}` exited with code {code}{tail}")).help(logs),
            );
        }
        (None, signal) => {
            let (signal, help) = match signal {
                None => ("a signal".to_owned(), logs.to_owned()),
                Some(number) => (
                    format!("signal {number}{}", signal_name(number)),
                    match number {
                        9 => format!("somebody ended it, or the system was out of memory; {logs}"),
                        _ => logs.to_owned(),
                    },
                ),
            };
            return Err(
                Failure::new(format!("`{program}` was ended by {signal}{tail}")).help(help),
            );
        }
    }
    if finished.truncated {
        return Err(Failure::new(format!(
            "`{program}` printed more than {} MiB, which is more than an output may hold",
            crate::tool::MAX_CAPTURE >> 20
        ))
        .help("let it write a file, and print the file's name"));
    }
    match output {
        ProcessOutput::Text => {
            let stdout = String::from_utf8(finished.stdout).map_err(|_| {
                Failure::new(format!("what `{program}` printed is not UTF-8"))
                    .help("let it write a file, or print base64")
            })?;
            Ok(json!({ "stdout": stdout, "exit_code": 0 }))
        }
        ProcessOutput::Json => serde_json::from_slice(&finished.stdout).map_err(|error| {
            let shown: String = String::from_utf8_lossy(&finished.stdout)
                .chars()
                .take(120)
                .collect();
            Failure::new(format!(
                "what `{program}` printed is not JSON: {error}; it begins with `{}`",
                shown.escape_debug()
            ))
            .help(
                "print one JSON document to standard output, and everything else to standard error",
            )
        }),
    }
}

/// The numbers of these are the same everywhere.
fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        6 => " (SIGABRT)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// The last lines of a stream, each cut where nobody reads on.
fn last_lines(bytes: &[u8], count: usize) -> String {
    const LONGEST: usize = 500;
    // Of a long stream only the end matters, and it may be one line.
    let bytes = &bytes[bytes.len().saturating_sub(64 * 1024)..];
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| match line.char_indices().nth(LONGEST) {
            Some((cut, _)) => format!("  {}…", &line[..cut]),
            None => format!("  {line}"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}
