//! Commands: started without a shell, in a process group of their own, watched and, when time is
//! up or the run is cancelled, ended as a group.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::log_file::LogFile;
use super::redact::Stream;

/// How long a group may take to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How long more output is waited for after the command itself has ended: something that it left
/// behind may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(500);
/// The most that is still read then: more than this was never in the pipe when the command ended.
const IN_PIPE: u64 = 1024 * 1024;
/// The end of standard error that is kept for the message of a failure.
const STDERR_TAIL: usize = 64 * 1024;
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

/// The environment variables that hold secrets, or say where they are: no other program is to have them.
pub fn secret_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(b"FLOWCTL_SECRET"))
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
    for name in secret_variables() {
        if !spec.env.iter().any(|(given, _)| name == given.as_str()) {
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
    let mut stdout = Reading::begin(child.stdout.take(), Keep::Head(MAX_CAPTURE), spec);
    let mut stderr = Reading::begin(child.stderr.take(), Keep::Tail(STDERR_TAIL), spec);
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
    let mut all = stdout.drain().await && stderr.drain().await;
    // Whatever the command left behind in its group goes with it.
    signal(group, Signal::KILL);
    if !all {
        all = stdout.drain().await && stderr.drain().await;
    }
    if !all {
        if let Some(log) = &spec.log {
            log.write(b"[flowctl] a process that the command left behind holds its output open; it is not read any more\n");
        }
        stdout.task.abort();
        stderr.task.abort();
    }
    let (stdout, truncated) = stdout.take();
    let (stderr, _) = stderr.take();
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

/// Which end of a stream is kept, and how much of it.
#[derive(Clone, Copy)]
enum Keep {
    Head(usize),
    Tail(usize),
}

#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    truncated: bool,
    /// All that came.
    total: u64,
}

impl Captured {
    fn keep(&mut self, chunk: &[u8], keep: Keep) {
        match keep {
            Keep::Head(limit) => {
                let room = limit - self.bytes.len();
                self.bytes
                    .extend_from_slice(&chunk[..chunk.len().min(room)]);
                self.truncated |= chunk.len() > room;
            }
            Keep::Tail(limit) => {
                self.bytes.extend_from_slice(chunk);
                if self.bytes.len() > 2 * limit {
                    self.truncated = true;
                    self.bytes.drain(..self.bytes.len() - limit);
                }
            }
        }
    }
}

/// A stream that is being read, whether or not anybody waits for it: a command never blocks on what
/// it prints. What was read is there even when the end of the stream never comes.
struct Reading {
    task: tokio::task::JoinHandle<()>,
    captured: Arc<Mutex<Captured>>,
}

impl Reading {
    fn begin(
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
        keep: Keep,
        spec: &ProcessSpec,
    ) -> Self {
        let captured = Arc::<Mutex<Captured>>::default();
        let task = capture(
            stream,
            keep,
            spec.log.clone(),
            spec.redactor.stream(),
            Arc::clone(&captured),
        );
        Self {
            task: tokio::spawn(task),
            captured,
        }
    }

    fn captured(&self) -> std::sync::MutexGuard<'_, Captured> {
        self.captured.lock().expect("no holder panics")
    }

    /// Waits for the end of the stream, as long as something comes and as much as may have been in
    /// the pipe. Says whether the end came.
    async fn drain(&mut self) -> bool {
        let before = self.captured().total;
        let mut last = before;
        loop {
            if self.task.is_finished() || tokio::time::timeout(DRAIN, &mut self.task).await.is_ok()
            {
                return true;
            }
            let total = self.captured().total;
            if total == last || total - before > IN_PIPE {
                return false;
            }
            last = total;
        }
    }

    fn take(&self) -> (Vec<u8>, bool) {
        let mut captured = self.captured();
        (std::mem::take(&mut captured.bytes), captured.truncated)
    }
}

/// Reads a stream to its end; keeps its head, or its tail, up to a limit.
async fn capture(
    stream: Option<impl AsyncRead + Unpin>,
    keep: Keep,
    log: Option<LogFile>,
    mut redacted: Stream,
    captured: Arc<Mutex<Captured>>,
) {
    let Some(mut stream) = stream else {
        return;
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
        let mut captured = captured.lock().expect("no holder panics");
        captured.total += length as u64;
        captured.keep(&chunk, keep);
        if length == 0 {
            break;
        }
    }
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

    #[tokio::test]
    async fn what_was_said_before_is_not_lost_to_what_is_left_behind() {
        // In a session of its own, so that it does not go with the group, and holding both streams.
        let begun = std::time::Instant::now();
        let finished = run(&spec(&[
            "sh",
            "-c",
            "echo said; setsid sleep 30 & sleep 0.2",
        ]))
        .await;
        assert_eq!(finished.stdout, b"said\n");
        assert!(!finished.truncated);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn what_is_left_behind_and_talks_for_ever_is_not_listened_to() {
        let finished = run(&spec(&[
            "sh",
            "-c",
            "echo said; setsid timeout 20 yes left-behind & sleep 0.2",
        ]))
        .await;
        assert!(finished.stdout.starts_with(b"said\n"));
    }

    #[tokio::test]
    async fn closed_streams_are_no_end() {
        let begun = std::time::Instant::now();
        let finished = run(&spec(&[
            "sh",
            "-c",
            "echo out; exec >&- 2>&-; sleep 0.7; exit 4",
        ]))
        .await;
        assert_eq!(finished.stdout, b"out\n");
        assert_eq!(finished.exit_code, Some(4));
        assert!(begun.elapsed() >= Duration::from_millis(700));
    }
}
