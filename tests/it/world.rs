//! What the world does to a run: disks that are full or read-only, clocks that go back, drivers that
//! start together, processes that stay behind, deadlines that pass while a driver stops.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use flowctl::engine::{Driver, Ended, Engine, Limits, Notice, Observer, SecretsFile, Who};
use flowctl::plan::Plan;
use flowctl::run::{Event, Payload, RunState};
use flowctl::store::Layout;
use flowctl::value::Object;
use rustix::process::Signal;
use serde_json::json;

use crate::crash::no_second_success;
use crate::faults::{effects, end, to_the_end, workspace};
use crate::harness::{Test, append, lives, not_run, until};

/// A file system in memory over a folder, until it is dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(dir: &'a Path, size: &str) -> Result<Self, String> {
        mount(
            &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"],
            dir,
        )
        .map(|()| Self(dir))
    }

    fn again(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], self.0).unwrap();
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

fn mount(args: &[&str], dir: &Path) -> Result<(), String> {
    let output = Command::new("mount")
        .args(args)
        .arg(dir)
        .output()
        .map_err(|error| format!("`mount`: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The same workspace as `from`, on a file system of its own in `to`.
fn fill(from: &Test, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(format!("{}/.", from.path("").display()))
        .arg(to)
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
}

#[test]
fn a_disk_of_any_size_that_is_too_small() {
    let original = workspace(false);
    let all = std::env::var("FLOWCTL_TEST_FAULTS").is_ok_and(|value| value == "all");
    let mut refusals = 0;
    // The workspace itself takes 11 pages and folders; the whole life about 40.
    for pages in (10..64).step_by(if all { 1 } else { 6 }) {
        let test = Test::new();
        let dir = test.path("");
        let disk = match Mounted::new(&dir, &format!("{}k", pages * 4)) {
            Ok(disk) => disk,
            Err(reason) => {
                not_run("world::a_disk_of_any_size_that_is_too_small", &reason);
                return;
            }
        };
        // Made with room, and then there is none.
        disk.again("size=1m");
        fill(&original, &dir);
        disk.again(&format!("size={}k", pages * 4));
        let ran = test.output(["run", "flow.yaml", "--run-id", "r"]);
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        if ran.code != 5 {
            refusals += 1;
            assert!(ran.code == 1 || ran.code == 4, "{pages} pages: {ran:?}");
            assert!(
                ran.stderr.contains("No space left"),
                "{pages} pages: {ran:?}"
            );
            assert!(
                ran.stderr.contains("help: ") || ran.stderr.contains("resume r"),
                "what to do is said, {pages} pages: {ran:?}"
            );
        }
        disk.again("size=8m");
        to_the_end(&test);
        let (outputs, published) = end(&test, false);
        assert_eq!(outputs["last"], json!(4));
        assert_eq!(published["site/a.txt"], b"a for n3\n");
        for (effect, times) in effects(&test) {
            // One whose success found no room is done again; `Retry` fails once on purpose.
            let most = if effect == "Retry" { 3 } else { 2 };
            assert!(times <= most, "{pages} pages: {effect} ran {times} times");
        }
    }
    assert!(refusals > 2, "some sizes were too small: {refusals}");
}

#[test]
fn a_read_only_workspace_can_be_looked_at_and_nothing_else() {
    let original = workspace(false);
    original
        .output(["run", "flow.yaml", "--run-id", "r"])
        .exits(5);
    let test = Test::new();
    let dir = test.path("");
    let disk = match Mounted::new(&dir, "8m") {
        Ok(disk) => disk,
        Err(reason) => {
            not_run(
                "world::a_read_only_workspace_can_be_looked_at_and_nothing_else",
                &reason,
            );
            return;
        }
    };
    fill(&original, &dir);
    fs::copy(original.home().join("effects"), test.home().join("effects")).unwrap();
    disk.again("ro");
    for args in [
        &["show", "r"][..],
        &["runs"],
        &["logs", "r"],
        &["review", "r"],
        &["validate", "flow.yaml"],
        &["evidence", "verify"],
    ] {
        let ran = test.output(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    }
    for args in [
        &["run", "flow.yaml"][..],
        &["approve", "r", "--resume"],
        &["reject", "r", "--reason", "no"],
        &["cancel", "r"],
        &["evidence", "rebuild"],
        &["resume", "r"],
    ] {
        let ran = test.output(args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        assert!(
            ran.stderr.contains("Read-only file system") && ran.stderr.contains("help: "),
            "{args:?}: {ran:?}"
        );
    }
    disk.again("rw");
    to_the_end(&test);
    assert_eq!(end(&test, false).0["last"], json!(4));
    assert!(effects(&test).values().all(|times| *times <= 2));
}

#[test]
fn drivers_that_start_together_are_one() {
    for round in 0..6 {
        let test = Test::new().file("flow.yaml", "nodes:\n  - { name: A, type: process, output: json, command: [sh, -c, 'echo x >> a; sleep 0.1; echo 1'] }\noutputs: { a: '${A.output}' }\n");
        let drivers: Vec<_> = (0..4)
            .map(|_| test.spawn(["run", "flow.yaml", "--run-id", "r"]))
            .collect();
        let codes: Vec<_> = drivers.into_iter().map(|driver| driver.wait()).collect();
        assert_eq!(
            codes.iter().filter(|ran| ran.code == 0).count(),
            1,
            "round {round}: {codes:?}"
        );
        for ran in codes.iter().filter(|ran| ran.code != 0) {
            // Locked, or taken by the time the lock was free.
            assert!(
                ran.code == 7 && ran.stderr.contains("driven by another process")
                    || ran.code == 2 && ran.stderr.contains("there is a run `r` already"),
                "{ran:?}"
            );
        }
        assert_eq!(test.lines("a").len(), 1);
        no_second_success(&test, "r");
    }
}

#[test]
fn drivers_that_resume_together_are_one() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Slow, type: process, output: json, command: [sh, -c, 'echo x >> slow; test -e go || exec sleep 60; sleep 0.1; echo 1'] }\noutputs: { a: '${Slow.output}' }\n");
    let first = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it runs", || test.lines("slow").len() == 1);
    first.kill();
    test.write("go", "");
    let drivers: Vec<_> = (0..4).map(|_| test.spawn(["resume", "r"])).collect();
    let codes: Vec<_> = drivers.into_iter().map(|driver| driver.wait()).collect();
    assert!(codes.iter().any(|ran| ran.code == 0), "{codes:?}");
    // A late one finds that all is done.
    assert!(
        codes.iter().all(|ran| matches!(ran.code, 0 | 7)),
        "{codes:?}"
    );
    assert_eq!(test.lines("slow").len(), 2);
    no_second_success(&test, "r");
}

#[test]
fn what_a_tool_leaves_behind_neither_holds_the_run_nor_stays() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: A, type: process, output: json, command: [sh, -c, 'sleep 60 & echo $! > pid; echo 1'] }\noutputs: { a: '${A.output}' }\n");
    let begun = Instant::now();
    let ran = test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    assert_eq!(ran.json(), json!({ "a": 1 }));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let pid = test.lines("pid")[0].clone();
    until("it is gone", || !lives(&pid));
}

#[test]
fn what_left_its_group_is_ended_when_a_killed_run_is_taken_up() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: A, type: process, output: json, command: [sh, -c, 'test -e go || { setsid sh -c \"echo \\$\\$ > pid; exec sleep 60\" & sleep 60; }; echo 1'] }\noutputs: { a: '${A.output}' }\n");
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it has left its group", || test.lines("pid").len() == 1);
    let pid = test.lines("pid")[0].clone();
    driver.kill();
    assert!(lives(&pid), "nobody tells it");
    test.write("go", "");
    test.output(["resume", "r"]).exits(0);
    until("it is gone", || !lives(&pid));
}

