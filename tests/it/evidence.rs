//! Evidence: made again to the byte, and whatever is changed in it is found and named.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flowctl::evidence::{PublicKey, Report, Tree, verify};
use serde_json::Value;

use crate::harness::{Test, repository};

/// RFC 8410, section 10.3: everybody knows it.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "# Ada\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

const MANY: &str = "name: many\nnodes:\n  - { name: Scan, type: process, foreach: [a, 'b\u{e9}', c], command: [echo, '${item}'], evidence: true }\n  - { name: Sub, type: flow, flow: sub.yaml }\n  - { name: Gate, type: approval, after: [Scan, Sub], approval: {} }\n";
const SUB: &str = "name: sub\nnodes:\n  - { name: In, type: process, command: [printf, '1.5e3'], output: json, evidence: true }\n";
const FRAIL: &str = "name: frail\nnodes:\n  - { name: Look, type: process, command: [cat, flag], evidence: true }\n";
const SLOW: &str = "name: slow\nnodes:\n  - { name: Gate, type: approval, approval: { scope: dependants } }\n  - { name: Other, type: process, command: [echo, x], evidence: true }\n";

pub(crate) fn workspace() -> Test {
    Test::new()
        .file("many.yaml", MANY)
        .file("sub.yaml", SUB)
        .file("frail.yaml", FRAIL)
        .file("slow.yaml", SLOW)
        .file("trusted", PUBLIC)
        .file(
            "flows/infra-product.yaml",
            fs::read(repository("flows/infra-product.yaml")).unwrap(),
        )
}

/// The same with a key, which signs everything.
pub(crate) fn signed() -> Test {
    let test = workspace();
    test.write("key", KEY);
    mode(&test.path("key"), 0o600);
    let key = test.path("key").display().to_string();
    test.env("FLOWCTL_SIGNING_KEY", &key)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs that end in every way there is, and go on while others come between.
fn many_runs(test: &Test) {
    test.output(["run", "many.yaml", "--run-id", "early"])
        .exits(5);
    test.output(["run", "many.yaml", "--run-id", "no"]).exits(5);
    test.output(["reject", "no", "--reason", "Not | like *this*"])
        .exits(0);
    // Its bundle becomes history by one that is replaced later itself.
    test.output(["run", "frail.yaml", "--run-id", "frail0"])
        .exits(4);
    test.output(["run", "frail.yaml", "--run-id", "frail"])
        .exits(4);
    test.output(["run", "frail.yaml", "--run-id", "frail2"])
        .exits(4);
    test.output(["approve", "early", "--resume"]).exits(0);
    test.output(["run", "slow.yaml", "--run-id", "slow"])
        .exits(5);
    test.write("flag", "here\n");
    // Closed as failed, and closed again.
    test.output(["resume", "frail"]).exits(0);
    test.output(["cancel", "slow"]).exits(0);
    test.output(["run", "many.yaml", "--run-id", "waits"])
        .exits(5);
}

fn product(test: &Test, run: &str) {
    let args = [
        "run",
        "flows/infra-product.yaml",
        "-i",
        "qa_checks=fast",
        "--run-id",
        run,
    ];
    test.output(args).exits(5);
    test.output(["approve", run, "--comment", "Looks right", "--resume"])
        .exits(0);
}

fn read(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            } else {
                found.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, "", &mut found);
    found
}

pub(crate) fn evidence(test: &Test) -> BTreeMap<String, Vec<u8>> {
    read(&test.path("artifacts/evidence"))
}

#[track_caller]
pub(crate) fn same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        right.keys().collect::<Vec<_>>()
    );
    for (path, bytes) in left {
        let show = String::from_utf8_lossy;
        assert!(
            bytes == &right[path],
            "{path}\n{}\n{}",
            show(bytes),
            show(&right[path])
        );
    }
}

fn report(files: &BTreeMap<String, Vec<u8>>) -> Report {
    let keys = flowctl::evidence::read_keys(PUBLIC).unwrap();
    verify(&Tree::Memory(files.clone()), &keys).unwrap()
}

fn forget_receipts(test: &Test) {
    for run in fs::read_dir(test.path("artifacts/runs")).unwrap().flatten() {
        fs::remove_file(run.path().join("evidence.jsonl")).ok();
    }
}

