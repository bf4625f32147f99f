//! Secrets: they reach the tool that is given them, and nothing else, wherever it repeats them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::{Ran, Test};

const SECRET: &str = "hun\"ter2 & c0rrect/horse+é";
const KEY: &str =
    "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n8Hc3bGZyb20gYSB0ZXN0Cg==\n-----END KEY-----\n";

fn file(test: &Test, path: &str, text: &str) {
    test.write(path, text);
    fs::set_permissions(test.path(path), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Everything under a folder, path to bytes.
fn everything(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                // A name can tell a secret too.
                let name = path.to_string_lossy().into_owned();
                let mut bytes = name.clone().into_bytes();
                bytes.extend(fs::read(&path).unwrap_or_default());
                found.insert(name, bytes);
            }
        }
    }
    found
}

/// What must be nowhere: the secrets, and parts of them that tell them.
fn telling() -> Vec<Vec<u8>> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    let mut texts: Vec<String> = [
        "hun\"ter2",
        "hun\\\"ter2",
        "hun%22ter2",
        "hun&quot;ter2",
        "c0rrect",
        "68756e22",
        "MC4CAQAwBQYDK2VwBCIEIJ",
        "8Hc3bGZyb20gYSB0ZXN0Cg",
    ]
    .map(str::to_owned)
    .into();
    texts.push(encoded[..12].to_owned());
    texts.into_iter().map(String::into_bytes).collect()
}

