//! [`Fleet::start`]: begins a run of a flow of the workspace.

use std::path::{Component, Path, PathBuf};

use super::Fleet;
use super::table::Errand;
use crate::engine::{Engine, Error};
use crate::id::RunId;
use crate::value::Object;

/// Folders of the workspace in which no flow is looked for.
const CLOSED: [&str; 3] = ["artifacts", ".git", ".flowctl"];

/// A run to begin.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The flow file, relative to the workspace.
    pub flow: String,
    /// What it takes.
    pub inputs: Object,
    /// Its id; a new one when none is given.
    pub id: Option<RunId>,
    /// Who begins it.
    pub by: String,
}

impl Fleet {
    /// Begins a run: it is on disk when this returns. It goes on at once when there is a place for it,
    /// and else when it is its turn. Reads and compiles the flow, so not for an asynchronous task.
    ///
    /// # Errors
    /// A flow that is not below the workspace, is not there or is invalid; wrong inputs; I/O.
    pub fn start(&self, begin: &Begin) -> Result<RunId, Error> {
        let inner = &self.0;
        let mut engine = inner.engine.clone();
        engine.who.user.clone_from(&begin.by);
        let flow = engine.flow_below(&begin.flow)?;
        let (compiled, _) = engine.compile(&flow).map_err(Error::Invalid)?;
        let driver = engine.start(compiled, &begin.inputs, begin.id.clone())?;
        let run = driver.dir().id.clone();
        let mut table = inner.table();
        let free = table.active < inner.limits.runs.max(1) && table.queue.is_empty();
        if free && !table.stopping {
            inner.hand_over(&mut table, &run, Errand::GoOn, true, Some(driver));
        } else {
            drop(table);
            driver.close()?;
            let now = inner.engine.now();
            inner.table().enqueue(&run, Errand::GoOn, now);
            inner.wake.notify_one();
        }
        Ok(run)
    }
}

impl Engine {
    /// The path of a flow file that lies below the workspace, links resolved, and not among what runs
    /// and versions are kept in.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason.
    pub fn flow_below(&self, given: &str) -> Result<String, Error> {
        let refused = |why: &str| Error::Refused(format!("the flow `{given}` {why}"));
        let relative = Path::new(given);
        let plain = !given.is_empty()
            && relative
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain || given.contains('\0') {
            return Err(refused(
                "is no path below the workspace; write it like `flows/NAME.yaml`",
            ));
        }
        let workspace = self.layout.workspace();
        let named = workspace.join(relative);
        let file = if named.is_dir() {
            named.join("flow.dag.yaml")
        } else {
            named
        };
        let root = workspace
            .canonicalize()
            .map_err(|error| refused(&format!("cannot be looked for: {error}")))?;
        let real = file.canonicalize().map_err(|_| refused("is not there"))?;
        let Ok(within) = real.strip_prefix(&root) else {
            return Err(refused("leads out of the workspace"));
        };
        let first = within.components().next();
        let first = first.map(|part| part.as_os_str().to_string_lossy().into_owned());
        let extension = within.extension().and_then(std::ffi::OsStr::to_str);
        if first.is_some_and(|first| CLOSED.contains(&first.as_str()))
            || !matches!(extension, Some("yaml" | "yml"))
            || !real.is_file()
        {
            return Err(refused("is no flow file; its name ends with `.yaml`"));
        }
        let from_here: PathBuf = if workspace == Path::new(".") {
            within.to_owned()
        } else {
            workspace.join(within)
        };
        Ok(from_here.to_string_lossy().into_owned())
    }
}
