//! One attempt of a node: runs beside the driver and reports back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::cache::{Cached, is_clean};
use super::command::run_command;
use super::compiled::OutputSchemas;
use super::crew::Job;
use super::host::NodeHost;
use super::kept::place;
use super::target::{base_digest, check_target};
use crate::flow::ProcessOutput;
use crate::plan::ToolInfo;
use crate::port::{Call, Failure, FailureKind, File, Outcome};
use crate::run::{External, InstanceId, StagedFile};
use crate::store::Blobs;
use crate::tool::{Asked, Cancel, ProcessSpec, Redactor, Registry};
use crate::value::{Digest, Object, Value};

/// What an attempt came to.
pub(super) struct Report {
    pub(super) id: InstanceId,
    pub(super) attempt: u32,
    pub(super) result: Result<Success, Failure>,
    /// Whether it was stopped rather than ended.
    pub(super) stopped: bool,
}

/// A success, with everything that the journal will say.
pub(super) struct Success {
    pub(super) output: Arc<Value>,
    /// Bytes of the output as JSON.
    pub(super) size: usize,
    pub(super) external: Option<External>,
    pub(super) raw: Box<RawValue>,
    pub(super) digest: Digest,
    pub(super) files: Arc<[StagedFile]>,
    pub(super) evidence: Arc<[StagedFile]>,
    pub(super) subject: Option<String>,
    pub(super) about: Option<Value>,
    /// The entry of the cache that it came from.
    pub(super) cached: Option<Digest>,
}

/// What an attempt runs.
pub(super) enum Work {
    /// The driver does it at once.
    Light(Box<LightCall>),
    Beside(Beside),
}

impl Work {
    /// The inputs of a tool that is called with them as they are.
    pub(super) fn inputs(&mut self) -> Option<&mut Object> {
        match self {
            Self::Light(call) => Some(&mut call.inputs),
            Self::Beside(Beside::Tool(call)) => Some(&mut call.inputs),
            Self::Beside(_) => None,
        }
    }
}

/// What runs beside the driver.
pub(super) enum Beside {
    Tool(Box<ToolCall>),
    /// Waited for: something outside of this process answers.
    Remote(Box<RemoteCall>),
    Process {
        spec: Box<ProcessSpec>,
        /// Lays out the staged files of the nodes before it, if there are any.
        host: Option<Box<NodeHost>>,
        output: ProcessOutput,
    },
}

/// A call of a persona or skill, with everything that it needs.
pub(super) struct ToolCall {
    pub(super) tool: Box<ToolInfo>,
    pub(super) inputs: Object,
    pub(super) approval: Option<Value>,
    pub(super) key: String,
    pub(super) host: NodeHost,
    pub(super) schemas: Arc<OutputSchemas>,
    /// Where the outcome is kept for other runs.
    pub(super) cached: Option<Cached>,
}

/// A call that is waited for.
pub(super) struct RemoteCall {
    pub(super) tool: Box<ToolInfo>,
    pub(super) asked: Asked,
    /// Called first; its outcome is asked about.
    pub(super) draft: Option<Box<ToolCall>>,
    pub(super) registry: Arc<Registry>,
    pub(super) schemas: Arc<OutputSchemas>,
    /// Where the outcome is kept for other runs.
    pub(super) cached: Option<Cached>,
}

/// A call of a skill that is no more work than resolving its inputs was: a few templates without
/// loops over small inputs, and no file. A thread would cost more than it.
pub(super) struct LightCall {
    pub(super) tool: Box<ToolInfo>,
    pub(super) inputs: Object,
}

/// When an attempt must have ended.
#[derive(Clone, Copy)]
struct Deadline {
    limit: Duration,
    at: tokio::time::Instant,
}

impl Deadline {
    fn of(limit: Duration) -> Option<Self> {
        // One that no clock reaches is none.
        let at = tokio::time::Instant::now().checked_add(limit)?;
        Some(Self { limit, at })
    }
}

/// What work came to, unless the time is up before.
async fn within<T>(
    deadline: Option<Deadline>,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    match deadline {
        Some(Deadline { limit, at }) => tokio::time::timeout_at(at, work)
            .await
            .map_err(|_| timed_out(limit)),
        None => Ok(work.await),
    }
}

