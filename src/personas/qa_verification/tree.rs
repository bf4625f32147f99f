//! The staged files as QA reads them.

use std::path::{Path, PathBuf};

use crate::port::Failure;

/// The staged folder.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Reads from this folder.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of a file; the error is a sentence fragment.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        // Contracts are data: a path in one must not lead out of the staged folder.
        let inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(format!("{path} leads out of the staged files"));
        }
        match std::fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(format!("{path} is not among the staged files"))
            }
            Err(error) => Err(format!("cannot read {path}: {error}")),
        }
    }

    /// The files of a folder by path, sorted, without those of folders within; none when there is no
    /// such folder.
    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(folder)).into_iter();
        let files = entries.flatten().flatten().filter(|entry| {
            let kind = entry.file_type();
            kind.is_ok_and(|kind| kind.is_file())
        });
        let mut paths: Vec<String> = files
            .filter_map(|entry| Some(format!("{folder}/{}", entry.file_name().to_str()?)))
            .collect();
        paths.sort();
        paths
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Result<String, String> {
        String::from_utf8(self.read(path)?).map_err(|_| format!("{path} is not UTF-8"))
    }
}

/// Copies a folder; links are not followed and not copied.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failure = |path: &Path, error: &std::io::Error| {
        Failure::new(format!("cannot copy {}: {error}", path.display()))
    };
    std::fs::create_dir_all(to).map_err(|error| failure(to, &error))?;
    let entries = std::fs::read_dir(from).map_err(|error| failure(from, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failure(from, &error))?;
        let kind = entry
            .file_type()
            .map_err(|error| failure(&entry.path(), &error))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            // The content alone: a copied read-only bit would keep terraform from writing.
            let content =
                std::fs::read(entry.path()).map_err(|error| failure(&entry.path(), &error))?;
            std::fs::write(&target, content).map_err(|error| failure(&target, &error))?;
        }
    }
    Ok(())
}
