//! [`Table`]: what a fleet knows of each run, and who comes next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::engine::Verdict;
use crate::id::RunId;

/// The longest wait before a run is tried again that could not be driven.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Where a fleet has a run, as people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The run.
    pub run: RunId,
    /// What the fleet does with it.
    pub state: FleetState,
    /// Since when.
    pub since: Timestamp,
}

/// What a fleet does with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetState {
    /// A driver has it.
    Driven,
    /// It waits for its turn.
    Queued,
    /// It waits for people.
    Paused {
        /// When the first gate's time is up.
        deadline: Option<Timestamp>,
    },
    /// Another process drives it.
    Elsewhere {
        /// Which.
        holder: String,
    },
    /// It cannot be driven.
    Troubled {
        /// Why.
        reason: String,
        /// When it is tried again; none when it is no use.
        again: Option<Timestamp>,
    },
    /// Somebody asked for it to be left alone.
    Stopped,
}

/// Why a run is to be driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// It is not at its end, or was asked something.
    GoOn,
    /// Somebody wants it to go on, also after a failure.
    Resume {
        /// Who.
        by: String,
    },
}

/// A thread that has a run.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) stop: watch::Sender<bool>,
    pub(super) nudge: Arc<Notify>,
    /// It counts among the runs at the same time.
    pub(super) placed: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) state: FleetState,
    pub(super) since: Timestamp,
    pub(super) holding: Option<Holding>,
    /// What is to be done once the thread that has it lets go.
    pub(super) next: Option<Errand>,
    /// What it was to do when it could not be driven.
    pub(super) left: Option<Errand>,
    /// How often in a row it could not be driven.
    pub(super) failures: u32,
    pub(super) again: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) runs: BTreeMap<RunId, Entry>,
    /// Runs that wait for a place, first come first served.
    pub(super) queue: VecDeque<(RunId, Errand)>,
    /// Runs that were asked something while nobody had them: they need no place to answer.
    pub(super) asked: VecDeque<RunId>,
    /// Places that are taken.
    pub(super) active: usize,
    /// Threads beside those, which answer.
    pub(super) answering: usize,
    /// Threads that tell others of a run, which they have no more.
    pub(super) telling: usize,
    /// The length of each journal when it was last looked at.
    pub(super) lengths: HashMap<RunId, u64>,
    /// Who waits for what became of which request.
    pub(super) waiters: HashMap<String, Vec<(RunId, oneshot::Sender<Verdict>)>>,
    pub(super) stopping: bool,
}

impl Table {
    /// The entry of a run, new if there is none.
    pub(super) fn entry(&mut self, run: &RunId, now: Timestamp) -> &mut Entry {
        self.runs.entry(run.clone()).or_insert_with(|| Entry {
            state: FleetState::Queued,
            since: now,
            holding: None,
            next: None,
            left: None,
            failures: 0,
            again: None,
        })
    }

    pub(super) fn set(&mut self, run: &RunId, state: FleetState, now: Timestamp) {
        let entry = self.entry(run, now);
        if entry.state != state {
            entry.state = state;
            entry.since = now;
        }
    }

    /// Puts a run where it waits for a place. A run that somebody has already goes on afterwards.
    pub(super) fn enqueue(&mut self, run: &RunId, errand: Errand, now: Timestamp) {
        let entry = self.entry(run, now);
        entry.again = None;
        if entry.holding.is_some() {
            if errand != Errand::GoOn {
                entry.next = Some(errand);
            }
            return;
        }
        if let Some((_, waiting)) = self.queue.iter_mut().find(|(queued, _)| queued == run) {
            if errand != Errand::GoOn {
                *waiting = errand;
            }
            return;
        }
        self.queue.push_back((run.clone(), errand));
        self.set(run, FleetState::Queued, now);
    }

    /// Has whoever drives a run look into its inbox, or somebody look who does not.
    pub(super) fn ask(&mut self, run: &RunId) {
        match self.runs.get(run).and_then(|entry| entry.holding.as_ref()) {
            Some(holding) => holding.nudge.notify_one(),
            None if self.asked.contains(run) => {}
            None => self.asked.push_back(run.clone()),
        }
    }

    /// Whether somebody waits for an answer of a run.
    pub(super) fn is_awaited(&self, run: &RunId) -> bool {
        let mut waiters = self.waiters.values().flatten();
        waiters.any(|(of, _)| of == run)
    }

    /// Notes that a run could not be driven, and when that is tried again.
    pub(super) fn trouble(&mut self, run: &RunId, reason: String, passing: bool, now: Timestamp) {
        let entry = self.entry(run, now);
        entry.failures = entry.failures.saturating_add(1);
        let doubled = Duration::from_secs(1 << entry.failures.min(9)).min(LONGEST_WAIT);
        let wait = passing.then_some(doubled);
        entry.again = wait.map(|wait| Instant::now() + wait);
        let again = wait.and_then(|wait| now.checked_add(wait).ok());
        self.set(run, FleetState::Troubled { reason, again }, now);
    }

    pub(super) fn standings(&self) -> Vec<Standing> {
        let standings = self.runs.iter().map(|(run, entry)| Standing {
            run: run.clone(),
            state: entry.state.clone(),
            since: entry.since,
        });
        standings.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_waits_once_and_trouble_waits_longer_each_time() {
        let (mut table, now) = (Table::default(), Timestamp::UNIX_EPOCH);
        let run = RunId::from("r".to_owned());
        let by = |who: &str| Errand::Resume { by: who.to_owned() };
        table.enqueue(&run, Errand::GoOn, now);
        table.enqueue(&run, by("ada"), now);
        table.enqueue(&run, Errand::GoOn, now);
        assert_eq!(table.queue, [(run.clone(), by("ada"))]);
        table.queue.clear();
        let mut last = None;
        for _ in 0..40 {
            table.trouble(&run, "no".to_owned(), true, now);
            let FleetState::Troubled { again, .. } = table.runs[&run].state else {
                panic!("it is troubled");
            };
            assert!(again >= last, "{again:?} after {last:?}");
            last = again;
        }
        assert_eq!(last, now.checked_add(LONGEST_WAIT).ok());
        table.trouble(&run, "damaged".to_owned(), false, now);
        assert!(table.runs[&run].again.is_none());
    }
}
