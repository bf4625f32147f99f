//! [`Worker`]: one Python process, and the calls that run in it.

use std::collections::HashMap;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tokio::sync::oneshot;

use super::death::{Death, STDERR_TAIL};
use super::wire::{self, Header, Outbox, Printer};
use super::{SOURCES, Settings};
use crate::port::Failure;
use crate::tool::redact::Stream;
use crate::tool::{LogFile, Redactor};

/// How long a call may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(2);
/// How long a process may take to end after its pipe did, and its last words to come.
const END: Duration = Duration::from_millis(500);
/// How long an orderly end may take: exit handlers have a second.
const STOP: Duration = Duration::from_millis(1500);

/// The exit code of a worker whose pipe a tool closed; `main.py` knows it.
const PIPE_CLOSED: i32 = 70;

/// What a call waits for.
pub(super) type Reply = Result<(Header, Vec<u8>), Failure>;

/// A call that has not ended.
struct Pending {
    /// Nobody waits any more when this is gone.
    reply: Option<oneshot::Sender<Reply>>,
    log: Option<Log>,
    /// When it was told to stop.
    cancelled: Option<Instant>,
}

/// A log without secrets.
pub(super) struct Log {
    file: LogFile,
    clean: Stream,
}

impl Log {
    pub(super) fn new(file: LogFile, redactor: &Redactor) -> Self {
        Self {
            file,
            clean: redactor.stream(),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let bytes = self.clean.push(bytes);
        if !bytes.is_empty() {
            self.file.write(&bytes);
        }
    }

    fn finish(&mut self) {
        let rest = self.clean.finish();
        if !rest.is_empty() {
            self.file.write(&rest);
        }
    }
}

#[derive(Default)]
struct State {
    calls: HashMap<u64, Pending>,
    next: u64,
    /// No new calls go there.
    retired: bool,
    /// The end of what came on standard error.
    stderr: Vec<u8>,
    stderr_ended: bool,
    /// What nobody printed in particular.
    general: Option<Log>,
    executable: Option<String>,
    death: Option<Death>,
}

/// A process.
pub(super) struct Worker {
    outbox: Outbox,
    group: Option<Pid>,
    state: Mutex<State>,
    changed: Condvar,
    redactor: Redactor,
    interpreter: String,
}

impl Worker {
    /// Starts a process; whether it is any good, its first answer tells.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(interpreter: &Path, settings: &Settings) -> Result<Arc<Self>, Failure> {
        let cannot = |error: std::io::Error| {
            let failure = Failure::new(format!(
                "cannot start Python (`{}`): {error}",
                interpreter.display()
            ));
            if settings.folder.is_dir() {
                failure.help("say which Python with `--python`")
            } else {
                failure.help(format!(
                    "there is no folder `{}`",
                    settings.folder.display()
                ))
            }
        };
        let mut command = Command::new(interpreter);
        command
            // No bytecode is written: what Python keeps of a file is as good as its time in whole
            // seconds, and flows are edited and run again faster than that.
            .args(["-u", "-B", "-c", BOOT])
            .current_dir(&settings.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // Who is given a secret is given it by name; the others must not find it in the environment.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"FLOWCTL_SECRET") {
                command.env_remove(name);
            }
        }
        command.envs(settings.env.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().map_err(cannot)?;
        let group = Pid::from_raw(child.id().cast_signed());
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(cannot(std::io::Error::other("it has no pipes")));
        };
        let general = settings.log.clone();
        let worker = Arc::new(Self {
            outbox: Outbox::new(stdin).map_err(cannot)?,
            group,
            state: Mutex::new(State {
                general: general.map(|log| Log::new(log, &settings.redactor)),
                ..State::default()
            }),
            changed: Condvar::new(),
            redactor: settings.redactor.clone(),
            interpreter: interpreter.display().to_string(),
        });
        let folder = std::path::absolute(&settings.folder).unwrap_or(settings.folder.clone());
        let hello = json!({
            "folder": folder.to_string_lossy(),
            "promptflow": settings.promptflow.word(),
            "memory": settings.memory,
        });
        let mut first = SOURCES.as_bytes().to_vec();
        first.extend(wire::frame(&hello, None));
        worker.outbox.send(first);
        let spawned = {
            let (reading, listening) = (Arc::clone(&worker), Arc::clone(&worker));
            std::thread::Builder::new()
                .name("python-stderr".to_owned())
                .spawn(move || listening.listen(stderr))
                .and_then(|_| {
                    std::thread::Builder::new()
                        .name("python-stdout".to_owned())
                        .spawn(move || reading.read(stdout, child))
                })
        };
        match spawned {
            Ok(_) => Ok(worker),
            Err(error) => {
                worker.kill();
                Err(cannot(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Whether new calls may go there.
    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        !state.retired && state.death.is_none()
    }

    /// The interpreter that was found behind a shim.
    pub(super) fn executable(&self) -> Option<String> {
        self.state().executable.clone()
    }

    /// Sends a request that is answered; `None` when the process takes no more.
    pub(super) fn ask(
        &self,
        mut header: serde_json::Map<String, serde_json::Value>,
        payload: Option<&[u8]>,
        log: Option<Log>,
    ) -> Option<(u64, oneshot::Receiver<Reply>)> {
        let (reply, receiver) = oneshot::channel();
        let id = {
            let mut state = self.state();
            if state.retired || state.death.is_some() {
                return None;
            }
            let id = state.next;
            state.next += 1;
            state.calls.insert(
                id,
                Pending {
                    reply: Some(reply),
                    log,
                    cancelled: None,
                },
            );
            id
        };
        header.insert("id".to_owned(), id.into());
        self.outbox.send(wire::frame(&header.into(), payload));
        Some((id, receiver))
    }

    /// Sends what is not answered.
    pub(super) fn tell(&self, header: &serde_json::Value) {
        self.outbox.send(wire::frame(header, None));
    }

    /// Tells a call to stop. If it has not after a while, the process takes no more calls, and ends
    /// with the last other one.
    pub(super) fn cancel(self: &Arc<Self>, id: u64) {
        {
            let mut state = self.state();
            let Some(pending) = state.calls.get_mut(&id) else {
                return;
            };
            pending.reply = None;
            pending.cancelled = Some(Instant::now());
        }
        self.tell(&json!({ "op": "cancel", "id": id }));
        let worker = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("python-cancel".to_owned())
            .spawn(move || worker.retire_over(id));
        if spawned.is_err() {
            self.state().retired = true;
        }
    }

    fn retire_over(&self, id: u64) {
        let state = self.state();
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(state, GRACE, |state| {
                state.calls.contains_key(&id) && state.death.is_none()
            })
            .expect("no holder panics");
        if waited.timed_out() {
            state.retired = true;
            self.end_if_idle(&state);
        }
    }

    /// A retired process ends when nobody waits for anything there.
    fn end_if_idle(&self, state: &State) {
        if state.retired && state.calls.values().all(|call| call.cancelled.is_some()) {
            self.kill();
        }
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // It may be gone already, which is what is wanted.
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    /// Ends the process in order, and with force if that takes too long.
    pub(super) fn stop(&self) {
        self.tell(&json!({ "op": "stop" }));
        self.outbox.close();
        let state = self.state();
        let ended = self
            .changed
            .wait_timeout_while(state, STOP, |state| state.death.is_none());
        drop(ended);
        self.kill();
    }

    /// Reads answers to the end of the process, and then says what ended it.
    fn read(&self, stdout: ChildStdout, mut child: Child) {
        let mut from = BufReader::with_capacity(64 * 1024, stdout);
        let mut too_old = None;
        let garbage = loop {
            match wire::receive(&mut from) {
                Ok(Some((header, payload))) => {
                    too_old = too_old.or_else(|| header.too_old.clone());
                    self.take(header, payload);
                }
                Ok(None) => break None,
                Err(garbage) => break Some(garbage),
            }
        };
        if garbage.is_some() {
            self.kill();
        }
        let begun = Instant::now();
        let mut status = None;
        while begun.elapsed() < END {
            status = child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut closed = status.is_none();
        if closed {
            self.kill();
            status = child.wait().ok();
        }
        closed |= status.and_then(|status| status.code()) == Some(PIPE_CLOSED);
        // What it left in its group goes with it.
        self.kill();
        let state = self.state();
        // Whoever holds its standard error open in another group may do so for ever.
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, END, |state| !state.stderr_ended)
            .expect("no holder panics");
        let tail = self.redactor.text(&String::from_utf8_lossy(&state.stderr));
        let death = Death {
            interpreter: self.interpreter.clone(),
            too_old,
            garbage: garbage.map(|garbage| self.redactor.text(&garbage)),
            closed,
            status,
            retired: state.retired,
            tail,
        };
        let calls = std::mem::take(&mut state.calls);
        if let Some(log) = &mut state.general {
            log.finish();
        }
        state.death = Some(death.clone());
        drop(state);
        self.outbox.close();
        for pending in calls.into_values() {
            if let Some(mut log) = pending.log {
                log.finish();
            }
            if let Some(reply) = pending.reply {
                reply.send(Err(death.failure())).ok();
            }
        }
        self.changed.notify_all();
    }

    fn take(&self, header: Header, payload: Vec<u8>) {
        let mut state = self.state();
        if let Some(printer) = header.log {
            let State { calls, general, .. } = &mut *state;
            let of_call = match printer {
                Printer::Call(id) => calls.get_mut(&id).and_then(|call| call.log.as_mut()),
                Printer::Nobody => None,
            };
            if let Some(log) = of_call.or(general.as_mut()) {
                log.write(&payload);
            }
            return;
        }
        if header.ready.is_some() {
            state.executable = header.executable;
            return;
        }
        let Some(mut pending) = header.id.and_then(|id| state.calls.remove(&id)) else {
            return;
        };
        self.end_if_idle(&state);
        drop(state);
        self.changed.notify_all();
        if let Some(log) = &mut pending.log {
            log.finish();
        }
        if let Some(reply) = pending.reply.take() {
            reply.send(Ok((header, payload))).ok();
        }
    }

    /// Reads what is printed past Python: by C code, by commands that a tool runs, and the last
    /// words of a crash. It goes to the log of the call that runs, if only one does.
    fn listen(&self, mut stderr: ChildStderr) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = match stderr.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            let mut state = self.state();
            if length == 0 {
                state.stderr_ended = true;
                drop(state);
                self.changed.notify_all();
                return;
            }
            state.stderr.extend_from_slice(&buffer[..length]);
            if state.stderr.len() > 2 * STDERR_TAIL {
                let cut = state.stderr.len() - STDERR_TAIL;
                state.stderr.drain(..cut);
            }
            let State { calls, general, .. } = &mut *state;
            let mut running = calls.values_mut();
            let log = match (running.next(), running.next()) {
                (Some(only), None) => only.log.as_mut().or(general.as_mut()),
                _ => general.as_mut(),
            };
            if let Some(log) = log {
                log.write(&buffer[..length]);
            }
        }
    }
}

/// What `python -c` is given.
const BOOT: &str = include_str!("worker/boot.py");
