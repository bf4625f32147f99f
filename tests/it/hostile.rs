//! What somebody else has put there: links into what is flowctl's and git's own, changed files, text
//! that terminals obey, pipes in place of files.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::Test;

const FLOW: &str = "nodes:\n  - { name: Pages, type: skill }\n  - { name: Ok, type: approval }\n";

/// A run that waits before it puts files into `site/`.
fn paused(text: &str) -> Test {
    let test = Test::new()
        .file("flow.yaml", FLOW)
        .file(
            "skills/Pages/skill.yaml",
            "files:\n  - { source: tree, target: site }\n",
        )
        .file("skills/Pages/tree/a.txt", text)
        .file("skills/Pages/tree/b.txt", "b\n");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    test
}

fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::remove_file(path).ok();
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn links_do_not_lead_to_the_records_of_git_or_flowctl() {
    for folder in [".git/hooks", "artifacts/runs/r", "sub/.git/hooks"] {
        let test = paused("a\n");
        fs::create_dir_all(test.path(folder)).unwrap();
        symlink(folder, test.path("site")).unwrap();
        test.output(["approve", "r", "--resume"])
            .exits(4)
            .says("`site/a.txt` cannot be written: ")
            .says(
                "is inside `artifacts/`, `.flowctl/` or `.git/`, which are not for published files",
            );
        assert!(!test.exists(&format!("{folder}/a.txt")), "{folder}");
        fs::remove_file(test.path("site")).unwrap();
        test.output(["resume", "r"]).exits(0);
        assert_eq!(test.read("site/a.txt"), "a\n");
    }
}

#[test]
fn one_staged_file_that_was_changed_keeps_all_of_them_from_being_published() {
    let test = paused("a\n");
    for name in fs::read_dir(test.path("artifacts/runs/r/files"))
        .unwrap()
        .flatten()
    {
        // The last that would be written.
        if fs::read(name.path()).unwrap() == b"b\n" {
            fs::write(name.path(), "c\n").unwrap();
        }
    }
    test.output(["approve", "r", "--resume"])
        .exits(4)
        .says("`site/b.txt` cannot be published: ")
        .says("the content does not match its name")
        .says("help: nothing was written");
    assert!(!test.exists("site"));
    assert_eq!(test.count("r", "approval_decided", "Ok"), 1);
    assert!(
        !test
            .events("r")
            .iter()
            .any(|event| event["event"] == "publish_started")
    );
}

/// What a terminal would get, and what a pipe gets.
fn both(test: &Test, args: &[&str]) -> (String, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&main).unwrap();
    unlockpt(&main).unwrap();
    let name = ptsname(&main, Vec::new()).unwrap();
    let terminal = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(Path::new(name.to_str().unwrap()))
        .unwrap();
    let mut command = test.command(args);
    command
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut child = command.spawn().unwrap();
    // Its copies of the terminal go, or there would be no end to read.
    drop(command);
    let mut shown = Vec::new();
    // Linux ends the output of a terminal that nobody has open any more with an error.
    fs::File::from(main).read_to_end(&mut shown).ok();
    child.wait().unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    (shown, test.output(args).stdout)
}

fn hidden(text: &str) -> Option<char> {
    text.chars().find(|c| {
        matches!(c, '\u{0}'..='\u{8}' | '\u{b}'..='\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}' | '\u{202e}')
    })
}

#[test]
fn nothing_that_others_wrote_moves_the_cursor() {
    let trojan = "ok \u{1b}[2J\u{202e}kcab\u{200b} \u{9b}31m\n";
    let test = paused(trojan);
    let wrote = "\\u{1b}[2J\\u{202e}kcab\\u{200b} \\u{9b}31m";
    let (shown, piped) = both(&test, &["review", "r"]);
    for text in [&shown, &piped] {
        assert!(text.contains(&format!("+ok {wrote}")), "{text}");
        assert_eq!(hidden(text), None, "{text:?}");
    }
    test.output(["approve", "r", "--comment", trojan.trim()])
        .exits(0);
    test.output(["resume", "r"]).exits(0);
    let (shown, piped) = both(&test, &["show", "r"]);
    for text in [&shown, &piped] {
        assert!(text.contains(&format!(": ok {wrote}")), "{text}");
        assert_eq!(hidden(text), None, "{text:?}");
    }
    // JSON says the same in its own way, and is still what it was.
    let (shown, piped) = both(&test, &["show", "r", "Ok", "--json"]);
    assert_eq!((hidden(&shown), hidden(&piped)), (None, None), "{shown:?}");
    let json: serde_json::Value = serde_json::from_str(&piped).unwrap();
    assert_eq!(json["output"]["comment"], trojan.trim());
    // A file name in the evidence.
    test.write("artifacts/evidence/bundles/flow/a\u{1b}[2J", "x");
    let (shown, piped) = both(&test, &["evidence", "verify"]);
    for text in [&shown, &piped] {
        assert!(text.contains("bundles/flow/a\\u{1b}[2J: "), "{text}");
        assert_eq!(hidden(text), None, "{text:?}");
    }
}

