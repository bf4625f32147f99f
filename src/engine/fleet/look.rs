//! [`Look`]: where a run stands, as far as its files say without a replay.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::engine::notify;
use crate::run::Payload;
use crate::store::{Error, Inbox, RecordRef, RunDir, scan};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is left to do.
    Ended,
    /// Only people can move it on, or the time.
    Paused {
        /// When the first gate's time is up.
        deadline: Option<Timestamp>,
    },
    /// There is something to do for a driver.
    Open,
}

impl Look {
    /// Looks at the end of the journal, into the inbox, and at what was told.
    ///
    /// # Errors
    /// Damage in what is read; I/O.
    pub(super) fn at(run: &RunDir) -> Result<Self, Error> {
        if Inbox::new(run.inbox()).holds_any()? {
            return Ok(Self::Open);
        }
        let found = notify::standing(run)?;
        if !found.closed || !notify::is_told(run, found.seq) {
            return Ok(Self::Open);
        }
        Ok(if found.paused {
            Self::Paused {
                deadline: deadline(run)?,
            }
        } else {
            Self::Ended
        })
    }
}

/// The earliest deadline of the gates that wait in a paused run.
fn deadline(run: &RunDir) -> Result<Option<Timestamp>, Error> {
    let mut asked = HashMap::new();
    let mut waiting = Vec::new();
    scan(&run.journal(), |record: RecordRef<'_>| {
        if matches!(record.event, "approval_requested" | "run_paused") {
            match Payload::parse(record.event, record.data) {
                Ok(Some(Payload::ApprovalRequested(data))) => {
                    asked.insert(data.node, data.deadline);
                }
                Ok(Some(Payload::RunPaused(data))) => waiting = data.waiting,
                // A driver will say what is wrong with it.
                _ => {}
            }
        }
        Ok::<(), Error>(())
    })?;
    let deadlines = waiting
        .iter()
        .filter_map(|gate| asked.get(gate).copied().flatten());
    Ok(deadlines.min())
}
