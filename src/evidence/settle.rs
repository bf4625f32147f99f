//! Putting an evidence folder that was made again in the place of the one that is there.

use std::collections::BTreeSet;
use std::fs;
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

/// Where files go that are not what the journals say.
struct Aside<'a> {
    root: &'a Path,
    dir: PathBuf,
    rebuilt: &'a mut Rebuilt,
}

impl Aside<'_> {
    fn take(&mut self, path: &str) -> Result<(), Error> {
        let (from, to) = (self.root.join(path), self.dir.join(path));
        let moved = || -> std::io::Result<()> {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            if path == LOCK {
                // It is held by this process and stays; what somebody wrote into it goes.
                fs::copy(&from, &to)?;
                return open_regular_with(fs::OpenOptions::new().write(true), &from)?.set_len(0);
            }
            fs::rename(&from, &to)
        };
        moved().map_err(crate::store::Error::io("move aside", &from))?;
        self.rebuilt.moved.push(path.to_owned());
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        self.rebuilt.aside = Some(format!("artifacts/{name}"));
        Ok(())
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
    let above = root.parent().unwrap_or(root);
    let dir = std::iter::once(name.clone())
        .chain((2..1000).map(|n| format!("{name}-{n}")))
        .map(|name| above.join(name))
        .find(|dir| !dir.exists())
        .unwrap_or_else(|| above.join(&name));
    let mut aside = Aside { root, dir, rebuilt };
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
