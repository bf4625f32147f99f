//! Evidence: whose signature counts, and what was taken back.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::evidence::{evidence, rehash, same, signed, workspace};
use crate::harness::Test;

fn run(test: &Test, id: &str) {
    test.output(["run", "sub.yaml", "--run-id", id]).exits(0);
}

fn keyless(test: &Test, args: &[&str]) -> (Option<i32>, String) {
    let mut command = test.command(args);
    let output = command.env_remove("FLOWCTL_SIGNING_KEY").output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn put_back(test: &Test, copy_of: &str) {
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    copy(&test.path(copy_of), &test.path("artifacts/evidence"));
}

const TRUSTED: [&str; 4] = ["evidence", "verify", "--trusted-keys", "trusted"];

#[test]
fn with_trusted_keys_everything_must_be_signed_by_one() {
    let test = signed();
    run(&test, "a");
    test.output(TRUSTED).exits(0);
    // One bundle without a signature, below an index that has one again.
    assert_eq!(
        keyless(&test, &["run", "sub.yaml", "--run-id", "b"]).0,
        Some(0)
    );
    test.output(TRUSTED)
        .exits(10)
        .says("not trusted: index.json: unsigned")
        .says("not trusted: bundles/sub: unsigned")
        .says("no key of `trusted` vouches for what is listed");
    run(&test, "c");
    let ran = test.output(TRUSTED).exits(10);
    assert!(
        ran.stdout.contains("\nintact, signed by Ada: "),
        "{}",
        ran.stdout
    );
    assert!(!ran.stderr.contains("index.json"), "{}", ran.stderr);
    ran.says("not trusted: bundles/sub/history/b: unsigned");
    // Who asks nothing is told, and gets no error.
    test.output(["evidence", "verify"]).exits(0);
    // A bundle alone.
    let bundle = |dir: &str| {
        let dir = format!("artifacts/evidence/bundles/{dir}");
        test.output(["evidence", "verify", &dir, "--trusted-keys", "trusted"])
    };
    bundle("sub/history/a").exits(0);
    bundle("sub/history/b").exits(10);
    bundle("sub").exits(10);
    // A strange key.
    test.write("trusted", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl somebody else\n");
    test.output(TRUSTED)
        .exits(10)
        .says("not trusted: index.json: signer unknown: SHA256:");
    let json = test
        .output([&TRUSTED[..], &["--format", "json"]].concat())
        .exits(10)
        .json();
    assert_eq!(
        (json["intact"].clone(), json["trusted"].clone()),
        (Value::from(true), Value::from(false))
    );
}

#[test]
fn an_older_copy_of_the_evidence_is_not_gone_on_with() {
    for test in [workspace(), signed()] {
        run(&test, "a");
        copy(&test.path("artifacts/evidence"), &test.path("old"));
        run(&test, "b");
        run(&test, "c");
        let whole = evidence(&test);
        put_back(&test, "old");
        let old = evidence(&test);
        test.output(["run", "sub.yaml", "--run-id", "d"])
            .exits(1)
            .says("`./artifacts/evidence/ledger.jsonl` was changed: entry 3 was written here, and only entry 1 and what is before it are in it: it is older than it was")
            .says("flowctl evidence rebuild");
        same(&old, &evidence(&test));
        let found = test.output(["evidence", "verify"]).exits(10);
        assert!(
            found
                .stdout
                .contains("ledger.jsonl: entry 3 was written here"),
            "{}",
            found.stdout
        );
        // Elsewhere, a copy is what it is.
        test.output(["evidence", "verify", "old"]).exits(0);
        // What is missing is made again, in its order; what is new comes after it.
        test.output(["evidence", "rebuild"]).exits(0);
        let again = evidence(&test);
        for (path, bytes) in &whole {
            assert!(
                again[path].starts_with(bytes) || !path.starts_with("runs/"),
                "{path}"
            );
        }
        test.output(["evidence", "verify"]).exits(0);
        test.output(["resume", "d"]).exits(0);
        test.output(["evidence", "verify"]).exits(0);
    }
    // The whole folder is gone.
    let test = workspace();
    run(&test, "a");
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    test.output(["run", "sub.yaml", "--run-id", "b"])
        .exits(1)
        .says("entry 1 was written here, and nothing is in it");
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["resume", "b"]).exits(0);
}

#[test]
fn another_history_of_the_same_length_is_found() {
    let (one, two) = (workspace(), workspace());
    run(&one, "a");
    run(&two, "b");
    fs::remove_dir_all(one.path("artifacts/evidence")).unwrap();
    copy(
        &two.path("artifacts/evidence"),
        &one.path("artifacts/evidence"),
    );
    one.output(["run", "sub.yaml", "--run-id", "c"])
        .exits(1)
        .says("entry 1 is not the one that was written here");
    one.output(["evidence", "verify"]).exits(10);
}

#[test]
fn a_signature_that_was_taken_away_is_missed_and_not_made_again() {
    let test = signed();
    run(&test, "a");
    let signature = test.path("artifacts/evidence/index.intoto.json");
    let kept = fs::read(&signature).unwrap();
    fs::remove_file(&signature).unwrap();
    let without = evidence(&test);
    let found = test.output(["evidence", "verify"]).exits(10);
    assert!(
        found
            .stdout
            .contains("index.intoto.json: it is missing, and the index says that SHA256:"),
        "{}",
        found.stdout
    );
    let args = ["run", "sub.yaml", "--run-id", "b"];
    test.output(args)
        .exits(1)
        .says("index.intoto.json` was changed: it is missing")
        .says("flowctl evidence rebuild");
    let again = keyless(&test, &["resume", "b"]);
    assert_eq!(again.0, Some(1), "{}", again.1);
    same(&without, &evidence(&test));
    // The index is made to say that nobody signed it, which only this workspace can know better.
    let mut index: Value = serde_json::from_slice(&without["index.json"]).unwrap();
    index["signature"] = "unsigned".into();
    test.write("artifacts/evidence/index.json", rehash(&mut index, true));
    test.output(["resume", "b"])
        .exits(1)
        .says("index.json` was changed: it says that nobody signed it, and SHA256:");
    test.output(["evidence", "verify"]).exits(10);
    // With the key it is made again to the byte, and without it, it says so.
    test.write("artifacts/evidence/index.json", &without["index.json"]);
    let rebuilt = keyless(&test, &["evidence", "rebuild"]);
    assert_eq!(rebuilt.0, Some(0), "{}", rebuilt.1);
    test.output(["evidence", "verify"]).exits(0);
    test.output(["evidence", "rebuild"]).exits(0);
    assert!(signature.exists() && !kept.is_empty());
    test.output(["resume", "b"]).exits(0);
    test.output(TRUSTED).exits(0);
}

#[test]
fn a_bundle_alone_says_what_it_cannot_tell() {
    let test = workspace();
    for id in ["a", "b", "c"] {
        run(&test, id);
    }
    copy(
        &test.path("artifacts/evidence/bundles/sub"),
        &test.path("alone"),
    );
    let alone = || test.output(["evidence", "verify", "alone"]);
    alone()
        .exits(0)
        .says("note: a bundle alone does not say which runs about the same subject came before it");
    let finds = |text: &str| {
        let found = alone().exits(10);
        assert!(found.stdout.contains(text), "{text}: {}", found.stdout);
    };
    // Under another name; twice; the run at the top itself; a file that is in none.
    fs::rename(test.path("alone/history/a"), test.path("alone/history/z")).unwrap();
    finds("history/z/manifest.json: it is of run `a`");
    fs::rename(test.path("alone/history/z"), test.path("alone/history/a")).unwrap();
    alone().exits(0);
    test.write("alone/history/stray", "x");
    finds("history/stray: it belongs to no bundle");
    fs::remove_file(test.path("alone/history/stray")).unwrap();
    test.output(["run", "frail.yaml", "--run-id", "other"])
        .exits(4);
    copy(
        &test.path("artifacts/evidence/bundles/frail"),
        &test.path("alone/history/other"),
    );
    finds("history/other/manifest.json: it is about `frail`");
}
