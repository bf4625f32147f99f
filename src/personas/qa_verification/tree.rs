//! The staged files as QA reads them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::rc::Rc;

use crate::port::{Failure, Host};

/// The staged files: read when they are asked for, and once.
pub(super) struct Tree<'a> {
    host: &'a dyn Host,
    paths: BTreeSet<String>,
    read: RefCell<BTreeMap<String, Rc<[u8]>>>,
    broken: Cell<Option<Failure>>,
}

impl<'a> Tree<'a> {
    /// Reads what this host has staged.
    pub(super) fn new(host: &'a dyn Host) -> Result<Self, Failure> {
        Ok(Self {
            host,
            paths: host.staged_paths()?.into_iter().collect(),
            read: RefCell::default(),
            broken: Cell::default(),
        })
    }

    /// The bytes of a file; the error is a sentence fragment.
    pub(super) fn read(&self, path: &str) -> Result<Rc<[u8]>, String> {
        // Contracts are data: a path in one must not lead out of the staged files.
        let inside = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(format!("{path} leads out of the staged files"));
        }
        if let Some(bytes) = self.read.borrow().get(path) {
            return Ok(Rc::clone(bytes));
        }
        let absent = || format!("{path} is not among the staged files");
        if !self.paths.contains(path) {
            return Err(absent());
        }
        let bytes: Rc<[u8]> = match self.host.staged_file(path) {
            Ok(bytes) => bytes.ok_or_else(absent)?.into(),
            Err(failure) => {
                let message = format!("cannot read {path}: {}", failure.message);
                self.broken.set(Some(failure));
                return Err(message);
            }
        };
        let known = Rc::clone(&bytes);
        self.read.borrow_mut().insert(path.to_owned(), known);
        Ok(bytes)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Result<String, String> {
        let text = String::from_utf8(self.read(path)?.to_vec());
        text.map_err(|_| format!("{path} is not UTF-8"))
    }

    /// The files of a folder by path, sorted, without those of folders within; none when there is no
    /// such folder.
    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let inside = self.within(folder);
        let files = inside.filter(|path| !path[folder.len() + 1..].contains('/'));
        files.cloned().collect()
    }

    /// Everything below a folder, sorted.
    pub(super) fn within<'b>(&'b self, folder: &'b str) -> impl Iterator<Item = &'b String> {
        let paths = self.paths.iter();
        paths.filter(move |path| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// Ends well unless a file could not be read: that is no finding, and whatever was found does not
    /// count.
    pub(super) fn close(self) -> Result<(), Failure> {
        self.broken.into_inner().map_or(Ok(()), Err)
    }

    /// Writes everything below a folder to the same paths in another place.
    pub(super) fn copy(&self, folder: &str, to: &Path) -> Result<(), Failure> {
        for path in self.within(folder) {
            let Ok(bytes) = self.read(path) else { continue };
            let target = to.join(path);
            let made = target.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&target, bytes))
                .map_err(|error| {
                    Failure::new(format!("cannot write {}: {error}", target.display()))
                })?;
        }
        Ok(())
    }
}
