//! Signing a decision with the user's own `ssh-keygen`: it knows their agent, asks for their
//! passphrase, and waits for a touch of their hardware key.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::Exit;
use super::failure::Failure;
use crate::approvers::fingerprint;
use crate::id::RunId;
use crate::run::{ApprovalDecided, NAMESPACE, SignedStatement};

const NAME_A_KEY: &str = "name a key with `--key FILE` or FLOWCTL_SSH_KEY, or add one to the agent with `ssh-add`; `ssh-keygen -t ed25519` makes a new one";

/// Signs a decision, and checks the signature as whoever drives the run will. It is from whoever the
/// key belongs to, if that is known.
pub(super) fn sign(
    decision: &mut ApprovalDecided,
    run: &RunId,
    key: Option<&str>,
    whose: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    if !cfg!(feature = "sign") {
        return Err(Failure::usage(
            "this flowctl was built without `sign`, and cannot check signatures",
        ));
    }
    // A private folder: nobody may change what is signed between us and `ssh-keygen`.
    let dir =
        tempfile::tempdir().map_err(|error| not_signed(&format!("no room for it: {error}")))?;
    let key = match key {
        Some(name) if name.starts_with("SHA256:") => from_agent(Some(name), dir.path())?,
        Some(path) => {
            std::fs::metadata(path).map_err(|error| {
                Failure::usage(format!("cannot read the key `{path}`: {error}"))
            })?;
            PathBuf::from(path)
        }
        None => from_agent(None, dir.path())?,
    };
    if let Some(user) = fingerprint_of(&key).and_then(|fingerprint| whose(&fingerprint)) {
        decision.by = user;
    }
    let statement = decision.statement(run);
    let file = dir.path().join("decision.json");
    std::fs::write(&file, &statement)
        .map_err(|error| not_signed(&format!("cannot write `{}`: {error}", file.display())))?;
    // A file and not a pipe: standard input stays the terminal, where a passphrase is asked for.
    let status = program("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .args([&key, &file])
        .stdout(Stdio::null())
        .status()
        .map_err(|error| no_program("ssh-keygen", &error))?;
    let key = key.display();
    if !status.success() {
        return Err(not_signed(&format!("`ssh-keygen` could not sign with `{key}`")).help(
            "its own message stands above; a key with a passphrase needs a terminal, or an agent that holds it (`ssh-add`)",
        ));
    }
    let ssh = std::fs::read_to_string(dir.path().join("decision.json.sig"))
        .map_err(|error| not_signed(&format!("`ssh-keygen` left no signature: {error}")))?;
    decision.signature = Some(SignedStatement { statement, ssh });
    let signer = decision
        .signer(run)
        .map_err(|reason| {
            not_signed(&format!("a signature by `{key}` would not count: {reason}")).help(
                "keys of the kinds ed25519, ecdsa and rsa, and ed25519-sk and ecdsa-sk, will do",
            )
        })?
        .expect("there is a signature");
    decision.identity = signer.identity();
    Ok(())
}

/// The fingerprint of a key in a file, if it can be had without a passphrase. What cannot be had is
/// said when it is signed with.
fn fingerprint_of(key: &Path) -> Option<String> {
    let listed = program("ssh-keygen")
        .args(["-l", "-E", "sha256", "-f"])
        .arg(key)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(listed.stdout).ok()?;
    text.split(' ').nth(1).map(str::to_owned)
}

/// A program that is not to have the secrets of a run.
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    for name in crate::tool::secret_variables() {
        command.env_remove(name);
    }
    command
}

/// Lays the public half of a key of the agent out: the one with this fingerprint, or the only one.
fn from_agent(wanted: Option<&str>, dir: &Path) -> Result<PathBuf, Failure> {
    let listed = program("ssh-add")
        .arg("-L")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| no_program("ssh-add", &error))?;
    // 1 says that it holds no key, 2 that there is no agent.
    if listed.status.code() == Some(2) {
        return Err(Failure::usage("no key to sign with: no ssh-agent answers").help(NAME_A_KEY));
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    let keys: Vec<(String, &str)> = text
        .lines()
        .filter_map(|line| Some((fingerprint(line)?, line)))
        .collect();
    let shown = || {
        let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        crate::diagnostic::or_list(names)
    };
    let line = match (wanted, keys.as_slice()) {
        (_, []) => {
            return Err(
                Failure::usage("no key to sign with: the ssh-agent holds none").help(NAME_A_KEY),
            );
        }
        (Some(wanted), keys) => keys
            .iter()
            .find(|(name, _)| name == wanted)
            .ok_or_else(|| {
                Failure::usage(format!("the ssh-agent holds no key {wanted}"))
                    .help(format!("it holds {}", shown()))
            })?,
        (None, [one]) => one,
        (None, _) => {
            return Err(Failure::usage("the ssh-agent holds several keys")
                .help(format!("say which with `--key`: {}", shown())));
        }
    }
    .1;
    let path = dir.join("key.pub");
    std::fs::write(&path, format!("{line}\n"))
        .map_err(|error| not_signed(&format!("cannot write `{}`: {error}", path.display())))?;
    Ok(path)
}

fn not_signed(why: &str) -> Failure {
    Failure::new(
        Exit::UNEXPECTED,
        format!("not signed, and nothing was sent: {why}"),
    )
}

fn no_program(name: &str, error: &std::io::Error) -> Failure {
    let failure = not_signed(&format!("cannot start `{name}`: {error}"));
    if error.kind() == std::io::ErrorKind::NotFound {
        return failure.help("install OpenSSH 8.1 or later; Debian and Ubuntu call it `openssh-client`, Fedora `openssh-clients`");
    }
    failure
}
