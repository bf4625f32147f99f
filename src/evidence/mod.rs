//! Evidence: what an auditor reads, projected from durable journal records.
//!
//! [`write`](fn@write) is called when a run pauses and when it ends: it appends to the node
//! logs and closes the bundle of a run that has ended. [`rebuild`](fn@rebuild) makes everything
//! again from the journals; [`verify`](fn@verify) needs nothing but the folder. What lies where,
//! and in which order it is written, is said in `folder.rs`. Knows nothing of personas.

mod bundle;
mod decisions;
mod envelope;
mod folder;
mod head;
mod index;
mod intact;
mod ledger;
mod lines;
mod material;
mod node_log;
mod opening;
mod placing;
mod rebuild;
mod record;
mod settle;
#[cfg(feature = "sign")]
mod sign;
mod story;
mod test_case;

#[cfg(not(feature = "sign"))]
#[path = "unsigned.rs"]
mod sign;
mod verify;
mod write;

pub use head::behind;
pub use material::is_document;
pub use rebuild::{Derived, Rebuilt, rebuild};
pub use sign::{PublicKey, Signer, read_keys};
pub use test_case::TestCase;
pub use verify::{Finding, Report, Seal, Tree, verify};
pub use write::{Sealed, Writing, write};

use crate::store::Layout;

/// A failure to write evidence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// A line was changed by somebody else.
    #[error("line {line} of `{path}` is damaged: {message}")]
    Damaged {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A file was changed by somebody else.
    #[error("`{path}` was changed: {message}")]
    Changed {
        /// The file, or the run.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A journal has lost its end.
    #[error(
        "the journal `{journal}` of run {run} ends with record {last}, and {named} goes up to record {upto}"
    )]
    Shortened {
        /// The run.
        run: String,
        /// Its journal.
        journal: String,
        /// The last record in it.
        last: u64,
        /// What says that there was more.
        named: String,
        /// Up to where.
        upto: u64,
        /// A longer journal, where one is.
        longer: Option<String>,
    },
    /// A bundle that was announced as signed cannot be finished.
    #[error("the bundle of run {run} was to be signed by another key, and that key is not here")]
    Unsigned {
        /// The run.
        run: String,
    },
    /// A run cannot be replayed.
    #[error("run {run} cannot be read: {message}")]
    Run {
        /// The run.
        run: String,
        /// Why.
        message: String,
    },
}

/// The lock that keeps two processes from writing at once.
fn lock(layout: &Layout) -> Result<crate::store::RunLock, Error> {
    Ok(crate::store::RunLock::wait(
        &layout.evidence().join(index::LOCK),
        || {
            tracing::info!("waiting for another process that writes evidence");
        },
    )?)
}
