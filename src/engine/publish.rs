//! Publishing: staged files into the workspace, in steps that `resume` can finish.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::id::RunId;
use crate::plan::Plan;
use crate::run::{InstanceId, NodeState, RunState, StagedFile};
use crate::store::{Blobs, replace_as, sweep};
use crate::value::Digest;

/// Folders of the workspace that only flowctl and git write.
const RESERVED: [&str; 2] = ["artifacts", ".git"];

/// Why files cannot be published; nothing was written, unless it says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) message: String,
    pub(super) help: String,
}

/// Whether a staged path may be written at all.
pub(super) fn check_target(path: &str, for_workspace: bool) -> Result<(), String> {
    crate::tool::check_path(path).map_err(str::to_owned)?;
    if !for_workspace && !crate::evidence::is_document(path) {
        return Err("documents go into a folder of their own, for example `oscal/`".to_owned());
    }
    if !for_workspace && path.starts_with(crate::run::External::FOLDER) {
        return Err("`outputs/` is for outputs that are too large for a record".to_owned());
    }
    let first = path.split('/').next().unwrap_or_default();
    if for_workspace
        && RESERVED
            .iter()
            .any(|reserved| first.eq_ignore_ascii_case(reserved))
    {
        return Err(format!("`{first}/` is not for published files"));
    }
    Ok(())
}

/// The digest of what is at a path of the workspace now.
pub(super) fn base_digest(workspace: &Path, path: &str) -> Result<Option<Digest>, String> {
    let target = inside(workspace, path)?;
    match fs::symlink_metadata(&target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
        Ok(found) if found.is_file() => fs::read(&target)
            .map(|bytes| Some(Digest::of(&bytes)))
            .map_err(|error| error.to_string()),
        Ok(found) if found.is_dir() => Err("there is a folder of that name".to_owned()),
        Ok(_) => Err("there is something of that name that is no file".to_owned()),
    }
}

/// The absolute target of a path; links that lead out of the workspace are refused.
fn inside(workspace: &Path, path: &str) -> Result<PathBuf, String> {
    let root = workspace
        .canonicalize()
        .unwrap_or_else(|_| workspace.to_owned());
    let mut at = root.clone();
    let mut parts = Path::new(path).components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err("it is not a relative path".to_owned());
        };
        at.push(name);
        if parts.peek().is_some() && fs::symlink_metadata(&at).is_ok_and(|found| found.is_symlink())
        {
            let real = at.canonicalize().map_err(|error| error.to_string())?;
            if !real.starts_with(&root) {
                return Err(format!(
                    "`{}` is a link that leads out of the workspace",
                    at.display()
                ));
            }
            at = real;
        }
    }
    Ok(at)
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

/// Looks at every target before the first one is written.
pub(super) fn check(workspace: &Path, files: &[StagedFile], blobs: &Blobs) -> Result<(), Conflict> {
    let mut changed = Vec::new();
    for file in files {
        let now = base_digest(workspace, &file.path).map_err(|reason| Conflict {
            message: format!("`{}` cannot be written: {reason}", file.path),
            help: "clear the way and resume the run".to_owned(),
        })?;
        if now != file.base && now != Some(file.sha256) {
            changed.push(file);
        }
    }
    let Some(first) = changed.first() else {
        return Ok(());
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
    use super::*;

    #[test]
    fn reserved_and_escaping_targets_are_refused() {
        assert!(check_target("iac/x.tf", true).is_ok());
        for path in [
            "artifacts/x",
            ".git/hooks/x",
            "../x",
            "/x",
            "a/../x",
            ".GIT/config",
            "",
        ] {
            assert!(check_target(path, true).is_err(), "{path}");
        }
    }

    #[test]
    fn links_do_not_lead_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("iac")).expect("a link");
        assert!(base_digest(dir.path(), "iac/x.tf").is_err());
        assert_eq!(base_digest(dir.path(), "other/x.tf"), Ok(None));
    }

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
