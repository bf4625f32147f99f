//! [`Overview`]: what a list says of a run, read from its journal without a plan.

use crate::run::Payload;
use crate::store::{Error, RunDir, RunLock, read};

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
}

impl Overview {
    /// Reads a run's journal.
    ///
    /// # Errors
    /// Damage; I/O.
    pub fn of(run: &RunDir) -> Result<Self, Error> {
        let mut overview = Self {
            status: "running".to_owned(),
            flow: String::new(),
            by: String::new(),
            started: String::new(),
            waiting: Vec::new(),
            sealed: false,
            last: jiff::Timestamp::UNIX_EPOCH,
        };
        for record in read(&run.journal())?.records {
            overview.last = record.ts;
            // Most records are starts and ends of nodes, which say nothing here.
            if record.event.starts_with("node_") {
                continue;
            }
            if let Ok(Some(payload)) = Payload::parse(&record.event, &record.data) {
                overview.add(payload, &record.ts);
            }
        }
        if overview.status == "running" && RunLock::holder(&run.lock()).is_none() {
            "interrupted".clone_into(&mut overview.status);
        }
        Ok(overview)
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
                self.waiting.push(data.node.to_string());
                "running"
            }
            Payload::ApprovalDecided(data) => {
                self.waiting.retain(|node| data.node.as_str() != node);
                "running"
            }
            Payload::ApprovalExpired(data) => {
                self.waiting.retain(|node| data.node.as_str() != node);
                "running"
            }
            Payload::RunResumed(_) | Payload::CancelRequested(_) => "running",
            Payload::FlowChanged(_) => {
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
