//! [`Test`]: a folder, the real binary in it, and what came of it as one comparable text.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A workspace of its own, and an environment with nothing in it but `PATH` and `HOME`.
pub(crate) struct Test {
    dir: TempDir,
    home: TempDir,
    env: Vec<(String, String)>,
}

/// What a command gave, unchanged.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self:?}"))
    }

    /// The same, when the exit code is this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// The same, when stderr holds this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "stderr has no `{text}`:\n{}",
            self.stderr
        );
        self
    }
}

impl Test {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            home: tempfile::tempdir().unwrap(),
            env: Vec::new(),
        }
    }

    /// Writes a file.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    /// Sets an environment variable for every command.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file; the text must be there.
    #[track_caller]
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{path}` has no `{from}`");
        self.write(path, text.replacen(from, to, 1));
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// `HOME` of every command.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// How often something was written, one line each time, into a file that may not be there yet.
    pub(crate) fn lines(&self, path: &str) -> Vec<String> {
        fs::read_to_string(self.path(path))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowctl"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        // The environment of the tests is read here and nowhere else.
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    #[track_caller]
    pub(crate) fn output<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Ran {
        self.spawn(args).wait()
    }

    /// Runs to the end, and gives exit code, stdout and stderr as one text with placeholders.
    pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> String {
        let ran = self.output(args);
        let mut text = format!("exit {}\n", ran.code);
        for (name, stream) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {name}\n{}\n", self.scrub(stream).trim_end()));
            }
        }
        text
    }

    /// Starts, and goes on at once. The child leads a process group of its own.
    pub(crate) fn spawn<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Running {
        Running::of(self.command(args))
    }

    /// The journal's records of a run, or nothing while there is none.
    pub(crate) fn events(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.journal(run)).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub(crate) fn journal(&self, run: &str) -> PathBuf {
        self.path(&format!("artifacts/runs/{run}/journal.jsonl"))
    }

    /// How many records of this kind a node has in the journal of a run.
    pub(crate) fn count(&self, run: &str, event: &str, node: &str) -> usize {
        self.events(run)
            .iter()
            .filter(|record| record["event"] == event && record["data"]["node"] == node)
            .count()
    }

    /// Everything in the workspace but `artifacts/`, path to content.
    pub(crate) fn published(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        fn walk(dir: &Path, root: &Path, found: &mut std::collections::BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                let path = entry.path();
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                if name == "artifacts" {
                    continue;
                }
                if path.is_dir() {
                    walk(&path, root, found);
                } else {
                    found.insert(name, fs::read(&path).unwrap_or_default());
                }
            }
        }
        let mut found = std::collections::BTreeMap::new();
        walk(self.dir.path(), self.dir.path(), &mut found);
        found
    }

    /// The text with everything that differs from run to run and machine to machine replaced.
    pub(crate) fn scrub(&self, text: &str) -> String {
        static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
            [
                (r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", "<run>"),
                (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?Z", "<time>"),
                (r"\b[0-9a-f]{64}\b", "<digest>"),
                (r"process [0-9]+ on [^,\s]+", "process <pid> on <host>"),
                (r"\b[0-9]+(\.[0-9]+s|ms)\b", "<duration>"),
                (r"\b(by) (uid:[0-9]+|[a-z_][a-z0-9_-]*)( \(unverified\))", "$1 <user>$3"),
                (r"\b(approved by|rejected by|started by|rejected by) (uid:[0-9]+|[a-z_][a-z0-9_-]*)", "$1 <user>"),
                (r"  +\n", "\n"),
            ]
            .map(|(rule, with)| (Regex::new(rule).unwrap(), with))
            .into()
        });
        let program = env!("CARGO_BIN_EXE_flowctl");
        let mut text = text.replace(program, "flowctl");
        for dir in [self.dir.path(), self.home.path()] {
            text = text.replace(&*dir.to_string_lossy(), "<dir>");
        }
        for (rule, with) in &*RULES {
            text = rule.replace_all(&text, *with).into_owned();
        }
        text
    }
}

fn ran(output: &Output) -> Ran {
    use std::os::unix::process::ExitStatusExt as _;
    Ran {
        code: output
            .status
            .code()
            .unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A command that goes on; it is killed, and what it started, when the test ends first.
pub(crate) struct Running {
    child: Option<Child>,
}

impl Running {
    /// Starts a command of a test; the child leads a process group of its own.
    pub(crate) fn of(mut command: Command) -> Self {
        use std::os::unix::process::CommandExt as _;
        Self {
            child: Some(command.process_group(0).spawn().unwrap()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Sends a signal to the command alone.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            rustix::process::Pid::from_raw(self.pid().cast_signed()).expect("a child has a pid");
        // It may have ended by itself in the meantime.
        _ = rustix::process::kill_process(pid, signal);
    }

    /// Kills the command as a power cut would: no handler, no farewell.
    pub(crate) fn kill(mut self) {
        self.signal(rustix::process::Signal::KILL);
        _ = self.child.take().expect("it runs").wait_with_output();
    }

    /// Waits for the end, but not for ever: a command that hangs is killed, and fails the test.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let pid = self.pid();
        let child = self.child.take().expect("it runs");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            _ = sender.send(child.wait_with_output());
        });
        if let Ok(output) = receiver.recv_timeout(PATIENCE) {
            ran(&output.unwrap())
        } else {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
                _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            panic!("it does not end");
        }
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.child
            .as_mut()
            .expect("it runs")
            .try_wait()
            .unwrap()
            .is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Waits until something holds, looking often.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Appends a line to a text file.
pub(crate) fn append(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

/// The most memory that a living process has had, in KiB; 0 when it is gone.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a process is there, and no zombie that waits for its parent.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Whether there is a Python to run tools; says of a test that needs one that it did not run.
pub(crate) fn has_python(test: &str) -> bool {
    let found = Command::new("python3").arg("--version").output();
    let there = found.is_ok_and(|ran| ran.status.success());
    if !there {
        not_run(test, "there is no `python3`");
    }
    there
}

/// Notes a test that cannot run on this machine; `scripts/test` shows the list.
pub(crate) fn not_run(test: &str, reason: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-run");
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(format!("{test}: {reason}\n").as_bytes())
        .unwrap();
}
