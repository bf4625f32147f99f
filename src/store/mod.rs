//! What of a run lies on disk: journal, lock, inbox, staged files, snapshot.
//!
//! Keeps bytes safe and knows nothing of what an event means. Everything appears whole, by rename,
//! and nothing unreadable is overwritten. `docs/run-format.md` is the reference.

mod atomic;
mod blobs;
mod error;
mod inbox;
mod journal;
mod layout;
mod line;
mod lock;
mod snapshot;

pub use atomic::{create_new, replace, replace_as, sweep, sync_dir};
pub use blobs::Blobs;
pub use error::Error;
pub use inbox::{Inbox, Listed};
pub use journal::{Journal, Record, Recovered, read, verify};
pub use layout::{Layout, RunDir};
pub use line::{FORMAT_VERSION, GENESIS};
pub use lock::{Holder, RunLock};
pub use snapshot::{Content, SkillFiles, Snapshot};
