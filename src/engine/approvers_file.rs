//! [`ApproversFile`] and [`ApproversDraft`]: `approvers.yaml` on disk, read, and changed in one place.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::approvers::Approvers;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::store::{self, Layout, RunLock};
use crate::yaml::{Change, edit};

/// The largest file of approvers: thousands of them.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where it says who may approve.
#[derive(Clone, Debug)]
pub struct ApproversFile {
    path: PathBuf,
    lock: PathBuf,
}

/// Why the file cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ApproversError {
    /// There is none.
    #[error("there is no `{0}`")]
    Missing(String),
    /// It is wrong, or would be.
    #[error("the approvers are invalid")]
    Invalid(Diagnostics),
    /// It is written in a way that cannot be changed without touching anything else.
    #[error("`{0}` is written in a way that flowctl cannot change in one place alone")]
    Unusual(String),
    /// Somebody else has changed it at the same moment.
    #[error("`{0}` was changed by somebody else at the same moment; nothing was written")]
    Overtaken(String),
    /// The file system said no.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl ApproversFile {
    /// The one of a workspace.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        Self::at(layout, layout.approvers())
    }

    /// One that lies elsewhere.
    #[must_use]
    pub fn at(layout: &Layout, path: PathBuf) -> Self {
        Self {
            path,
            lock: layout.serve().join("approvers.lock"),
        }
    }

    /// Its path, as people write it.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown = self.path.display().to_string();
        shown
            .strip_prefix("./")
            .map_or(shown.clone(), str::to_owned)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, and gives it with the warnings; `None` when there is none.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self) -> Result<Option<(Approvers, Diagnostics)>, Diagnostics> {
        match self.source()? {
            None => Ok(None),
            Some((source, warnings)) => {
                let (approvers, more) = Approvers::decode(&source)?;
                let mut all = warnings;
                all.extend(more);
                Ok(Some((approvers, all)))
            }
        }
    }

    fn source(&self) -> Result<Option<(Arc<Source>, Diagnostics)>, Diagnostics> {
        use std::io::Read as _;
        let nothing = || Arc::new(Source::new(self.shown(), ""));
        let problem =
            |code, message: String| Diagnostic::error(code, message, &nothing(), Span::default());
        let cannot = |error: std::io::Error| {
            Diagnostics::from(
                problem(
                    Code::FileUnreadable,
                    format!("cannot read the approvers: {error}"),
                )
                .help("give a file that is there and that you may read"),
            )
        };
        let file = match store::open_regular(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(error)),
        };
        let found = file.metadata().map_err(cannot)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
        if bytes.len() as u64 > MAX_BYTES {
            let message = format!("the file has more than {MAX_BYTES} bytes");
            return Err(problem(Code::FileTooLarge, message)
                .help("is it a file of approvers?")
                .into());
        }
        let mut warnings = Diagnostics::default();
        if found.mode() & 0o002 != 0 {
            warnings.push(
                Diagnostic::warning(
                    Code::ExposedApprovers,
                    "everybody on this machine may write the file, and so say who may approve",
                    &nothing(),
                    Span::default(),
                )
                .help(format!("take the right away: `chmod o-w {}`", self.shown())),
            );
        }
        let source = crate::yaml::decode(&self.shown(), bytes)?;
        Ok(Some((source, warnings)))
    }

    /// Opens it to be changed; nobody else changes it meanwhile. `waiting` is called once when somebody
    /// has to be waited for.
    ///
    /// # Errors
    /// When it is not there, wrong, or cannot be locked.
    pub fn draft(&self, waiting: impl FnOnce()) -> Result<ApproversDraft, ApproversError> {
        if let Some(dir) = self.lock.parent() {
            super::private::folder(dir)?;
        }
        let lock = RunLock::wait(&self.lock, waiting)?;
        let (source, _) = self
            .source()
            .map_err(ApproversError::Invalid)?
            .ok_or_else(|| ApproversError::Missing(self.shown()))?;
        let (approvers, _) = Approvers::decode(&source).map_err(ApproversError::Invalid)?;
        Ok(ApproversDraft {
            file: self.clone(),
            text: source.text.clone(),
            before: source,
            approvers,
            _lock: lock,
        })
    }
}

/// The file while it is changed.
#[derive(Debug)]
pub struct ApproversDraft {
    file: ApproversFile,
    before: Arc<Source>,
    text: String,
    approvers: Approvers,
    _lock: RunLock,
}

impl ApproversDraft {
    /// What it says by now.
    #[must_use]
    pub fn approvers(&self) -> &Approvers {
        &self.approvers
    }

    /// Changes one place; comments and everything else stay as they are.
    ///
    /// # Errors
    /// When the file would be wrong, and when it is written in an unusual way.
    pub fn change(&mut self, path: &[&str], change: Change<'_>) -> Result<(), ApproversError> {
        self.change_all(&[(path.to_vec(), change)])
    }

    /// Changes several places; the file must be right when all of them are changed.
    ///
    /// # Errors
    /// As [`Self::change`]; nothing is changed then.
    pub fn change_all(
        &mut self,
        changes: &[(Vec<&str>, Change<'_>)],
    ) -> Result<(), ApproversError> {
        let mut text = self.text.clone();
        for (path, change) in changes {
            text = edit(&text, path, *change)
                .ok_or_else(|| ApproversError::Unusual(self.file.shown()))?;
        }
        let source = Arc::new(Source::new(
            format!("{} as it would be", self.file.shown()),
            text,
        ));
        let (approvers, _) = Approvers::decode(&source).map_err(ApproversError::Invalid)?;
        self.text.clone_from(&source.text);
        self.approvers = approvers;
        Ok(())
    }

    /// Writes it; whole, or not at all.
    ///
    /// # Errors
    /// When an editor was faster, or the file system says no.
    pub fn save(self) -> Result<(), ApproversError> {
        // Editors know nothing of our lock.
        let now = std::fs::read(&self.file.path).unwrap_or_default();
        if now != self.before.text.as_bytes() {
            return Err(ApproversError::Overtaken(self.file.shown()));
        }
        store::replace_alike(&self.file.path, self.text.as_bytes())?;
        Ok(())
    }
}
