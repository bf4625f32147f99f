//! [`Review`]: what would land, as a diff against the workspace.

use std::path::Path;

use super::error::Error;
use super::open::OpenRun;
use super::publish::manifest;
use super::target::base_digest;
use crate::run::StagedFile;
use crate::store::Blobs;

/// What publishing would do to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is no such file yet.
    Added,
    /// The file is there with other content.
    Modified,
    /// The file is there as it would be.
    Unchanged,
}

/// One file of a review.
#[derive(Clone, Debug)]
pub struct ReviewedFile {
    /// The staged file.
    pub file: StagedFile,
    /// The node that made it.
    pub node: String,
    /// What would happen to it.
    pub change: Change,
    /// The content now, if it is there and is text.
    pub before: Option<String>,
    /// The content to come, if it is text.
    pub after: Option<String>,
}

/// Everything that a run would publish now.
#[derive(Clone, Debug)]
pub struct Review {
    /// The files, by path.
    pub files: Vec<ReviewedFile>,
}

impl Review {
    /// Looks at a run and its workspace.
    ///
    /// # Errors
    /// Staged files that are gone, or a workspace that cannot be read.
    pub fn of(run: &OpenRun, workspace: &Path) -> Result<Self, Error> {
        let blobs = Blobs::new(run.dir.files());
        let plan = &run.compiled.plan;
        let staged = manifest(plan, &run.state, run.state.walk(plan).into_iter())
            .map_err(|conflict| Error::Refused(conflict.message))?;
        let mut files = Vec::with_capacity(staged.len());
        for (path, (file, from)) in staged {
            let now = base_digest(workspace, &path)
                .map_err(|reason| Error::Refused(format!("`{path}` cannot be read: {reason}")))?;
            let change = match now {
                None => Change::Added,
                Some(digest) if digest == file.sha256 => Change::Unchanged,
                Some(_) => Change::Modified,
            };
            let before = now
                .and_then(|_| std::fs::read(workspace.join(&path)).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let after = String::from_utf8(blobs.get(file.sha256)?).ok();
            files.push(ReviewedFile {
                node: run.state.instance(from).path.to_string(),
                file,
                change,
                before,
                after,
            });
        }
        Ok(Self { files })
    }
}