#[track_caller]
fn tells_nothing(what: &str, bytes: &[u8]) {
    for text in telling() {
        let found = bytes.windows(text.len()).any(|window| window == text);
        assert!(!found, "`{}` is in {what}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn nothing_that_is_written_or_printed_tells_a_secret() {
    let test = Test::new()
        .file(
            "flow.yaml",
            r#"name: leaky
nodes:
  - name: Loud
    type: process
    command: [sh, -c, 'printf %s "$T"; printf %s "$T" >&2; printf "%s" "$K"; printf %s "$T" > own-target; cat > own-stdin']
    env: { T: '${secrets.password}', K: '${secrets.key}' }
    inputs: { t: '${secrets.password}', k: '${secrets.key}' }
  - name: Forms
    type: process
    after: [Loud]
    output: json
    env: { T: '${secrets.password}' }
    command:
      - python3
      - -c
      - |
        import base64, html, json, os, sys, urllib.parse
        t = os.environ["T"]
        b = lambda text: base64.b64encode(text.encode()).decode()
        forms = [json.dumps(t), b(t), b("user:" + t + "\n"), b("x" + t), t.encode().hex(), t.encode().hex().upper(),
                 urllib.parse.quote(t), urllib.parse.quote(t, safe=""), urllib.parse.quote_plus(t), html.escape(t)]
        print(json.dumps(json.dumps(t)), "\n".join(forms), file=sys.stderr)
        print(json.dumps({t: 1, "list": forms, "deep": [{b(t): {t: t}}]}))
  - name: Fails
    type: process
    after: [Loud]
    command: [sh, -c, 'echo "cannot log in as $0" >&2; exit 3', '${secrets.password}']
    on_error: continue
    retry: { attempts: 2 }
  - name: NoJson
    type: process
    after: [Loud]
    command: [printf, '%s', '${secrets.password}']
    output: json
    on_error: continue
  - name: NoProgram
    type: process
    after: [Loud]
    command: ['${secrets.password}']
    on_error: continue
  - name: NoFolder
    type: process
    after: [Loud]
    command: ['true']
    cwd: '${secrets.password}'
    on_error: continue
  # Nobody gave these the secrets: they look for them.
  - { name: Nosy, type: process, after: [Loud], command: [env] }
  - { name: Reader, type: process, after: [Loud], command: [cat, own-target, own-stdin] }
  - { name: Card, type: skill, after: [Loud], inputs: { token: '${secrets.password}' } }
  - { name: Wrong, type: skill, after: [Loud], inputs: { token: '${secrets.password}' }, on_error: continue }
  - { name: Strict, type: skill, after: [Loud], inputs: { token: '${secrets.password}' }, on_error: continue }
  - { name: Files, type: skill, after: [Loud], inputs: { token: '${secrets.password}' }, on_error: continue }
  - { name: Named, type: skill, after: [Loud], inputs: { token: '${secrets.key}' }, on_error: continue }
  - { name: ProductManager, type: persona, after: [Loud], inputs: { product_name: Vault, description: '${secrets.password}', target_clouds: [azure], data_classification: internal, rto_target: 4h, rpo_target: 15m, owner: platform-team } }
  - { name: Owner, type: persona, persona: ProductManager, after: [Loud], inputs: { product_name: Vault, target_clouds: [azure], data_classification: internal, rto_target: 4h, rpo_target: 15m, owner: '${secrets.key}' }, on_error: continue }
  - { name: Ok, type: approval, inputs: { token: '${secrets.password}' } }
  - { name: After, type: process, command: [echo, '${Loud.output.stdout}', '${Card.output.text}'], evidence: true }
outputs: { loud: '${Loud.output.stdout}', forms: '${Forms.output}', nosy: '${Nosy.output.stdout}', read: '${Reader.output.stdout}', card: '${Card.output}', after: '${After.output.stdout}' }
"#,
        )
        .file(
            "skills/Card/skill.yaml",
            "inputs:\n  token: { schema: { type: string } }\noutputs:\n  text: { value: '<{{ token }}>' }\n  keys: { value: '${token}' }\n",
        )
        .file(
            "skills/Wrong/skill.yaml",
            "inputs:\n  token: { schema: { type: string } }\noutputs:\n  text: { value: '{{ token.missing.further }}' }\n",
        )
        .file(
            "skills/Strict/skill.yaml",
            "inputs:\n  token: { schema: { type: string, maxLength: 3 } }\noutputs:\n  text: { value: x }\n",
        )
        .file(
            "skills/Files/skill.yaml",
            "inputs:\n  token: { schema: { type: string } }\nfiles:\n  - { source: card.txt.tera, target: card.txt }\n",
        )
        .file("skills/Files/card.txt.tera", "token {{ token }}\n")
        .file(
            "skills/Named/skill.yaml",
            "inputs:\n  token: { schema: { type: string } }\nfiles:\n  - { source: card.txt.tera, target: 'x/{{ token }}.txt' }\n",
        )
        .file("skills/Named/card.txt.tera", "nothing\n")
        .env("FLOWCTL_SECRET_PASSWORD", SECRET);
    let indented = KEY.replace('\n', "\n  ");
    let outside = tempfile::tempdir().unwrap();
    let kept = outside.path().join("secrets.yaml");
    fs::write(&kept, format!("key: |\n  {indented}\n")).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let test = test
        .env("XDG_CACHE_HOME", &cache.path().display().to_string())
        .env("FLOWCTL_SECRETS_FILE", &kept.display().to_string());
    test.output(["validate", "flow.yaml"]).exits(0);

    let commands: [&[&str]; 12] = [
        &["-vvv", "run", "flow.yaml", "--run-id", "r"],
        &["show", "r"],
        &["show", "r", "--json"],
        &["show", "r", "Loud", "--json"],
        &["show", "r", "Fails"],
        &["logs", "r"],
        &["review", "r"],
        &["review", "r", "--stat"],
        &["resume", "r"],
        &["-vvv", "approve", "r", "--resume", "--json"],
        &["graph", "flow.yaml"],
        &["runs", "--json"],
    ];
    let ran: Vec<Ran> = commands.iter().map(|args| test.output(*args)).collect();
    for (args, ran) in commands.iter().zip(&ran) {
        tells_nothing(
            &format!("{args:?}\n{}{}", ran.stdout, ran.stderr),
            ran.stdout.as_bytes(),
        );
        tells_nothing(
            &format!("{args:?}\n{}{}", ran.stdout, ran.stderr),
            ran.stderr.as_bytes(),
        );
    }
    // The tool itself was given them, to the byte.
    assert_eq!(test.read("own-target"), SECRET);
    let given: Value = serde_json::from_str(&test.read("own-stdin")).unwrap();
    assert_eq!(given, json!({ "t": SECRET, "k": KEY }));
    for name in ["own-target", "own-stdin"] {
        fs::remove_file(test.path(name)).unwrap();
    }
    let homes = [
        test.path(""),
        test.home().to_owned(),
        cache.path().to_owned(),
    ];
    let mut count = 0;
    for home in homes {
        for (name, bytes) in everything(&home) {
            tells_nothing(&name, &bytes);
            count += 1;
        }
    }
    assert!(
        count > 20,
        "journal, logs, evidence, snapshot, skills: {count}"
    );

    // What was said is there, with the secrets taken out; and every way was really tried.
    let done = ran[9].json();
    assert_eq!(done["status"], json!("succeeded"), "{done}");
    let outputs = &done["outputs"];
    assert_eq!(outputs["loud"], json!("[secret][secret]"));
    assert_eq!(outputs["forms"]["[secret]"], json!(1));
    assert_eq!(outputs["card"]["text"], json!("<[secret]>"));
    assert!(!outputs["nosy"].as_str().unwrap().contains("FLOWCTL_SECRET"));
    assert!(outputs["read"].as_str().unwrap().contains("[secret]"));
    let error = |node: &str| {
        let failed = test
            .events("r")
            .into_iter()
            .rfind(|event| event["event"] == "node_failed" && event["data"]["node"] == node);
        failed.unwrap_or_else(|| panic!("{node} has not failed"))["data"]["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_snapshot!(error("Fails"), @r"
    `sh` exited with code 3
      cannot log in as [secret]
    ");
    assert_snapshot!(error("NoProgram"), @"cannot start `[secret]`: No such file or directory (os error 2)");
    assert_snapshot!(error("Files"), @"its file `card.txt` holds a secret, and files are kept and published");
    for node in ["NoJson", "NoFolder", "Wrong", "Strict", "Named", "Owner"] {
        assert!(!error(node).is_empty());
    }
    let spec = test
        .output(["show", "r", "ProductManager", "--json"])
        .exits(0);
    assert!(spec.stdout.contains("[secret]"), "{}", spec.stdout);
    assert!(!test.exists("card.txt"));
}

#[test]
fn a_published_file_with_a_secret_in_it_is_refused() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:\n  - { name: Card, type: skill, inputs: { token: '${secrets.token}' } }\n",
        )
        .file(
            "skills/Card/skill.yaml",
            "inputs:\n  token: { schema: { type: string } }\nfiles:\n  - { source: card.txt.tera, target: card.txt }\n",
        )
        .file("skills/Card/card.txt.tera", "token {{ token }}\n")
        .env("FLOWCTL_SECRET_TOKEN", "s3cr3t-value");
    assert_snapshot!(test.run(["run", "flow.yaml", "--run-id", "r"]), @r"
    exit 4
    --- stderr
    run r of flow
      Card          failed: its file `card.txt` holds a secret, and files are kept and published
    failed: `Card`: its file `card.txt` holds a secret, and files are kept and published
    help: let the file name the place where the secret is kept, a variable or a vault, instead of the secret
      resume   flowctl resume r
    ");
    assert!(!test.exists("card.txt"));
    assert!(!test.exists("artifacts/runs/r/files"));
    test.write(
        "skills/Card/card.txt.tera",
        "token ${TOKEN}, of {{ token | length }} letters\n",
    );
    test.output(["resume", "r", "--accept-changes"]).exits(0);
    assert_eq!(test.read("card.txt"), "token ${TOKEN}, of 12 letters\n");
}

#[test]
fn what_a_run_remembers_is_no_function_of_the_secret() {
    let digests = |value: &str| {
        let test = Test::new()
            .file(
                "flow.yaml",
                "nodes:\n  - { name: A, type: process, command: ['true'], env: { T: '${secrets.pin}' } }\n  - { name: Ok, type: approval, inputs: { t: '${secrets.pin}' } }\n",
            )
            .env("FLOWCTL_SECRET_PIN", value);
        test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
        let events = test.events("r");
        let of = |event: &str, field: &str| {
            events
                .iter()
                .find(|record| record["event"] == event)
                .unwrap()["data"][field]
                .clone()
        };
        [
            of("node_succeeded", "fingerprint"),
            of("node_succeeded", "digest"),
            of("node_started", "key"),
            of("approval_requested", "digest"),
        ]
    };
    assert_eq!(digests("1111"), digests("2222"));
}

#[test]
fn a_secrets_file_is_for_its_owner_alone() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'test \"$T\" = right'], env: { T: '${secrets.api-token}' } }\n",
    );
    file(&test, "s.yaml", "API_TOKEN: right\n");
    let run = |file: &str| test.output(["run", "flow.yaml", "--secrets-file", file]);
    run("s.yaml").exits(0);
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(test.path("s.yaml"), fs::Permissions::from_mode(mode)).unwrap();
        run("s.yaml").exits(2).says("is open to others");
    }
    fs::set_permissions(test.path("s.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(test.run(["run", "flow.yaml", "--secrets-file", "s.yaml"]), @r"
    exit 2
    --- stderr
    error: the secrets file `s.yaml` is open to others (mode 0644)
    help: take their rights away: `chmod 600 s.yaml`
    ");
    fs::set_permissions(test.path("s.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    // A link is as safe as what it leads to.
    std::os::unix::fs::symlink("s.yaml", test.path("link.yaml")).unwrap();
    run("link.yaml").exits(0);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(test.path("s.yaml"), Some(1), None).unwrap();
        run("s.yaml").exits(2).says("belongs to another user");
        std::os::unix::fs::chown(test.path("s.yaml"), Some(0), None).unwrap();
    } else {
        // A file of root that everybody may read: whose it is comes first.
        run("/etc/hostname")
            .exits(2)
            .says("belongs to another user");
    }
    run("none.yaml")
        .exits(2)
        .says("cannot read the secrets file `none.yaml`");
    run("skills").exits(2);
    file(&test, "bad.yaml", "a: 'x'\nb: 31415926\n");
    assert_snapshot!(test.run(["run", "flow.yaml", "--secrets-file", "bad.yaml"]), @r"
    exit 2
    --- stderr
    error: the secrets file `bad.yaml`: the value of `b` is no text; put it into quotes
    help: write one `NAME: 'value'` per line; `NAME: |` begins a value of several lines
    ");
    assert!(
        test.path("artifacts/runs").read_dir().unwrap().count() == 2,
        "a refused file starts nothing"
    );
}

#[test]
fn the_environment_wins_over_the_file_and_a_pipe_will_do() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: A, type: process, command: [sh, -c, 'test \"$T\" = \"$0\"', '${inputs.expected}'], env: { T: '${secrets.t}' } }\ninputs: { expected: { type: string } }\n",
    );
    file(&test, "s.yaml", "t: from-file\n");
    let run = |expected: &str, variable: Option<&str>| {
        let input = format!("expected={expected}");
        let mut command =
            test.command(["run", "flow.yaml", "--secrets-file", "s.yaml", "-i", &input]);
        command.envs(variable.map(|value| ("FLOWCTL_SECRET_T", value)));
        command.output().unwrap().status.code()
    };
    assert_eq!(run("from-file", None), Some(0));
    assert_eq!(run("from-env", Some("from-env")), Some(0));
    assert_eq!(run("from-file", Some("from-env")), Some(4));
    // As `<(sops -d secrets.yaml)` gives it.
    let piped = std::process::Command::new("bash")
        .args([
            "-c",
            "\"$0\" run flow.yaml -i expected=piped --secrets-file <(echo 't: piped')",
        ])
        .arg(env!("CARGO_BIN_EXE_flowctl"))
        .current_dir(test.path(""))
        .output()
        .unwrap();
    assert_eq!(
        piped.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&piped.stderr)
    );
}

