//! [`NodeHost`]: what one attempt may ask of the world.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::port::{Command, Completed, Failure, Host, Outcome};
use crate::run::StagedFile;
use crate::store::{Blobs, RunDir};
use crate::tool::{
    Cancel, LogFile, ProcessSpec, RUN_DIR, Redactor, Registry, run_dir_value, run_process,
};
use crate::value::Object;

/// The host of one attempt.
pub(super) struct NodeHost {
    pub(super) registry: Arc<Registry>,
    pub(super) blobs: Arc<Blobs>,
    /// Files of the nodes before this one.
    pub(super) staged: Vec<StagedFile>,
    /// Where private folders are made.
    pub(super) room: PathBuf,
    /// The run's folder.
    pub(super) run: PathBuf,
    pub(super) clock: fn() -> Timestamp,
    pub(super) variable: fn(&str) -> Option<String>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) cancel: Cancel,
    pub(super) log: Option<LogFile>,
    pub(super) redactor: Redactor,
    folders: Mutex<Folders>,
}

#[derive(Default)]
struct Folders {
    staged: Option<TempDir>,
    scratch: Vec<TempDir>,
}

impl NodeHost {
    #[expect(
        clippy::too_many_arguments,
        reason = "one place makes it, and names every part"
    )]
    pub(super) fn new(
        registry: Arc<Registry>,
        blobs: Arc<Blobs>,
        staged: Vec<StagedFile>,
        dir: &RunDir,
        clock: fn() -> Timestamp,
        variable: fn(&str) -> Option<String>,
        runtime: tokio::runtime::Handle,
        cancel: Cancel,
        log: Option<LogFile>,
        redactor: Redactor,
    ) -> Self {
        Self {
            registry,
            blobs,
            staged,
            room: dir.path.join("scratch"),
            run: dir.path.clone(),
            clock,
            variable,
            runtime,
            cancel,
            log,
            redactor,
            folders: Mutex::default(),
        }
    }

    fn folder(&self, prefix: &str) -> Result<TempDir, Failure> {
        std::fs::create_dir_all(&self.room)
            .and_then(|()| {
                tempfile::Builder::new()
                    .prefix(prefix)
                    .tempdir_in(&self.room)
            })
            .map_err(|error| {
                Failure::new(format!(
                    "cannot make a folder in `{}`: {error}",
                    self.room.display()
                ))
            })
    }

    /// The files of the nodes before this one, as a private read-only folder.
    pub(super) fn staged(&self) -> Result<PathBuf, Failure> {
        let mut folders = self.folders.lock().expect("no holder panics");
        if folders.staged.is_none() {
            let dir = self.folder("staged-")?;
            self.lay_out(dir.path())?;
            folders.staged = Some(dir);
        }
        Ok(folders
            .staged
            .as_ref()
            .expect("it was just made")
            .path()
            .to_owned())
    }

    fn content(&self, file: &StagedFile) -> Result<Vec<u8>, Failure> {
        let content = self.blobs.get(file.sha256);
        content.map_err(|error| Failure::new(error.to_string()))
    }

    fn lay_out(&self, dir: &Path) -> Result<(), Failure> {
        for file in &self.staged {
            let bytes = self.content(file)?;
            let path = dir.join(&file.path);
            let written = path
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, bytes))
                .and_then(|()| {
                    let mut permissions = std::fs::metadata(&path)?.permissions();
                    permissions.set_readonly(true);
                    std::fs::set_permissions(&path, permissions)
                });
            written.map_err(|error| {
                Failure::new(format!("cannot lay `{}` out: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}

impl Host for NodeHost {
    fn render(&self, skill: &str, inputs: &Object) -> Result<Outcome, Failure> {
        self.registry.render(skill, inputs)
    }

    fn staged_paths(&self) -> Result<Vec<String>, Failure> {
        Ok(self.staged.iter().map(|file| file.path.clone()).collect())
    }

    fn staged_file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        // As in a folder that they are laid out in, the last of a path counts.
        let file = self.staged.iter().rev().find(|file| file.path == path);
        file.map(|file| self.content(file)).transpose()
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        let dir = self.folder("scratch-")?;
        let path = dir.path().to_owned();
        self.folders
            .lock()
            .expect("no holder panics")
            .scratch
            .push(dir);
        Ok(path)
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        let spec = ProcessSpec {
            argv: command.argv.clone(),
            cwd: command.cwd.clone(),
            env: command
                .env
                .iter()
                .cloned()
                .chain([(RUN_DIR.to_owned(), run_dir_value(&self.run))])
                .collect(),
            stdin: Vec::new(),
            timeout: Some(command.timeout.max(Duration::from_millis(1))),
            log: self.log.clone(),
            redactor: self.redactor.clone(),
        };
        let program = command.argv.first().cloned().unwrap_or_default();
        let finished = self
            .runtime
            .block_on(run_process(&spec, self.cancel.clone()))
            .map_err(|error| Failure::new(format!("cannot start `{program}`: {error}")))?;
        if finished.cancelled {
            return Err(Failure::new("the run is being stopped"));
        }
        Ok(Completed {
            exit_code: finished.exit_code,
            stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
            timed_out: finished.timed_out,
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn now(&self) -> String {
        let now = (self.clock)();
        Timestamp::from_second(now.as_second())
            .unwrap_or(now)
            .to_string()
    }
}