#[test]
fn a_deadline_that_passes_while_the_driver_stops() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Gate, type: approval, approval: { scope: dependants, timeout: 1s, on_timeout: reject } }\n  - { name: Deaf, type: process, timeout: 2s, command: [sh, -c, 'test -e go && exit 0; trap \"\" TERM; echo x >> deaf; end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do sleep 0.1; done'] }\n");
    let driver = test.spawn(["run", "flow.yaml", "--run-id", "r"]);
    until("it runs", || test.lines("deaf").len() == 1);
    driver.signal(Signal::TERM);
    let ran = driver.wait();
    assert_eq!(ran.code, 130, "{ran:?}");
    let events = test.events("r");
    let last = events.last().unwrap()["event"].as_str().unwrap();
    assert!(
        !events
            .iter()
            .any(|event| event["event"] == "approval_expired")
            || last == "approval_expired",
        "what was told to stop judges nothing more than it had begun: {last}"
    );
    test.write("go", "");
    // The time of the gate was up meanwhile; that is found now, once.
    test.output(["resume", "r"]).exits(6);
    assert_eq!(test.count("r", "approval_expired", "Gate"), 1);
    test.output(["resume", "r"]).exits(6);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn every_bit_of_a_journal_counts() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: ['true'] }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    let path = test.journal("r");
    let bytes = fs::read(&path).unwrap();
    let whole = flowctl::store::verify(&path, &bytes).unwrap();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match flowctl::store::verify(&path, &flipped) {
                Err(_) => {}
                // Without its newline, the last record counts as never written.
                Ok(found) => assert!(
                    at + 1 == bytes.len() && found.records.len() + 1 == whole.records.len(),
                    "bit {bit} of byte {at} was taken"
                ),
            }
        }
    }
    for cut in 0..bytes.len() {
        let found = flowctl::store::verify(&path, &bytes[..cut]);
        if cut <= ends[0] {
            assert!(found.is_err(), "{cut}");
            continue;
        }
        let found = found.unwrap();
        assert_eq!(
            found.records.len(),
            ends.iter().filter(|end| **end < cut).count()
        );
        for (kept, record) in found.records.iter().zip(&whole.records) {
            assert_eq!(kept.hash, record.hash);
        }
        // What follows a torn end is never taken for its rest.
        if found.torn > 0 {
            let mut longer = bytes[..cut].to_vec();
            longer.extend_from_slice(b"\n");
            assert!(
                flowctl::store::verify(&path, &longer).is_err() || ends.contains(&cut),
                "{cut}"
            );
        }
    }
    // A run that has ended is not opened for writing, and so its journal is not mended either.
    append(&path, b"{\"v\":1,");
    test.output(["resume", "r"]).exits(0);
    assert!(fs::read(&path).unwrap().starts_with(&bytes));
}

