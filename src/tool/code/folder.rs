//! [`Folder`]: where the files of a flow are when its code runs.
//!
//! Mostly that is the flow's own folder. Where other files are laid over it, by
//! `additional_includes` or because the run began with another content, a folder of links is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::flow::Spanned;
use crate::tool::library::skill_files;

/// The most files that are linked or kept; whoever has more does not mean a flow's folder.
const MAX_FILES: usize = 20_000;
/// How many Python files are kept with a run, and how many bytes of them.
const MAX_SOURCES: usize = 2_000;
const MAX_SOURCE_BYTES: usize = 16 * 1024 * 1024;

/// A folder to run code in.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Removed with the value.
    _made: Option<tempfile::TempDir>,
}

impl Folder {
    /// The flow's own folder, or one that looks like it with other files in place.
    ///
    /// # Errors
    /// I/O, and an include that is not there.
    pub(super) fn open(
        own: &Path,
        includes: &[Spanned<String>],
        kept: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, String> {
        let changed: Vec<(&String, &Vec<u8>)> = kept
            .iter()
            .filter(|(path, bytes)| {
                let now = locate(own, includes, path);
                std::fs::read(now).ok().as_ref() != Some(bytes)
            })
            .collect();
        if includes.is_empty() && changed.is_empty() {
            return Ok(Self {
                path: std::path::absolute(own).map_err(|error| error.to_string())?,
                _made: None,
            });
        }
        let made = made("flowctl-flow-")?;
        let mut room = MAX_FILES;
        link_all(own, made.path(), &mut room)?;
        for include in includes {
            let from = own.join(&include.value);
            let Some(name) = base_name(&from) else {
                return Err(format!("`{}` names no file or folder", include.value));
            };
            let to = made.path().join(name);
            if from.is_dir() {
                link_all(&from, &to, &mut room)?;
            } else {
                link(&from, &to)?;
            }
        }
        for (path, bytes) in changed {
            write(made.path(), path, bytes)?;
        }
        Ok(Self {
            path: made.path().to_owned(),
            _made: Some(made),
        })
    }

    /// A skill's own folder if it holds these files and no others, or else one that does.
    ///
    /// # Errors
    /// I/O.
    pub(super) fn exactly(own: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, String> {
        if skill_files(own).is_ok_and(|found| found == *files) {
            return Ok(Self {
                path: std::path::absolute(own).map_err(|error| error.to_string())?,
                _made: None,
            });
        }
        let made = made("flowctl-skill-")?;
        for (path, bytes) in files {
            write(made.path(), path, bytes)?;
        }
        Ok(Self {
            path: made.path().to_owned(),
            _made: Some(made),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn made(prefix: &str) -> Result<tempfile::TempDir, String> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(prefix).tempdir();
    made.map_err(|error| format!("cannot make a folder: {error}"))
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), String> {
    let to = folder.join(path);
    let failed = |error: std::io::Error| format!("cannot write `{path}`: {error}");
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    // A link is replaced, never written through.
    let _gone = std::fs::remove_file(&to);
    std::fs::write(&to, bytes).map_err(failed)
}

/// Where a path of a flow's folder really is: an include wins over a file of the same name.
pub(super) fn locate(own: &Path, includes: &[Spanned<String>], path: &str) -> PathBuf {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    for include in includes.iter().rev() {
        let from = own.join(&include.value);
        if base_name(&from).is_none_or(|name| name != first) {
            continue;
        }
        let found = if rest.is_empty() {
            from
        } else {
            from.join(rest)
        };
        if found.is_file() {
            return found;
        }
    }
    own.join(path)
}

/// The Python files of a folder by relative path; none when there are too many to keep.
pub(super) fn python_sources(own: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut room = MAX_FILES;
    let mut bytes = 0;
    walk(own, "", &mut room, &mut |path, file| {
        if path.ends_with(".py") {
            bytes += file.metadata().map_or(0, |data| data.len());
            found.insert(path.to_owned(), file.to_owned());
        }
    });
    let too_much = found.len() > MAX_SOURCES || bytes > MAX_SOURCE_BYTES as u64 || room == 0;
    if too_much { BTreeMap::new() } else { found }
}

fn base_name(path: &Path) -> Option<String> {
    // `..` and `.` at the end are names only once resolved.
    let name = match path.file_name() {
        Some(name) => name.to_owned(),
        None => path.canonicalize().ok()?.file_name()?.to_owned(),
    };
    name.into_string().ok()
}

fn link_all(from: &Path, to: &Path, room: &mut usize) -> Result<(), String> {
    std::fs::create_dir_all(to).map_err(|error| error.to_string())?;
    let mut failed = None;
    walk(from, "", room, &mut |path, file| {
        let to = to.join(path);
        let made = to.parent().map_or(Ok(()), std::fs::create_dir_all);
        let linked = made
            .map_err(|error| error.to_string())
            .and_then(|()| link(file, &to));
        failed = failed.take().or(linked.err());
    });
    if *room == 0 {
        let shown = from.display();
        return Err(format!("`{shown}` holds more than {MAX_FILES} files"));
    }
    failed.map_or(Ok(()), Err)
}

fn link(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot link `{}`: {error}", from.display());
    let from_path = std::path::absolute(from).map_err(failed)?;
    if !from_path.exists() {
        return Err(format!("there is no `{}`", from.display()));
    }
    let _gone = std::fs::remove_file(to);
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(&from_path, to);
    #[cfg(not(unix))]
    let made = std::fs::copy(&from_path, to).map(drop);
    made.map_err(failed)
}

/// Visits the files of a folder, in the order of their names, but no tools' leavings: hidden ones,
/// virtual environments, caches, and flowctl's own artifacts.
fn walk(dir: &Path, prefix: &str, room: &mut usize, visit: &mut dyn FnMut(&str, &Path)) {
    let mut entries: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let at = entry.path();
        let path = format!("{prefix}{name}");
        if at.is_dir() {
            let leaving = matches!(name.as_str(), "__pycache__" | "node_modules" | "artifacts")
                || name.starts_with('.')
                || at.join("pyvenv.cfg").exists()
                // A link to a folder may lead round in a circle.
                || at.is_symlink();
            if !leaving {
                walk(&at, &format!("{path}/"), room, visit);
            }
        } else if *room > 0 {
            *room -= 1;
            visit(&path, &at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;

    fn write(dir: &Path, path: &str, text: &str) {
        let to = dir.join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, text).unwrap();
    }

    fn spanned(path: &str) -> Spanned<String> {
        Spanned {
            value: path.to_owned(),
            span: Span::default(),
        }
    }

    #[test]
    fn includes_win_and_what_a_run_began_with_wins_over_all() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("flow");
        write(&own, "a.py", "own a");
        write(&own, "b.py", "own b");
        write(&own, ".venv/x.py", "no");
        write(dir.path(), "shared/a.py", "shared a");
        write(dir.path(), "shared/util/u.py", "u");
        let includes = [spanned("../shared/a.py"), spanned("../shared/util")];
        let kept = BTreeMap::from([("b.py".to_owned(), b"old b".to_vec())]);
        let folder = Folder::open(&own, &includes, &kept).unwrap();
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!(read("a.py"), "shared a");
        assert_eq!(read("b.py"), "old b");
        assert_eq!(read("util/u.py"), "u");
        assert!(!folder.path().join(".venv").exists());
        assert_eq!(std::fs::read_to_string(own.join("b.py")).unwrap(), "own b");
        assert_eq!(
            locate(&own, &includes, "util/u.py"),
            own.join("../shared/util/u.py")
        );
        let error = Folder::open(&own, &[spanned("../gone.py")], &kept).unwrap_err();
        assert!(error.contains("gone.py"), "{error}");
    }

    #[test]
    fn a_folder_that_is_as_it_was_is_used_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.py", "a");
        let kept = BTreeMap::from([("a.py".to_owned(), b"a".to_vec())]);
        let folder = Folder::open(dir.path(), &[], &kept).unwrap();
        assert_eq!(folder.path(), dir.path());
        let sources: Vec<String> = python_sources(dir.path()).into_keys().collect();
        assert_eq!(sources, ["a.py"]);
    }
}