#[test]
fn a_resumed_run_is_given_its_secrets_again() {
    let test = Test::new().file(
        "flow.yaml",
        "nodes:\n  - { name: Ok, type: approval }\n  - { name: A, type: process, command: [echo, '${secrets.t}'] }\noutputs: { o: '${A.output.stdout}' }\n",
    );
    file(&test, "s.yaml", "t: s3cr3t-value\n");
    test.output([
        "run",
        "flow.yaml",
        "--run-id",
        "r",
        "--secrets-file",
        "s.yaml",
    ])
    .exits(5);
    test.output(["approve", "r", "--resume"])
        .exits(2)
        .says("`FLOWCTL_SECRET_T`");
    let done = test
        .output(["resume", "r", "--secrets-file", "s.yaml"])
        .exits(0);
    assert_eq!(done.json(), json!({ "o": "[secret]\n" }));
}

#[test]
fn a_secret_is_not_read_as_a_variable_that_is_written_down() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:\n  - { name: A, type: process, command: [echo, '${env.FLOWCTL_SECRET_T}'] }\n",
        )
        .env("FLOWCTL_SECRET_T", "s3cr3t-value");
    assert_snapshot!(test.run(["run", "flow.yaml"]), @r"
    exit 3
    --- stderr
    error[expr::not-available]: the environment variable `FLOWCTL_SECRET_T` holds a secret, and what `env` reads is written down
     --> flow.yaml:2:48
      |
    2 |   - { name: A, type: process, command: [echo, '${env.FLOWCTL_SECRET_T}'] }
      |                                                ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `${secrets.T}` in the node that needs it
    ");
    assert!(!test.exists("artifacts/runs"));
}