#[test]
fn everything_is_made_again_to_the_byte() {
    let test = signed();
    many_runs(&test);
    product(&test, "p1");
    product(&test, "p2");
    let before = evidence(&test);
    for path in [
        "bundles/many/manifest.json",
        "bundles/many/history/no/manifest.json",
        "bundles/frail/history/frail0/manifest.json",
        "bundles/frail/history/frail2/manifest.json",
        "bundles/slow/manifest.json",
        "bundles/secure-storage-product/history/p1/attestation.intoto.json",
        "oscal/secure-storage-product-assessment-plan.json",
        "runs/Scan.jsonl",
        "runs/Sub.In.jsonl",
        "index.intoto.json",
    ] {
        assert!(before.contains_key(path), "{path}: {:?}", before.keys());
    }
    // The bundle of a run that went on is the later one, wherever it stood in between.
    assert!(!before.contains_key("bundles/frail/history/frail/manifest.json"));
    assert_eq!(report(&before).findings, []);

    let rebuild = |said: &str| {
        test.output(["evidence", "rebuild"]).exits(0).says(said);
        same(&before, &evidence(&test));
    };
    rebuild("files as they were, 0 written again\n");
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    rebuild("\n0 files as they were");
    // The order is in the ledger too.
    forget_receipts(&test);
    rebuild("files as they were, 0 written again\n");
    // And when both are gone, in the journals.
    forget_receipts(&test);
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    rebuild("\n0 files as they were");
    let there = fs::read_dir(test.path("artifacts")).unwrap().flatten();
    let moved = there.filter(|entry| entry.file_name().to_string_lossy().contains("damaged"));
    assert_eq!(
        moved.count(),
        0,
        "nothing was damaged, so nothing was moved"
    );
}

