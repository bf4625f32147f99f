//! [`Error`]: what can go wrong with the files of a run.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system said no.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A record of the journal is damaged.
    #[error("line {line} of `{path}` is damaged: {message}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A run that was gone through again came to another record than the first time.
    #[error(
        "record {seq} of `{path}` is not what the run comes to now: there is `{there}`, and now it would be `{now}`"
    )]
    Diverged {
        /// The journal.
        path: PathBuf,
        /// The record.
        seq: u64,
        /// How the line begins that is there.
        there: String,
        /// How the line begins that would be written.
        now: String,
    },
    /// A file that is named by its content holds something else.
    #[error("`{path}` is damaged: the content does not match its name")]
    NotItsName {
        /// The file.
        path: PathBuf,
    },
    /// The journal was written by a newer major version.
    #[error("`{path}` has format version {found}; this program reads up to {known}", known = super::FORMAT_VERSION)]
    NewerFormat {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// Another process drives the run.
    #[error("run `{run}` is driven by another process: {holder}")]
    Locked {
        /// The run.
        run: String,
        /// Who holds it.
        holder: String,
    },
    /// There is a run of this id already.
    #[error("there is a run `{0}` already")]
    Exists(String),
    /// There is no such run.
    #[error("{0}")]
    NoSuchRun(String),
    /// The journal's writer has stopped; the first failure is repeated.
    #[error("the journal cannot be written: {0}")]
    Writer(String),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
