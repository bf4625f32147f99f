//! [`Layout`]: where things lie in a workspace.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::Error;
use crate::id::RunId;

/// A workspace: where `artifacts/` and published files go, and where process nodes run.
#[derive(Clone, Debug)]
pub struct Layout {
    workspace: PathBuf,
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunDir {
    /// The run.
    pub id: RunId,
    /// The folder.
    pub path: PathBuf,
}

impl Layout {
    /// The layout of a workspace.
    #[must_use]
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        Self {
            workspace: workspace.into(),
        }
    }

    /// The workspace itself.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The folder of all runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.workspace.join("artifacts").join("runs")
    }

    /// The folder of all evidence.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.workspace.join("artifacts").join("evidence")
    }

    /// How far the evidence went; beside it, so that it does not go back with it.
    #[must_use]
    pub fn evidence_head(&self) -> PathBuf {
        self.workspace.join("artifacts").join("evidence-head.json")
    }

    /// Who may approve.
    #[must_use]
    pub fn approvers(&self) -> PathBuf {
        self.workspace.join(crate::approvers::FILE)
    }

    /// What the server of this workspace keeps to itself.
    #[must_use]
    pub fn serve(&self) -> PathBuf {
        self.workspace.join(".flowctl").join("serve")
    }

    /// What workers share by content, when nobody says where.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.workspace.join("artifacts").join("objects")
    }

    /// The folder of cached outcomes.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.workspace.join("artifacts").join("cache")
    }

    /// The folder of a run, whether or not it is there.
    #[must_use]
    pub fn run(&self, id: &RunId) -> RunDir {
        RunDir {
            id: id.clone(),
            path: self.runs().join(id.as_str()),
        }
    }

    /// All runs that have a journal, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all_runs(&self) -> Result<Vec<RunDir>, Error> {
        let ids = self.run_ids()?.into_iter();
        let found = ids.filter_map(|id| Some((self.begun(&id)?, self.run(&id))));
        Ok(Self::newest_first(found.collect()))
    }

    /// The names of folders that runs may be in.
    pub(super) fn run_ids(&self) -> Result<Vec<RunId>, Error> {
        let dir = self.runs();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read the folder", &dir)(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("read the folder", &dir))?;
            let name = entry.file_name();
            ids.extend(name.to_str().and_then(|name| RunId::parse(name).ok()));
        }
        Ok(ids)
    }

    /// When a run began. The journal appears last and first: without it there is no run.
    pub(super) fn begun(&self, id: &RunId) -> Option<SystemTime> {
        let found = std::fs::metadata(self.run(id).journal()).ok()?;
        found.created().or_else(|_| found.modified()).ok()
    }

    /// Runs by when they began.
    pub(super) fn newest_first(mut runs: Vec<(SystemTime, RunDir)>) -> Vec<RunDir> {
        runs.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| right.id.cmp(&left.id)));
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// The run that a person means: an id, a unique beginning of one, or `latest`.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`] with what there is instead.
    pub fn find(&self, wanted: &str) -> Result<RunDir, Error> {
        if let Ok(id) = RunId::parse(wanted) {
            let run = self.run(&id);
            if run.journal().is_file() {
                return Ok(run);
            }
        }
        let all = self.all_runs()?;
        if all.is_empty() {
            return Err(Error::NoSuchRun(format!(
                "there is no run in `{}`; start one with `flowctl run FLOW`",
                self.runs().display()
            )));
        }
        if wanted == "latest" {
            return Ok(all[0].clone());
        }
        let matching: Vec<&RunDir> = all
            .iter()
            .filter(|run| run.id.as_str().starts_with(wanted))
            .collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let near =
                    crate::diagnostic::nearest(wanted, all.iter().map(|run| run.id.as_str()));
                let hint = near.map_or_else(
                    || "`flowctl runs` lists them".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                Err(Error::NoSuchRun(format!(
                    "there is no run `{wanted}`; {hint}"
                )))
            }
            many => {
                let names = crate::diagnostic::or_list(many.iter().map(|run| run.id.as_str()));
                Err(Error::NoSuchRun(format!(
                    "`{wanted}` could be {names}; give more of it"
                )))
            }
        }
    }
}

impl RunDir {
    /// The journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// The lock.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Staged files by content.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Decisions that were not folded in yet.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    /// A snapshot, by its digest.
    #[must_use]
    pub fn snapshot(&self, digest: crate::value::Digest) -> PathBuf {
        self.path
            .join(format!("snapshot-{}.json", &digest.hex()[..16]))
    }

    /// What was written of the run as evidence, and in which order.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence.jsonl")
    }

    /// Who was told of which pause and end.
    #[must_use]
    pub fn notified(&self) -> PathBuf {
        self.path.join("notified.jsonl")
    }

    /// Whether Restate has the run.
    #[must_use]
    pub fn away(&self) -> PathBuf {
        self.path.join("restate.json")
    }

    /// What nodes print, by node.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }
}