#[test]
fn what_is_damaged_is_made_again_and_kept_aside() {
    let test = signed();
    many_runs(&test);
    let before = evidence(&test);
    test.edit("artifacts/evidence/runs/Gate.jsonl", "Not |", "Now |");
    fs::remove_file(test.path("artifacts/evidence/bundles/slow/summary.md")).unwrap();
    test.write(
        "artifacts/evidence/bundles/slow/extra.md",
        "who wrote this?",
    );
    test.write("artifacts/evidence/index.json", "{}");
    test.write("artifacts/evidence/.lock", "x");
    let ran = test.output(["evidence", "verify"]).exits(10);
    for line in [
        "runs/Gate.jsonl:3: its hash does not match it",
        "bundles/slow/summary.md: it is missing",
        "bundles/slow/extra.md: ",
        "index.json: ",
        ".lock: it is not empty",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
    let ran = test.output(["evidence", "rebuild"]).exits(0);
    same(&before, &evidence(&test));
    let aside = ran
        .stderr
        .split("what was there is in ")
        .nth(1)
        .unwrap()
        .trim();
    let aside = read(&test.path(aside));
    assert_eq!(
        aside.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            ".lock",
            "bundles/slow/extra.md",
            "index.json",
            "runs/Gate.jsonl"
        ]
    );
    assert!(String::from_utf8_lossy(&aside["runs/Gate.jsonl"]).contains("Now |"));
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_run_whose_place_was_taken_names_its_history() {
    let test = workspace();
    test.output(["run", "frail.yaml", "--run-id", "one"])
        .exits(4);
    let shown = |run: &str| test.output(["show", run]).exits(0).stdout;
    assert!(shown("one").contains("\nevidence artifacts/evidence/bundles/frail\n"));
    test.output(["run", "frail.yaml", "--run-id", "two"])
        .exits(4);
    assert!(shown("two").contains("\nevidence artifacts/evidence/bundles/frail\n"));
    assert!(shown("one").contains("\nevidence artifacts/evidence/bundles/frail/history/one\n"));
}

#[test]
fn nothing_is_added_to_evidence_that_was_changed() {
    // The end of a log is read before anything is added to it.
    type Edit = fn(&str) -> String;
    let edits: [(Edit, &str); 4] = [
        (
            |good| good.replace("\"attempt\":1", "\"attempt\":2"),
            "line 1 of `./artifacts/evidence/runs/Scan.jsonl` is damaged: its hash does not match it",
        ),
        (
            |good| good.replacen("\"attempt\":1", "\"attempt\": 1", 1),
            "line 1 of `./artifacts/evidence/runs/Scan.jsonl` is damaged: it is not as flowctl writes records",
        ),
        (
            |good| good.split_inclusive('\n').take(2).collect(),
            "`./artifacts/evidence/runs/Scan.jsonl` was changed: it is not the one that the index names",
        ),
        (
            |good| format!("{good}{{}}\n"),
            "it ends with lines that nobody announced",
        ),
    ];
    for (edit, said) in edits {
        let test = workspace();
        test.output(["run", "many.yaml", "--run-id", "r"]).exits(5);
        let log = "artifacts/evidence/runs/Scan.jsonl";
        test.write(log, edit(&test.read(log)));
        let before = evidence(&test);
        test.output(["run", "many.yaml", "--run-id", "s"])
            .exits(1)
            .says(said)
            .says("flowctl evidence rebuild");
        same(&before, &evidence(&test));
        test.output(["evidence", "rebuild"]).exits(0);
        test.output(["resume", "s"]).exits(5);
        test.output(["evidence", "verify"]).exits(0);
        assert_eq!(test.lines(log).len(), 2 * 4);
    }
}

#[test]
fn what_was_changed_before_the_end_is_not_taken_over() {
    let test = workspace();
    test.output(["run", "many.yaml", "--run-id", "r"]).exits(5);
    test.edit(
        "artifacts/evidence/runs/Scan.jsonl",
        "\"attempt\":1",
        "\"attempt\":2",
    );
    test.output(["run", "many.yaml", "--run-id", "s"]).exits(5);
    let ran = test.output(["evidence", "verify"]).exits(10);
    assert_eq!(
        ran.stdout.lines().next(),
        Some("runs/Scan.jsonl:1: its hash does not match it")
    );
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
    assert_eq!(
        test.lines("artifacts/evidence/runs/Scan.jsonl").len(),
        2 * 4
    );
    // So it is with a bundle that makes room for the next.
    test.output(["approve", "r", "--resume"]).exits(0);
    let manifest = test.read("artifacts/evidence/bundles/many/manifest.json");
    test.edit(
        "artifacts/evidence/bundles/many/summary.md",
        "# many",
        "# most",
    );
    test.output(["approve", "s", "--resume"])
        .exits(1)
        .says("summary.md` was changed: it is not the one that the manifest of its bundle names");
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["resume", "s"]).exits(0);
    assert_eq!(
        test.read("artifacts/evidence/bundles/many/history/r/manifest.json"),
        manifest
    );
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_crash_between_the_steps_of_a_writing_loses_nothing() {
    let test = signed();
    test.output(["run", "many.yaml", "--run-id", "r"]).exits(5);
    let early = evidence(&test);
    let head = test.read("artifacts/evidence-head.json");
    test.output(["approve", "r", "--resume"]).exits(0);
    let late = evidence(&test);
    let root = test.path("artifacts/evidence");
    let put = |files: &BTreeMap<String, Vec<u8>>| {
        fs::remove_dir_all(&root).unwrap();
        // A crash leaves the head of before.
        test.write("artifacts/evidence-head.json", &head);
        for (path, bytes) in files {
            test.write(&format!("artifacts/evidence/{path}"), bytes);
        }
    };
    // The ledger is ahead, and some of what it announces is there, torn at any byte.
    let log = "runs/Gate.jsonl";
    for cut in (early[log].len()..=late[log].len()).step_by(211) {
        let mut files = early.clone();
        files.insert("ledger.jsonl".to_owned(), late["ledger.jsonl"].clone());
        files.insert(log.to_owned(), late[log][..cut].to_vec());
        files.insert("bundles/.flowctl-x.tmp".to_owned(), b"half".to_vec());
        put(&files);
        // Any other run carries it out first.
        let id = format!("x{cut}");
        test.output(["run", "sub.yaml", "--run-id", &id]).exits(0);
        let after = evidence(&test);
        for path in late
            .keys()
            .filter(|path| path.starts_with("bundles/many/") || *path == log)
        {
            assert_eq!(after[path], late[path], "{cut}: {path}");
        }
        assert_eq!(report(&after).findings, [], "{cut}");
    }
    // A torn line of the ledger was never announced.
    let mut files = early.clone();
    files.insert(
        "ledger.jsonl".to_owned(),
        late["ledger.jsonl"][..early["ledger.jsonl"].len() + 20].to_vec(),
    );
    put(&files);
    test.output(["run", "sub.yaml", "--run-id", "y"]).exits(0);
    assert_eq!(report(&evidence(&test)).findings, []);
    // The index is derived, and comes back.
    fs::remove_file(root.join("index.json")).unwrap();
    test.output(["evidence", "verify"]).exits(10);
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn two_processes_write_one_after_the_other() {
    let test = workspace();
    let runs: Vec<_> = (0..6)
        .map(|n| test.spawn(["run", "many.yaml", "--run-id", &format!("r{n}")]))
        .collect();
    for run in runs {
        run.wait().exits(5);
    }
    test.output(["evidence", "verify"]).exits(0);
    let before = evidence(&test);
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    test.output(["evidence", "rebuild"]).exits(0);
    same(&before, &evidence(&test));
}

#[test]
fn pruned_runs_are_made_again_from_their_bundles() {
    let test = signed();
    many_runs(&test);
    let before = evidence(&test);
    for run in ["no", "frail", "slow"] {
        fs::remove_dir_all(test.path(&format!("artifacts/runs/{run}"))).unwrap();
    }
    test.edit("artifacts/evidence/runs/Gate.jsonl", "Not |", "Now |");
    test.output(["evidence", "rebuild"]).exits(0);
    same(&before, &evidence(&test));
    // Nothing is left of this one.
    test.edit(
        "artifacts/evidence/bundles/slow/journal.ndjson",
        "slow",
        "fast",
    );
    test.output(["evidence", "rebuild"])
        .exits(0)
        .says("run slow is gone from artifacts/runs, and its bundle is damaged");
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn signatures_say_who_and_stay_without_the_key() {
    let test = signed();
    many_runs(&test);
    let before = evidence(&test);
    // What no trusted key vouches for is for whoever asked for trusted keys to hear of.
    let said = |args: &[&str], text: &str| {
        let trusted = args.is_empty() || !text.contains("unsigned");
        let ran = test
            .output([&["evidence", "verify"], args].concat())
            .exits(if trusted { 0 } else { 10 });
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    };
    said(&["--trusted-keys", "trusted"], "\nintact, signed by Ada: ");
    said(&[], "\nintact, signer unknown: SHA256:");
    let json = test
        .output([
            "evidence",
            "verify",
            "--trusted-keys",
            "trusted",
            "--format",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(json["index"]["signer"], "Ada");
    assert_eq!(json["intact"], true);
    assert!(
        test.read("artifacts/evidence/bundles/slow/summary.md")
            .contains("signature: by the key SHA256:")
    );
    // Without the key, what was signed stays so.
    let keyless = |args: &[&str]| {
        let mut command = test.command(args);
        let output = command.env_remove("FLOWCTL_SIGNING_KEY").output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    fs::remove_file(test.path("artifacts/evidence/runs/Gate.jsonl")).unwrap();
    assert_eq!(keyless(&["evidence", "rebuild"]).0, Some(0));
    same(&before, &evidence(&test));
    // The signature over the index is nowhere else; those of the bundles are beside the runs.
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    assert_eq!(keyless(&["evidence", "rebuild"]).0, Some(0));
    said(&["--trusted-keys", "trusted"], "\nintact, unsigned: ");
    said(&[], "bundles/slow: run slow, cancelled, signer unknown");
    // Nowhere at all.
    forget_receipts(&test);
    fs::remove_file(test.path("artifacts/evidence/bundles/slow/attestation.intoto.json")).unwrap();
    let (code, said_so) = keyless(&["evidence", "rebuild"]);
    assert_eq!(code, Some(0));
    assert!(
        said_so.contains("the bundle of run slow was signed by SHA256:"),
        "{said_so}"
    );
    said(
        &["--trusted-keys", "trusted"],
        "bundles/slow: run slow, cancelled, unsigned",
    );
    assert!(
        test.read("artifacts/evidence/bundles/slow/summary.md")
            .contains("signature: unsigned")
    );
    // A run without the key leaves the index unsigned, and the bundles of before as they are.
    assert_eq!(keyless(&["run", "sub.yaml"]).0, Some(0));
    said(&["--trusted-keys", "trusted"], "\nintact, unsigned: ");
}

#[test]
fn a_key_that_cannot_be_used_is_refused_before_anything_runs() {
    let test = workspace().file("open", KEY).file("nokey", "hello");
    mode(&test.path("open"), 0o644);
    mode(&test.path("nokey"), 0o600);
    for (key, said) in [
        (
            "open",
            "the signing key `open` cannot be used: others may read it (mode 0644): `chmod 600 open`",
        ),
        (
            "nokey",
            "the signing key `nokey` cannot be used: it is neither an OpenSSH private key nor PKCS#8 in PEM",
        ),
        ("gone", "the signing key `gone` cannot be used: "),
    ] {
        test.output(["run", "sub.yaml", "--signing-key", key])
            .exits(2)
            .says(said);
    }
    assert!(!test.exists("artifacts"));
    test.output(["evidence", "verify"])
        .exits(2)
        .says("there is no folder");
    test.output(["evidence", "verify", "."])
        .exits(2)
        .says("is neither an evidence folder nor a bundle");
    test.output(["run", "sub.yaml"]).exits(0);
    test.output(["evidence", "verify", "--trusted-keys", "nokey"])
        .exits(2)
        .says("`nokey` cannot be used: line 1: it is no OpenSSH public key");
}

/// Numbers that look random, and come again with the same seed.
struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    fn new() -> Self {
        let given = std::env::var("FLOWCTL_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::try_from(since.unwrap().as_nanos() & u128::from(u64::MAX)).unwrap() | 1
        });
        Self { state: seed, seed }
    }

    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % end as u64).unwrap()
    }
}

fn named(report: &Report, paths: &[&str]) -> bool {
    paths
        .iter()
        .all(|path| report.findings.iter().any(|finding| finding.path == *path))
}

#[track_caller]
fn found(files: &BTreeMap<String, Vec<u8>>, paths: &[&str], what: &str) {
    let report = report(files);
    assert!(
        named(&report, paths),
        "{what} {paths:?}: {:?}",
        report.findings
    );
    // And nothing else is accused.
    for finding in &report.findings {
        assert!(
            paths.contains(&&*finding.path),
            "{what} {paths:?}: {:?}",
            report.findings
        );
    }
}

/// `FLOWCTL_TEST_FLIPS` says how many bytes are flipped.
#[test]
fn a_flipped_byte_anywhere_is_found_and_named() {
    let flips: usize = std::env::var("FLOWCTL_TEST_FLIPS")
        .ok()
        .and_then(|flips| flips.parse().ok())
        .unwrap_or(300);
    let mut random = Random::new();
    let seed = random.seed;
    // Signed and with documents; unsigned.
    for (test, documents) in [(signed(), true), (workspace(), false)] {
        many_runs(&test);
        if documents {
            product(&test, "p1");
        }
        let good = evidence(&test);
        assert_eq!(report(&good).findings, []);
        let total: usize = good.values().map(Vec::len).sum();
        // Alone, a bundle has no index to say which of its files is the one.
        let bundle: BTreeMap<String, Vec<u8>> = good
            .iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix("bundles/many/")?, bytes)))
            .map(|(path, bytes)| (path.to_owned(), bytes.clone()))
            .collect();
        assert_eq!(report(&bundle).findings, []);
        let small: usize = bundle.values().map(Vec::len).sum();
        for flip in 0..flips.div_ceil(2) {
            let (files, total) = if flip % 4 == 3 {
                (&bundle, small)
            } else {
                (&good, total)
            };
            // Any byte of all, or any file, so that small ones have their turn.
            let (path, at) = if flip % 2 == 0 {
                let mut at = random.below(total);
                let hit = files.iter().find(|(_, bytes)| {
                    let here = at < bytes.len();
                    at -= if here { 0 } else { bytes.len() };
                    here
                });
                (hit.unwrap().0.clone(), at)
            } else {
                let full: Vec<&String> = files
                    .keys()
                    .filter(|path| !files[*path].is_empty())
                    .collect();
                let path = full[random.below(full.len())].clone();
                let at = random.below(files[&path].len());
                (path, at)
            };
            let mut bad = files.clone();
            let mask = u8::try_from(random.below(255) + 1).unwrap();
            bad.get_mut(&path).unwrap()[at] ^= mask;
            found(
                &bad,
                &[&path],
                &format!("FLOWCTL_TEST_SEED={seed}: byte {at} xor {mask:#x}"),
            );
        }
    }
}

