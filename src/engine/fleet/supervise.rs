//! [`Fleet::run`]: finds what is to be done in the workspace, hands it out, and keeps deadlines.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::look::Look;
use super::table::{Errand, FleetState};
use super::{Fleet, Inner};
use crate::id::RunId;
use crate::store::{Inbox, RunDir};

/// How often runs that wait are looked at: two or three system calls for each.
const POLL: Duration = Duration::from_secs(1);
/// How often all runs of the workspace are looked at, for those that others have begun.
const SWEEP: Duration = Duration::from_secs(5);
/// At most one part in so many of the time goes into looking.
const SHARE: u32 = 20;
/// And however long it takes, there is a look after this.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// Threads that answer while all places are taken.
const ANSWERING: usize = 8;

impl Fleet {
    /// Drives until `stop` turns true; then all drivers are interrupted as Ctrl-C does, and this returns
    /// when the last has written its journal to the end.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let inner = &self.0;
        let (mut sweep_at, mut poll_at) = (Instant::now(), Instant::now() + POLL);
        let mut looking: Option<tokio::task::JoinHandle<Duration>> = None;
        while !*stop.borrow() {
            if looking.is_none() && Instant::now() >= sweep_at.min(poll_at) {
                let sweeps = Instant::now() >= sweep_at;
                let inner = Arc::clone(inner);
                looking = Some(tokio::task::spawn_blocking(move || inner.look(sweeps)));
                if sweeps {
                    sweep_at = Instant::now() + SWEEP;
                }
            }
            let due = inner.pump();
            let until = match &looking {
                Some(_) => Instant::now() + POLL,
                None => sweep_at.min(poll_at),
            };
            let until = due.map_or(until, |due| due.min(until));
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                () = inner.wake.notified() => {}
                took = ended(&mut looking) => {
                    let rest = (took * SHARE).min(LONGEST_REST);
                    poll_at = Instant::now() + POLL.max(rest);
                    sweep_at = sweep_at.max(Instant::now() + rest);
                    looking = None;
                }
                () = tokio::time::sleep_until(until) => {}
            }
        }
        inner.shut_down().await;
    }
}