/// By how much the clock of the test is wrong, in milliseconds.
static WRONG: AtomicI64 = AtomicI64::new(0);

fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_millis(WRONG.load(Ordering::SeqCst))
}

/// Sets the clock back by an hour whenever a node has failed.
struct Setter;

impl Observer for Setter {
    fn event(&mut self, _: &Plan, _: &RunState, event: &Event) {
        if matches!(event.payload, Payload::NodeFailed(_)) {
            WRONG.fetch_sub(3_600_000, Ordering::SeqCst);
        }
    }

    fn notice(&mut self, _: &Notice) {}
}

#[test]
fn a_clock_that_goes_back_holds_up_nothing() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: A, type: process, command: [sh, -c, 'echo x >> tries; test $(wc -l < tries) -ge 3'], retry: { attempts: 4, backoff: { initial: 50ms } } }\n  - { name: B, type: process, command: ['true'], after: [A] }\n");
    let engine = Engine {
        layout: Layout::new(test.path("")),
        personas: Vec::new(),
        contracts: |_| None,
        who: Who {
            user: "ada".to_owned(),
            host: "h".to_owned(),
        },
        clock,
        secrets: SecretsFile::default(),
        signer: None,
        distance: flowctl::engine::Distance::default(),
        variable: |_| None,
        surroundings: flowctl::tool::Surroundings::default(),
    };
    let path = test.path("flow.yaml").display().to_string();
    let compiled = engine
        .compile(&path)
        .map_err(|_| "the flow is valid")
        .unwrap()
        .0;
    let begun = Instant::now();
    let ended = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let id = flowctl::id::RunId::parse("r").unwrap();
        let mut driver: Driver = engine.start(compiled, &Object::new(), Some(id)).unwrap();
        let (_hold, stop) = tokio::sync::watch::channel(false);
        let mut setter = Setter;
        let driven = driver.drive(Limits::alone(2), stop, &mut setter);
        tokio::time::timeout(Duration::from_secs(20), driven).await
    });
    assert_eq!(
        ended.expect("it does not wait for an hour").unwrap(),
        Ended::Succeeded
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
    // Times go back in the journal; order, shown durations and evidence do not depend on them.
    let times: Vec<jiff::Timestamp> = test
        .events("r")
        .iter()
        .map(|event| event["ts"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(!times.is_sorted(), "{times:?}");
    let shown = test.output(["show", "r"]).exits(0);
    assert!(
        !shown.stdout.contains(" -"),
        "no time is less than none: {}",
        shown.stdout
    );
    test.output(["show", "r", "--json"]).exits(0);
    test.output(["runs"]).exits(0);
    test.output(["resume", "r"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
    assert_eq!(test.lines("tries").len(), 3);
}
