//! [`Fleet`]: drives many runs in one process.
//!
//! Each run under way has a thread of its own, as it has a process of its own on the command line: a
//! driver computes, reads journals and syncs between its steps, and must hold nobody else up; what it
//! starts runs on the shared runtime. A run that waits for people has no thread, no lock and nothing in
//! memory but its entry: its inbox is looked at now and then, and its deadline is kept by a timer.
//!
//! A fleet takes up by itself what is not at its end and what nobody else drives. It decides nothing
//! about a run that its journal does not say.

mod follow;
mod look;
mod slots;
mod start;
mod supervise;
mod table;
mod work;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::time::Instant;

use super::environment::Engine;
use super::error::Error;
use super::inbox::{Request, Verdict};
use super::overview::Overview;
use crate::id::RunId;
use crate::store::{self, Inbox, RunDir, RunIndex};
use slots::Slots;
use table::{Errand, Table};

pub use follow::Happened;
pub use slots::Lease;
pub use start::Begin;
pub use table::{FleetState, Standing};

/// How long whoever asks something of a run waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the journal of a run that another process drives is looked at by who waits.
const RECEIPT: Duration = Duration::from_millis(250);
/// What was written and not looked at yet by the slowest that looks on; beyond it, they read the journal.
const HAPPENED: usize = 1024;

/// What a fleet may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetLimits {
    /// Nodes at the same time, over all runs.
    pub concurrency: usize,
    /// Runs at the same time; those that wait for people do not count.
    pub runs: usize,
}

/// Drives the runs of a workspace. Clones are the same fleet.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    engine: Engine,
    limits: FleetLimits,
    runtime: tokio::runtime::Handle,
    slots: Arc<Slots>,
    /// Which runs there are.
    index: RunIndex,
    table: Mutex<Table>,
    /// There is something to do for the supervisor.
    wake: Notify,
    happened: broadcast::Sender<Happened>,
    /// Where pages about runs begin, for notifications.
    link: Option<String>,
    /// Ends notifications when the process is to end.
    end: watch::Sender<bool>,
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder panics")
    }

    fn runs(&self) -> Result<Arc<Vec<RunDir>>, store::Error> {
        self.index
            .runs(&self.engine.layout, self.engine.now().into())
    }

    /// Tells all who wait for it what became of a request.
    fn settle(&self, id: &str, verdict: &Verdict) {
        let waiters = self.table().waiters.remove(id).unwrap_or_default();
        for (_, waiter) in waiters {
            // They may have gone.
            waiter.send(verdict.clone()).ok();
        }
    }
}

impl Fleet {
    /// A fleet over a workspace; it does nothing before [`Fleet::run`]. `link` is where the pages of
    /// runs are, for notifications. Needs a runtime.
    #[must_use]
    pub fn new(engine: Engine, limits: FleetLimits, link: Option<String>) -> Self {
        Self(Arc::new(Inner {
            engine,
            slots: Slots::new(limits.concurrency),
            index: RunIndex::default(),
            limits,
            runtime: tokio::runtime::Handle::current(),
            table: Mutex::default(),
            wake: Notify::new(),
            happened: broadcast::channel(HAPPENED).0,
            link,
            end: watch::channel(false).0,
        }))
    }

    /// Follows all runs that this process drives.
    #[must_use]
    pub fn happened(&self) -> broadcast::Receiver<Happened> {
        self.0.happened.subscribe()
    }

