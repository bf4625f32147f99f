//! Evidence: what an auditor reads, projected from durable journal records.
//!
//! [`project`] appends to the node logs, [`seal`] closes the bundle of a run that has ended. Both
//! are idempotent and can be done again from the journal. Knows nothing of personas.

mod bundle;
mod decisions;
mod node_log;
mod test_case;

pub use bundle::{Sealed, seal};
pub use node_log::project;
pub use test_case::TestCase;

use crate::store::Layout;

/// A failure to write evidence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// A node log was changed by somebody else.
    #[error("line {line} of `{path}` is damaged: {message}")]
    Damaged {
        /// The log.
        path: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// The lock that keeps two processes from appending at once.
fn lock(layout: &Layout) -> Result<crate::store::RunLock, Error> {
    Ok(crate::store::RunLock::wait(
        &layout.evidence().join(".lock"),
        || {
            tracing::info!("waiting for another process that writes evidence");
        },
    )?)
}