impl ToolCall {
    /// What it gives, of which nothing is kept yet.
    fn draft(&self, redactor: &Redactor) -> Result<Outcome, Failure> {
        let call = Call {
            inputs: &self.inputs,
            approval: self.approval.as_ref(),
            idempotency_key: &self.key,
        };
        let outcome = self
            .host
            .registry
            .call(&self.tool.name, &call, &self.host)?;
        let outcome = without_secrets(outcome, redactor)?;
        check(&self.schemas, &self.tool, &outcome)?;
        Ok(outcome)
    }

    fn call(
        &self,
        redactor: &Redactor,
        blobs: &Blobs,
        workspace: &std::path::Path,
    ) -> Result<Success, Failure> {
        let call = Call {
            inputs: &self.inputs,
            approval: self.approval.as_ref(),
            idempotency_key: &self.key,
        };
        let cached = self.cached.as_ref();
        let found = cached.and_then(Cached::load);
        let hit = found.as_ref().and(cached).map(|cached| cached.key);
        let outcome = if let Some(found) = found {
            found
        } else {
            let registry = &self.host.registry;
            registry.call(&self.tool.name, &call, &self.host)?
        };
        let clean = cached.is_some() && is_clean(&outcome, redactor);
        let outcome = without_secrets(outcome, redactor)?;
        check(&self.schemas, &self.tool, &outcome)?;
        if let Some(cached) = cached.filter(|_| hit.is_none() && clean) {
            cached.keep(&outcome);
        }
        let success = stage(outcome, blobs, workspace)?;
        Ok(Success {
            cached: hit,
            ..success
        })
    }
}

fn check(schemas: &OutputSchemas, tool: &ToolInfo, outcome: &Outcome) -> Result<(), Failure> {
    match schemas.check(tool, &outcome.output) {
        None => Ok(()),
        Some((port, violation)) => Err(Failure::new(format!(
            "`{port}` of its output breaks its contract: {violation}"
        ))
        .help("this is a mistake in the tool, not in the flow")),
    }
}

/// Of values and 16-byte pieces of text: some 20 µs of work.
const LARGEST_SMALL: usize = 256;

/// Whether values are so small that going through them takes no time worth a thread. Looks at no
/// more of them than that.
pub(super) fn is_small<'a>(values: impl Iterator<Item = &'a Value>) -> bool {
    fn take(value: &Value, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        match value {
            Value::String(text) => left.checked_sub(text.len() / 16),
            Value::Array(items) => items.iter().try_fold(left, |left, item| take(item, left)),
            Value::Object(entries) => entries
                .iter()
                .try_fold(left, |left, (_, value)| take(value, left)),
            _ => Some(left),
        }
    }
    let mut values = values;
    values
        .try_fold(LARGEST_SMALL, |left, value| take(value, left))
        .is_some()
}

fn panicked(why: &str) -> Failure {
    Failure::new(format!("the tool panicked: {why}"))
        .help("please report this, with the run's folder")
}

/// Carries light work out right here; everything else goes through [`run`].
pub(super) fn at_once(
    call: &LightCall,
    registry: &Registry,
    schemas: &OutputSchemas,
    redactor: &Redactor,
    blobs: &Blobs,
) -> Result<Success, Failure> {
    let called = std::panic::AssertUnwindSafe(|| {
        let outcome = registry.call_light(&call.tool.name, &call.inputs)?;
        let outcome = without_secrets(outcome, redactor)?;
        check(schemas, &call.tool, &outcome)?;
        finish_value(outcome.output, blobs)
    });
    std::panic::catch_unwind(called)
        .unwrap_or_else(|_| Err(panicked("see what it printed")))
        .map_err(|failure| redacted(failure, redactor))
}

/// An attempt that is to begin.
pub(super) struct Attempt {
    pub(super) id: InstanceId,
    pub(super) attempt: u32,
    pub(super) work: Beside,
    pub(super) redactor: Redactor,
    pub(super) timeout: Option<Duration>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) workspace: PathBuf,
    pub(super) cancel: Cancel,
}

