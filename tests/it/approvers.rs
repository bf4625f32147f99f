//! `flowctl approvers` over the real program, and `ssh-keygen` over what the server signs.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flowctl::approvers::Approvers;
use flowctl::diagnostic::Source;
use flowctl::engine::ServerKey;
use insta::assert_snapshot;
use regex::Regex;

use crate::harness::{Test, not_run};

const FILE: &str = "# Ours.\nusers:\n  ada: # the first\n    name: Ada Lovelace\n    # Only her laptop.\n    ssh_keys:\n      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnfRAllhM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh ada@laptop # 2026\n  bob: { accounts: [bob, 'b.smith'] }\ngroups: { security: [ada, bob] }  # who looks\n";
const BOB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGLoXxrEDCfPmVkyGqFNUg3g4jBQ8mN5LjV6GyCnLCrg bob: laptop\n";

fn with(file: &str) -> Test {
    Test::new().file("approvers.yaml", file)
}

/// What differs every time: hashes, ids, tokens, new keys and who runs the tests.
fn even(text: &str) -> String {
    let mut text = text.to_owned();
    for (rule, with) in [
        (
            r"flowctl_([a-z]+)_[0-9a-f]{12}_[0-9a-f]{64}",
            "flowctl_${1}_<id>_<secret>",
        ),
        (
            r"flowctl_([a-z]+)_[0-9a-f]{12}_<digest>",
            "flowctl_${1}_<id>_<secret>",
        ),
        (
            r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/$]+",
            "<hash>",
        ),
        (r#""?\b[0-9a-f]{12}\b"?"#, "<id>"),
        (r"ssh-ed25519 AAAA\S+ flowctl serve at \S+", "<server>"),
        (r"SHA256:\S{43}  flowctl serve at \S+", "<server>"),
        (r"signed with SHA256:\S{43}", "signed with <fingerprint>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    ] {
        text = Regex::new(rule)
            .unwrap()
            .replace_all(&text, with)
            .into_owned();
    }
    text
}

fn decoded(test: &Test) -> Approvers {
    let source = Source::new("approvers.yaml", test.read("approvers.yaml"));
    Approvers::decode(&Arc::new(source)).expect("it is valid").0
}

#[test]
fn a_file_is_begun_with_whoever_is_there() {
    let test = Test::new();
    assert_snapshot!(test.run(["approvers", "list"]), @r#"
    exit 2
    --- stderr
    error: there is no `approvers.yaml`
    help: `flowctl approvers init` writes one with you in it
    "#);
    let said = test.output(["approvers", "init"]).exits(0);
    let user = Regex::new("with `([^`]+)` in it").unwrap();
    let user = user.captures(&said.stderr).unwrap()[1].to_owned();
    let approvers = decoded(&test);
    assert_eq!(approvers.users.keys().collect::<Vec<_>>(), [&user]);
    assert_eq!(approvers.users[&user].accounts.len(), 1);
    assert!(approvers.groups.is_empty() && approvers.servers.is_empty());
    let text = test.read("approvers.yaml");
    assert_snapshot!(test.run(["approvers", "init"]), @r#"
    exit 1
    --- stderr
    error: `approvers.yaml` is there already
    help: nothing was written; `flowctl approvers add` adds to it
    "#);
    assert_eq!(test.read("approvers.yaml"), text);
    assert_snapshot!(test.run(["approvers", "check"]), @r#"
    exit 0
    --- stderr
    approvers.yaml: valid: 1 user, 0 groups, 0 servers
    "#);
    // What stands there can be built upon.
    test.output(["approvers", "add", &user, "--group", "security"])
        .exits(0);
    test.output(["approvers", "token", &user]).exits(0);
    assert_eq!(decoded(&test).groups["security"], [user]);
}

#[test]
fn users_are_listed_without_hashes() {
    let test = with(FILE);
    test.output(["approvers", "token", "bob", "--expires", "90d"])
        .exits(0);
    assert_snapshot!(even(&test.run(["approvers", "list"])), @r#"
    exit 0
    --- stdout
    ada  Ada Lovelace
      account  ada
      ssh key  SHA256:v4kFZMGpYNVFenhMxMlRmNYI/xmFMOf9Sy4cf/SGVts  ada@laptop
    bob
      account  bob, b.smith
      token    <id>  made just now  expires <time>
    @security  ada, bob
    server  <server>
    "#);
    let listed = test.output(["approvers", "list", "--json"]).exits(0);
    assert!(!listed.stdout.contains("argon2"));
    let told = listed.json();
    assert_eq!(told["users"]["bob"]["tokens"][0]["expired"], false);
    assert_eq!(told["users"]["ada"]["ssh_keys"][0]["comment"], "ada@laptop");
    assert_eq!(told["groups"]["security"][1], "bob");
}

#[test]
fn what_is_added_leaves_the_rest_as_it_is() {
    let test = with(FILE).file("bob.pub", BOB);
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(test.path("approvers.yaml"), mode).unwrap();
    assert_snapshot!(test.run(["approvers", "add", "ada", "--account", "ada.l", "--ssh-key", "bob.pub"]), @r#"
    exit 0
    --- stderr
    `ada` is in approvers.yaml; what was added does not count for runs that have begun
    "#);
    test.output(["approvers", "add", "bob", "--name", "Bob: the second"])
        .exits(0);
    test.output([
        "approvers",
        "add",
        "eve",
        "--group",
        "security",
        "--group",
        "ops",
        "--account",
        "eve@example.com",
    ])
    .exits(0);
    assert_snapshot!(test.read("approvers.yaml"), @r#"
    # Ours.
    users:
      ada: # the first
        name: Ada Lovelace
        # Only her laptop.
        ssh_keys:
          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnfRAllhM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh ada@laptop # 2026
          - "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGLoXxrEDCfPmVkyGqFNUg3g4jBQ8mN5LjV6GyCnLCrg bob: laptop"
        accounts:
          - ada
          - ada.l
      bob: { accounts: [bob, 'b.smith'], name: "Bob: the second" }
      eve:
        accounts:
          - eve@example.com
    groups: { security: [ada, bob, eve], ops: [eve] }  # who looks
    "#);
    let approvers = decoded(&test);
    assert_eq!(approvers.users["ada"].accounts, ["ada", "ada.l"]);
    assert_eq!(approvers.users["eve"].accounts, ["eve@example.com"]);
    let kept = std::fs::metadata(test.path("approvers.yaml"))
        .unwrap()
        .permissions();
    assert_eq!(kept.mode() & 0o777, 0o640);
    // The same once more says nothing new; another's key is nobody's.
    let text = test.read("approvers.yaml");
    assert_snapshot!(test.run(["approvers", "add", "ada", "--account", "ada.l", "--ssh-key", "bob.pub"]), @r#"
    exit 0
    --- stderr
    approvers.yaml says so already; nothing was changed
    "#);
    assert_snapshot!(test.run(["approvers", "add", "bob", "--ssh-key", "bob.pub"]), @r#"
    exit 3
    --- stderr
    error[approvers::claimed-twice]: the key SHA256:3Nn0+unU3VR4WkUcdBQg5lpwG7vbwvCZlg2AAqxGd30 is of `ada` and of `bob`
      --> approvers.yaml as it would be:12:74
       |
     8 | ... - "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGLoXxrEDCfPmVkyGqFNUg3g4jBQ8mN5LjV6GyCnLCrg bob: laptop"
       |       ---------------------------------------------------------------------------------------------- first
    ...
    12 | ...: { accounts: [bob, 'b.smith'], name: "Bob: the second", ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGLoXxrEDCfPmVkyGqFNUg3g4jBQ8mN5LjV6GyCnLCrg bob: laptop"] }
       |                                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ second
       |
       = help: nobody could tell the two apart: remove one of them
    "#);
    assert_eq!(test.read("approvers.yaml"), text);
}

#[test]
fn a_token_is_shown_once_and_revoked() {
    let test = with(FILE);
    let made = test.output(["approvers", "token", "ada"]).exits(0);
    assert_snapshot!(even(&test.scrub(&format!("{}{}", made.stdout, made.stderr))), @r#"
    flowctl_ada_<id>_<secret>
    trusted: what `flowctl serve` of this workspace says of answers on the web, signed with <fingerprint>
    the token <id> of `ada` is shown this once; who has it can approve as `ada` on the web
      revoke   flowctl approvers revoke ada <id>
    "#);
    assert_snapshot!(even(&test.read("approvers.yaml")), @r#"
    # Ours.
    users:
      ada: # the first
        name: Ada Lovelace
        # Only her laptop.
        ssh_keys:
          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnfRAllhM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh ada@laptop # 2026
        tokens:
          - { id: <id>, hash: "<hash>", created: <time> }
      bob: { accounts: [bob, 'b.smith'] }
    groups: { security: [ada, bob] }  # who looks
    servers:
      - <server>
    "#);
    let token = made.stdout.trim();
    let secret = token.rsplit('_').next().unwrap();
    assert!(!test.read("approvers.yaml").contains(secret));
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let approvers = decoded(&test);
    let (user, id) = approvers.verify_token(token, now).expect("it is ada's");
    assert_eq!(user, "ada");
    // A second one does not make a second key.
    let second = test.output(["approvers", "token", "bob"]).exits(0);
    assert!(!second.stderr.contains("trusted"), "{}", second.stderr);
    assert_eq!(decoded(&test).servers.len(), 1);
    assert_snapshot!(even(&test.run(["approvers", "trust"])), @r#"
    exit 0
    --- stderr
    the server of this workspace is trusted already; nothing was changed
    "#);
    assert_snapshot!(even(&test.run(["approvers", "revoke", "ada", &id[..6]])), @r#"
    exit 0
    --- stderr
    revoked: the token <id> of `ada`; from now on it counts nowhere, in runs that have begun neither
    "#);
    assert_eq!(decoded(&test).verify_token(token, now), None);
    assert!(
        decoded(&test)
            .verify_token(second.stdout.trim(), now)
            .is_some()
    );
    let key = "SHA256:v4kFZMGpYNVFenhMxMlRmNYI/xmFMOf9Sy4cf/SGVts";
    test.output(["approvers", "revoke", "ada", "--key", key])
        .exits(0);
    let text = test.read("approvers.yaml");
    assert!(
        text.contains("    # Only her laptop.\n    ssh_keys: []\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let test = with(FILE).file("key", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n");
    test.write("empty.pub", "no key\n");
    for args in [
        &["approvers", "token", "adda"][..],
        &["approvers", "token", "ada", "--expires", "soon"],
        &["approvers", "token", "ada", "--expires", "0s"],
        &["approvers", "revoke", "ada", "0123"],
        &["approvers", "revoke", "zoe", "0123"],
        &["approvers", "add", "ada", "--ssh-key", "key"],
        &["approvers", "add", "ada", "--ssh-key", "gone.pub"],
        &["approvers", "add", "ada", "--name", "Countess"],
        &["approvers", "add", "a b"],
    ] {
        let ran = test.output(args).exits(2);
        assert!(ran.stdout.is_empty(), "{args:?}");
        assert!(
            ran.stderr.starts_with("error: "),
            "{args:?}: {}",
            ran.stderr
        );
    }
    assert_snapshot!(test.run(["approvers", "token", "adda"]), @r#"
    exit 2
    --- stderr
    error: there is no user `adda`
    help: did you mean `ada`?
    "#);
    assert_snapshot!(test.run(["approvers", "add", "ada", "--ssh-key", "empty.pub"]), @r#"
    exit 3
    --- stderr
    error[approvers::bad-key]: this is no OpenSSH public key: Base64 encoding error: invalid Base64 encoding
     --> approvers.yaml as it would be:8:9
      |
    8 |       - no key
      |         ^^^^^^
      |
      = help: write the line of a `.pub` file: `ssh-ed25519 AAAA… ada@laptop`
    "#);
    assert_eq!(test.read("approvers.yaml"), FILE);
}

#[test]
fn an_unusual_file_is_left_to_its_author() {
    let file = "users:\n  ada: &same\n    accounts: [ada]\n    ssh_keys: &none []\n  bob: { ssh_keys: *none }\n";
    let test = with(file).file("bob.pub", BOB);
    assert_snapshot!(test.run(["approvers", "add", "bob", "--ssh-key", "bob.pub"]), @r#"
    exit 1
    --- stderr
    error: `approvers.yaml` is written in a way that flowctl cannot change in one place alone
    help: nothing was written; write the lists of the file as `- item` lines without `&`, `*` and `<<`, or change it by hand
    "#);
    assert_eq!(test.read("approvers.yaml"), file);
}

#[test]
fn tokens_made_at_the_same_time_are_all_there() {
    let test = with(FILE);
    let children: Vec<_> = (0..6)
        .map(|_| test.spawn(["approvers", "token", "ada"]))
        .collect();
    let tokens: Vec<String> = children
        .into_iter()
        .map(|child| child.wait().exits(0).stdout.trim().to_owned())
        .collect();
    let approvers = decoded(&test);
    assert_eq!(approvers.users["ada"].tokens.len(), 6);
    assert_eq!(approvers.servers.len(), 1);
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    for token in tokens {
        assert!(approvers.verify_token(&token, now).is_some());
    }
    assert!(test.read("approvers.yaml").starts_with("# Ours.\n"));
}

#[test]
fn the_server_signs_as_openssh_does() {
    let test = with(FILE);
    test.output(["approvers", "trust"]).exits(0);
    let key = ServerKey::load_or_make(&test.path(".flowctl/serve"), "elsewhere").unwrap();
    let approvers = decoded(&test);
    assert_eq!(approvers.servers[0].fingerprint, key.fingerprint());
    let signature = key.sign(b"a decision", "flowctl-decision").unwrap();
    test.write("decision.sig", signature);
    test.write("signers", format!("server {}\n", key.public_line()));
    let verify = |text: &str, namespace: &str| {
        let mut command = Command::new("ssh-keygen");
        command
            .args([
                "-Y",
                "verify",
                "-f",
                "signers",
                "-I",
                "server",
                "-n",
                namespace,
                "-s",
                "decision.sig",
            ])
            .current_dir(test.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes());
        Some(child.wait().unwrap().success())
    };
    match verify("a decision", "flowctl-decision") {
        None => not_run(
            "approvers::the_server_signs_as_openssh_does",
            "there is no `ssh-keygen`",
        ),
        Some(holds) => {
            assert!(holds, "ssh-keygen refuses the signature");
            assert_eq!(verify("a decisiom", "flowctl-decision"), Some(false));
            assert_eq!(verify("a decision", "file"), Some(false));
            // And it reads the key itself.
            let listed = Command::new("ssh-keygen")
                .args(["-y", "-f", ".flowctl/serve/key"])
                .current_dir(test.path(""))
                .output()
                .unwrap();
            let line = String::from_utf8_lossy(&listed.stdout).into_owned();
            assert!(
                key.public_line()
                    .starts_with(line.trim_end().split(" flowctl").next().unwrap()),
                "{line}"
            );
        }
    }
    // Neither the key nor the lock is for a repository.
    assert_eq!(test.read(".flowctl/serve/.gitignore"), "*\n");
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let test = with(FILE);
    test.output(["approvers", "trust"]).exits(0);
    let key = test.path(".flowctl/serve/key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_snapshot!(test.run(["approvers", "trust"]), @r#"
    exit 1
    --- stderr
    error: the server's key cannot be used: others may read `./.flowctl/serve/key` (mode 0644)
    help: whoever read it can claim answers: remove it and its line under `servers`, and make a new one; or, if nobody did, `chmod 600 ./.flowctl/serve/key`
    "#);
}

#[test]
fn a_run_knows_what_was_there_and_forgets_what_is_revoked() {
    let flow = "nodes:\n  - { name: Gate, type: approval, approval: { approvers: [ada] } }\n  - { name: Other, type: approval, approval: { approvers: [ada] } }\n";
    let test = Test::new().file("flow.yaml", flow);
    let first = crate::signed::key(&test, "first", &["ed25519"], "");
    crate::signed::key(&test, "later", &["ed25519"], "");
    test.write("approvers.yaml", "users: {}\n");
    let add = |key: &str| {
        let args = ["approvers", "add", "ada", "--ssh-key", key];
        test.output(args).exits(0);
    };
    let approve = |node: &str, key: &str| {
        let args = ["approve", "r", node, "--sign", "--key", key];
        test.output(args)
    };
    add("first.pub");
    test.output(["run", "flow.yaml", "--run-id", "r"]).exits(5);
    add("later.pub");
    approve("Gate", "later").exits(9);
    approve("Gate", "first").exits(0);
    test.output(["resume", "r"]).exits(5);
    test.output(["approvers", "revoke", "ada", "--key", &first])
        .exits(0);
    approve("Other", "first").exits(9);
    // Of a run that begins now, it is the other way round.
    test.output(["run", "flow.yaml", "--run-id", "n"]).exits(5);
    let args = ["approve", "n", "Gate", "--sign", "--key"];
    test.output(args.iter().chain(&["first"])).exits(9);
    test.output(args.iter().chain(&["later"])).exits(0);
}
