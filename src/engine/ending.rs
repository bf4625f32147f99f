//! Where a driver stops: pausing, publishing, and closing the evidence.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::driver::Driver;
use super::error::Error;
use super::ground::Ground;
use super::kept::place;
use super::observer::Observer;
use super::publish::{self, Conflict, manifest};
use crate::evidence::{self, Sealed, Writing};
use crate::expr::{EvalError, Secrets};
use crate::id::{NodePath, RunId};
use crate::python_value::Tagged;
use crate::run::{
    PublishStarted, RunFailed, RunPaused, RunSealed, RunStarted, RunState, RunSucceeded, StagedFile,
};
use crate::store::Blobs;
use crate::value::{Object, Value};

impl Driver {
    pub(super) async fn pause(
        &mut self,
        ground: &mut impl Ground,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let waiting = self
            .state
            .waiting()
            .map(|id| self.state.instance(id).path.clone())
            .collect();
        self.emit(RunPaused { waiting }, true, observer)?;
        self.journal.sync().await?;
        self.written(ground, None).await?;
        Ok(())
    }

    /// Writes what is new in the journal to the evidence; `close` closes the bundle.
    pub(super) async fn written(
        &mut self,
        ground: &mut impl Ground,
        close: Option<(String, String)>,
    ) -> Result<Option<Sealed>, Error> {
        let step = ground.step("write the evidence", self.projection(close));
        step.await
    }

    /// The same, as something to be done at once or elsewhere.
    pub(super) fn projection(
        &self,
        close: Option<(String, String)>,
    ) -> impl FnOnce() -> Result<Option<Sealed>, Error> + Send + use<> {
        let all = self.state.walk(&self.plan).into_iter();
        let evidence = all.filter(|id| self.state.node(&self.plan, *id).evidence);
        let paths: HashSet<NodePath> = evidence
            .map(|id| self.state.instance(id).path.clone())
            .collect();
        let (engine, dir) = (self.engine.clone(), self.dir.clone());
        move || {
            Ok(evidence::write(Writing {
                layout: &engine.layout,
                run: &dir,
                wanted: &|path| paths.contains(path),
                close,
                signer: engine.signer.as_deref(),
            })?)
        }
    }

    pub(super) async fn publish<G: Ground>(
        &mut self,
        ground: &mut G,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let outputs: Result<Object, EvalError> = {
            let scope = self.scope(None, None, Secrets::Name);
            self.plan
                .root()
                .outputs
                .iter()
                .map(|(name, output)| Ok((name.clone(), given(name, output.eval(&scope)?)?)))
                .collect()
        };
        let failed = |message: String, help: Option<String>| RunFailed {
            node: None,
            message,
            help,
        };
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(error) => {
                if let Some(broken) = self.values.borrow_mut().broken.take() {
                    return Err(broken);
                }
                self.emit(
                    failed(format!("the flow's outputs have no value: {error}"), None),
                    true,
                    observer,
                )?;
                return Ok(());
            }
        };
        let all = self.state.walk(&self.plan);
        let (files, not_reviewed) = match manifest(&self.plan, &self.state, all.iter().copied()) {
            Ok(found) => self.reviewed(found.into_values().map(|(file, _)| file).collect()),
            Err(conflict) => {
                self.emit(
                    failed(conflict.message, Some(conflict.help)),
                    true,
                    observer,
                )?;
                return Ok(());
            }
        };
        // With nothing to publish there is only the end to wait for, which says all of it.
        if !files.is_empty() {
            self.journal.sync().await?;
        }
        let put = Put {
            workspace: self.engine.layout.workspace().to_owned(),
            run: self.dir.id.clone(),
            files: files.clone(),
            blobs: Arc::clone(&self.blobs),
            tidy: self.cut_off || G::REPEATS,
        };
        let looking = put.clone();
        let step = ground.step("look where files are to be put", move || Ok(looking.look()));
        let mut result = step.await?;
        if result.is_ok() && !files.is_empty() {
            let started = PublishStarted {
                files,
                not_reviewed,
            };
            self.emit(started, true, observer)?;
            self.journal.sync().await?;
            let step = ground.step("put the files into the workspace", move || Ok(put.write()));
            result = step.await?;
        }
        match result {
            Ok(()) => {
                let raw = serde_json::value::to_raw_value(&outputs).expect("JSON becomes JSON");
                let (external, _) = place(raw, &self.blobs)?;
                let outputs = if external.is_some() {
                    Object::new()
                } else {
                    outputs
                };
                self.emit(RunSucceeded { external, outputs }, true, observer)?
            }
            Err(conflict) => self.emit(
                failed(conflict.message, Some(conflict.help)),
                true,
                observer,
            )?,
        };
        self.journal.sync().await?;
        Ok(())
    }

    /// Gives every file the base that an approver saw, and names those that none saw.
    pub(super) fn reviewed(&self, files: Vec<StagedFile>) -> (Vec<StagedFile>, Vec<String>) {
        let mut not_reviewed = Vec::new();
        let approved: Vec<_> = self
            .state
            .walk(&self.plan)
            .into_iter()
            .map(|id| self.state.instance(id))
            .filter(|instance| instance.approved())
            .collect();
        let files = files
            .into_iter()
            .map(|file| {
                let mut seen = approved.iter().filter_map(|instance| {
                    let request = instance.request.as_ref()?;
                    request
                        .files
                        .iter()
                        .find(|shown| shown.path == file.path && shown.sha256 == file.sha256)
                });
                if let Some(shown) = seen.next_back() {
                    StagedFile {
                        base: shown.base,
                        ..file
                    }
                } else {
                    not_reviewed.push(file.path.clone());
                    file
                }
            })
            .collect();
        (files, not_reviewed)
    }

    pub(super) async fn seal(
        &mut self,
        ground: &mut impl Ground,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        self.journal.sync().await?;
        let subject = subject(&self.state, &self.started);
        let graph = self.plan.show(crate::plan::Format::Mermaid);
        let sealed = self.written(ground, Some((subject, graph))).await?;
        let sealed = sealed.ok_or(Error::Stuck)?;
        self.emit(
            RunSealed {
                bundle: sealed.path,
                manifest: sealed.manifest,
            },
            true,
            observer,
        )?;
        self.journal.sync().await?;
        Ok(())
    }
}

/// Files on their way into the workspace.
#[derive(Clone)]
struct Put {
    workspace: PathBuf,
    run: RunId,
    files: Vec<StagedFile>,
    blobs: Arc<Blobs>,
    /// Whether somebody may have been cut off doing it.
    tidy: bool,
}

impl Put {
    fn look(&self) -> Result<(), Conflict> {
        if self.tidy {
            publish::tidy(&self.workspace, &self.run, &self.files)?;
        }
        publish::check(&self.workspace, &self.files, &self.blobs)
    }

    fn write(&self) -> Result<(), Conflict> {
        publish::write(&self.workspace, &self.run, &self.files, &self.blobs)
    }
}

/// What a run is about: what a node says, else its flow.
pub(super) fn subject(state: &RunState, started: &RunStarted) -> String {
    state.subject().map_or_else(
        || crate::slug::Slug::of(&started.flow).to_string(),
        str::to_owned,
    )
}

/// An output of a flow. One that lives in a Python process only cannot be given to anybody.
pub(super) fn given(name: &str, value: Value) -> Result<Value, EvalError> {
    let Some(class) = Tagged::object_in(&value) else {
        return Ok(value);
    };
    Err(EvalError::Missing {
        head: name.to_owned(),
        message: format!(
            "it is, or holds, a Python object of the class `{class}`, which has no JSON form; return what `json.dumps` takes"
        ),
    })
}
