//! [`RunLock`]: one driver per run. The only place that locks files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::open_regular_with;

/// Who looks whether somebody has a lock has it for a moment: so often it is tried again, after so long.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(5);

/// Who drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// What it is doing (`run`, `resume`, `approve`).
    pub command: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "`flowctl {}`, process {} on {}, since {}",
            self.command, self.pid, self.host, self.since
        )
    }
}

/// A held lock; dropping it, or dying, lets go.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl RunLock {
    /// Takes the lock of a file, and waits for nobody but those who only look who has it.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody holds it; I/O otherwise.
    pub fn acquire(path: &Path, run: &str, holder: &Holder) -> Result<Self, Error> {
        let mut file = open(path)?;
        let mut tried = try_lock(&file);
        for _ in 0..LOOKS {
            if !matches!(tried, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOOK);
            tried = try_lock(&file);
        }
        match tried {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file).map_or_else(
                    || "who is not known".to_owned(),
                    |holder| holder.to_string(),
                );
                return Err(Error::Locked {
                    run: run.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        }
        let text = serde_json::to_vec(holder).unwrap_or_default();
        // What is written is for people only; the lock itself is the kernel's.
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&text))
            .map_err(Error::io("write", path))?;
        Ok(Self { file })
    }

    /// Takes the lock, waiting for whoever holds it; `waiting` is called once before that.
    ///
    /// # Errors
    /// I/O.
    pub fn wait(path: &Path, waiting: impl FnOnce()) -> Result<Self, Error> {
        let file = open(path)?;
        if let Err(TryLockError::WouldBlock) = try_lock(&file) {
            waiting();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one home of file locks"
        )]
        file.lock().map_err(Error::io("lock", path))?;
        Ok(Self { file })
    }

    /// Who drives a run now; `None` when nobody does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<Option<Holder>> {
        let mut file = open_regular_with(OpenOptions::new().read(true).write(true), path).ok()?;
        // Shared: of many who look at once, none takes another for a driver.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
            _ => None,
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing the file would do; this says so.
        self.file.unlock().ok();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one home of file locks"
)]
fn try_lock(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

fn open(path: &Path) -> Result<File, Error> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_regular_with(&mut options, path).map_err(Error::io("open", path))
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        let holder = Holder {
            pid: 7,
            host: "h".to_owned(),
            since: "now".to_owned(),
            command: "run".to_owned(),
        };
        let first = RunLock::acquire(&path, "r", &holder).expect("it is free");
        let error = RunLock::acquire(&path, "r", &holder).expect_err("it is held");
        assert!(error.to_string().contains("process 7 on h"), "{error}");
        assert_eq!(RunLock::holder(&path), Some(Some(holder.clone())));
        drop(first);
        assert_eq!(RunLock::holder(&path), None);
        RunLock::acquire(&path, "r", &holder).expect("it is free again");
    }

    #[test]
    fn those_who_look_are_in_nobodys_way() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        let holder = Holder {
            pid: 7,
            host: "h".to_owned(),
            since: "now".to_owned(),
            command: "run".to_owned(),
        };
        drop(RunLock::acquire(&path, "r", &holder).expect("it is free"));
        let looks = |path: &Path| (0..3_000).filter_map(|_| RunLock::holder(path)).count();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| looks(&path))).collect();
            for thread in threads {
                assert_eq!(thread.join().expect("it looks"), 0, "nobody drives it");
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        drop(RunLock::holder(&path));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            for _ in 0..100 {
                drop(RunLock::acquire(&path, "r", &holder).expect("they only look"));
            }
        });
    }
}
