//! [`Error`]: why a run cannot be driven.

use crate::diagnostic::Diagnostics;
use crate::run::IllegalTransition;
use crate::store;

/// A failure of the engine itself; failures of nodes are events.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flow or its inputs are wrong.
    #[error("the flow is invalid")]
    Invalid(Diagnostics),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The journal does not fit the plan.
    #[error("the journal cannot be replayed: {0}")]
    Replay(#[from] IllegalTransition),
    /// A record's data cannot be read.
    #[error("record {seq} (`{event}`) cannot be read: {message}")]
    Record {
        /// The record.
        seq: u64,
        /// Its kind.
        event: String,
        /// Why.
        message: String,
    },
    /// An output in a file of its own is gone or damaged.
    #[error("the output of {of} in run `{run}` is not intact: {message}")]
    Output {
        /// The run.
        run: crate::id::RunId,
        /// What gave it.
        of: String,
        /// What is wrong with which file.
        message: String,
    },
    /// Secrets that the flow names are not there.
    #[error("the flow needs secrets that are not there: {0}; no node was started")]
    Secrets(String),
    /// The request does not fit the run.
    #[error("{0}")]
    Refused(String),
    /// The system gives no thread to run a tool on.
    #[error("cannot start a thread for a tool: {0}; the run can be resumed")]
    Threads(#[source] std::io::Error),
    /// The state asks for nothing and has not ended.
    #[error(
        "the run can neither go on nor end; this is a mistake in flowctl, please report it with the run's journal"
    )]
    Stuck,
    /// Restate, or what belongs to it, did not do what was asked of it.
    #[error("{0}")]
    Away(String),
    /// Evidence cannot be written.
    #[error("the evidence cannot be written: {0}")]
    Evidence(#[from] crate::evidence::Error),
}
