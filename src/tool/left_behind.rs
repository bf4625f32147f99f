//! Processes that outlive their driver: whoever takes the run up ends them before it starts them
//! again.
//!
//! Nothing tells the child of a driver that was killed with SIGKILL. Without this, a resumed node
//! would run beside its own earlier attempt. Every process of a run carries the run's folder in its
//! environment from its first instruction on, so that there is no moment at which one is missed.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable that tells a process which run it belongs to: the run's folder, absolute.
pub const RUN_DIR: &str = "FLOWCTL_RUN_DIR";

/// The value of [`RUN_DIR`] for a run's folder.
#[must_use]
pub fn run_dir_value(dir: &Path) -> String {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.to_string_lossy().into_owned()
}

/// Ends every process that belongs to a run, with its group. Only for a run that is locked: then
/// nobody else drives it. Where there is no `/proc`, nothing is found and nothing is ended.
pub fn end_left_behind(dir: &Path) {
    let wanted = format!("{RUN_DIR}={}", run_dir_value(dir)).into_bytes();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            continue;
        };
        // Other users' processes cannot be read, and are not ours.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment
            .split(|byte| *byte == 0)
            .any(|pair| pair == wanted);
        if !ours || pid == rustix::process::getpid() {
            continue;
        }
        if let Some(group) =
            group_of(&entry.path()).filter(|group| *group != rustix::process::getpgrp())
        {
            kill_process_group(group, Signal::KILL).ok();
        }
        kill_process(pid, Signal::KILL).ok();
    }
}

fn group_of(process: &Path) -> Option<Pid> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The command's name stands in parentheses and may hold anything, spaces included.
    let group = stat.rsplit_once(')')?.1.split_whitespace().nth(2)?;
    Pid::from_raw(group.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_belongs_to_the_run_is_ended_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let spawn = |run: &Path| {
            Command::new("sleep")
                .arg("60")
                .env(RUN_DIR, run_dir_value(run))
                .process_group(0)
                .spawn()
                .expect("it starts")
        };
        let mut ours = spawn(&dir.path().join("r"));
        let mut stranger = spawn(&dir.path().join("r2"));
        // What has only just begun may not have its environment yet.
        let ended = (0..200).find_map(|_| {
            end_left_behind(&dir.path().join("r"));
            std::thread::sleep(std::time::Duration::from_millis(50));
            ours.try_wait().expect("it can be asked")
        });
        assert!(!ended.expect("it ended").success());
        assert!(stranger.try_wait().expect("it can be asked").is_none());
        stranger.kill().expect("it can be ended");
        stranger.wait().expect("it ended");
    }
}