#[test]
fn lines_and_files_that_are_moved_are_found_and_named() {
    let test = signed();
    many_runs(&test);
    let good = evidence(&test);
    let paths: Vec<String> = good
        .keys()
        .filter(|path| *path != ".lock")
        .cloned()
        .collect();
    for path in &paths {
        let mut bad = good.clone();
        let bytes = bad.remove(path).unwrap();
        found(&bad, &[path], "removed");
        let renamed = format!("{path}.bak");
        let mut bad = good.clone();
        bad.insert(renamed.clone(), bytes.clone());
        found(&bad, &[&renamed], "added");
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let other = format!("{folder}/new/a.jsonl");
        let mut bad = good.clone();
        bad.insert(other.clone(), bytes.clone());
        found(&bad, &[&other], "added");
        let mut longer = good.clone();
        longer.get_mut(path).unwrap().push(b'\n');
        found(&longer, &[path], "longer");
        let mut empty = good.clone();
        empty.insert(path.clone(), Vec::new());
        found(&empty, &[path], "emptied");
        // Swapped with the next that differs.
        let at = paths.iter().position(|other| other == path).unwrap();
        let others = paths[at + 1..].iter().find(|other| good[*other] != bytes);
        if let Some(other) = others {
            let mut bad = good.clone();
            bad.insert(path.clone(), good[other].clone());
            bad.insert(other.clone(), bytes.clone());
            found(&bad, &[path, other], "swapped");
        }
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let mut edits: Vec<(String, Vec<u8>)> = Vec::new();
        for at in [0, lines.len() / 2, lines.len() - 1] {
            let mut fewer = lines.clone();
            fewer.remove(at);
            edits.push((format!("line {at} removed"), fewer.concat()));
            let mut more = lines.clone();
            more.insert(at, lines[at]);
            edits.push((format!("line {at} twice"), more.concat()));
            let mut order = lines.clone();
            order.swap(at, (at + 1) % lines.len());
            edits.push((format!("line {at} later"), order.concat()));
        }
        edits.push((
            "a line of another file".to_owned(),
            [
                &bytes,
                good["runs/Gate.jsonl"]
                    .split_inclusive(|byte| *byte == b'\n')
                    .next()
                    .unwrap(),
            ]
            .concat(),
        ));
        for (what, edited) in edits {
            if edited != bytes {
                let mut bad = good.clone();
                bad.insert(path.clone(), edited);
                found(&bad, &[path], &what);
            }
        }
    }
    // Folders and links are no evidence either.
    fs::create_dir(test.path("artifacts/evidence/bundles/empty")).unwrap();
    std::os::unix::fs::symlink("index.json", test.path("artifacts/evidence/link")).unwrap();
    let ran = test.output(["evidence", "verify"]).exits(10);
    assert_eq!(
        ran.stdout.lines().take(2).collect::<Vec<_>>(),
        [
            "bundles/empty/: nobody wrote this folder",
            "link: it is no file and no folder"
        ]
    );
}