    /// All runs that are not at their end, as the fleet has them.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.0.table().standings()
    }

    /// How it has one run; none when it has nothing to do with it.
    #[must_use]
    pub fn standing(&self, run: &RunId) -> Option<Standing> {
        let table = self.0.table();
        table.runs.get(run).map(|entry| Standing {
            run: run.clone(),
            state: entry.state.clone(),
            since: entry.since,
        })
    }

    /// All runs of the workspace, newest first; quick when nothing has changed. Reads the disk, so not for an
    /// asynchronous task.
    ///
    /// # Errors
    /// When the folder of runs cannot be read.
    pub fn runs(&self) -> Result<Arc<Vec<RunDir>>, Error> {
        Ok(self.0.runs()?)
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> FleetLimits {
        self.0.limits
    }

    /// Nodes that run now.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.0.slots.taken()
    }

    /// Asks something of a run, and waits until it is journaled what becomes of it: accepted or refused
    /// is on disk when this returns, and what is queued stays in the run's inbox. The same request again,
    /// by its id, gets the same answer.
    ///
    /// # Errors
    /// I/O.
    pub async fn ask(&self, run: &RunDir, request: Request) -> Result<Verdict, Error> {
        if let Some(verdict) = self.0.engine.deliver_away(run, &request).await? {
            return Ok(verdict);
        }
        let id = request.id().to_owned();
        let (sender, mut receiver) = oneshot::channel();
        {
            let mut table = self.0.table();
            let waiters = table.waiters.entry(id.clone()).or_default();
            waiters.push((run.id.clone(), sender));
        }
        let put = {
            let inbox = Inbox::new(run.inbox());
            // Names sort by time, so that requests are taken in the order in which they came.
            let file = uuid::Uuid::now_v7().to_string();
            tokio::task::spawn_blocking(move || inbox.put(&file, &request)).await
        };
        if let Err(error) = put.unwrap_or_else(|error| Err(store::Error::Writer(error.to_string())))
        {
            self.0.table().waiters.remove(&id);
            return Err(error.into());
        }
        self.0.table().ask(&run.id);
        self.0.wake.notify_one();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wait = RECEIPT.min(deadline.saturating_duration_since(Instant::now()));
            tokio::select! {
                verdict = &mut receiver => return Ok(verdict.unwrap_or(Verdict::Queued)),
                () = tokio::time::sleep(wait) => {}
            }
            let elsewhere = self
                .standing(&run.id)
                .is_some_and(|found| matches!(found.state, FleetState::Elsewhere { .. }));
            let late = Instant::now() >= deadline;
            if elsewhere || late {
                let (dir, wanted) = (run.clone(), id.clone());
                let read = tokio::task::spawn_blocking(move || Verdict::of(&dir, &wanted)).await;
                if let Ok(Ok(Some(verdict))) = read {
                    self.0.settle(&id, &verdict);
                    return Ok(verdict);
                }
            }
            if late {
                return Ok(self.leave(&id, &mut receiver));
            }
        }
    }

    /// Waits no longer; what has come in the meantime still counts.
    fn leave(&self, id: &str, receiver: &mut oneshot::Receiver<Verdict>) -> Verdict {
        let mut table = self.0.table();
        receiver.close();
        if let Some(waiters) = table.waiters.get_mut(id) {
            waiters.retain(|(_, waiter)| !waiter.is_closed());
            if waiters.is_empty() {
                table.waiters.remove(id);
            }
        }
        receiver.try_recv().unwrap_or(Verdict::Queued)
    }

    /// Has a run cancelled.
    ///
    /// # Errors
    /// I/O.
    pub async fn cancel(&self, run: &RunDir, by: &str) -> Result<Verdict, Error> {
        let request = Request::Cancel {
            id: uuid::Uuid::now_v7().to_string(),
            by: by.to_owned(),
        };
        self.ask(run, request).await
    }

    /// Has a run go on that was stopped, interrupted, could not be driven, or has failed.
    ///
    /// # Errors
    /// [`Error::Refused`] when it has ended otherwise; a journal that cannot be read.
    pub fn resume(&self, run: &RunDir, by: &str) -> Result<(), Error> {
        let status = Overview::glance(run)?.status;
        if matches!(status.as_str(), "succeeded" | "rejected" | "cancelled") {
            return Err(Error::Refused(format!("the run is {status} already")));
        }
        let driven = self
            .standing(&run.id)
            .is_some_and(|found| found.state == FleetState::Driven);
        if driven {
            return Err(Error::Refused("the run is under way".to_owned()));
        }
        let errand = Errand::Resume { by: by.to_owned() };
        let now = self.0.engine.now();
        self.0.table().enqueue(&run.id, errand, now);
        self.0.wake.notify_one();
        Ok(())
    }

    /// Has a failed run try again what failed.
    ///
    /// # Errors
    /// [`Error::Refused`] when it has not failed; a journal that cannot be read.
    pub fn retry(&self, run: &RunDir, by: &str) -> Result<(), Error> {
        let status = Overview::glance(run)?.status;
        if status != "failed" {
            return Err(Error::Refused(format!(
                "the run has not failed: it is {status}"
            )));
        }
        self.resume(run, by)
    }

    /// Stops driving a run, as Ctrl-C does, until it is resumed or the process starts anew.
    pub fn stop(&self, run: &RunId) {
        let now = self.0.engine.now();
        let mut table = self.0.table();
        table.queue.retain(|(queued, _)| queued != run);
        let Some(entry) = table.runs.get_mut(run) else {
            return;
        };
        entry.next = None;
        if let Some(holding) = &entry.holding {
            holding.stop.send_replace(true);
        } else {
            table.set(run, FleetState::Stopped, now);
        }
    }
}
