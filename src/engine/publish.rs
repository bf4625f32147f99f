//! Publishing: staged files into the workspace, in steps that `resume` can finish.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::target::{base_digest, inside};
use crate::id::RunId;
use crate::plan::Plan;
use crate::run::{InstanceId, NodeState, RunState, StagedFile};
use crate::store::{Blobs, replace_as, sweep};

/// Why files cannot be published; nothing was written, unless it says so.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conflict {
    pub(super) message: String,
    pub(super) help: String,
}

/// Everything that a run would publish, by path, with the node it comes from.
///
/// # Errors
/// Two nodes that stage different content under one path, neither of which follows the other.
pub(super) fn manifest(
    plan: &Plan,
    state: &RunState,
    among: impl Iterator<Item = InstanceId>,
) -> Result<BTreeMap<String, (StagedFile, InstanceId)>, Conflict> {
    let mut found: BTreeMap<String, (StagedFile, InstanceId)> = BTreeMap::new();
    for id in among {
        let instance = state.instance(id);
        if instance.state != NodeState::Succeeded {
            continue;
        }
        for file in instance.files.iter() {
            let Some((before, from)) = found.get(&file.path) else {
                found.insert(file.path.clone(), (file.clone(), id));
                continue;
            };
            if before.sha256 == file.sha256 {
                continue;
            }
            if state.ancestors(plan, id).contains(from) {
                found.insert(file.path.clone(), (file.clone(), id));
            } else if !state.ancestors(plan, *from).contains(&id) {
                return Err(Conflict {
                    message: format!(
                        "`{}` and `{}` both made `{}`, with different content",
                        state.instance(*from).path,
                        instance.path,
                        file.path
                    ),
                    help:
                        "let one of them come `after` the other, or give the files different names"
                            .to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// Looks at every target, and at every file that is to be put there, before the first one is written.
pub(super) fn check(workspace: &Path, files: &[StagedFile], blobs: &Blobs) -> Result<(), Conflict> {
    let mut changed = Vec::new();
    let mut missing = Vec::new();
    for file in files {
        let now = base_digest(workspace, &file.path).map_err(|reason| Conflict {
            message: format!("`{}` cannot be written: {reason}", file.path),
            help: "clear the way and resume the run".to_owned(),
        })?;
        if now != file.base && now != Some(file.sha256) {
            changed.push(file);
        }
        if now != Some(file.sha256) {
            missing.push(file);
        }
    }
    let Some(first) = changed.first() else {
        return whole(&missing, blobs);
    };
    let what = if changed.len() == 1 {
        String::new()
    } else {
        format!(" and {} more", changed.len() - 1)
    };
    Err(Conflict {
        message: format!(
            "`{}`{what} in the workspace is neither what was there when the run looked, nor what the run would write",
            first.path
        ),
        help: format!(
            "both versions are kept; the run's is `{}`. Put the file back or take the run's version, then resume; or run the flow anew",
            blobs.path(first.sha256).display()
        ),
    })
}

/// Whether every staged file is still what a node made: one that is not must be found while nothing is
/// written.
fn whole(files: &[&StagedFile], blobs: &Blobs) -> Result<(), Conflict> {
    let looked: BTreeSet<_> = files.iter().map(|file| file.sha256).collect();
    let broken: BTreeMap<_, _> = looked
        .into_iter()
        .filter_map(|digest| Some((digest, blobs.check(digest).err()?)))
        .collect();
    let mut lost = files
        .iter()
        .filter_map(|file| Some((file, broken.get(&file.sha256)?)));
    let Some((first, error)) = lost.next() else {
        return Ok(());
    };
    let more = match lost.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Conflict {
        message: format!("`{}`{more} cannot be published: {error}", first.path),
        help: "nothing was written; somebody changed what the run had staged. Put the file back and resume, or run the flow anew".to_owned(),
    })
}

/// Writes the files; those that are there already are left alone.
pub(super) fn write(
    workspace: &Path,
    run: &RunId,
    files: &[StagedFile],
    blobs: &Blobs,
) -> Result<(), Conflict> {
    for file in files {
        let failed = |reason: String| Conflict {
            message: format!("`{}` cannot be written: {reason}", file.path),
            help: "some files may be in place already; resume the run to go on".to_owned(),
        };
        let now = base_digest(workspace, &file.path).map_err(&failed)?;
        if now == Some(file.sha256) {
            continue;
        }
        let bytes = blobs
            .get(file.sha256)
            .map_err(|error| failed(error.to_string()))?;
        let target = inside(workspace, &file.path).map_err(&failed)?;
        replace_as(run.as_str(), &target, &bytes).map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// Clears away what a publishing that was cut off has left in the folders it wrote to, and makes what
/// it had put there durable: a file that is in place is not written again.
pub(super) fn tidy(workspace: &Path, run: &RunId, files: &[StagedFile]) -> Result<(), Conflict> {
    let folders: BTreeSet<PathBuf> = files
        .iter()
        .filter_map(|file| Some(inside(workspace, &file.path).ok()?.parent()?.to_owned()))
        .collect();
    for folder in folders {
        sweep(run.as_str(), &folder).map_err(|error| Conflict {
            message: error.to_string(),
            help: "clear the way and resume the run".to_owned(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::value::Digest;

    #[test]
    fn edits_of_others_stop_publishing_before_anything_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::new(dir.path().join("blobs"));
        let stage = |path: &str, text: &str, base: Option<&str>| StagedFile {
            path: path.to_owned(),
            sha256: blobs.put(text.as_bytes()).expect("it is kept"),
            bytes: text.len() as u64,
            base: base.map(|base| Digest::of(base.as_bytes())),
        };
        fs::write(dir.path().join("b.txt"), "edited").expect("it is written");
        let files = [
            stage("a.txt", "new", None),
            stage("b.txt", "new", Some("old")),
        ];
        assert!(check(dir.path(), &files, &blobs).is_err());
        assert!(!dir.path().join("a.txt").exists());
        fs::write(dir.path().join("b.txt"), "old").expect("it is written");
        assert_eq!(check(dir.path(), &files, &blobs), Ok(()));
        write(dir.path(), &RunId::from("r"), &files, &blobs).expect("it is published");
        // Half of it done, all of it done: publishing again is the same.
        assert_eq!(check(dir.path(), &files, &blobs), Ok(()));
        assert_eq!(
            fs::read_to_string(dir.path().join("b.txt")).ok().as_deref(),
            Some("new")
        );
    }
}