/// Writes the hash of a document of ours anew, as somebody would who covers tracks.
pub(crate) fn rehash(value: &mut Value, pretty: bool) -> Vec<u8> {
    value.as_object_mut().unwrap().shift_remove("hash");
    let hash = flowctl::value::Digest::of_json(value).hex();
    value["hash"] = hash.into();
    let mut bytes = if pretty {
        serde_json::to_vec_pretty(value)
    } else {
        serde_json::to_vec(value)
    }
    .unwrap();
    bytes.push(b'\n');
    bytes
}

/// Puts a file in place of another and makes the index say so.
fn reindex(files: &mut BTreeMap<String, Vec<u8>>, path: &str, bytes: Vec<u8>) {
    let mut index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let name = path.strip_prefix("runs/").unwrap();
    let entry = &mut index["logs"][name.strip_suffix(".jsonl").unwrap()];
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let last: Value = serde_json::from_slice(lines.last().unwrap()).unwrap();
    entry["bytes"] = bytes.len().into();
    entry["records"] = lines.len().into();
    entry["head"] = last["hash"].clone();
    files.insert(path.to_owned(), bytes);
    files.insert("index.json".to_owned(), rehash(&mut index, true));
}

#[test]
fn tracks_that_are_half_covered_are_found() {
    let test = workspace();
    many_runs(&test);
    let good = evidence(&test);
    // A log without its last line, and an index that fits: the ledger knows better.
    let mut bad = good.clone();
    let log = &good["runs/Gate.jsonl"];
    let end = log[..log.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    reindex(&mut bad, "runs/Gate.jsonl", log[..end].to_vec());
    found(&bad, &["runs/Gate.jsonl"], "cut");
    // An answer that was turned round, with its log chained anew: neither ledger nor journal agree.
    let mut previous = "0".repeat(64);
    let mut forged = Vec::new();
    for line in String::from_utf8(log.clone()).unwrap().lines() {
        let mut record: Value =
            serde_json::from_str(&line.replace("\"rejected\"", "\"approved\"")).unwrap();
        record["prev_hash"] = previous.into();
        forged.extend(rehash(&mut record, false));
        previous = record["hash"].as_str().unwrap().to_owned();
    }
    assert_ne!(forged.len(), 0);
    let mut bad = good.clone();
    reindex(&mut bad, "runs/Gate.jsonl", forged);
    let report = report(&bad);
    assert!(
        named(&report, &["runs/Gate.jsonl"]),
        "{:?}",
        report.findings
    );
    // A manifest that says something else than the journal, alone as an auditor copies it.
    let mut bundle: BTreeMap<String, Vec<u8>> = good
        .iter()
        .filter_map(|(path, bytes)| {
            Some((
                path.strip_prefix("bundles/many/history/no/")?.to_owned(),
                bytes.clone(),
            ))
        })
        .collect();
    let mut manifest: Value = serde_json::from_slice(&bundle["manifest.json"]).unwrap();
    manifest["status"] = "succeeded".into();
    bundle.insert("manifest.json".to_owned(), rehash(&mut manifest, true));
    let report = verify(&Tree::Memory(bundle), &[]).unwrap();
    assert!(named(&report, &["manifest.json"]), "{:?}", report.findings);
}

#[test]
fn a_decision_about_something_else_is_found_in_the_journal_itself() {
    let test = workspace();
    many_runs(&test);
    let good = evidence(&test);
    let prefix = "bundles/many/history/no/";
    // The whole journal is written anew with another digest in the decision: every chain fits.
    let journal = String::from_utf8(good[&format!("{prefix}journal.ndjson")].clone()).unwrap();
    let digest = |line: &str| {
        let at = line.find("\"digest\":\"sha256:").unwrap() + 17;
        line[at..at + 64].to_owned()
    };
    let decided = journal
        .lines()
        .find(|line| line.contains("\"event\":\"approval_decided\""))
        .unwrap();
    let asked = digest(decided);
    let mut previous = "0".repeat(64);
    let mut forged = String::new();
    for line in journal.lines() {
        let body = line.rsplit_once(",\"hash\":\"").unwrap().0;
        let body = if line == decided {
            body.replace(&asked, &"ab".repeat(32))
        } else {
            body.to_owned()
        };
        previous = flowctl::value::Digest::of(format!("{previous}{body}").as_bytes()).hex();
        forged.push_str(&format!("{body},\"hash\":\"{previous}\"}}\n"));
    }
    let mut bundle: BTreeMap<String, Vec<u8>> = good
        .iter()
        .filter_map(|(path, bytes)| Some((path.strip_prefix(prefix)?.to_owned(), bytes.clone())))
        .collect();
    let mut manifest: Value = serde_json::from_slice(&bundle["manifest.json"]).unwrap();
    manifest["journal_head"] = previous.into();
    manifest["files"]["journal.ndjson"]["sha256"] =
        flowctl::value::Digest::of(forged.as_bytes()).hex().into();
    bundle.insert("journal.ndjson".to_owned(), forged.into_bytes());
    bundle.insert("manifest.json".to_owned(), rehash(&mut manifest, true));
    let report = verify(&Tree::Memory(bundle), &[]).unwrap();
    let said = report.findings.iter().any(|finding| {
        finding.path == "journal.ndjson" && finding.message.contains("which is not what was asked")
    });
    assert!(said, "{:?}", report.findings);
}

#[test]
fn an_envelope_of_another_key_does_not_pass() {
    let test = signed();
    test.output(["run", "sub.yaml", "--run-id", "r"]).exits(0);
    let own = PublicKey::parse(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh ada",
    )
    .unwrap();
    let files = evidence(&test);
    let report = verify(&Tree::Memory(files.clone()), std::slice::from_ref(&own)).unwrap();
    assert_eq!(
        report.index,
        Some(flowctl::evidence::Seal::Trusted("ada".to_owned()))
    );
    // The signature of one envelope in the other.
    let mut bad = files.clone();
    let sig = |path: &str| {
        let value: Value = serde_json::from_slice(&files[path]).unwrap();
        value["signatures"][0]["sig"].as_str().unwrap().to_owned()
    };
    let (index, bundle) = ("index.intoto.json", "bundles/sub/attestation.intoto.json");
    let text = String::from_utf8(files[index].clone()).unwrap();
    bad.insert(
        index.to_owned(),
        text.replace(&sig(index), &sig(bundle)).into_bytes(),
    );
    let report = verify(&Tree::Memory(bad), &[own]).unwrap();
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.path == index && finding.message.contains("is not by SHA256:")),
        "{:?}",
        report.findings
    );
}

