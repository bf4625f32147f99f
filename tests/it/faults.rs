//! Faults at every system call that changes something: killed before it, or answered with an error.
//! Afterwards, the same outputs and files as without them, no succeeded effect twice, nothing lost.
//!
//! `scripts/test` tries some of the calls, spread evenly; with `FLOWCTL_TEST_FAULTS=all`, as in
//! `scripts/test-all`, every one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::libc;
use serde_json::Value;

use crate::crash::no_second_success;
use crate::harness::{Test, not_run, until};
use crate::tracer::{self, Fault, Traced};

/// Everything that a run can be made of: nodes side by side, an attempt that fails, items, a
/// sub-flow, files for the workspace, documents for the evidence, a gate, and one node after it.
const FLOW: &str = r"name: all
nodes:
  - { name: A, type: process, output: json, command: [sh, -c, 'echo A >> $HOME/effects; echo 1'] }
  - { name: B, type: process, output: json, command: [sh, -c, 'echo B >> $HOME/effects; echo 2'], evidence: true }
  - { name: Each, type: process, foreach: [x, y], command: [sh, -c, 'echo Each-$0 >> $HOME/effects; printf %s $0', '${item}'] }
  - { name: Retry, type: process, command: [sh, -c, 'echo Retry >> $HOME/effects; test -e $HOME/again || { : >$HOME/again; exit 1; }'], retry: { attempts: 3, backoff: { initial: 1ms } } }
  - { name: Sub, type: flow, flow: child.yaml, inputs: { n: '${A.output}' } }
  - { name: Pages, type: skill, inputs: { who: 'n${Sub.output.m}' } }
  - { name: Gate, type: approval, after: [B, Each, Retry, Pages] }
  - { name: Last, type: process, output: json, command: [sh, -c, 'echo Last >> $HOME/effects; echo 4'], after: [Gate] }
outputs: { a: '${A.output}', b: '${B.output}', each: '${Each.output[*].stdout}', m: '${Sub.output.m}', last: '${Last.output}', pages: '${Pages.output.files}' }
";
const CHILD: &str = r"inputs: { n: { type: integer } }
nodes:
  - { name: M, type: process, output: json, command: [sh, -c, 'echo M >> $HOME/effects; echo 3'], inputs: { n: '${inputs.n}' } }
outputs: { m: '${M.output}' }
";
const SKILL: &str = "inputs:\n  who: { schema: { type: string } }\nfiles:\n  - { source: tree, target: site }\nevidence:\n  - { source: note.json.tera, target: notes/note.json }\n";
/// RFC 8410, section 10.3: everybody knows it.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "# Ada\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

/// The commands of an undisturbed life, with their exit codes.
const LIFE: [(&[&str], i32); 3] = [
    (&["run", "flow.yaml", "--run-id", "r"], 5),
    (&["approve", "r", "--resume"], 0),
    (&["evidence", "rebuild"], 0),
];

pub(crate) fn workspace(signed: bool) -> Test {
    let test = Test::new()
        .file("flow.yaml", FLOW)
        .file("child.yaml", CHILD)
        .file("skills/Pages/skill.yaml", SKILL)
        .file("skills/Pages/tree/a.txt.tera", "a for {{ who }}\n")
        .file("skills/Pages/tree/b/c.txt.tera", "c for {{ who }}\n")
        .file(
            "skills/Pages/note.json.tera",
            "{ \"who\": \"{{ who }}\" }\n",
        )
        .file("site/a.txt", "older\n")
        .file("trusted", PUBLIC);
    if !signed {
        return test;
    }
    test.write("key", KEY);
    fs::set_permissions(test.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    test.env("FLOWCTL_SIGNING_KEY", "key")
}

/// Copies everything below a folder, with modes, as `cp -a` does.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Everything below a folder, but locks.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.file_name().is_some_and(|name| name != "lock") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

pub(crate) fn effects(test: &Test) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for line in fs::read_to_string(test.home().join("effects"))
        .unwrap_or_default()
        .lines()
    {
        *counted.entry(line.to_owned()).or_default() += 1;
    }
    counted
}