/// Waits for the end of a look, if there is one; says how long it took.
async fn ended(looking: &mut Option<tokio::task::JoinHandle<Duration>>) -> Duration {
    match looking {
        Some(looking) => looking.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

impl Inner {
    /// Looks at the workspace, or only at what waits. Says how long it took.
    fn look(&self, sweeps: bool) -> Duration {
        let began = Instant::now();
        if sweeps {
            self.sweep();
        }
        self.poll();
        began.elapsed()
    }

    /// Gives what waits to threads, as far as there are places. Says when the next is due.
    fn pump(self: &Arc<Self>) -> Option<Instant> {
        let mut table = self.table();
        let (now, instant) = (self.engine.now(), Instant::now());
        let mut due = Vec::new();
        let mut next: Option<Instant> = None;
        let mut at = |when: Instant| next = Some(next.map_or(when, |next| next.min(when)));
        for (run, entry) in &table.runs {
            if entry.holding.is_some() {
                continue;
            }
            match (&entry.state, entry.again) {
                (
                    FleetState::Paused {
                        deadline: Some(deadline),
                    },
                    _,
                ) if *deadline <= now => {
                    due.push(run.clone());
                }
                (
                    FleetState::Paused {
                        deadline: Some(deadline),
                    },
                    _,
                ) => {
                    let wait = Duration::try_from(deadline.duration_since(now)).unwrap_or_default();
                    // A clock that jumps is noticed within the minute.
                    at(instant + wait.min(Duration::from_mins(1)));
                }
                (FleetState::Troubled { .. }, Some(again)) if again <= instant => {
                    due.push(run.clone());
                }
                (FleetState::Troubled { .. }, Some(again)) => at(again),
                _ => {}
            }
        }
        for run in due {
            table.enqueue(&run, Errand::GoOn, now);
        }
        while table.active < self.limits.runs.max(1) {
            let Some((run, errand)) = table.queue.pop_front() else {
                break;
            };
            self.hand_over(&mut table, &run, errand, true, None);
        }
        for _ in 0..table.asked.len() {
            let Some(run) = table.asked.pop_front() else {
                break;
            };
            let holding = table
                .runs
                .get(&run)
                .and_then(|entry| entry.holding.as_ref());
            if let Some(holding) = holding {
                holding.nudge.notify_one();
            } else if table.answering < ANSWERING {
                self.hand_over(&mut table, &run, Errand::GoOn, false, None);
            } else {
                table.asked.push_back(run);
            }
        }
        next
    }

    /// Looks at every run whose journal has changed since the last time.
    fn sweep(&self) {
        let Ok(runs) = self.runs() else {
            // The next sweep says it again, and whoever asks for a run is told why.
            return;
        };
        let mut known: std::collections::HashSet<RunId> =
            self.table().lengths.keys().cloned().collect();
        for run in runs.iter() {
            known.remove(&run.id);
            if *self.end.borrow() {
                return;
            }
            self.look_again(run);
        }
        let mut table = self.table();
        for gone in known {
            table.lengths.remove(&gone);
            if table
                .runs
                .get(&gone)
                .is_some_and(|entry| entry.holding.is_none())
            {
                table.runs.remove(&gone);
                table.queue.retain(|(run, _)| *run != gone);
            }
        }
    }

    fn look_again(&self, run: &RunDir) {
        let Ok(length) = std::fs::metadata(run.journal()).map(|found| found.len()) else {
            return;
        };
        {
            let mut table = self.table();
            let held = table
                .runs
                .get(&run.id)
                .is_some_and(|entry| entry.holding.is_some());
            if held {
                // It is looked at again when its thread has let go.
                table.lengths.remove(&run.id);
                return;
            }
            if table.lengths.insert(run.id.clone(), length) == Some(length) {
                return;
            }
        }
        let look = Look::at(run);
        let now = self.engine.now();
        let mut table = self.table();
        let entry = table.runs.get(&run.id);
        if entry.is_some_and(|entry| entry.holding.is_some() || entry.state == FleetState::Stopped)
        {
            return;
        }
        match look {
            Ok(Look::Ended) => {
                table.runs.remove(&run.id);
            }
            Ok(Look::Paused { deadline }) => {
                table.set(&run.id, FleetState::Paused { deadline }, now);
            }
            Ok(Look::Open) => table.enqueue(&run.id, Errand::GoOn, now),
            Err(error) => {
                let passing = matches!(error, crate::store::Error::Io { .. });
                table.trouble(&run.id, error.to_string(), passing, now);
            }
        }
        drop(table);
        self.wake.notify_one();
    }

    /// Looks at the runs that wait: for answers of others, or that another process lets go of them.
    fn poll(&self) {
        let waiting: Vec<(RunId, FleetState)> = {
            let table = self.table();
            let free = table
                .runs
                .iter()
                .filter(|(_, entry)| entry.holding.is_none());
            free.map(|(run, entry)| (run.clone(), entry.state.clone()))
                .collect()
        };
        for (run, state) in waiting {
            let dir = self.engine.layout.run(&run);
            let answered = || Inbox::new(dir.inbox()).holds_any().unwrap_or(false);
            let asks = match state {
                FleetState::Elsewhere { .. } => true,
                FleetState::Paused { .. } | FleetState::Stopped => answered(),
                FleetState::Driven | FleetState::Queued | FleetState::Troubled { .. } => false,
            };
            if asks {
                self.table().ask(&run);
                self.wake.notify_one();
            } else if !matches!(state, FleetState::Queued) {
                self.look_again(&dir);
            }
        }
    }

    async fn shut_down(&self) {
        self.end.send_replace(true);
        {
            let mut table = self.table();
            table.stopping = true;
            table.queue.clear();
            table.asked.clear();
            // Whoever waits is told what is true: it is in the inbox.
            table.waiters.clear();
            for holding in table
                .runs
                .values()
                .filter_map(|entry| entry.holding.as_ref())
            {
                holding.stop.send_replace(true);
            }
        }
        loop {
            {
                let table = self.table();
                if table.active + table.answering + table.telling == 0 {
                    return;
                }
            }
            // Also without being woken: this must come to an end.
            tokio::time::timeout(Duration::from_millis(200), self.wake.notified())
                .await
                .ok();
        }
    }
}
