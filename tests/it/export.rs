//! `flowctl evidence export` to a folder: each object once, whatever happens.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;

use crate::harness::{Test, append};

const FLOW: &str = "name: built
nodes:
  - { name: Build, type: process, evidence: true, command: [printf, built] }
  - { name: Scan, type: process, evidence: true, command: [sh, -c, 'test ! -e broken'], after: [Build] }
";

/// A workspace with one closed run.
fn workspace() -> Test {
    let test = Test::new().file("flow.yaml", FLOW);
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(0);
    test
}

/// All files under a folder, but for hidden ones: path to content.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(dir) = folders.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What an auditor does: `sha256sum` over everything that the newest list names.
#[track_caller]
fn verified(root: &Path) -> usize {
    let lists: Vec<String> = tree(root)
        .into_keys()
        .filter(|name| name.starts_with("exports/"))
        .collect();
    assert!(!lists.is_empty(), "there is a list");
    let mut lines = 0;
    for list in lists {
        let checked = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", &list])
            .current_dir(root)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
        lines = lines.max(fs::read_to_string(root.join(list)).unwrap().lines().count());
    }
    lines
}

/// Names with the digests of manifests and versions taken out.
fn names(root: &Path) -> String {
    let digest = regex::Regex::new(r"[0-9a-f]{16,64}").unwrap();
    let names: Vec<String> = tree(root)
        .into_keys()
        .map(|name| digest.replace_all(&name, "<digest>").into_owned())
        .collect();
    names.join("\n")
}

