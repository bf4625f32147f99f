//! Commands that print too much, too long, not text, or leave others behind: nothing blocks, nothing
//! fills memory or disk, and the message says what happened.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Test, lives, peak_memory, until};

fn with(node: &str) -> Test {
    Test::new().file(
        "flow.yaml",
        format!(
            "nodes:\n  - {{ name: A, type: process, {node} }}\noutputs: {{ a: '${{A.output}}' }}\n"
        ),
    )
}

#[test]
fn half_a_gigabyte_of_output_fills_neither_memory_nor_disk() {
    let test = with(
        "command: [sh, -c, 'yes a line of no interest | head -c 536870912; echo the last line']",
    );
    let mut run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    let mut peak = 0;
    while !run.ended() {
        peak = peak.max(peak_memory(run.pid()));
        std::thread::sleep(Duration::from_millis(2));
    }
    run.wait()
        .exits(4)
        .says("`sh` printed more than 16 MiB, which is more than an output may hold")
        .says("help: let it write a file");
    assert!(peak > 0 && peak < 160 * 1024, "{peak} KiB");
    // The log holds the end, and what was put aside the part before it.
    let size = |path: &str| std::fs::metadata(test.path(path)).unwrap().len();
    let (log, aside) = (
        "artifacts/runs/r/logs/A.log",
        "artifacts/runs/r/logs/A.log.1",
    );
    assert!(size(log) <= 81 << 20, "{}", size(log));
    assert!(
        size(aside) <= 81 << 20 && size(aside) >= 63 << 20,
        "{}",
        size(aside)
    );
    let printed = test.output(["logs", "r", "A"]).exits(0).stdout;
    assert_eq!(printed.len() as u64, size(log) + size(aside));
    assert!(printed.ends_with("the last line\n"));
    assert!(printed.starts_with("a line of no interest\n"));
}

#[test]
fn both_streams_may_be_full_and_the_input_unread() {
    // More than a pipe holds, on all three at once.
    let test = with(
        "inputs: { text: '${inputs.text}' }, command: [sh, -c, 'head -c 3000000 /dev/zero | tr \"\\0\" e >&2 & head -c 500000 /dev/zero | tr \"\\0\" o; wait']",
    );
    test.edit(
        "flow.yaml",
        "nodes:",
        "inputs: { text: { type: string } }\nnodes:",
    );
    test.write(
        "in.json",
        json!({ "text": "x".repeat(1_000_000) }).to_string(),
    );
    let outputs = test
        .output(["run", "flow.yaml", "--run-id", "r", "--inputs", "in.json"])
        .exits(0)
        .json();
    assert_eq!(outputs["a"]["stdout"], "o".repeat(500_000));
    let log = test.read("artifacts/runs/r/logs/A.log");
    assert_eq!(log.len(), 3_500_000);
}

#[test]
fn bytes_that_are_no_text() {
    // NUL is text, if no terminal's.
    let test = with("command: [printf, 'a\\000b']");
    let outputs = test.output(["run", "flow.yaml"]).exits(0).json();
    assert_eq!(outputs["a"]["stdout"], "a\u{0}b");
    // The error's message is text whatever the command said, and all of it is in the log.
    let test = with("command: [sh, -c, 'printf \"bad \\377 byte\\n\" >&2; exit 1']");
    test.output(["run", "flow.yaml", "--run-id", "r"])
        .exits(4)
        .says("  bad \u{fffd} byte\n");
    let log = std::fs::read(test.path("artifacts/runs/r/logs/A.log")).unwrap();
    assert_eq!(log, b"bad \xff byte\n");
}

#[test]
fn a_very_long_line_is_cut_in_the_message_only() {
    let test = with("command: [sh, -c, 'head -c 5000000 /dev/zero | tr \"\\0\" x >&2; exit 1']");
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
    assert!(ran.stderr.contains("xxx…\n"), "{}", ran.stderr.len());
    assert!(ran.stderr.len() < 3000, "{}", ran.stderr.len());
    assert_eq!(test.read("artifacts/runs/r/logs/A.log").len(), 5_000_000);
}

