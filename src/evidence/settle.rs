//! Putting an evidence folder that was made again in the place of the one that is there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Error;
use super::index::{INDEX, INDEX_ENVELOPE, LOCK};
use super::ledger::write;
use super::rebuild::Rebuilt;
use crate::store::{open_regular_with, read_regular};

/// Every file below a folder, by path relative to it; links are files.
pub(super) fn files(root: &Path) -> Vec<String> {
    fn walk(dir: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), &format!("{path}/"), found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, "", &mut found);
    found.sort();
    found
}

/// Where files go that are not what the journals say. Nothing that lies there is written over.
struct Aside<'a> {
    root: &'a Path,
    /// What the folder is called, unless there is one of that name.
    name: String,
    /// Once it is made.
    dir: Option<PathBuf>,
    rebuilt: &'a mut Rebuilt,
}

impl Aside<'_> {
    fn take(&mut self, path: &str) -> Result<(), Error> {
        let from = self.root.join(path);
        let moved = self.moved(path, &from);
        moved.map_err(crate::store::Error::io("move aside", &from))?;
        self.rebuilt.moved.push(path.to_owned());
        Ok(())
    }

    fn moved(&mut self, path: &str, from: &Path) -> io::Result<()> {
        let first = self.dir()?.join(path);
        if let Some(parent) = first.parent() {
            fs::create_dir_all(parent)?;
        }
        // What is in the way is a folder that lay in place of a file: its files were taken before.
        let others = (2..100).map(|n| PathBuf::from(format!("{}~{n}", first.display())));
        for to in std::iter::once(first.clone()).chain(others) {
            let moved = if path == LOCK {
                take_content(from, &to)
            } else {
                rename_new(from, &to)
            };
            match moved {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// The folder, which is made for this rebuild alone.
    fn dir(&mut self) -> io::Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let above = self.root.parent().unwrap_or(self.root);
        let others = (2..1000).map(|n| format!("{}-{n}", self.name));
        for name in std::iter::once(self.name.clone()).chain(others) {
            let dir = above.join(&name);
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            self.rebuilt.aside = Some(format!("artifacts/{name}"));
            self.dir = Some(dir.clone());
            return Ok(dir);
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

/// The lock is held by this process and stays; what somebody wrote into it goes.
fn take_content(from: &Path, to: &Path) -> io::Result<()> {
    let mut into = fs::File::create_new(to)?;
    let mut lock = open_regular_with(fs::OpenOptions::new().read(true).write(true), from)?;
    io::copy(&mut lock, &mut into)?;
    lock.set_len(0)
}

/// Renames, unless something of that name is there.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// Puts what was made in place of what is there; what differs is moved aside first.
pub(super) fn settle(
    made: &Path,
    root: &Path,
    now: Timestamp,
    rebuilt: &mut Rebuilt,
) -> Result<(), Error> {
    let mut wanted = files(made);
    // The index comes last: with it, everything is in place.
    wanted.sort_by_key(|path| (path == INDEX || path == INDEX_ENVELOPE, path.clone()));
    let name = format!("evidence.damaged-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let mut aside = Aside {
        root,
        name,
        dir: None,
        rebuilt,
    };
    let known: BTreeSet<&String> = wanted.iter().collect();
    for path in files(root) {
        let empty_lock =
            path == LOCK && fs::metadata(root.join(LOCK)).is_ok_and(|found| found.len() == 0);
        if !known.contains(&path) && !empty_lock {
            aside.take(&path)?;
        }
    }
    for path in &wanted {
        let from = made.join(path);
        let bytes = read_regular(&from).map_err(crate::store::Error::io("read", &from))?;
        let target = root.join(path);
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_file() && read_regular(&target).is_ok_and(|now| now == bytes) => {
                aside.rebuilt.kept += 1;
                continue;
            }
            Ok(_) => aside.take(path)?,
            Err(_) => {}
        }
        write(&target, &bytes)?;
        aside.rebuilt.written.push(path.clone());
    }
    prune(root);
    Ok(())
}

/// Removes folders that hold nothing.
fn prune(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prune(&entry.path());
            fs::remove_dir(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_aside_before_is_not_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("evidence");
        let made = dir.path().join("made");
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("it is written");
        };
        fs::create_dir_all(&made).expect("a folder");
        fs::write(made.join("index.json"), "made").expect("it is written");
        let now = Timestamp::UNIX_EPOCH;
        let earlier = dir.path().join("evidence.damaged-19700101T000000Z");
        fs::create_dir(&earlier).expect("a folder");
        fs::write(earlier.join("index.json"), "of before").expect("it is written");
        // Two files and a folder that all want to be `index.json`.
        put("index.json/x", "inside");
        put(".lock", "not empty");
        let mut rebuilt = Rebuilt::default();
        settle(&made, &root, now, &mut rebuilt).expect("it is settled");
        let read = |path: &Path| fs::read_to_string(path).expect("it is there");
        assert_eq!(read(&root.join("index.json")), "made");
        assert_eq!(read(&root.join(".lock")), "");
        assert_eq!(read(&earlier.join("index.json")), "of before");
        let aside = dir.path().join("evidence.damaged-19700101T000000Z-2");
        assert_eq!(read(&aside.join("index.json/x")), "inside");
        assert!(aside.join("index.json~2").is_dir());
        assert_eq!(read(&aside.join(".lock")), "not empty");
        let new = rename_new(&root.join("index.json"), &aside.join(".lock"));
        assert_eq!(
            new.expect_err("it is there").kind(),
            ErrorKind::AlreadyExists
        );
    }
}
