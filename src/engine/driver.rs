//! [`Driver`]: owns a run. Asks the state what is to be done, does it, journals what happened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::attempt::{Attempt, Report};
use super::compiled::Compiled;
use super::crew::Crew;
use super::environment::Engine;
use super::error::Error;
use super::fleet::Lease;
use super::ground::Here;
use super::inbox::{Judge, Request, Verdict, judge};
use super::observer::{Notice, Observer};
use super::open::{OpenRun, Replayed, Told};
use super::scope::Values;
use super::secrets::names_any;
use crate::plan::Plan;
use crate::run::{
    Action, Event, InstanceId, NodeState, Payload, RunResumed, RunStarted, RunState, Status,
};
use crate::store::{Blobs, Inbox, Journal, RunDir, RunLock};
use crate::tool::Redactor;
use crate::value::Digest;

/// How often the inbox is looked at; there is no portable way to be told.
const INBOX_POLL: Duration = Duration::from_millis(200);
/// Sleeps no longer than this, so that a clock that jumps is noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What a driver may use.
#[derive(Debug)]
pub struct Limits {
    /// Attempts at the same time.
    pub concurrency: usize,
    /// Its part of what all runs of the process share, if it is not alone.
    pub lease: Option<Lease>,
    /// Tells it that something has come into the inbox.
    pub nudge: Option<Arc<Notify>>,
}

impl Limits {
    /// Of a run that has the process for itself.
    #[must_use]
    pub fn alone(concurrency: usize) -> Self {
        Self {
            concurrency,
            lease: None,
            nudge: None,
        }
    }

    /// How many of the attempts that could begin now may.
    fn grant(&self, running: usize, wanted: usize) -> usize {
        let lease = self.lease.as_ref();
        lease.map_or(wanted, |lease| lease.ask(running, wanted))
    }

    async fn freed(&self) {
        match &self.lease {
            Some(lease) => lease.freed().await,
            None => std::future::pending().await,
        }
    }