impl Attempt {
    /// Begins it beside the driver, which will be told how it ended; or gives what a thread is to do for it.
    /// When the driver has stopped, nobody listens, and nothing is lost.
    pub(super) fn begin(self, reports: mpsc::UnboundedSender<Report>) -> Option<Job> {
        match self.work {
            // Nobody waits for a tool but the driver: no task has to pass on what the tool's thread says.
            Beside::Tool(tool) if self.timeout.is_none() => {
                let Self { id, attempt, .. } = self;
                Some(Box::new(move || {
                    let called = std::panic::AssertUnwindSafe(|| {
                        tool.call(&self.redactor, &self.blobs, &self.workspace)
                    });
                    let result = std::panic::catch_unwind(called)
                        .unwrap_or_else(|_| Err(panicked("see what it printed")))
                        .map_err(|failure| redacted(failure, &self.redactor));
                    let stopped = *self.cancel.borrow() && result.is_err();
                    let report = Report {
                        id,
                        attempt,
                        result,
                        stopped,
                    };
                    reports.send(report).ok();
                }))
            }
            _ => {
                tokio::spawn(async move {
                    reports.send(self.run().await).ok();
                });
                None
            }
        }
    }

    /// Runs it to its end.
    pub(super) async fn run(self) -> Report {
        let Self {
            id,
            attempt,
            work,
            redactor,
            timeout,
            blobs,
            workspace,
            cancel,
        } = self;
        let (result, stopped) = match work {
            Beside::Process { spec, host, output } => {
                run_command(spec, host, output, timeout, cancel, &blobs).await
            }
            Beside::Remote(remote) => {
                let RemoteCall {
                    tool,
                    mut asked,
                    draft,
                    registry,
                    schemas,
                    cached,
                } = *remote;
                let cached = cached.as_ref();
                let found = cached.and_then(Cached::load);
                let hit = found.as_ref().and(cached).map(|cached| cached.key);
                let deadline = timeout.and_then(Deadline::of);
                let drafted = match draft.filter(|_| found.is_none()) {
                    Some(draft) => drafted(draft, &redactor, deadline).await.map(Some),
                    None => Ok(None),
                };
                let answer = match (found, drafted) {
                    (Some(found), _) => (Ok(found), false),
                    (None, Ok(draft)) => {
                        asked.draft = draft;
                        ask(&registry, &tool, asked, deadline, cancel).await
                    }
                    (None, Err(failure)) => (Err(failure), *cancel.borrow()),
                };
                let result = answer.0.and_then(|outcome| {
                    let clean = cached.is_some() && is_clean(&outcome, &redactor);
                    let outcome = without_secrets(outcome, &redactor)?;
                    check(&schemas, &tool, &outcome)?;
                    if let Some(cached) = cached.filter(|_| hit.is_none() && clean) {
                        cached.keep(&outcome);
                    }
                    let success = stage(outcome, &blobs, &workspace)?;
                    Ok(Success {
                        cached: hit,
                        ..success
                    })
                });
                (result, answer.1)
            }
            Beside::Tool(tool) => {
                let stop = cancel.clone();
                let hidden = redactor.clone();
                let task =
                    tokio::task::spawn_blocking(move || tool.call(&hidden, &blobs, &workspace));
                let joined = match within(timeout.and_then(Deadline::of), task).await {
                    Ok(joined) => joined,
                    Err(failure) => {
                        return Report {
                            id,
                            attempt,
                            result: Err(failure),
                            stopped: false,
                        };
                    }
                };
                let result = joined.unwrap_or_else(|error| Err(panicked(&error.to_string())));
                let stopping = *stop.borrow();
                let stopped = stopping && result.is_err();
                (result, stopped)
            }
        };
        let result = result.map_err(|failure| redacted(failure, &redactor));
        Report {
            id,
            attempt,
            result,
            stopped,
        }
    }
}

/// Lets a tool give its draft.
async fn drafted(
    call: Box<ToolCall>,
    redactor: &Redactor,
    deadline: Option<Deadline>,
) -> Result<Outcome, Failure> {
    let redactor = redactor.clone();
    let task = tokio::task::spawn_blocking(move || call.draft(&redactor));
    let joined = within(deadline, task).await?;
    joined.unwrap_or_else(|error| Err(panicked(&error.to_string())))
}

