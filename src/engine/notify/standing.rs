//! [`Standing`]: the last pause or end of a run, read from the end of its journal.

use jiff::Timestamp;

use crate::store::{Error, Record, RunDir, last_records};

/// How much of the end of a journal is read first.
const TAIL: u64 = 16 * 1024;

/// Where the journal of a run ends.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Standing {
    /// Whether the run is at a pause, or at an end whose evidence is closed.
    pub(in crate::engine) closed: bool,
    /// Whether that is a pause.
    pub(in crate::engine) paused: bool,
    /// The record of the pause or end, or else the last that says anything.
    pub(in crate::engine) seq: u64,
    /// When it was written.
    pub(in crate::engine) at: Timestamp,
}

/// Reads as much of the end of the journal as it takes.
///
/// # Errors
/// Damage in what is read; I/O.
pub(in crate::engine) fn standing(run: &RunDir) -> Result<Standing, Error> {
    let journal = run.journal();
    let length = std::fs::metadata(&journal)
        .map_err(Error::io("read", &journal))?
        .len();
    let mut window = TAIL;
    loop {
        let records = last_records(&journal, window)?;
        // A refused answer says nothing of where the run stands.
        let says = |record: &&Record| record.event != "decision_refused";
        let mut saying = records.iter().rev().filter(says);
        let last = saying.next();
        let end = match last {
            Some(last) if last.event == "run_sealed" => saying.next(),
            other => other,
        };
        if let (Some(last), Some(end)) = (last, end) {
            let paused = last.event == "run_paused";
            return Ok(Standing {
                closed: paused || last.event == "run_sealed",
                paused,
                seq: end.seq,
                at: end.ts,
            });
        }
        if window >= length {
            // There is no whole record that says anything: a driver will say what is wrong.
            return Ok(Standing {
                closed: false,
                paused: false,
                seq: 0,
                at: Timestamp::UNIX_EPOCH,
            });
        }
        window = window.saturating_mul(8).min(length);
    }
}
