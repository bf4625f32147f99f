//! [`Observer`]: whom the driver tells what happens.

use super::inbox::Verdict;
use crate::plan::Plan;
use crate::run::{Event, RunState};

/// Something that a person should know and that is no event of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The end of the journal was torn and has been cut off; nothing acknowledged was in it.
    TornJournal {
        /// How much.
        bytes: u64,
    },
    /// A file of the inbox cannot be read.
    UnreadableRequest {
        /// Where it was put.
        path: String,
        /// Why.
        message: String,
    },
    /// Files were edited since the run began, and the run goes on with what it began with.
    Edited {
        /// Which nodes an adoption would run again, and why.
        stale: Vec<(String, String)>,
    },
    /// The driver was told to stop and waits for running attempts.
    Stopping {
        /// How many.
        running: usize,
    },
}

/// Follows a run. Called between steps of the run, so it must not take long.
pub trait Observer: Send {
    /// An event was journaled and folded in.
    fn event(&mut self, plan: &Plan, state: &RunState, event: &Event);

    /// Something else happened.
    fn notice(&mut self, notice: &Notice);

    /// What became of a request; it is on disk.
    fn settled(&mut self, _id: &str, _verdict: &Verdict) {}
}
