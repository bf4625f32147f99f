//! Processes that outlive their driver: each leaves a note while it runs, so that whoever takes the
//! run up can end it before starting it again.
//!
//! Nothing tells a child of a driver that was killed with SIGKILL. Without this, a resumed node
//! would run beside its own earlier attempt.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process_group};

/// The note of a running process; dropping it takes it back.
pub(super) struct Note(PathBuf);

impl Note {
    /// Leaves a note in a folder. Without one, as on a full disk, nothing is lost but the note.
    pub(super) fn leave(dir: &Path, pid: u32) -> Option<Self> {
        let path = dir.join(pid.to_string());
        let begun = begun(pid).unwrap_or_default();
        fs::create_dir_all(dir).ok()?;
        fs::write(&path, begun).ok()?;
        Some(Self(path))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Ends every process group that has a note here, and takes the notes away. Only for a folder
/// whose run is locked: then nobody else drives these processes.
pub fn end_left_behind(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<u32>().ok());
        let noted = fs::read_to_string(&path).unwrap_or_default();
        if let Some(pid) = pid
            && is_the_same(pid, &noted)
            && let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        {
            kill_process_group(group, Signal::KILL).ok();
        }
        fs::remove_file(&path).ok();
    }
}

/// Whether a process group is the one that was noted. A number is not given out again while its
/// group has members, so that a leader who is gone is no stranger; one who is there must have
/// begun when the note says.
fn is_the_same(pid: u32, noted: &str) -> bool {
    if !Path::new("/proc/self/stat").exists() {
        return false;
    }
    begun(pid).is_none_or(|begun| begun == noted)
}

/// When a process began, in the kernel's ticks since boot, with the boot's id.
fn begun(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything, spaces included.
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{ticks} {}", boot.trim()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_was_noted_is_ended_and_nobody_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let spawn = || {
            Command::new("sleep")
                .arg("60")
                .process_group(0)
                .spawn()
                .expect("it starts")
        };
        let (mut ours, mut stranger) = (spawn(), spawn());
        std::mem::forget(Note::leave(dir.path(), ours.id()));
        fs::write(dir.path().join(stranger.id().to_string()), "1 another boot").expect("a note");
        end_left_behind(dir.path());
        assert!(!ours.wait().expect("it ended").success());
        assert!(stranger.try_wait().expect("it can be asked").is_none());
        stranger.kill().expect("it can be ended");
        stranger.wait().expect("it ended");
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
    }
}
