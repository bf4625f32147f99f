//! The thread that has a run: takes it up, drives it, and says how it left it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::super::ground::Here;
use super::Inner;
use super::follow::Follow;
use super::table::{Errand, FleetState, Holding, Table};
use crate::engine::{Driver, Ended, Engine, Error, Limits, OpenRun, notify};
use crate::id::RunId;
use crate::run::{RunState, Status};
use crate::store;

/// How a thread left a run.
enum Outcome {
    Paused {
        deadline: Option<Timestamp>,
    },
    Ended,
    /// It has something to do, and there is no place for it now.
    Waits(Errand),
    Stopped,
    Elsewhere {
        holder: String,
    },
    Troubled {
        reason: String,
        /// Whether it may be gone when it is tried again.
        passing: bool,
    },
}

/// What a thread works on.
struct Work {
    inner: Arc<Inner>,
    run: RunId,
    errand: Errand,
    stop: watch::Receiver<bool>,
    nudge: Arc<Notify>,
    /// It was stopped by hand: it answers, and does not go on.
    left_alone: bool,
}

impl Inner {
    /// Gives a run to a thread.
    pub(super) fn hand_over(
        self: &Arc<Self>,
        table: &mut Table,
        run: &RunId,
        errand: Errand,
        placed: bool,
        begun: Option<Driver>,
    ) {
        let now = self.engine.now();
        let (stop, stopped) = watch::channel(false);
        let nudge = Arc::new(Notify::new());
        let entry = table.entry(run, now);
        let errand = match (errand, entry.left.take()) {
            (Errand::GoOn, Some(left)) => left,
            (errand, _) => errand,
        };
        let left_alone = entry.state == FleetState::Stopped && errand == Errand::GoOn;
        entry.again = None;
        entry.holding = Some(Holding {
            stop,
            nudge: Arc::clone(&nudge),
            placed,
        });
        if placed {
            table.active += 1;
            table.set(run, FleetState::Driven, now);
        } else {
            table.answering += 1;
        }
        let work = Work {
            inner: Arc::clone(self),
            run: run.clone(),
            errand,
            stop: stopped,
            nudge,
            left_alone,
        };
        let thread = std::thread::Builder::new().name(format!("run {run}"));
        if let Err(error) = thread.spawn(move || work.carry_out(begun)) {
            let reason = format!("cannot start a thread for it: {error}");
            let outcome = Outcome::Troubled {
                reason,
                passing: true,
            };
            self.let_go(table, run, outcome);
        }
    }

    /// Takes a place for a run that answers and could go on, if one is free and nobody waits for it.
    fn place(&self, run: &RunId) -> bool {
        let now = self.engine.now();
        let mut table = self.table();
        let placed = |entry: &super::table::Entry| {
            let holding = entry.holding.as_ref();
            holding.is_some_and(|holding| holding.placed)
        };
        if table.runs.get(run).is_some_and(placed) {
            return true;
        }
        if table.stopping || table.active >= self.limits.runs.max(1) || !table.queue.is_empty() {
            return false;
        }
        table.active += 1;
        table.answering = table.answering.saturating_sub(1);
        if let Some(holding) = &mut table.entry(run, now).holding {
            holding.placed = true;
        }
        table.set(run, FleetState::Driven, now);
        true
    }

    /// Takes a run back from its thread.
    fn let_go(&self, table: &mut Table, run: &RunId, outcome: Outcome) {
        let now = self.engine.now();
        let entry = table.entry(run, now);
        let next = entry.next.take();
        if !matches!(outcome, Outcome::Troubled { .. }) {
            entry.failures = 0;
        }
        match entry.holding.take() {
            Some(holding) if holding.placed => table.active = table.active.saturating_sub(1),
            Some(_) => table.answering = table.answering.saturating_sub(1),
            None => {}
        }
        let mut ask_again = true;
        match outcome {
            Outcome::Paused { deadline } => table.set(run, FleetState::Paused { deadline }, now),
            Outcome::Ended => {
                table.runs.remove(run);
            }
            Outcome::Waits(errand) => table.enqueue(run, errand, now),
            Outcome::Stopped => table.set(run, FleetState::Stopped, now),
            Outcome::Elsewhere { holder } => {
                // Who waits looks into the journal; trying again at once would be of no use.
                ask_again = false;
                table.set(run, FleetState::Elsewhere { holder }, now);
            }
            Outcome::Troubled { reason, passing } => {
                ask_again = false;
                tracing::warn!(run = %run, "the run cannot be driven: {reason}");
                table.trouble(run, reason, passing, now);
                // What they asked is in the inbox, and that is all that can be said now.
                table
                    .waiters
                    .values_mut()
                    .for_each(|waiters| waiters.retain(|(of, _)| of != run));
                table.waiters.retain(|_, waiters| !waiters.is_empty());
            }
        }
        if let Some(errand) = next {
            table.enqueue(run, errand, now);
        }
        // Asked after its driver looked for the last time.
        if ask_again && !table.stopping && table.is_awaited(run) {
            table.ask(run);
        }
    }
}

