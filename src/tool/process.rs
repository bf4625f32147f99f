//! Commands: started without a shell, in a process group of their own, watched and, when time is
//! up or the run is cancelled, ended as a group.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::redact::Stream;

/// How long a group may take to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How long output is still read after the command itself has ended: something that it left
/// behind may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(500);
/// The most of standard output that becomes a value.
pub const MAX_CAPTURE: usize = 16 * 1024 * 1024;

/// Tells attempts to stop.
pub type Cancel = watch::Receiver<bool>;

/// A command to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Variables set on top of the inherited ones.
    pub env: Vec<(String, String)>,
    /// What goes to standard input.
    pub stdin: Vec<u8>,
    /// After this long the group is ended.
    pub timeout: Option<Duration>,
    /// Where output also goes, line for line.
    pub log: Option<LogFile>,
    /// What must not be in the output, wherever it goes.
    pub redactor: super::Redactor,
}

/// A log that several streams append to; the file appears with the first bytes.
#[derive(Clone, Debug)]
pub struct LogFile(Arc<Mutex<Sink>>);

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    file: Option<std::fs::File>,
}

impl LogFile {
    /// A log at this path.
    #[must_use]
    pub fn lazy(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(Sink { path, file: None })))
    }

    /// Appends bytes; a log that cannot be written never fails the work it is about.
    pub fn write(&self, bytes: &[u8]) {
        let Ok(mut sink) = self.0.lock() else { return };
        if sink.file.is_none() {
            if let Some(parent) = sink.path.parent() {
                std::fs::create_dir_all(parent).ok();
            }
            sink.file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(&sink.path)
                .ok();
        }
        if let Some(file) = &mut sink.file {
            file.write_all(bytes).ok();
        }
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
    /// The end of standard error.
    pub stderr: Vec<u8>,
    /// Whether the time was up.
    pub timed_out: bool,
    /// Whether it was told to stop.
    pub cancelled: bool,
}

/// Runs a command to its end.
///
/// # Errors
/// When the program cannot be started.
pub async fn run_process(spec: &ProcessSpec, mut cancel: Cancel) -> std::io::Result<Finished> {
    let (program, arguments) = spec
        .argv
        .split_first()
        .ok_or_else(|| std::io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&spec.cwd)
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // Who is given a secret is given it by name; the others must not find it in the environment.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FLOWCTL_SECRET")
            && !spec.env.iter().any(|(given, _)| name == given.as_str())
        {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let stdin = child.stdin.take();
    let input = spec.stdin.clone();
    // A command that does not read its input must not block us, nor fail for it.
    let feed = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            stdin.write_all(&input).await.ok();
        }
    });
    let stdout = tokio::spawn(capture(
        child.stdout.take(),
        MAX_CAPTURE,
        true,
        spec.log.clone(),
        spec.redactor.stream(),
    ));
    let stderr = tokio::spawn(capture(
        child.stderr.take(),
        64 * 1024,
        false,
        spec.log.clone(),
        spec.redactor.stream(),
    ));
    let timeout = async {
        match spec.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let mut timed_out = false;
    let mut cancelled = false;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = timeout => {
            timed_out = true;
            end_group(&mut child, group).await?
        }
        () = stopped(&mut cancel) => {
            cancelled = true;
            end_group(&mut child, group).await?
        }
    };
    feed.abort();
    let (stdout, truncated) = drain(stdout, group).await;
    let (stderr, _) = drain(stderr, group).await;
    // Whatever the command left behind in its group goes with it.
    signal(group, Signal::KILL);
    #[cfg(unix)]
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok(Finished {
        exit_code: status.code(),
        signal: by_signal,
        stdout,
        truncated,
        stderr,
        timed_out,
        cancelled,
    })
}

/// Ends when the run is told to stop, and never when nobody can tell any more.
async fn stopped(cancel: &mut Cancel) {
    if cancel.wait_for(|cancel| *cancel).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn end_group(
    child: &mut Child,
    group: Option<Pid>,
) -> std::io::Result<std::process::ExitStatus> {
    signal(group, Signal::TERM);
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    signal(group, Signal::KILL);
    child.wait().await
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The group may be gone already, which is what is wanted.
        kill_process_group(group, signal).ok();
    }
}