/// The effects of the nodes whose success is in the journal.
fn succeeded(test: &Test) -> Vec<String> {
    test.events("r")
        .iter()
        .filter(|event| event["event"] == "node_succeeded")
        .filter_map(|event| event["data"]["node"].as_str())
        .map(|node| {
            node.replace("Sub/", "")
                .replace("[0]", "-x")
                .replace("[1]", "-y")
        })
        .collect()
}

/// A life up to a command, to be copied and disturbed.
struct Stage {
    test: Test,
    signed: bool,
    command: usize,
    calls: Vec<String>,
}

/// How a life ended: outputs and published files.
type End = (Value, BTreeMap<String, Vec<u8>>);

struct Life {
    stages: Vec<Stage>,
    end: End,
}

fn life(signed: bool) -> Life {
    let test = workspace(signed);
    let mut stages = Vec::new();
    for (command, (args, code)) in LIFE.iter().enumerate() {
        let before = again(&test, signed);
        let traced = tracer::run(&test.command(*args), &test.path(""), Fault::None).unwrap();
        assert_eq!(traced.code, *code, "{traced:?}");
        stages.push(Stage {
            test: before,
            signed,
            command,
            calls: traced.calls,
        });
    }
    let end = end(&test, signed);
    Life { stages, end }
}

/// The same workspace and home at another place.
fn again(test: &Test, signed: bool) -> Test {
    let copied = Test::new();
    copy(&test.path(""), &copied.path(""));
    copy(test.home(), copied.home());
    if signed {
        copied.env("FLOWCTL_SIGNING_KEY", "key")
    } else {
        copied
    }
}

/// What holds at the end of every life.
#[track_caller]
pub(crate) fn end(test: &Test, signed: bool) -> End {
    let outputs = test.output(["show", "r", "--json"]).exits(0).json()["outputs"].clone();
    // What is unsigned is trusted by nobody.
    let trusted: &[&str] = if signed {
        &["--trusted-keys", "trusted"]
    } else {
        &[]
    };
    let intact = test.output([&["evidence", "verify"], trusted].concat());
    let intact = intact.exits(0);
    let word = if signed { "signed by Ada" } else { "unsigned" };
    assert!(
        intact.stdout.contains(&format!("intact, {word}")),
        "{intact:?}"
    );
    no_second_success(test, "r");
    let settled = tree(&test.path(""));
    test.output(["resume", "r"]).exits(0);
    let after = tree(&test.path(""));
    let differs: Vec<_> = after
        .iter()
        .filter(|(path, bytes)| settled.get(*path) != Some(bytes))
        .map(|(path, _)| path)
        .collect();
    assert!(
        differs.is_empty() && settled.len() == after.len(),
        "resume changed {differs:?}"
    );
    (outputs, test.published())
}

/// Goes on with a life that was disturbed, as a person would: by `resume`, and by answering when asked.
#[track_caller]
pub(crate) fn to_the_end(test: &Test) -> Vec<String> {
    let mut done = Vec::new();
    let mut step = |args: &[&str], codes: &[i32]| {
        let mut ran = test.output(args);
        // A child that the killed driver was about to start holds the lock until it has become its
        // program: for a moment, but on a busy machine one can meet it.
        until("the lock is free", || {
            if ran.code == 7 {
                ran = test.output(args);
            }
            ran.code != 7
        });
        assert!(codes.contains(&ran.code), "after {done:?}: {ran:?}");
        done.push(format!("{} gave {}", args[0], ran.code));
        ran.code
    };
    let mut code = if test.journal("r").exists() {
        step(&["resume", "r"], &[0, 5])
    } else {
        step(LIFE[0].0, &[5])
    };
    if code == 5 {
        code = step(LIFE[1].0, &[0]);
    }
    assert_eq!(code, 0);
    done
}

