//! [`Overview`]: what a list says of a run, read from its journal without a plan.

use std::collections::HashMap;

use super::away::is_driven;
use crate::run::{Decision, Payload};
use crate::store::{Error, RecordRef, RunDir, ends, scan};

/// Of a journal above this size, only the ends are looked at for a list, where they say enough.
const WHOLE: u64 = 128 * 1024;

/// One line of a list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The status word.
    pub status: String,
    /// The flow's name.
    pub flow: String,
    /// Who started it.
    pub by: String,
    /// When, RFC 3339.
    pub started: String,
    /// The gates that wait.
    pub waiting: Vec<String>,
    /// Whether the evidence is closed.
    pub sealed: bool,
    /// When the last record was written.
    pub last: jiff::Timestamp,
    /// How many more must say yes, by gate.
    wanted: HashMap<String, u32>,
}

impl Overview {
    fn new() -> Self {
        Self {
            status: "running".to_owned(),
            flow: String::new(),
            by: String::new(),
            started: String::new(),
            waiting: Vec::new(),
            sealed: false,
            last: jiff::Timestamp::UNIX_EPOCH,
            wanted: HashMap::new(),
        }
    }

    /// Reads and checks a run's whole journal.
    ///
    /// # Errors
    /// Damage; I/O.
    pub fn of(run: &RunDir) -> Result<Self, Error> {
        let mut overview = Self::new();
        scan(&run.journal(), |record| {
            overview.take(record);
            Ok::<(), Error>(())
        })?;
        Ok(overview.driven(run))
    }

    /// What a list of many runs says of one. Of a long journal that ends with the end of the run, or
    /// with a pause, only the first records and the last are read and checked: a hundred thousand
    /// records between them would say nothing more.
    ///
    /// # Errors
    /// Damage in what is read; I/O.
    pub fn glance(run: &RunDir) -> Result<Self, Error> {
        let Some(ends) = ends(&run.journal(), WHOLE)? else {
            return Self::of(run);
        };
        let says_all = |event: &str| {
            matches!(
                event,
                "run_paused" | "run_succeeded" | "run_failed" | "run_rejected" | "run_cancelled"
            )
        };
        // A sealing says only that: the end itself stands right before it.
        let mut tail = ends.iter().skip(1).rev();
        let from = match tail.next() {
            Some(last) if says_all(&last.event) => 1,
            Some(last) if last.event == "run_sealed" => match tail.next() {
                Some(end) if says_all(&end.event) => 2,
                _ => return Self::of(run),
            },
            _ => return Self::of(run),
        };
        let mut overview = Self::new();
        overview.take(ends[0].as_ref());
        for record in &ends[ends.len() - from..] {
            overview.take(record.as_ref());
        }
        Ok(overview.driven(run))
    }

    fn driven(mut self, run: &RunDir) -> Self {
        if self.status == "running" && !is_driven(run) {
            "interrupted".clone_into(&mut self.status);
        }
        self
    }

    fn take(&mut self, record: RecordRef<'_>) {
        self.last = record.ts;
        // Most records are starts and ends of nodes, which say nothing here.
        if record.event.starts_with("node_") {
            return;
        }
        if let Ok(Some(payload)) = Payload::parse(record.event, record.data) {
            self.add(payload, &record.ts);
        }
    }

    fn add(&mut self, payload: Payload, ts: &jiff::Timestamp) {
        let status = match payload {
            Payload::RunStarted(data) => {
                self.flow = data.flow;
                self.by = data.by;
                self.started = ts.to_string();
                "running"
            }
            Payload::ApprovalRequested(data) => {
                let node = data.node.to_string();
                self.wanted.insert(node.clone(), data.quorum);
                self.waiting.push(node);
                "running"
            }
            Payload::ApprovalDecided(data) => {
                let wanted = self.wanted.get_mut(data.node.as_str());
                if let (Some(wanted), Decision::Approved) = (wanted, data.decision) {
                    *wanted = wanted.saturating_sub(1);
                    if *wanted > 0 {
                        return;
                    }
                }
                self.waiting.retain(|node| data.node.as_str() != node);
                "running"
            }
            Payload::ApprovalExpired(data) => {
                self.waiting.retain(|node| data.node.as_str() != node);
                "running"
            }
            Payload::RunResumed(_) | Payload::CancelRequested(_) => "running",
            Payload::FlowChanged(_) | Payload::Rewound(_) => {
                self.waiting.clear();
                "running"
            }
            Payload::RunPaused(data) => {
                // In file order, while gates open in any.
                self.waiting = data.waiting.iter().map(ToString::to_string).collect();
                "paused"
            }
            Payload::RunSucceeded(_) => "succeeded",
            Payload::RunFailed(_) => "failed",
            Payload::RunRejected(_) => "rejected",
            Payload::RunCancelled(_) => "cancelled",
            Payload::RunSealed(_) => {
                self.sealed = true;
                return;
            }
            _ => return,
        };
        if matches!(status, "succeeded" | "failed" | "rejected" | "cancelled") {
            self.waiting.clear();
        }
        self.sealed = false;
        status.clone_into(&mut self.status);
    }
}