    async fn nudged(&self) {
        match &self.nudge {
            Some(nudge) => nudge.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// How a driver's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The run succeeded.
    Succeeded,
    /// A node or publishing failed.
    Failed,
    /// Gates wait for humans.
    Paused,
    /// A human said no.
    Rejected,
    /// The run was cancelled.
    Cancelled,
    /// The driver was told to stop; the run can be resumed.
    Interrupted,
}

/// The driver of one run, which it has locked.
pub struct Driver {
    pub(super) engine: Engine,
    pub(super) dir: RunDir,
    pub(super) compiled: Compiled,
    pub(super) plan: Arc<Plan>,
    pub(super) state: RunState,
    pub(super) started: RunStarted,
    pub(super) told: Told,
    pub(super) journal: Journal,
    pub(super) blobs: Arc<Blobs>,
    pub(super) values: RefCell<Values>,
    pub(super) inbox: Inbox,
    pub(super) reports: (
        mpsc::UnboundedSender<Report>,
        mpsc::UnboundedReceiver<Report>,
    ),
    pub(super) cancel: (watch::Sender<bool>, watch::Receiver<bool>),
    /// Attempts whose start is journaled and not written yet: they begin together.
    pub(super) to_begin: Vec<Attempt>,
    /// Where tools run.
    pub(super) crew: Crew,
    /// Attempts that were begun and have not reported, with what their outputs will be functions of, if
    /// that is known already.
    pub(super) in_flight: BTreeMap<InstanceId, Option<Digest>>,
    pub(super) torn: u64,
    /// Whether a driver before this one was publishing when it was cut off.
    pub(super) cut_off: bool,
    /// What must not be in anything that nodes say.
    pub(super) redactor: Redactor,
    /// Without them nothing is started.
    pub(super) missing_secrets: Option<String>,
    /// What time it is for a run that may be gone through again: that of the last thing that came in.
    pub(super) clock: Option<Timestamp>,
    /// Whether inputs as tools see them are not always what is written down of them.
    pub(super) knows_secrets: bool,
    _lock: RunLock,
}

impl Driver {
    pub(super) fn new(
        engine: &Engine,
        dir: RunDir,
        replayed: Replayed,
        journal: Journal,
        blobs: Arc<Blobs>,
        lock: RunLock,
    ) -> Self {
        let Replayed {
            compiled,
            mut state,
            started,
            told,
        } = replayed;
        let plan = Arc::clone(&compiled.plan);
        state.set_durable(&plan, journal.durable());
        Self {
            redactor: engine.redactor(&plan),
            missing_secrets: engine.missing_secrets(&plan),
            knows_secrets: names_any(&plan),
            engine: engine.clone(),
            inbox: Inbox::new(dir.inbox()),
            dir,
            plan,
            compiled,
            state,
            started,
            told,
            journal,
            blobs,
            values: RefCell::default(),
            reports: mpsc::unbounded_channel(),
            cancel: watch::channel(false),
            to_begin: Vec::new(),
            crew: Crew::default(),
            in_flight: BTreeMap::new(),
            torn: 0,
            cut_off: false,
            clock: None,
            _lock: lock,
        }
    }

    /// What it was taken up with.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The run's folder.
    #[must_use]
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Where the run is.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// What it runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Lets go of the run, and gives it as it stands, without reading it again.
    ///
    /// # Errors
    /// A journal that could not be written to its end.
    pub fn close(self) -> Result<OpenRun, Error> {
        let places = self.journal.close()?;
        Ok(OpenRun {
            dir: self.dir,
            compiled: self.compiled,
            state: self.state,
            started: self.started,
            told: self.told,
            places,
        })
    }

    /// The time, as the run sees it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.unwrap_or_else(|| self.engine.now())
    }

    /// Journals something that happened and folds it in.
    pub(super) fn emit(
        &mut self,
        payload: impl Into<Payload>,
        sync: bool,
        observer: &mut dyn Observer,
    ) -> Result<u64, Error> {
        let payload = payload.into();
        let ts = self.now();
        let round = self.state.round();
        let seq = self
            .journal
            .append(payload.word(), ts, round, &payload, sync)?;
        let event = Event {
            seq,
            ts,
            round,
            payload,
        };
        self.state.apply(&self.plan, &event)?;
        self.told.add(&event);
        observer.event(&self.plan, &self.state, &event);
        Ok(seq)
    }

    /// Drives the run until it ends, pauses, or `stop` turns true.
    ///
    /// # Errors
    /// Failures of the engine itself; the run can be resumed after them.
    pub async fn drive(
        &mut self,
        limits: Limits,
        mut stop: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> Result<Ended, Error> {
        if self.torn > 0 {
            observer.notice(&Notice::TornJournal { bytes: self.torn });
            self.torn = 0;
        }
        self.fold_inbox(observer).await?;
        self.take_up_again(observer)?;
        let mut looked = Instant::now();
        let mut nudged = false;
        loop {
            if *stop.borrow() && !self.state.status().ended() {
                return self.interrupted(observer).await;
            }
            while let Ok(report) = self.reports.1.try_recv() {
                self.report(report, observer)?;
            }
            // By the clock and not by the sleep below: a busy run never sleeps that long.
            if nudged || looked.elapsed() >= INBOX_POLL {
                nudged = false;
                self.fold_inbox(observer).await?;
                looked = Instant::now();
            }
            let durable = self.journal.durable();
            self.state.set_durable(&self.plan, durable);
            if self.values.borrow_mut().shrink(self.journal.durable()) {
                self.journal.request_sync()?;
            }
            let slots = limits
                .concurrency
                .max(1)
                .saturating_sub(self.in_flight.len());
            let next = self.state.next(&self.plan, self.engine.now(), slots);
            let begins = |action: &&Action| matches!(action, Action::Start(_));
            let wanted = next.actions.iter().filter(begins).count();
            let mut granted = limits.grant(self.in_flight.len(), wanted);
            let held_back = granted < wanted;
            // What is done now may take longer than the disk.
            if self.journal.wants_sync() && !next.actions.is_empty() {
                self.journal.flush()?;
            }
            let mut acted = false;
            for action in next.actions {
                if self.state.is_due(&self.plan, &action) {
                    if begins(&&action) {
                        if granted == 0 {
                            continue;
                        }
                        granted -= 1;
                    }
                    acted = true;
                    self.carry_out(&mut Here, action, observer).await?;
                }
            }
            self.begin()?;
            if acted {
                continue;
            }
            if self.state.cancelling().is_some() && !self.in_flight.is_empty() {
                self.cancel.0.send_replace(true);
            }
            if let Some(ended) = self.ended() {
                self.journal.sync().await?;
                return Ok(ended);
            }
            if self.in_flight.is_empty() && next.wake_at.is_none() && !held_back {
                // Only the disk can be waited for now. A state that asks for nothing after that
                // would wait for ever, which is worse than saying so.
                // What the state was told above, not what may have reached the disk since.
                if durable == self.journal.last_seq() {
                    return Err(Error::Stuck);
                }
                self.journal.sync().await?;
                continue;
            }
            // Who looks on sees all that happened, not only what must not be lost.
            self.journal.flush()?;
            let sleep = next
                .wake_at
                .map_or(INBOX_POLL, |at| until(self.engine.now(), at))
                .min(INBOX_POLL);
            tokio::select! {
                biased;
                Some(report) = self.reports.1.recv() => self.report(report, observer)?,
                () = self.journal.advanced() => {
                    // A failed writer advances nothing: say so instead of spinning.
                    self.journal.check()?;
                }
                _ = stop.changed() => {}
                () = limits.freed() => {}
                () = limits.nudged() => nudged = true,
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Whether nothing is left to do for a driver.
    fn ended(&self) -> Option<Ended> {
        match self.state.status() {
            Status::Succeeded if self.state.sealed() => Some(Ended::Succeeded),
            Status::Failed if self.state.sealed() => Some(Ended::Failed),
            Status::Rejected if self.state.sealed() => Some(Ended::Rejected),
            Status::Cancelled if self.state.sealed() => Some(Ended::Cancelled),
            // A deadline is judged when a decision is folded; nobody needs to sit and wait for it.
            Status::Paused if self.in_flight.is_empty() => Some(Ended::Paused),
            _ => None,
        }
    }

    /// Says that a run goes on which a driver left in the middle, or which had failed.
    fn take_up_again(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        self.cut_off = self.state.publishing().is_some();
        let left = self.state.running().next().is_some() || self.cut_off;
        if left {
            crate::tool::end_left_behind(&self.dir.path);
        }
        // Also one that a crash kept from being sealed: its end will be sealed with the next.
        if left || self.state.status() == Status::Failed {
            self.emit(
                RunResumed {
                    by: self.engine.who.user.clone(),
                },
                true,
                observer,
            )?;
        }
        Ok(())
    }

    /// Stops running attempts and leaves the run as it is: their starts have no end, so that
    /// `resume` makes them again.
    async fn interrupted(&mut self, observer: &mut dyn Observer) -> Result<Ended, Error> {
        if !self.in_flight.is_empty() {
            observer.notice(&Notice::Stopping {
                running: self.in_flight.len(),
            });
        }
        self.cancel.0.send_replace(true);
        let deadline = tokio::time::sleep(Duration::from_secs(12));
        tokio::pin!(deadline);
        while !self.in_flight.is_empty() {
            tokio::select! {
                Some(report) = self.reports.1.recv() => {
                    if report.stopped || report.result.is_err() {
                        self.in_flight.remove(&report.id);
                    } else {
                        // What has succeeded is kept, stopping or not.
                        self.report(report, observer)?;
                    }
                }
                // A pure tool cannot be stopped; what it computes is computed again.
                () = &mut deadline => break,
            }
        }
        self.journal.sync().await?;
        Ok(Ended::Interrupted)
    }

    /// Judges and journals everything in the inbox; only then is it removed.
    ///
    /// # Errors
    /// I/O.
    pub async fn fold_inbox(
        &mut self,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(String, Verdict)>, Error> {
        let (mut verdicts, mut late) = (Vec::new(), Vec::new());
        let requests = self.inbox.list::<Request>()?;
        if requests.is_empty() {
            return Ok(verdicts);
        }
        for (file, request) in requests {
            let request = match request {
                Ok(request) => request,
                Err(message) => {
                    let path = self.inbox.set_aside(&file)?.display().to_string();
                    observer.notice(&Notice::UnreadableRequest { path, message });
                    continue;
                }
            };
            let mut verdict = Verdict::Accepted;
            if self.state.knows_decision(request.id()) {
                // Asked again: the answer stays what it was.
                verdict = self.told.verdict(request.id()).unwrap_or(verdict);
            } else {
                let now = self.engine.now();
                let judging = Judge {
                    plan: &self.plan,
                    state: &self.state,
                    run: &self.dir.id,
                    redactor: &self.redactor,
                    people: &self.engine.people(&self.started, &self.told),
                };
                let events = judge(&judging, &request, now);
                if events.is_empty() {
                    let why = if self.state.status().ended() {
                        self.state.status().word()
                    } else {
                        "being cancelled already"
                    };
                    verdict = Verdict::Refused(format!("the run is {why}"));
                }
                for payload in events {
                    if let Payload::DecisionRefused(refused) = &payload {
                        verdict = Verdict::Refused(refused.reason.clone());
                    }
                    self.emit(payload, true, observer)?;
                }
            }
            // Only what is on disk is acknowledged.
            self.journal.sync().await?;
            if self.state.status().ended() && self.state.sealed() {
                late.push(file);
            } else {
                self.inbox.remove(&file)?;
            }
            observer.settled(request.id(), &verdict);
            verdicts.push((request.id().to_owned(), verdict));
        }
        self.state.set_durable(&self.plan, self.journal.durable());
        // Nothing else will bring an answer that comes too late into the evidence; until that is done
        // it stays, so that a crash in between is made up for.
        if !late.is_empty() {
            self.projection(None)()?;
            for file in late {
                self.inbox.remove(&file)?;
            }
        }
        Ok(verdicts)
    }

    /// Whether a running instance's report is still wanted.
    pub(super) fn expects(&self, id: InstanceId, attempt: u32) -> bool {
        let instance = self.state.instance(id);
        instance.state == NodeState::Running && instance.attempt == attempt
    }
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now))
        .unwrap_or(Duration::ZERO)
        .min(LONGEST_SLEEP)
}