impl Work {
    fn carry_out(self, begun: Option<Driver>) {
        let worked = catch_unwind(AssertUnwindSafe(|| self.attend(begun)));
        let (outcome, left) = match worked {
            Ok(Ok((outcome, left))) => (outcome, left),
            Ok(Err(error)) => (trouble(&error), None),
            Err(_) => {
                let reason = "the driver panicked; please report it with the run's folder";
                let reason = reason.to_owned();
                let passing = false;
                (Outcome::Troubled { reason, passing }, None)
            }
        };
        {
            let mut table = self.inner.table();
            if matches!(outcome, Outcome::Troubled { passing: true, .. }) {
                let now = self.inner.engine.now();
                table.entry(&self.run, now).left = Some(self.errand.clone());
            }
            self.inner.let_go(&mut table, &self.run, outcome);
            table.telling += usize::from(left.is_some());
        }
        self.inner.wake.notify_one();
        // The run is free by now: nobody who answers waits for a chat to be told.
        let Some(left) = left else { return };
        let told = catch_unwind(AssertUnwindSafe(|| {
            let inner = &self.inner;
            let telling = notify::tell(
                &inner.engine,
                &left,
                inner.link.as_deref(),
                inner.end.subscribe(),
            );
            inner.runtime.block_on(telling)
        }));
        match told {
            Ok(Ok(failures)) => {
                for failure in failures {
                    tracing::warn!(run = %self.run, "{failure}");
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(run = %self.run, "what was told cannot be noted: {error}");
            }
            Err(_) => tracing::warn!(run = %self.run, "telling of it panicked"),
        }
        self.inner.table().telling -= 1;
        self.inner.wake.notify_one();
    }

    /// Answers what the run was asked, and goes on with it as far as it goes.
    fn attend(&self, begun: Option<Driver>) -> Result<(Outcome, Option<OpenRun>), Error> {
        let inner = &self.inner;
        let runtime = &inner.runtime;
        let mut driver = match begun {
            Some(driver) => driver,
            None => self
                .engine()
                .take_up(&inner.engine.layout.run(&self.run), "serve")?,
        };
        let mut follow = Follow {
            inner: Arc::clone(inner),
            run: self.run.clone(),
        };
        // Answers come first: nobody who asks waits for a place.
        runtime.block_on(driver.fold_inbox(&mut follow))?;
        let again = matches!(self.errand, Errand::Resume { .. });
        let status = driver.state().status();
        if status.ended() && !(again && status == Status::Failed) {
            if !driver.state().sealed() {
                runtime.block_on(driver.seal(&mut Here, &mut follow))?;
            }
            return Ok((Outcome::Ended, Some(driver.close()?)));
        }
        if self.left_alone {
            driver.close()?;
            return Ok((Outcome::Stopped, None));
        }
        let deadline = earliest(driver.state());
        let waits = deadline.is_none_or(|deadline| deadline > inner.engine.now());
        if status == Status::Paused && waits {
            return Ok((Outcome::Paused { deadline }, Some(driver.close()?)));
        }
        if !inner.place(&self.run) {
            driver.close()?;
            return Ok((Outcome::Waits(self.errand.clone()), None));
        }
        let limits = Limits {
            concurrency: inner.limits.concurrency,
            lease: Some(inner.slots.lease()),
            nudge: Some(Arc::clone(&self.nudge)),
        };
        let ended = runtime.block_on(driver.drive(limits, self.stop.clone(), &mut follow))?;
        let deadline = earliest(driver.state());
        let left = driver.close()?;
        Ok(match ended {
            Ended::Paused => (Outcome::Paused { deadline }, Some(left)),
            Ended::Interrupted => (Outcome::Stopped, None),
            Ended::Succeeded | Ended::Failed | Ended::Rejected | Ended::Cancelled => {
                (Outcome::Ended, Some(left))
            }
        })
    }

    /// The engine in the name of whoever wants the run to go on.
    fn engine(&self) -> Engine {
        let mut engine = self.inner.engine.clone();
        if let Errand::Resume { by } = &self.errand {
            engine.who.user.clone_from(by);
        }
        engine
    }
}

fn earliest(state: &RunState) -> Option<Timestamp> {
    let requests = state.waiting().filter_map(|id| {
        let request = state.instance(id).request.as_ref()?;
        request.deadline
    });
    requests.min()
}

fn trouble(error: &Error) -> Outcome {
    if let Error::Store(store::Error::Locked { holder, .. }) = error {
        return Outcome::Elsewhere {
            holder: holder.clone(),
        };
    }
    let passing = match error {
        Error::Store(error) => matches!(
            error,
            store::Error::Io { .. } | store::Error::Writer(_) | store::Error::Locked { .. }
        ),
        // Threads come back.
        Error::Evidence(_) | Error::Away(_) | Error::Threads(_) => true,
        Error::Invalid(_)
        | Error::Replay(_)
        | Error::Record { .. }
        | Error::Output { .. }
        | Error::Secrets(_)
        | Error::Refused(_)
        | Error::Stuck => false,
    };
    let mut reason = error.to_string();
    if let Error::Invalid(problems) = error {
        for problem in problems.iter().take(3) {
            reason = format!("{reason}: {}", problem.message);
        }
    }
    Outcome::Troubled { reason, passing }
}