async fn drain(
    mut reader: tokio::task::JoinHandle<Captured>,
    group: Option<Pid>,
) -> (Vec<u8>, bool) {
    let captured = if let Ok(captured) = tokio::time::timeout(DRAIN, &mut reader).await {
        captured
    } else {
        signal(group, Signal::KILL);
        if let Ok(captured) = tokio::time::timeout(DRAIN, &mut reader).await {
            captured
        } else {
            reader.abort();
            return (Vec::new(), true);
        }
    };
    captured.map_or((Vec::new(), true), |captured| {
        (captured.bytes, captured.truncated)
    })
}

struct Captured {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Captured {
    /// Keeps the first, or the last, bytes up to a limit.
    fn keep(&mut self, chunk: &[u8], limit: usize, head: bool) {
        if head {
            let room = limit - self.bytes.len();
            self.bytes
                .extend_from_slice(&chunk[..chunk.len().min(room)]);
            self.truncated |= chunk.len() > room;
        } else {
            self.bytes.extend_from_slice(chunk);
            if self.bytes.len() > 2 * limit {
                self.truncated = true;
                self.bytes.drain(..self.bytes.len() - limit);
            }
        }
    }
}

/// Reads a stream to its end; keeps its head, or its tail, up to a limit.
async fn capture(
    stream: Option<impl AsyncRead + Unpin>,
    limit: usize,
    head: bool,
    log: Option<LogFile>,
    mut redacted: Stream,
) -> Captured {
    let mut captured = Captured {
        bytes: Vec::new(),
        truncated: false,
    };
    let Some(mut stream) = stream else {
        return captured;
    };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or(0);
        let chunk = if length == 0 {
            redacted.finish()
        } else {
            redacted.push(&buffer[..length])
        };
        if let Some(log) = &log
            && !chunk.is_empty()
        {
            log.write(&chunk);
        }
        captured.keep(&chunk, limit, head);
        if length == 0 {
            break;
        }
    }
    captured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&str]) -> ProcessSpec {
        ProcessSpec {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            cwd: PathBuf::from("."),
            env: vec![("X".to_owned(), "1 2".to_owned())],
            stdin: b"in".to_vec(),
            timeout: None,
            log: None,
            redactor: super::super::Redactor::default(),
        }
    }

    async fn run(spec: &ProcessSpec) -> Finished {
        let (_hold, cancel) = watch::channel(false);
        run_process(spec, cancel).await.expect("it starts")
    }

    #[tokio::test]
    async fn output_exit_code_and_input() {
        let finished = run(&spec(&[
            "sh",
            "-c",
            "cat; echo \" $X\"; echo e >&2; exit 3",
        ]))
        .await;
        assert_eq!(finished.stdout, b"in 1 2\n");
        assert_eq!(finished.stderr, b"e\n");
        assert_eq!(finished.exit_code, Some(3));
    }

    #[tokio::test]
    async fn time_is_up_for_the_whole_group() {
        let mut spec = spec(&["sh", "-c", "sleep 60 & sleep 60"]);
        spec.timeout = Some(Duration::from_millis(100));
        let begun = std::time::Instant::now();
        let finished = run(&spec).await;
        assert!(finished.timed_out && finished.exit_code.is_none());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn what_is_left_behind_does_not_hold_us() {
        let begun = std::time::Instant::now();
        let finished = run(&spec(&["sh", "-c", "sleep 60 & echo done"])).await;
        assert_eq!(finished.exit_code, Some(0));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn gigabytes_are_cut_not_kept() {
        let finished = run(&spec(&["sh", "-c", "head -c 40000000 /dev/zero"])).await;
        assert!(finished.truncated);
        assert_eq!(finished.stdout.len(), MAX_CAPTURE);
    }
}