/// The calls to disturb: all, or so many, spread evenly; always the first and the last, and those that
/// exchange the signature of the index, which belongs to the one before for a moment.
fn some(calls: &[String], at_most: usize) -> BTreeSet<usize> {
    let whole = std::env::var("FLOWCTL_TEST_FAULTS").is_ok_and(|value| value == "all");
    if whole || calls.len() <= at_most {
        return (0..calls.len()).collect();
    }
    let spread = (0..at_most).map(|at| at * (calls.len() - 1) / (at_most - 1));
    let signature = (0..calls.len()).filter(|at| calls[*at].contains("index.intoto.json"));
    spread.chain(signature).collect()
}

fn possible(test: &str) -> bool {
    if let Err(reason) = tracer::can_trace() {
        not_run(test, &reason);
        return false;
    }
    true
}

/// What a power cut adds to a kill: of what the command wrote to the journal, only what was synced is
/// there, and half of the record after it.
fn power_cut(test: &Test, ran: &Traced, before: u64) {
    let path = test.journal("r");
    let Ok(whole) = fs::read(&path) else { return };
    // A new journal appears by rename, complete and synced.
    let first = whole
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let synced = ran.synced.get(&path).copied().unwrap_or(0).max(before);
    let durable = usize::try_from(synced).unwrap().max(first);
    let torn = durable + (whole.len() - durable).min(40);
    fs::write(&path, &whole[..torn]).unwrap();
}

/// One fault at one call of one stage, and everything that must hold after it.
fn disturb(stage: &Stage, end_wanted: &End, fault: Fault, cut: bool, what: &str) {
    let test = again(&stage.test, stage.signed);
    let (args, code) = LIFE[stage.command];
    let before = fs::metadata(test.journal("r")).map_or(0, |found| found.len());
    let mut command = test.command(args);
    command.env("RUST_BACKTRACE", "1");
    let ran = tracer::run(&command, &test.path(""), fault).unwrap();
    let context = || {
        format!(
            "{what}\n--- {args:?} gave {}\n{}{}",
            ran.code, ran.stdout, ran.stderr
        )
    };
    assert!(!ran.stderr.contains("panicked"), "{}", context());
    match fault {
        Fault::Kill(_) => assert!(ran.code == -9 || ran.code == code, "{}", context()),
        // Told or done; a command cannot tell when telling itself fails.
        Fault::Fail(at, ..) => {
            let told = ran.stderr.contains("error: ") || ran.stderr.contains("failed: ");
            let telling = ["write stdout", "write stderr"]
                .map(|call| ran.calls.get(at).is_some_and(|done| done == call));
            assert!(
                ran.code == code || (ran.code > 0 && (told || telling.contains(&true))),
                "neither done nor told: {}",
                context()
            );
        }
        Fault::None => {}
    }
    if cut {
        power_cut(&test, &ran, before);
    }
    // What was acknowledged, by a record in the journal or by word of mouth.
    let journal = fs::read_to_string(test.journal("r")).unwrap_or_default();
    let whole = &journal[..journal.rfind('\n').map_or(0, |at| at + 1)];
    let kept = succeeded(&test);
    let before = effects(&test);
    for (told, event) in [
        ("paused: ", "\"run_paused\""),
        ("succeeded: run r", "\"run_succeeded\""),
        ("succeeded: run r", "\"run_sealed\""),
    ] {
        let lost = ran.stderr.contains(told) && !whole.contains(event);
        assert!(!lost, "{told} was told, and is lost; {}", context());
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let done = to_the_end(&test);
        if stage.command == 2 {
            // A rebuild that was disturbed is made again; evidence that it left half way is its own.
            test.output(LIFE[2].0).exits(0);
        }
        let (outputs, published) = end(&test, stage.signed);
        assert_eq!(outputs, end_wanted.0);
        let differs = |path: &&String| published.get(*path) != end_wanted.1.get(*path);
        let paths = published.keys().chain(end_wanted.1.keys());
        let differing: Vec<_> = paths.filter(differs).collect();
        assert!(
            differing.is_empty(),
            "published files differ: {differing:?}"
        );
        done
    }))
    .unwrap_or_else(|_| {
        let events: Vec<_> = test
            .events("r")
            .iter()
            .map(|event| format!("{} {}", event["event"], event["data"]["node"]))
            .collect();
        panic!(
            "{}\n--- journal of {} bytes then, now {events:#?}",
            context(),
            journal.len()
        )
    });
    let after = fs::read_to_string(test.journal("r")).unwrap();
    assert!(
        after.starts_with(whole),
        "records were lost or changed; {done:?}; {}",
        context()
    );
    let counted = effects(&test);
    for node in kept {
        assert_eq!(
            counted.get(&node),
            before.get(&node),
            "`{node}` had succeeded; {}",
            context()
        );
    }
    for node in ["A", "B", "Each-x", "Each-y", "M", "Last", "Retry"] {
        let times = counted[node];
        let most = if node == "Retry" { 4 } else { 2 };
        assert!(
            times >= 1 && times <= most,
            "`{node}` ran {times} times; {}",
            context()
        );
    }
}