/// One node may leave behind what a later one prints, so the later one needs the secret too: to have it
/// taken out.
#[test]
fn nothing_runs_without_every_secret_of_the_flow() {
    let test = Test::new().file(
        "f.yaml",
        "nodes:\n  - { name: A, type: process, env: { T: '${secrets.tok}' }, command: [sh, -c, 'echo \"cfg=$T\" > cfg.txt'] }\n  - { name: G, type: approval, approval: {} }\n  - { name: B, type: process, command: [cat, cfg.txt] }\n",
    );
    let said = test.output(["run", "f.yaml", "--run-id", "none"]);
    assert!(
        said.code != 0 && said.stderr.contains("FLOWCTL_SECRET_TOK"),
        "{}",
        said.stderr
    );
    assert!(!test.exists("artifacts/runs/none/journal.jsonl"));
    let test = test.env("FLOWCTL_SECRET_TOK", "Sup3rS3cretValue");
    test.output(["run", "f.yaml", "--run-id", "r"]).exits(5);
    let without = |arguments: &[&str]| {
        let mut command = test.command(arguments);
        command.env_remove("FLOWCTL_SECRET_TOK");
        command.output().unwrap()
    };
    let said = without(&["approve", "r", "--resume"]);
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("`FLOWCTL_SECRET_TOK`"));
    assert_eq!(test.count("r", "node_started", "B"), 0);
    // The answer itself was taken; with the secret the run goes on.
    test.output(["resume", "r"]).exits(0);
    for path in [
        "artifacts/runs/r/journal.jsonl",
        "artifacts/runs/r/logs/B.log",
    ] {
        assert!(!test.read(path).contains("Sup3rS3cret"), "{path}");
    }
}