#[test]
fn logs_are_passed_on_as_they_are_to_no_terminal() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: Say, type: process, command: [printf, 'a\\033[2Jb\\n'] }\n",
    );
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(0);
    let (shown, piped) = both(&test, &["logs", "r", "Say"]);
    assert_eq!(shown.trim_end(), "a\\u{1b}[2Jb");
    assert_eq!(piped, "a\u{1b}[2Jb\n");
    let (shown, _) = both(&test, &["logs", "r"]);
    assert_eq!(shown.trim_end(), "Say: a\\u{1b}[2Jb");
    // A failure repeats what was printed.
    test.write(
        "bad.yaml",
        "nodes:\n  - { name: Say, type: process, command: [sh, -c, 'printf \"a\\033[2Jb\\n\" >&2; exit 3'] }\n",
    );
    let bad = test.output(["run", "bad.yaml", "--run-id", "bad"]).exits(4);
    assert_eq!(hidden(&bad.stderr), None, "{:?}", bad.stderr);
    bad.says("a\\u{1b}[2Jb");
}

#[test]
fn a_pipe_in_place_of_a_file_keeps_nobody_waiting() {
    let is_a_pipe = "it is a pipe, and a file should be there";
    // The journal.
    let test = paused("a\n");
    let kept = test.read("artifacts/runs/r/journal.jsonl");
    pipe(&test.journal("r"));
    for args in [&["show", "r"][..], &["resume", "r"], &["approve", "r"]] {
        test.output(args).exits(1).says(is_a_pipe);
    }
    assert!(test.output(["runs"]).exits(0).stdout.contains("damaged"));
    fs::remove_file(test.journal("r")).unwrap();
    test.write("artifacts/runs/r/journal.jsonl", &kept);
    // A request in the inbox is put aside like any other that cannot be read.
    pipe(&test.path("artifacts/runs/r/inbox/x.json"));
    test.output(["resume", "r"]).exits(5).says(is_a_pipe);
    // What was staged.
    let staged = fs::read_dir(test.path("artifacts/runs/r/files"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let bytes = fs::read(&staged).unwrap();
    pipe(&staged);
    test.output(["review", "r"]).exits(1).says(is_a_pipe);
    test.output(["approve", "r", "--resume"])
        .exits(4)
        .says(is_a_pipe);
    fs::remove_file(&staged).unwrap();
    fs::write(&staged, bytes).unwrap();
    // The lock.
    pipe(&test.path("artifacts/runs/r/lock"));
    test.output(["resume", "r"]).exits(1).says(is_a_pipe);
    fs::remove_file(test.path("artifacts/runs/r/lock")).unwrap();
    test.output(["resume", "r"]).exits(0);
    // Evidence: found by verifying, not written over, moved aside by a rebuild.
    for path in [
        "index.json",
        "ledger.jsonl",
        "runs/Ok.jsonl",
        "bundles/flow/manifest.json",
    ] {
        let path = format!("artifacts/evidence/{path}");
        pipe(&test.path(&path));
        let found = test.output(["evidence", "verify"]).exits(10);
        assert!(
            found.stdout.contains("it is no file and no folder"),
            "{path}: {}",
            found.stdout
        );
        if !path.contains("bundles") {
            test.output(["run", "flow.yaml"]).exits(1).says(is_a_pipe);
        }
        test.output(["evidence", "rebuild"]).exits(0);
        test.output(["evidence", "verify"]).exits(0);
    }
    // The flow, and a skill.
    pipe(&test.path("skills/Pages/tree/c.txt"));
    test.output(["run", "flow.yaml"])
        .exits(3)
        .says("`tree/c.txt` is no file and no folder");
    pipe(&test.path("flow.yaml"));
    test.output(["validate", "flow.yaml"])
        .exits(3)
        .says("it is a pipe or a device");
}