fn kills(signed: bool, at_most: [usize; 3]) {
    let life = life(signed);
    for (stage, at_most) in life.stages.iter().zip(at_most) {
        assert!(stage.calls.len() > 20, "{:?}", stage.calls);
        for at in some(&stage.calls, at_most) {
            let what = format!(
                "killed at call {at}, in an undisturbed run `{}`",
                stage.calls[at]
            );
            disturb(stage, &life.end, Fault::Kill(at), false, &what);
        }
    }
}

#[test]
fn killed_at_any_call() {
    if possible("faults::killed_at_any_call") {
        kills(false, [14, 10, 4]);
    }
}

/// `kill -9` loses nothing that was written; a power cut loses what was not synced.
#[test]
fn the_power_fails_at_any_call() {
    if !possible("faults::the_power_fails_at_any_call") {
        return;
    }
    let life = life(false);
    for (stage, at_most) in life.stages.iter().zip([12, 10]) {
        for at in some(&stage.calls, at_most) {
            let what = format!(
                "cut at call {at}, in an undisturbed run `{}`",
                stage.calls[at]
            );
            disturb(stage, &life.end, Fault::Kill(at), true, &what);
        }
    }
}

#[cfg(feature = "sign")]
#[test]
fn killed_at_any_call_of_a_signed_run() {
    if possible("faults::killed_at_any_call_of_a_signed_run") {
        kills(true, [4, 12, 4]);
    }
}

#[test]
fn an_error_at_any_call() {
    if !possible("faults::an_error_at_any_call") {
        return;
    }
    let life = life(false);
    for (stage, at_most) in life.stages.iter().zip([8, 8, 3]) {
        for at in some(&stage.calls, at_most) {
            let call = &stage.calls[at];
            for (error, from_then_on) in [(libc::EIO, false), (libc::ENOSPC, true)] {
                let what = format!("error {error} at call {at}, in an undisturbed run `{call}`");
                disturb(
                    stage,
                    &life.end,
                    Fault::Fail(at, error, from_then_on),
                    false,
                    &what,
                );
            }
        }
    }
}

/// The run's own calls, so that a new one is noticed that nobody thought of.
#[test]
fn the_calls_of_a_run_are_what_the_design_says() {
    if !possible("faults::the_calls_of_a_run_are_what_the_design_says") {
        return;
    }
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: ['true'] }\n",
    );
    let Traced { code, calls, .. } = tracer::run(
        &test.command(["run", "flow.yaml", "--run-id", "r"]),
        &test.path(""),
        Fault::None,
    )
    .unwrap();
    assert_eq!(code, 0);
    let journal: Vec<_> = calls
        .iter()
        .filter(|call| call.ends_with("runs/r/journal.jsonl"))
        .map(|call| call.split(' ').next().unwrap())
        .collect();
    // The file appears by rename; then only appends and syncs, the last thing of all a sync.
    assert_eq!(
        journal.iter().filter(|call| **call == "ftruncate").count(),
        0
    );
    assert_eq!(journal.last(), Some(&"fdatasync"), "{journal:?}");
}
