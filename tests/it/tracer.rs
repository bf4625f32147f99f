//! [`Traced`]: the real program, stopped at every system call that changes something.
//!
//! A fault comes at a system call and not at a hook in the code: so the program under test is the one
//! that people have, and no place can be forgotten. Linux on x86-64, where `ptrace` is allowed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What is to go wrong, and at which of the counted system calls, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: calls are only listed.
    None,
    /// The process is gone before the call.
    Kill(usize),
    /// The call fails with this error and does nothing; with `true`, so does every later one that
    /// needs room on the disk.
    Fail(usize, i32, bool),
}

/// How a traced command ended.
#[derive(Debug)]
pub(crate) struct Traced {
    /// The exit code, or minus the signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The counted calls, as `name path`.
    pub(crate) calls: Vec<String>,
    /// Bytes of files below the folder that are known to be on disk: their lengths at the last sync.
    pub(crate) synced: HashMap<PathBuf, u64>,
}

/// Whether this machine lets a test trace; else why not.
pub(crate) fn can_trace() -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("the tracer knows the system calls of x86-64 only".to_owned());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("true");
    command.env("PATH", "/usr/bin:/bin");
    run(&command, dir.path(), Fault::None)
        .map(drop)
        .map_err(|error| format!("ptrace is not allowed here: {error}"))
}

/// Runs a command whose writing below `dir` is traced. Children of the command are not.
///
/// # Errors
/// When it cannot be traced.
pub(crate) fn run(command: &Command, dir: &Path, fault: Fault) -> nix::Result<Traced> {
    let out = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (out.path().join("stdout"), out.path().join("stderr"));
    // The shell waits until it is traced, and becomes the command: the tracer sees it from its first
    // instruction on, without code of ours between fork and exec.
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "read go; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::piped())
        .stdout(File::create(&stdout).unwrap())
        .stderr(File::create(&stderr).unwrap());
    if let Some(cwd) = command.get_current_dir() {
        shell.current_dir(cwd);
    }
    let mut child = shell.spawn().unwrap();
    let traced = trace(&mut child, dir, out.path(), fault);
    if traced.is_err() {
        _ = child.kill();
        _ = child.wait();
    }
    let (code, calls, synced) = traced?;
    Ok(Traced {
        code,
        stdout: fs::read_to_string(&stdout).unwrap_or_default(),
        stderr: fs::read_to_string(&stderr).unwrap_or_default(),
        calls,
        synced,
    })
}

/// A call that is under way in a thread: what it is, and what it is to answer instead.
#[derive(Default)]
struct Thread {
    inside: bool,
    answer: Option<i32>,
    syncing: Option<PathBuf>,
}

type End = (i32, Vec<String>, HashMap<PathBuf, u64>);

fn trace(child: &mut Child, dir: &Path, out: &Path, fault: Fault) -> nix::Result<End> {
    let leader = Pid::from_raw(child.id().cast_signed());
    ptrace::seize(
        leader,
        Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_EXITKILL,
    )?;
    child
        .stdin
        .take()
        .expect("it is a pipe")
        .write_all(b"go\n")
        .expect("the shell reads");
    let mut threads: HashMap<Pid, Thread> = HashMap::new();
    let mut calls = Vec::new();
    let mut synced = HashMap::new();
    let mut full = false;
    // Only children of this thread: other tests wait for theirs in threads of their own.
    let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    loop {
        let status = waitpid(None::<Pid>, Some(flags))?;
        match status {
            WaitStatus::PtraceSyscall(pid) => {
                let thread = threads.entry(pid).or_default();
                thread.inside = !thread.inside;
                if thread.inside {
                    if let Some(call) = Call::of(pid, dir, out) {
                        let at = calls.len();
                        calls.push(call.shown(dir));
                        match fault {
                            Fault::Kill(wanted) if wanted == at => {
                                nix::sys::signal::kill(leader, Signal::SIGKILL)?;
                                continue;
                            }
                            Fault::Fail(wanted, error, _) if wanted == at => {
                                thread.answer = Some(error);
                                full = true;
                            }
                            Fault::Fail(_, error, true) if full && call.takes_room => {
                                thread.answer = Some(error);
                            }
                            _ => {}
                        }
                        if thread.answer.is_some() {
                            skip(pid)?;
                        } else if call.name.ends_with("sync") {
                            thread.syncing = Some(call.path);
                        }
                    }
                } else if let Some(error) = thread.answer.take() {
                    answer(pid, error)?;
                } else if let Some(path) = thread.syncing.take() {
                    let length = fs::metadata(&path).map_or(0, |found| found.len());
                    synced.insert(path, length);
                }
                proceed(pid, None)?;
            }
            WaitStatus::Stopped(pid, signal) => proceed(pid, Some(signal))?,
            WaitStatus::PtraceEvent(pid, _, event) => {
                // The next stop of the program is the end of the `execve` that made it.
                if event == libc::PTRACE_EVENT_EXEC {
                    threads.entry(pid).or_default().inside = true;
                }
                proceed(pid, None)?;
            }
            WaitStatus::Exited(pid, code) => {
                threads.remove(&pid);
                if pid == leader {
                    return Ok((code, calls, synced));
                }
            }
            WaitStatus::Signaled(pid, signal, _) => {
                threads.remove(&pid);
                if pid == leader {
                    return Ok((-(signal as i32), calls, synced));
                }
            }
            _ => {}
        }
    }
}

