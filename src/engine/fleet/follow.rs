//! [`Follow`]: the observer of a run of a fleet: tells whoever looks on that there is more, and whoever
//! asked something what became of it.

use std::sync::Arc;

use super::Inner;
use crate::engine::{Notice, Observer, Verdict};
use crate::id::RunId;
use crate::plan::Plan;
use crate::run::{Event, RunState};

/// Something was written to the journal of a run: who looks on reads it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The run.
    pub run: RunId,
    /// The record.
    pub seq: u64,
    /// Its kind.
    pub event: &'static str,
}

pub(super) struct Follow {
    pub(super) inner: Arc<Inner>,
    pub(super) run: RunId,
}

impl Observer for Follow {
    fn event(&mut self, _: &Plan, _: &RunState, event: &Event) {
        let happened = Happened {
            run: self.run.clone(),
            seq: event.seq,
            event: event.payload.word(),
        };
        tracing::debug!(run = %self.run, seq = event.seq, event = happened.event, "journaled");
        // Nobody may be looking on.
        self.inner.happened.send(happened).ok();
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::TornJournal { bytes } => {
                tracing::warn!(run = %self.run, bytes, "the last write before an interruption was incomplete, and was dropped");
            }
            Notice::UnreadableRequest { path, message } => {
                tracing::warn!(run = %self.run, path, message, "a request cannot be read; it was put aside");
            }
            Notice::Edited { .. } => {}
            Notice::Stopping { running } => {
                tracing::info!(run = %self.run, running, "stopping running nodes");
            }
        }
    }

    fn settled(&mut self, id: &str, verdict: &Verdict) {
        self.inner.settle(id, verdict);
    }
}