#[test]
fn a_secret_in_what_people_write_is_taken_out_too() {
    let flow = "nodes:\n  - { name: Ok, type: approval }\n  - { name: A, type: process, command: [echo, '${secrets.t}'] }\n";
    for answer in [
        &["approve", "r", "--resume", "--comment"][..],
        &["reject", "r", "--reason"],
    ] {
        let test = Test::new().file("flow.yaml", flow);
        file(&test, "s.yaml", "t: c0rrect-horse\n");
        let secrets = ["--secrets-file", "s.yaml"];
        test.output([&["run", "flow.yaml", "--run-id", "r"][..], &secrets].concat())
            .exits(5);
        let said = ["try c0rrect-horse, it works"];
        let ran = test.output([answer, &said, &secrets].concat()).exits(0);
        let decided = test.events("r");
        let decided = decided
            .iter()
            .find(|event| event["event"] == "approval_decided")
            .unwrap();
        assert_eq!(decided["data"]["comment"], "try [secret], it works");
        for (name, bytes) in everything(&test.path("artifacts")) {
            tells_nothing(&name, &bytes);
        }
        tells_nothing("stderr", ran.stderr.as_bytes());
    }
    // From somebody who does not know the secrets: the driver does.
    let test = Test::new().file("flow.yaml", flow);
    file(&test, "s.yaml", "t: c0rrect-horse\n");
    let drive = |args: &[&str]| test.output([args, &["--secrets-file", "s.yaml"]].concat());
    drive(&["run", "flow.yaml", "--run-id", "r"]).exits(5);
    let asked = test.output(["show", "r", "Ok", "--json"]).exits(0).json();
    let events = test.events("r");
    let now = &events.last().unwrap()["ts"];
    let decision = |id: &str, signature: Value| {
        let decision = json!({
            "node": "Ok", "id": id, "digest": asked["request"], "decision": "approved", "by": "ada",
            "at": now, "comment": "c0rrect-horse", "identity": "unverified", "signature": signature,
        });
        let request = json!({ "kind": "decision", "decision": decision });
        test.write(
            &format!("artifacts/runs/r/inbox/{id}.json"),
            request.to_string(),
        );
    };
    decision("a", json!({ "statement": "c0rrect-horse", "ssh": "x" }));
    drive(&["resume", "r"]).exits(5);
    decision("b", Value::Null);
    drive(&["resume", "r"]).exits(0);
    for (name, bytes) in everything(&test.path("artifacts")) {
        tells_nothing(&name, &bytes);
    }
    assert_eq!(test.count("r", "approval_decided", "Ok"), 1);
}