#[test]
fn what_is_there_is_not_written_again() {
    let test = workspace();
    assert_snapshot!(test.run(["evidence", "export", "--to", "out"]), @r"
    exit 0
    --- stderr
    exported 9, already there 0: out
      everything is listed in exports/<digest>.sha256
    ");
    assert_snapshot!(names(&test.path("out")), @r"
    bundles/built/one/<digest>/SHA256SUMS
    bundles/built/one/<digest>/journal.ndjson
    bundles/built/one/<digest>/manifest.json
    bundles/built/one/<digest>/summary.md
    exports/<digest>.sha256
    index.<digest>.json
    ledger/000000000001.jsonl
    runs/Build/000000000001.jsonl
    runs/Scan/000000000001.jsonl
    ");
    let first = tree(&test.path("out"));
    let json = test.run([
        "evidence",
        "export",
        "--to",
        "out",
        "--format",
        "json",
        "--dry-run",
    ]);
    let short = regex::Regex::new(r"\b[0-9a-f]{16}\b").unwrap();
    assert_snapshot!(short.replace_all(&json, "<short>"), @r#"
    exit 0
    --- stdout
    {"to":"out","dry_run":true,"exported":[],"exported_bytes":0,"already_there":["bundles/built/one/<short>/SHA256SUMS","bundles/built/one/<short>/journal.ndjson","bundles/built/one/<short>/manifest.json","bundles/built/one/<short>/summary.md","exports/<digest>.sha256","index.<short>.json","ledger/000000000001.jsonl","runs/Build/000000000001.jsonl","runs/Scan/000000000001.jsonl"],"troubles":[],"not_tried":0,"open":[],"manifest":"exports/<digest>.sha256","rows":null,"interrupted":false}
    "#);
    assert_snapshot!(test.run(["evidence", "export", "--to", "out"]), @r"
    exit 0
    --- stderr
    exported 0, already there 9: out
      everything is listed in exports/<digest>.sha256
    ");
    assert_eq!(tree(&test.path("out")), first);
    assert_eq!(verified(&test.path("out")), 8);
    // The bundle is the one in the workspace.
    for (name, bytes) in tree(&test.path("artifacts/evidence/bundles/built")) {
        let same = |(exported, content): (&String, &Vec<u8>)| {
            exported.ends_with(&name) && *content == bytes
        };
        assert!(first.iter().any(same), "{name}");
    }
}

#[test]
fn a_later_run_adds_and_changes_nothing() {
    let test = workspace();
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let first = tree(&test.path("out"));
    test.output(["run", "flow.yaml", "--run-id", "two"])
        .exits(0);
    // Its own bundle and two segments; the bundle of the first run is history now, and is there.
    test.output(["evidence", "export", "--to", "out"])
        .exits(0)
        .says("exported 9, already there 7: out");
    let second = tree(&test.path("out"));
    assert!(
        first
            .iter()
            .all(|(name, bytes)| second.get(name) == Some(bytes))
    );
    assert_eq!(verified(&test.path("out")), 15);
    for node in ["Build", "Scan"] {
        let segments: Vec<&Vec<u8>> = second
            .range(format!("runs/{node}/")..format!("runs/{node}0"))
            .map(|(_, bytes)| bytes)
            .collect();
        assert_eq!(segments.len(), 2);
        let joined: Vec<u8> = segments.into_iter().flatten().copied().collect();
        let log = format!("artifacts/evidence/runs/{node}.jsonl");
        assert_eq!(joined, fs::read(test.path(&log)).unwrap());
    }
}

#[test]
fn a_run_that_was_closed_twice_has_two_bundles() {
    let test = Test::new().file("flow.yaml", FLOW).file("broken", "");
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(4);
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let failed = tree(&test.path("out"));
    fs::remove_file(test.path("broken")).unwrap();
    test.output(["resume", "one"]).exits(0);
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let both = tree(&test.path("out"));
    assert!(
        failed
            .iter()
            .all(|(name, bytes)| both.get(name) == Some(bytes))
    );
    let manifests = both
        .keys()
        .filter(|name| name.starts_with("bundles/built/one/") && name.ends_with("/manifest.json"));
    assert_eq!(manifests.count(), 2);
    verified(&test.path("out"));
}

#[test]
fn other_content_under_the_same_name_is_refused() {
    let test = workspace();
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let mut before = tree(&test.path("out"));
    let name = before
        .keys()
        .find(|name| name.ends_with("summary.md"))
        .unwrap()
        .clone();
    // The same length, so that only the content tells.
    let mut forged = before[&name].clone();
    forged[3] ^= 1;
    fs::remove_file(test.path("out").join(&name)).unwrap();
    fs::write(test.path("out").join(&name), &forged).unwrap();
    fs::remove_file(test.path("out/runs/Build/000000000001.jsonl")).unwrap();
    let refused = test.output(["evidence", "export", "--to", "out"]).exits(10);
    assert!(
        refused
            .stderr
            .contains(&format!("conflict: `{name}`: something else is there")),
        "{refused:?}"
    );
    let refused = refused.says("exported 1, already there 6, not exported 1: out");
    refused.says("help: nothing was overwritten");
    before.insert(name.clone(), forged);
    assert_eq!(tree(&test.path("out")), before);
    let report = test
        .output(["evidence", "export", "--to", "out", "--format", "json"])
        .exits(10)
        .json();
    assert_eq!(report["troubles"][0]["kind"], "conflict");
    assert_eq!(report["troubles"][0]["name"], name);
    assert_eq!(report["manifest"], serde_json::Value::Null);
}

#[test]
fn a_log_that_was_rewritten_is_refused() {
    let test = workspace();
    test.output(["run", "flow.yaml", "--run-id", "two"])
        .exits(0);
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let log = "artifacts/evidence/runs/Build.jsonl";
    let text = test.read(log);
    let first = text.lines().next().unwrap();
    // Its end is cut off.
    test.write(log, format!("{first}\n"));
    assert_snapshot!(test.run(["evidence", "export", "--to", "out"]), @r#"
    exit 10
    --- stderr
    conflict: `runs/Build/000000000001.jsonl`: it is no part of the log here: it does not end where a record of the log here ends
    exported 0, already there 11, not exported 1: out
    help: nothing was overwritten; find out which of the two is right. If another workspace exports there, give this one another prefix
    "#);
    // A record is another one.
    test.write(log, text.replacen("Build", "Built", 1));
    test.output(["evidence", "export", "--to", "out"])
        .exits(10)
        .says("conflict: `runs/Build/000000000001.jsonl`: something else is there");
    test.write(log, &text);
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    // What grows behind it is another segment, and a record that is not whole waits.
    append(&test.path(log), b"{}\n{\"torn");
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    assert_eq!(test.read("out/runs/Build/000000000003.jsonl"), "{}\n");
}

#[test]
fn damaged_evidence_stays_here() {
    let test = workspace();
    test.edit(
        "artifacts/evidence/bundles/built/summary.md",
        "built",
        "build",
    );
    assert_snapshot!(test.run(["evidence", "export", "--to", "out"]), @r#"
    exit 10
    --- stderr
    damaged: `bundles/built/summary.md`: it is not what the bundle's manifest says
    exported 4, already there 0, not exported 1: out
    help: what is damaged stays here; `flowctl resume` writes the evidence of a run that was interrupted while it was closed
    "#);
    assert!(!test.exists("out/bundles") && !test.exists("out/exports"));
    assert!(test.exists("out/runs/Build/000000000001.jsonl"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let test = workspace();
    let ran = test
        .output(["evidence", "export", "--to", "out", "--dry-run"])
        .exits(0);
    assert_eq!(ran.stdout.lines().count(), 9);
    let ran = ran.says("would be exported 9, already there 0: out");
    assert!(!test.exists("out"));
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let exported: Vec<String> = tree(&test.path("out")).into_keys().collect();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), exported);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let test = Test::new().file("flow.yaml", FLOW);
    assert_snapshot!(test.run(["evidence", "export", "--to", "out"]), @r#"
    exit 2
    --- stderr
    error: there is no evidence in `./artifacts/evidence`
    help: run a flow first, or say where it is with `--workspace DIR`
    "#);
    test.output(["run", "flow.yaml", "--run-id", "one"])
        .exits(0);
    for inside in [
        "artifacts/evidence/out",
        "artifacts/evidence",
        "artifacts",
        ".",
    ] {
        test.output(["evidence", "export", "--to", inside])
            .exits(2)
            .says("is not apart from the evidence");
    }
    assert_snapshot!(test.run(["evidence", "export", "--to", "ftp://host/x"]), @r#"
    exit 2
    --- stderr
    error: `ftp://` is no destination
    help: write a folder, or `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, `gs://BUCKET/PREFIX`, or `adx://HOST/DATABASE/TABLE`
    "#);
    let ran = test
        .output(["evidence", "export", "--to", "s3://key:hush@bucket/x"])
        .exits(2);
    assert!(!ran.stderr.contains("hush"), "{ran:?}");
}

#[cfg(not(feature = "export"))]
#[test]
fn what_it_was_built_without_is_told() {
    let test = workspace();
    for to in ["s3://b/p", "az://c/p", "gs://b/p", "adx://host/db"] {
        test.output(["evidence", "export", "--to", to])
            .exits(2)
            .says("help: build it with `cargo install --path . --features export`");
    }
    assert_snapshot!(test.run(["evidence", "export", "--to", "s3://bucket/prefix"]), @r#"
    exit 2
    --- stderr
    error: this flowctl was built without export to `s3://bucket/prefix`
    help: build it with `cargo install --path . --features export`; export to a folder works without
    "#);
}

/// Evidence that takes a while.
fn much() -> Test {
    let test = workspace();
    for number in 0..300 {
        let text = format!("{{\"number\": {number}}}\n").repeat(500);
        test.write(&format!("artifacts/evidence/oscal/{number}.json"), text);
    }
    test
}

/// A number that looks like chance, and is the same every time.
fn chance(round: u64) -> u64 {
    let mut x = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 29)
}

#[test]
fn killed_at_any_moment_and_repeated_it_is_there_once() {
    let test = much();
    let out = test.path("out");
    // Which file is which: once it is there, it stays the very same.
    let mut seen: BTreeMap<String, (u64, i64, Vec<u8>)> = BTreeMap::new();
    let mut cut = 0;
    for round in 0..24 {
        let mut export = test.spawn(["evidence", "export", "--to", "out"]);
        std::thread::sleep(Duration::from_millis(5 + chance(round) % 60));
        cut += usize::from(!export.ended());
        export.kill();
        for (name, bytes) in tree(&out) {
            let data = fs::metadata(out.join(&name)).unwrap();
            let now = (data.ino(), data.mtime_nsec(), bytes);
            let before = seen.entry(name.clone()).or_insert_with(|| now.clone());
            assert_eq!(
                (before.0, before.1),
                (now.0, now.1),
                "{name} was written again"
            );
            assert!(before.2 == now.2, "{name} has changed");
        }
        // A later run grows the logs in between.
        if round == 11 {
            test.output(["run", "flow.yaml", "--run-id", "two"])
                .exits(0);
        }
    }
    assert!(cut >= 3, "only {cut} of the kills came in time");
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    let end = tree(&out);
    for (name, (_, _, bytes)) in &seen {
        assert!(end.get(name) == Some(bytes), "{name}");
    }
    // An index that a later one replaced is in the list of its own export only.
    let listed = end
        .keys()
        .filter(|name| !name.starts_with("exports/") && !name.starts_with("index."));
    assert_eq!(verified(&out), listed.count() + 1);
    for node in ["Build", "Scan"] {
        let joined: Vec<u8> = end
            .range(format!("runs/{node}/")..format!("runs/{node}0"))
            .flat_map(|(_, bytes)| bytes.clone())
            .collect();
        assert_eq!(
            joined,
            fs::read(test.path(&format!("artifacts/evidence/runs/{node}.jsonl"))).unwrap()
        );
    }
}

#[test]
fn two_exporters_do_not_get_in_each_others_way() {
    let test = much();
    let args = ["evidence", "export", "--to", "out", "--format", "json"];
    let both = [test.spawn(args), test.spawn(args)];
    let mut exported = Vec::new();
    for ran in both.map(crate::harness::Running::wait) {
        let report = ran.exits(0).json();
        let names = report["exported"].as_array().unwrap().clone();
        let there = report["already_there"].as_array().unwrap().len();
        assert_eq!(names.len() + there, 309);
        exported.extend(names);
    }
    // Each object was put by one of them.
    exported.sort_by_key(ToString::to_string);
    assert_eq!(exported.len(), 309);
    exported.dedup();
    assert_eq!(exported.len(), 309);
    assert_eq!(verified(&test.path("out")), 308);
}

#[test]
fn it_stops_when_it_is_asked_to_and_goes_on_later() {
    let test = much();
    let export = test.spawn(["evidence", "export", "--to", "out", "--concurrency", "1"]);
    crate::harness::until("it has begun", || test.exists("out"));
    export.signal(rustix::process::Signal::INT);
    let ran = export.wait();
    if ran.code == 0 {
        return; // It was done before it heard.
    }
    ran.exits(130).says("help: export again");
    assert!(!test.exists("out/exports"));
    test.output(["evidence", "export", "--to", "out"]).exits(0);
    assert_eq!(verified(&test.path("out")), 308);
}