/// Lets a thread go on to its next call; one that was killed meanwhile is gone, and will be reported.
fn proceed(pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
    match ptrace::syscall(pid, signal) {
        Err(nix::Error::ESRCH) => Ok(()),
        other => other,
    }
}

/// A counted call.
struct Call {
    name: &'static str,
    path: PathBuf,
    takes_room: bool,
}

impl Call {
    /// The call that a stopped thread is about to make, when it changes something below `dir` or
    /// tells something to whoever looks at `out`.
    #[cfg(target_arch = "x86_64")]
    fn of(pid: Pid, dir: &Path, out: &Path) -> Option<Self> {
        let found = ptrace::getregs(pid).ok()?;
        let arguments = [found.rdi, found.rsi, found.rdx, found.r10];
        // Pipes and the like have no path.
        let fd = |at: usize| {
            let link = fs::read_link(format!("/proc/{pid}/fd/{}", arguments[at])).ok()?;
            link.is_absolute().then_some(link)
        };
        let text = |at: usize| path(pid, arguments[at]);
        let creates = |at: usize| {
            let flags = i32::try_from(arguments[at]).unwrap_or_default();
            flags & (libc::O_CREAT | libc::O_TRUNC) != 0 && flags & libc::O_PATH == 0
        };
        let number = found.orig_rax.cast_signed();
        let (name, path) = match number {
            libc::SYS_write => ("write", fd(0)?),
            libc::SYS_writev => ("writev", fd(0)?),
            libc::SYS_pwrite64 => ("pwrite64", fd(0)?),
            libc::SYS_copy_file_range => ("copy_file_range", fd(2)?),
            libc::SYS_fsync => ("fsync", fd(0)?),
            libc::SYS_fdatasync => ("fdatasync", fd(0)?),
            libc::SYS_ftruncate => ("ftruncate", fd(0)?),
            libc::SYS_fallocate => ("fallocate", fd(0)?),
            libc::SYS_rename => ("rename", text(1)?),
            libc::SYS_renameat | libc::SYS_renameat2 => ("renameat", text(3)?),
            libc::SYS_link => ("link", text(1)?),
            libc::SYS_linkat => ("linkat", text(3)?),
            libc::SYS_symlinkat => ("symlinkat", text(2)?),
            libc::SYS_unlink => ("unlink", text(0)?),
            libc::SYS_unlinkat => ("unlinkat", text(1)?),
            libc::SYS_rmdir => ("rmdir", text(0)?),
            libc::SYS_mkdir => ("mkdir", text(0)?),
            libc::SYS_mkdirat => ("mkdirat", text(1)?),
            libc::SYS_chmod => ("chmod", text(0)?),
            libc::SYS_fchmod => ("fchmod", fd(0)?),
            libc::SYS_open if creates(1) => ("open", text(0)?),
            libc::SYS_openat if creates(2) => ("openat", text(1)?),
            _ => return None,
        };
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        let path = cwd.join(path);
        let takes_room = matches!(
            number,
            libc::SYS_write
                | libc::SYS_writev
                | libc::SYS_pwrite64
                | libc::SYS_fallocate
                | libc::SYS_rename
                | libc::SYS_renameat
                | libc::SYS_renameat2
                | libc::SYS_linkat
                | libc::SYS_mkdir
                | libc::SYS_openat
        ) && path.starts_with(dir);
        (path.starts_with(dir) || path.starts_with(out)).then_some(Self {
            name,
            path,
            takes_room,
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn of(_: Pid, _: &Path, _: &Path) -> Option<Self> {
        None
    }

    /// The same in every run of the same command, as far as names are.
    fn shown(&self, dir: &Path) -> String {
        let path = self.path.strip_prefix(dir).unwrap_or_else(|_| {
            let name = self.path.file_name();
            name.map_or(&*self.path, Path::new)
        });
        format!("{} {}", self.name, path.display())
    }
}

/// The path at an address of a stopped process.
fn path(pid: Pid, address: u64) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut bytes = vec![0; 4096];
    // The rest of the page may not be there.
    let room = 4096 - usize::try_from(address % 4096).ok()?;
    let first = memory.read_at(&mut bytes[..room], address).ok()?;
    let mut length = first;
    if !bytes[..first].contains(&0) {
        length += memory
            .read_at(&mut bytes[first..], address + first as u64)
            .unwrap_or(0);
    }
    let end = bytes[..length].iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

/// Makes the call that a thread is about to make one that does nothing.
#[cfg(target_arch = "x86_64")]
fn skip(pid: Pid) -> nix::Result<()> {
    let mut found = ptrace::getregs(pid)?;
    found.orig_rax = u64::MAX;
    ptrace::setregs(pid, found)
}

#[cfg(target_arch = "x86_64")]
fn answer(pid: Pid, error: i32) -> nix::Result<()> {
    let mut found = ptrace::getregs(pid)?;
    found.rax = i64::from(-error).cast_unsigned();
    ptrace::setregs(pid, found)
}

#[cfg(not(target_arch = "x86_64"))]
fn skip(_: Pid) -> nix::Result<()> {
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn answer(_: Pid, _: i32) -> nix::Result<()> {
    Ok(())
}