#[test]
fn names_that_lead_out_of_the_folder_are_not_followed() {
    let test = workspace();
    test.output(["run", "many.yaml", "--run-id", "r"]).exits(5);
    let before = evidence(&test);
    let receipts = "artifacts/runs/r/evidence.jsonl";
    test.edit(receipts, "\"Scan\":", "\"../../../pwned\":");
    fs::remove_dir_all(test.path("artifacts/evidence")).unwrap();
    test.output(["evidence", "rebuild"]).exits(0);
    assert!(!test.exists("pwned.jsonl") && !test.exists("artifacts/pwned.jsonl"));
    same(&before, &evidence(&test));
    // An index that is right in everything but that.
    let mut bad = before;
    let mut index: Value = serde_json::from_slice(&bad["index.json"]).unwrap();
    index["logs"] = serde_json::json!({ "../../x": index["logs"]["Scan"] });
    bad.insert("index.json".to_owned(), rehash(&mut index, true));
    let said = report(&bad).findings;
    assert!(
        said.iter().any(|finding| finding.path == "index.json"
            && finding.message == "`../../x` is no name of a log"),
        "{said:?}"
    );
}

#[test]
fn what_was_signed_and_then_changed_is_not_signed_again() {
    let test = signed();
    test.output(["run", "many.yaml", "--run-id", "r"]).exits(5);
    let mut files = evidence(&test);
    let mut index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    index["logs"]
        .as_object_mut()
        .unwrap()
        .shift_remove("Sub.In");
    files.insert("index.json".to_owned(), rehash(&mut index, true));
    test.write("artifacts/evidence/index.json", &files["index.json"]);
    test.output(["run", "frail.yaml", "--run-id", "s"])
        .exits(1)
        .says("index.intoto.json` was changed: what it signs is not what is there")
        .says("flowctl evidence rebuild");
    same(&files, &evidence(&test));
    test.output(["evidence", "rebuild"]).exits(0);
    test.output(["evidence", "verify"]).exits(0);
}

