//! Signed decisions: made by the real `ssh-keygen` and `ssh-agent`, and checked by it afterwards.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Test, append, until};

const GATES: &str = "nodes:\n  - { name: Gate, type: approval, approval: { scope: dependants } }\n  - { name: Other, type: approval, approval: { scope: dependants } }\n";

/// Runs a program of OpenSSH. Without it these tests cannot run, and a test that did not run is
/// never passed.
#[track_caller]
fn ssh(test: &Test, program: &str, args: &[&str], input: &str) -> (bool, String) {
    let spawned = Command::new(program)
        .args(args)
        .current_dir(test.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned
        .unwrap_or_else(|error| panic!("not run: `{program}`: {error}; install openssh-client"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

pub(crate) fn key(test: &Test, file: &str, kind: &[&str], passphrase: &str) -> String {
    let args = [&["-q", "-C", "", "-N", passphrase, "-f", file, "-t"], kind].concat();
    let (made, text) = ssh(test, "ssh-keygen", &args, "");
    assert!(made, "{text}");
    let (_, text) = ssh(test, "ssh-keygen", &["-l", "-f", file], "");
    text.split(' ').nth(1).unwrap().to_owned()
}

fn waiting(run: &str) -> Test {
    let test = Test::new().file("flow.yaml", GATES);
    test.output(["run", "flow.yaml", "--run-id", run]).exits(5);
    test
}

fn decided(test: &Test, run: &str) -> Vec<Value> {
    let events = test.events(run).into_iter();
    events
        .filter(|event| event["event"] == "approval_decided")
        .map(|event| event["data"].clone())
        .collect()
}

/// The files of a run's inbox.
fn inbox(test: &Test, run: &str) -> usize {
    fs::read_dir(test.path(&format!("artifacts/runs/{run}/inbox"))).map_or(0, Iterator::count)
}

#[test]
fn every_kind_of_key_signs_and_ssh_keygen_agrees() {
    let test = Test::new().file("flow.yaml", "nodes:\n  - { name: Gate, type: approval }\n");
    let kinds: [&[&str]; 5] = [
        &["ed25519"],
        &["ecdsa", "-b", "256"],
        &["ecdsa", "-b", "384"],
        &["ecdsa", "-b", "521"],
        &["rsa", "-b", "2048"],
    ];
    for (number, kind) in kinds.iter().enumerate() {
        let (run, file) = (format!("r{number}"), format!("key{number}"));
        let fingerprint = key(&test, &file, kind, "");
        test.output(["run", "flow.yaml", "--run-id", &run]).exits(5);
        test.output([
            "approve",
            &run,
            "--sign",
            "--key",
            &file,
            "--comment",
            "é \"x\"",
            "--resume",
        ])
        .exits(0);
        let [decision] = <[Value; 1]>::try_from(decided(&test, &run)).unwrap();
        assert_eq!(
            decision["identity"],
            json!(format!("ssh-key {fingerprint}"))
        );

        let bundle = "artifacts/evidence/bundles/flow";
        let seq = test
            .events(&run)
            .iter()
            .find(|event| event["event"] == "approval_decided")
            .unwrap()["seq"]
            .clone();
        let (keys, signature) = (
            format!("{bundle}/decisions/allowed_signers"),
            format!("{bundle}/decisions/{seq}.json.sig"),
        );
        let statement = test.read(&format!("{bundle}/decisions/{seq}.json"));
        let said: Value = serde_json::from_str(&statement).unwrap();
        assert_eq!(
            (&said["run"], &said["comment"], &said["digest"]),
            (&json!(run), &json!("é \"x\""), &decision["digest"])
        );
        let by = decision["by"].as_str().unwrap();
        let verify = |statement: &str, namespace: &str| {
            let args = [
                "-Y", "verify", "-f", &keys, "-I", by, "-n", namespace, "-s", &signature,
            ];
            ssh(&test, "ssh-keygen", &args, statement)
        };
        let (good, text) = verify(&statement, "flowctl-decision");
        assert!(good && text.contains(&fingerprint), "{text}");
        assert!(
            !verify(
                &statement.replace("approved", "rejected"),
                "flowctl-decision"
            )
            .0
        );
        assert!(!verify(&statement, "git").0);
        let manifest = test.read(&format!("{bundle}/manifest.json"));
        assert!(
            manifest.contains(&format!("\"decisions/{seq}.json.sig\"")),
            "{manifest}"
        );
    }
    let shown = test.output(["show", "r0"]).exits(0).stdout;
    assert!(shown.contains("(ssh-key SHA256:"), "{shown}");
}

#[test]
fn a_no_is_signed_too_and_the_key_may_come_from_the_environment() {
    let test = waiting("r").env("FLOWCTL_SSH_KEY", "key");
    let fingerprint = key(&test, "key", &["ed25519"], "");
    // The variable names a key; it does not ask for a signature.
    test.output(["approve", "r", "Other"]).exits(0);
    test.output(["reject", "r", "Gate", "-S", "--reason", "no"])
        .exits(0);
    let identities: Vec<Value> = decided(&test, "r")
        .into_iter()
        .map(|decision| decision["identity"].clone())
        .collect();
    assert_eq!(
        identities,
        [json!("unverified"), json!(format!("ssh-key {fingerprint}"))]
    );
}

/// An agent of the test's own, which ends with it.
struct Agent(Child);

impl Agent {
    fn start(test: &Test) -> Self {
        let socket = test.path("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("not run: `ssh-agent`: {error}; install openssh-client")
            });
        until("the agent listens", || socket.exists());
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn the_agent_signs_with_a_key_that_is_named_or_its_only_one() {
    let test = waiting("r");
    let socket = test.path("agent").display().to_string();
    let test = test.env("SSH_AUTH_SOCK", &socket);
    assert_snapshot!(test.run(["approve", "r", "Gate", "--sign"]), @r"
    exit 2
    --- stderr
    error: no key to sign with: no ssh-agent answers
    help: name a key with `--key FILE` or FLOWCTL_SSH_KEY, or add one to the agent with `ssh-add`; `ssh-keygen -t ed25519` makes a new one
    ");
    let _agent = Agent::start(&test);
    test.output(["approve", "r", "Gate", "--sign"])
        .exits(2)
        .says("the ssh-agent holds none");
    let first = key(&test, "one", &["ed25519"], "");
    let second = key(&test, "two", &["ed25519"], "");
    let add = |file: &str| {
        let added = Command::new("ssh-add")
            .arg(test.path(file))
            .env("SSH_AUTH_SOCK", &socket)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(added.success());
        // What the agent holds is signed with by the agent alone.
        fs::remove_file(test.path(file)).unwrap();
    };
    add("one");
    test.output(["approve", "r", "Gate", "--sign"]).exits(0);
    add("two");
    test.output(["approve", "r", "Other", "--sign"])
        .exits(2)
        .says("the ssh-agent holds several keys")
        .says(&second);
    test.output(["approve", "r", "Other", "--sign", "--key", "SHA256:nobody"])
        .exits(2)
        .says("the ssh-agent holds no key SHA256:nobody");
    assert_eq!((decided(&test, "r").len(), inbox(&test, "r")), (1, 0));
    test.output(["approve", "r", "Other", "--sign", "--key", &second])
        .exits(0);
    test.output(["run", "flow.yaml", "--run-id", "s"]).exits(5);
    test.output(["approve", "s", "Gate", "-S", "--key", "one.pub"])
        .exits(0);
    let all = [decided(&test, "r"), decided(&test, "s")].concat();
    let identities: Vec<&Value> = all.iter().map(|decision| &decision["identity"]).collect();
    let expected = [&first, &second, &first].map(|name| json!(format!("ssh-key {name}")));
    assert_eq!(identities, expected.iter().collect::<Vec<_>>());
}

#[test]
fn without_the_passphrase_nothing_is_written() {
    let test = waiting("r");
    let fingerprint = key(&test, "key", &["ed25519"], "right horse");
    let before = fs::read(test.journal("r")).unwrap();
    let said = test
        .output(["approve", "r", "Gate", "--sign", "--key", "key"])
        .exits(1)
        .says("not signed, and nothing was sent: `ssh-keygen` could not sign with `key`");
    assert!(said.stderr.contains("passphrase"), "{}", said.stderr);

    let ask = |answer: &str| {
        test.write("ask", format!("#!/bin/sh\necho '{answer}'\n"));
        fs::set_permissions(test.path("ask"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = test.command(["approve", "r", "Gate", "--sign", "--key", "key"]);
        command
            .env("SSH_ASKPASS", test.path("ask"))
            .env("SSH_ASKPASS_REQUIRE", "force");
        command.output().unwrap()
    };
    let refused = ask("wrong horse");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(fs::read(test.journal("r")).unwrap(), before);
    assert_eq!(inbox(&test, "r"), 0);
    assert_eq!(ask("right horse").status.code(), Some(0));
    assert_eq!(
        decided(&test, "r")[0]["identity"],
        json!(format!("ssh-key {fingerprint}"))
    );
}

#[test]
fn what_is_missing_is_said_before_anything_is_written() {
    let test = waiting("r");
    key(&test, "key", &["ed25519"], "");
    let before = fs::read(test.journal("r")).unwrap();
    assert_snapshot!(test.run(["approve", "r", "Gate", "--sign", "--key", "none"]), @r"
    exit 2
    --- stderr
    error: cannot read the key `none`: No such file or directory (os error 2)
    ");
    // Without `--sign` the key would be for nothing.
    test.output(["approve", "r", "Gate", "--key", "key"])
        .exits(2)
        .says("--sign");
    test.output(["approve", "r", "Gate", "--sign", "--key", "flow.yaml"])
        .exits(1)
        .says("`ssh-keygen` could not sign with `flow.yaml`");
    let output = test
        .command(["approve", "r", "Gate", "--sign", "--key", "key"])
        .env("PATH", test.path("nothing"))
        .output()
        .unwrap();
    assert_snapshot!(test.scrub(&String::from_utf8_lossy(&output.stderr)), @r"
    error: not signed, and nothing was sent: cannot start `ssh-keygen`: No such file or directory (os error 2)
    help: install OpenSSH 8.1 or later; Debian and Ubuntu call it `openssh-client`, Fedora `openssh-clients`
    ");
    assert_eq!(fs::read(test.journal("r")).unwrap(), before);
    assert_eq!(inbox(&test, "r"), 0);
}

/// Puts a decision into the inbox as anybody who can write there could, and has it judged.
#[track_caller]
fn refused(test: &Test, run: &str, decision: &Value, reason: &str) {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut decision = decision.clone();
    if decision["id"] != "kept" {
        decision["id"] = json!(format!("forged-{count}"));
    }
    let before = decided(test, run).len();
    let request = json!({ "kind": "decision", "decision": decision });
    test.write(
        &format!("artifacts/runs/{run}/inbox/{count}.json"),
        request.to_string(),
    );
    test.output(["resume", run]).exits(5);
    let events = test.events(run);
    let last = events
        .iter()
        .rfind(|event| event["event"] == "decision_refused")
        .expect("it is recorded as refused");
    assert!(
        last["data"]["reason"].as_str().unwrap().contains(reason),
        "{last}"
    );
    assert_eq!(last["data"]["decision"]["identity"], json!("unverified"));
    assert_eq!(last["data"]["decision"]["signature"], decision["signature"]);
    assert_eq!(decided(test, run).len(), before, "nothing counts");
    assert_eq!(inbox(test, run), 0);
}

#[test]
fn a_signature_counts_for_what_was_signed_and_nothing_else() {
    let test = waiting("a");
    let other = "it is signed, and not for this";
    test.output(["run", "flow.yaml", "--run-id", "b"]).exits(5);
    key(&test, "key", &["ed25519"], "");
    test.output([
        "approve",
        "a",
        "Gate",
        "-S",
        "--key",
        "key",
        "--comment",
        other,
    ])
    .exits(0);
    let signed = decided(&test, "a").remove(0);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = signed.clone();
        change(&mut changed);
        changed
    };
    let not_this = "what was signed is not this decision about this run";

    // The same yes again, under its own name: it is known, and nothing happens.
    let again = json!({ "kind": "decision", "decision": signed }).to_string();
    test.write("artifacts/runs/a/inbox/again.json", &again);
    test.output(["resume", "a"]).exits(5);
    assert_eq!(decided(&test, "a").len(), 1);
    // Under its own name in another run, whose gate asks for the same digest.
    let digest = |run: &str| {
        test.events(run)
            .iter()
            .find(|event| event["event"] == "approval_requested" && event["data"]["node"] == "Gate")
            .unwrap()["data"]["digest"]
            .clone()
    };
    assert_eq!(digest("a"), digest("b"));
    test.write("artifacts/runs/b/inbox/again.json", &again);
    test.output(["resume", "b"]).exits(5);
    assert_eq!(decided(&test, "b").len(), 0);
    assert_eq!(
        test.events("b")
            .iter()
            .filter(|event| event["event"] == "decision_refused")
            .count(),
        1
    );

    refused(&test, "a", &signed, not_this);
    refused(
        &test,
        "a",
        &with(&|decision| decision["node"] = json!("Other")),
        not_this,
    );
    refused(
        &test,
        "b",
        &with(&|decision| decision["decision"] = json!("rejected")),
        not_this,
    );
    refused(
        &test,
        "b",
        &with(&|decision| decision["by"] = json!("mallory")),
        not_this,
    );
    refused(
        &test,
        "b",
        &with(&|decision| decision["comment"] = json!("other words")),
        not_this,
    );
    refused(
        &test,
        "b",
        &with(&|decision| decision["digest"] = json!(format!("sha256:{}", "0".repeat(64)))),
        not_this,
    );

    // A statement that fits the decision, under a signature over something else.
    let fits = |change: &dyn Fn(&mut Value)| {
        with(&|decision| {
            decision["id"] = json!("kept");
            let mut said: Value =
                serde_json::from_str(decision["signature"]["statement"].as_str().unwrap()).unwrap();
            (said["run"], said["id"]) = (json!("b"), json!("kept"));
            decision["signature"]["statement"] = json!(said.to_string());
            change(decision);
        })
    };
    refused(&test, "b", &fits(&|_| {}), "its signature does not verify");
    for (run, namespace, reason) in [
        (
            "c",
            "git",
            "its signature is for `git`, and not for `flowctl-decision`",
        ),
        ("d", "file", "its signature is for `file`"),
    ] {
        test.output(["run", "flow.yaml", "--run-id", run]).exits(5);
        let decision = fits(&|decision| {
            let said = decision["signature"]["statement"].as_str().unwrap();
            let said = said.replace("\"run\":\"b\"", &format!("\"run\":\"{run}\""));
            let args = ["-q", "-Y", "sign", "-f", "key", "-n", namespace];
            let (signed, text) = ssh(&test, "ssh-keygen", &args, &said);
            assert!(signed, "{text}");
            decision["signature"] = json!({ "statement": said, "ssh": text });
        });
        refused(&test, run, &decision, reason);
    }
    test.output(["run", "flow.yaml", "--run-id", "e"]).exits(5);
    let nonsense = fits(&|decision| {
        let said = decision["signature"]["statement"].as_str().unwrap();
        let said = said.replace("\"run\":\"b\"", "\"run\":\"e\"");
        decision["signature"] =
            json!({ "statement": said, "ssh": "-----BEGIN SSH SIGNATURE-----\nnonsense" });
    });
    refused(&test, "e", &nonsense, "its signature cannot be read");

    // Who only says that they signed has not.
    let mut claimed = with(&|decision| decision["id"] = json!("claimed"));
    claimed.as_object_mut().unwrap().remove("signature");
    test.write(
        "artifacts/runs/b/inbox/claimed.json",
        json!({ "kind": "decision", "decision": claimed }).to_string(),
    );
    test.output(["resume", "b"]).exits(5);
    assert_eq!(decided(&test, "b")[0]["identity"], json!("unverified"));
}

#[test]
fn a_request_that_is_torn_is_put_aside_signed_or_not() {
    let test = waiting("r");
    test.write("artifacts/runs/r/inbox/x.json", "");
    append(
        &test.path("artifacts/runs/r/inbox/x.json"),
        b"{\"kind\":\"decision\",\"decision\":{\"signature\":{",
    );
    test.output(["resume", "r"]).exits(5).says("unreadable");
    assert_eq!(decided(&test, "r").len(), 0);
}
