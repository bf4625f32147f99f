//! Answering a gate, for every surface alike: what is asked of a run goes into its inbox, and only what
//! is in the journal is acknowledged.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::Driver;
use super::environment::Engine;
use super::error::Error;
use super::inbox::{Request, Verdict};
use super::observer::Observer;
use super::open::{OpenRun, Told};
use crate::id::NodePath;
use crate::run::{ApprovalDecided, Decision, Event, Payload};
use crate::store::{self, Inbox, RecordRef, RunDir, scan};
use crate::value::{Digest, Object};

/// How long the answer of a living driver is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it has come.
const POLL: Duration = Duration::from_millis(100);

/// What somebody says at a gate.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The gate.
    pub node: NodePath,
    /// Yes, no, or once more.
    pub decision: Decision,
    /// The digest that was looked at; what waits now when absent.
    pub digest: Option<Digest>,
    /// What they say.
    pub comment: Option<String>,
    /// What they filled in.
    pub form: Option<Object>,
    /// The node to which work is sent back.
    pub target: Option<NodePath>,
    /// Who.
    pub by: String,
    /// How the server that takes the answer knows who it is.
    pub via: Option<String>,
}

impl Answer {
    /// Whether there is anything to answer, or to be refused for a digest that was given.
    #[must_use]
    pub fn is_about_something(&self, run: &OpenRun) -> bool {
        self.digest.is_some() || self.waiting(run).is_some()
    }

    fn waiting(&self, run: &OpenRun) -> Option<Digest> {
        let id = run.state.find(&self.node)?;
        let request = run.state.instance(id).request.as_ref()?;
        Some(request.digest)
    }

    /// The decision as it is sent, not signed yet. Secrets of the run are taken out of what was said
    /// before anything is signed or written.
    #[must_use]
    pub fn decide(self, engine: &Engine, run: &OpenRun) -> ApprovalDecided {
        // Without a request the answer is refused when it is judged, with the reason.
        let digest = self.digest.or_else(|| self.waiting(run));
        let plan = &run.compiled.plan;
        ApprovalDecided {
            digest: digest.unwrap_or_else(|| Digest::of(b"")),
            node: self.node,
            id: new_id(),
            decision: self.decision,
            by: self.by,
            at: engine.now(),
            comment: self.comment.map(|said| engine.without_secrets(plan, &said)),
            form: self.form,
            target: self.target,
            via: self.via,
            identity: "unverified".to_owned(),
            signature: None,
        }
    }
}

/// The id of a new request.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Engine {
    /// Puts a request into a run's inbox, then folds it in under the run's lock, or waits for whoever
    /// holds it. With the lock comes the driver, for whoever wants to go on.
    ///
    /// # Errors
    /// A run that cannot be read; I/O. The request may then be in the inbox, and is judged by the
    /// next driver.
    pub async fn deliver(
        &self,
        dir: &RunDir,
        request: &Request,
        command: &str,
        observer: &mut dyn Observer,
    ) -> Result<(Verdict, Option<Driver>), Error> {
        if let Some(verdict) = self.deliver_away(dir, request).await? {
            return Ok((verdict, None));
        }
        Inbox::new(dir.inbox()).put(request.id(), request)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.take_up(dir, command) {
                Ok(mut driver) => {
                    let verdicts = driver.fold_inbox(observer).await?;
                    let own = verdicts
                        .into_iter()
                        .find(|(id, _)| id == request.id())
                        .map(|(_, verdict)| verdict);
                    // A driver that has just ended may have taken it before us.
                    let verdict = match own {
                        Some(verdict) => verdict,
                        None => Verdict::of(dir, request.id())?.unwrap_or(Verdict::Queued),
                    };
                    return Ok((verdict, Some(driver)));
                }
                Err(Error::Store(store::Error::Locked { .. })) => {
                    if let Some(verdict) = Verdict::of(dir, request.id())? {
                        return Ok((verdict, None));
                    }
                    if Instant::now() > deadline {
                        return Ok((Verdict::Queued, None));
                    }
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks something of a run that Restate has; nothing, of one that this machine has.
    #[cfg(not(feature = "restate"))]
    #[expect(
        clippy::unused_async,
        reason = "the feature's own waits for the server"
    )]
    pub(super) async fn deliver_away(
        &self,
        dir: &RunDir,
        _request: &Request,
    ) -> Result<Option<Verdict>, Error> {
        let Some(note) = super::away::Away::has(dir)? else {
            return Ok(None);
        };
        Err(Error::Away(format!(
            "Restate at {} has run `{}`, and this flowctl was built without the feature `restate`",
            note.ingress, dir.id
        )))
    }
}

impl Verdict {
    /// What the journal of a run says became of a request, by its id. Nothing is replayed for it.
    ///
    /// # Errors
    /// A journal that is damaged or cannot be read.
    pub fn of(run: &RunDir, id: &str) -> Result<Option<Self>, Error> {
        let mut told = Told::default();
        scan(&run.journal(), |record: RecordRef<'_>| {
            if matches!(
                record.event,
                "approval_decided" | "decision_refused" | "cancel_requested"
            ) && let Ok(Some(payload)) = Payload::parse(record.event, record.data)
            {
                told.add(&Event {
                    seq: record.seq,
                    ts: record.ts,
                    round: record.round,
                    payload,
                });
            }
            Ok::<(), store::Error>(())
        })?;
        Ok(told.verdict(id))
    }
}