/// Waits for an answer, for the time that there is, and no longer than until the run is to stop.
/// Whoever is asked learns by the end of the waiting that nobody waits any more.
async fn ask(
    registry: &Registry,
    tool: &ToolInfo,
    asked: Asked,
    deadline: Option<Deadline>,
    mut cancel: Cancel,
) -> (Result<Outcome, Failure>, bool) {
    let answer = registry.ask(&tool.name, asked);
    let limited = async { within(deadline, answer).await.and_then(|answer| answer) };
    tokio::select! {
        answer = limited => (answer, false),
        // A sender that is gone wants nothing any more.
        Ok(_) = cancel.wait_for(|stop| *stop) => (Err(Failure::new("it was stopped")), true),
    }
}

/// A failure that names no secret.
pub(super) fn redacted(failure: Failure, redactor: &Redactor) -> Failure {
    Failure {
        message: redactor.text(&failure.message),
        help: failure.help.map(|help| redactor.text(&help)),
        findings: failure
            .findings
            .map(|found| Box::new(redactor.value(*found))),
        kind: failure.kind,
    }
}

/// An outcome that holds no secret: all of it is written down. A file with a secret in it is
/// refused: it would be useless with the secret taken out, and a leak with it.
fn without_secrets(mut outcome: Outcome, redactor: &Redactor) -> Result<Outcome, Failure> {
    if redactor.is_empty() {
        return Ok(outcome);
    }
    outcome.output = redactor.value(outcome.output);
    outcome.about = outcome.about.map(|about| redactor.value(about));
    outcome.subject = outcome.subject.map(|subject| redactor.text(&subject));
    for file in outcome.files.iter().chain(&outcome.evidence) {
        if redactor.finds(file.path.as_bytes()) || redactor.finds(&file.content) {
            return Err(Failure::new(format!(
                "its file `{}` holds a secret, and files are kept and published",
                file.path
            ))
            .help("let the file name the place where the secret is kept, a variable or a vault, instead of the secret"));
        }
    }
    Ok(outcome)
}

pub(super) fn timed_out(limit: Duration) -> Failure {
    Failure {
        kind: FailureKind::Timeout,
        message: format!(
            "it took longer than its timeout of {}",
            crate::flow::show_duration(limit)
        ),
        help: Some("give the node a longer `timeout`, or a `retry`".to_owned()),
        findings: None,
    }
}

pub(super) fn finish_value(output: Value, blobs: &Blobs) -> Result<Success, Failure> {
    let raw = serde_json::value::to_raw_value(&output)
        .map_err(|error| Failure::new(error.to_string()))?;
    let digest = Digest::of_value(&output);
    let size = raw.get().len();
    let (external, raw) = place(raw, blobs)
        .map_err(|error| Failure::new(format!("its output cannot be kept: {error}")))?;
    Ok(Success {
        output: Arc::new(output),
        size,
        external,
        raw,
        digest,
        files: Arc::default(),
        evidence: Arc::default(),
        subject: None,
        about: None,
        cached: None,
    })
}

/// Keeps an outcome's files; what cannot be published later is refused now.
fn stage(outcome: Outcome, blobs: &Blobs, workspace: &std::path::Path) -> Result<Success, Failure> {
    let keep = |files: Vec<File>, for_workspace: bool| -> Result<Arc<[StagedFile]>, Failure> {
        let mut staged = Vec::with_capacity(files.len());
        for file in files {
            check_target(&file.path, for_workspace).map_err(|reason| {
                Failure::new(format!("`{}` cannot be written: {reason}", file.path))
            })?;
            let base = if for_workspace {
                base_digest(workspace, &file.path).map_err(|reason| {
                    Failure::new(format!("`{}` cannot be written: {reason}", file.path))
                })?
            } else {
                None
            };
            let sha256 = blobs
                .put(&file.content)
                .map_err(|error| Failure::new(error.to_string()))?;
            staged.push(StagedFile {
                path: file.path,
                sha256,
                bytes: file.content.len() as u64,
                base,
            });
        }
        Ok(staged.into())
    };
    let files = keep(outcome.files, true)?;
    let evidence = keep(outcome.evidence, false)?;
    Ok(Success {
        files,
        evidence,
        subject: outcome.subject,
        about: outcome.about,
        ..finish_value(outcome.output, blobs)?
    })
}