#[cfg(feature = "sign")]
#[test]
fn no_program_inherits_the_variables_of_secrets() {
    let test = Test::new()
        .file(
            "flow.yaml",
            "nodes:\n  - { name: Ok, type: approval }\n  - { name: A, type: process, command: [env], after: [Ok] }\n",
        )
        .file("bin/ssh-keygen", "#!/bin/sh\nenv >> seen\nexit 1\n")
        .file("bin/ssh-add", "#!/bin/sh\nenv >> seen\nexit 2\n")
        .file("key", "none");
    for program in ["ssh-keygen", "ssh-add"] {
        let path = test.path(&format!("bin/{program}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let with = |args: &[&str]| {
        let mut command = test.command(args);
        let path = std::env::var("PATH").unwrap();
        let bin = test.path("bin").display().to_string();
        let output = command
            .env("PATH", format!("{bin}:{path}"))
            .env("FLOWCTL_SECRET_OTHER", "c0rrect")
            .output()
            .unwrap();
        output.status.code()
    };
    assert_eq!(with(&["run", "flow.yaml", "--run-id", "r"]), Some(5));
    // Neither program signs anything: `ssh-keygen` refuses, and no agent answers.
    for (key, code) in [(&["--key", "key"][..], 1), (&[], 2)] {
        assert_eq!(
            with(&[&["approve", "r", "--sign"][..], key].concat()),
            Some(code)
        );
    }
    assert_eq!(with(&["approve", "r", "--resume"]), Some(0));
    let seen = test.read("seen");
    assert!(seen.matches("PATH=").count() >= 2, "{seen}");
    let printed = test.output(["logs", "r", "A"]).exits(0).stdout;
    for text in [seen, printed] {
        assert!(
            text.contains("PATH=") && !text.contains("FLOWCTL_SECRET"),
            "{text}"
        );
    }
}