#[test]
fn the_last_lines_are_in_the_message_wherever_they_were_printed() {
    let message = |node: &str| {
        let test = with(node);
        let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(4);
        let text = test.scrub(&ran.stderr);
        let from = text.find("failed: `A`").unwrap();
        text[from..].split("  resume").next().unwrap().to_owned()
    };
    assert_snapshot!(message("command: [sh, -c, 'echo one; echo two; exit 7']"), @r"
    failed: `A`: `sh` exited with code 7
      one
      two
    help: `flowctl logs r A` shows all that it printed
    ");
    assert_snapshot!(message("timeout: 300ms, command: [sh, -c, 'echo waiting for the host >&2; sleep 60']"), @r"
    failed: `A`: it took longer than its timeout of <duration>
      waiting for the host
    help: give the node a longer `timeout`, or a `retry`
    ");
    assert_snapshot!(message("command: [sh, -c, 'echo so far >&2; kill -TERM $$']"), @r"
    failed: `A`: `sh` was ended by signal 15 (SIGTERM)
      so far
    help: `flowctl logs r A` shows all that it printed
    ");
    assert_snapshot!(message("command: [sh, -c, 'kill -KILL $$']"), @r"
    failed: `A`: `sh` was ended by signal 9 (SIGKILL)
    help: somebody ended it, or the system was out of memory; `flowctl logs r A` shows all that it printed
    ");
}

#[test]
fn what_a_command_prints_is_in_its_log_while_it_runs() {
    let test =
        with("command: [sh, -c, 'echo begun; until test -e go; do sleep 0.02; done; echo done']");
    let run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the first line is in the log", || {
        test.lines("artifacts/runs/r/logs/A.log") == ["begun"]
    });
    test.write("go", "");
    run.wait().exits(0);
    assert_eq!(test.lines("artifacts/runs/r/logs/A.log"), ["begun", "done"]);
}

#[test]
fn what_a_command_leaves_behind_neither_holds_the_run_nor_takes_its_output() {
    let begun = Instant::now();
    // One in the command's group, and one that went off into a session of its own.
    let test = with(
        "output: json, command: [sh, -c, 'sleep 60 & echo $! > own; setsid sleep 60 & echo 7; sleep 0.1; exit 0']",
    );
    let outputs = test.output(["run", "flow.yaml"]).exits(0).json();
    assert_eq!(outputs, json!({ "a": 7 }));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let own = test.lines("own")[0].clone();
    until("what is in the group is gone", || !lives(&own));
}

#[test]
fn a_command_that_ignores_the_polite_signal_is_ended_all_the_same() {
    let test = with(
        "timeout: 300ms, command: [sh, -c, 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done']",
    );
    let begun = Instant::now();
    test.output(["run", "flow.yaml"])
        .exits(4)
        .says("it took longer than its timeout");
    assert!(
        begun.elapsed() >= Duration::from_secs(10),
        "it has its time"
    );
    let pid = test.lines("pid")[0].clone();
    assert!(!lives(&pid));
}

#[test]
fn a_closed_stream_is_not_the_end_of_a_command() {
    let test = with(
        "command: [sh, -c, 'echo out; exec >&- 2>&-; until test -e go; do sleep 0.02; done; exit 5']",
    );
    let mut run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it has closed them", || {
        test.lines("artifacts/runs/r/logs/A.log") == ["out"]
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(!run.ended());
    assert_eq!(test.count("r", "node_failed", "A"), 0);
    test.write("go", "");
    run.wait().exits(4).says("exited with code 5");
}

#[test]
fn an_interrupt_ends_what_runs_with_its_children() {
    let test = with("command: [sh, -c, 'sleep 60 & echo $! > child; wait']");
    let run = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("the child runs", || test.lines("child").len() == 1);
    run.signal(Signal::INT);
    run.wait().exits(130);
    let child = test.lines("child")[0].clone();
    until("the child is gone", || !lives(&child));
}