#[test]
fn a_journal_that_lost_its_end_takes_no_evidence_with_it() {
    let test = signed();
    test.output(["run", "sub.yaml", "--run-id", "r"]).exits(0);
    let before = evidence(&test);
    let lines = test.lines("artifacts/runs/r/journal.jsonl");
    let short = format!("{}\n", lines[..lines.len() - 3].join("\n"));
    test.write("artifacts/runs/r/journal.jsonl", short);
    for forget in [false, true] {
        if forget {
            forget_receipts(&test);
        }
        test.output(["evidence", "rebuild"])
            .exits(1)
            .says("the journal `./artifacts/runs/r/journal.jsonl` of run r ends with record ")
            .says("`./artifacts/evidence/bundles/sub/journal.ndjson` has more of it");
        same(&before, &evidence(&test));
    }
    fs::copy(
        test.path("artifacts/evidence/bundles/sub/journal.ndjson"),
        test.path("artifacts/runs/r/journal.jsonl"),
    )
    .unwrap();
    test.output(["evidence", "rebuild"]).exits(0);
    same(&before, &evidence(&test));
}

#[test]
fn pruned_runs_come_back_without_a_ledger() {
    let test = signed();
    test.output(["run", "sub.yaml", "--run-id", "a"]).exits(0);
    test.output(["run", "sub.yaml", "--run-id", "b"]).exits(0);
    let before = evidence(&test);
    for run in ["a", "b"] {
        fs::remove_dir_all(test.path(&format!("artifacts/runs/{run}"))).unwrap();
    }
    fs::remove_file(test.path("artifacts/evidence/ledger.jsonl")).unwrap();
    test.output(["evidence", "rebuild"])
        .exits(0)
        .says("its evidence is made again from its bundle");
    same(&before, &evidence(&test));
}

#[test]
fn a_copy_of_a_run_is_no_run() {
    let test = workspace();
    test.output(["run", "sub.yaml", "--run-id", "r"]).exits(0);
    let before = evidence(&test);
    let journal = test.read("artifacts/runs/r/journal.jsonl");
    test.write("artifacts/runs/copy/journal.jsonl", journal);
    std::os::unix::fs::symlink("r", test.path("artifacts/runs/link")).unwrap();
    test.output(["evidence", "rebuild"])
        .exits(0)
        .says("artifacts/runs/copy holds the journal of run r")
        .says("artifacts/runs/link is a link");
    same(&before, &evidence(&test));
}
