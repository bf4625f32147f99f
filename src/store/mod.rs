//! What of a run lies on disk: journal, lock, inbox, staged files, snapshot.
//!
//! Keeps bytes safe and knows nothing of what an event means. Everything appears whole, by rename,
//! and nothing unreadable is overwritten. `docs/run-format.md` is the reference.

mod atomic;
mod blobs;
mod cache;
mod error;
mod inbox;
mod journal;
mod layout;
mod line;
mod lock;
mod regular;
mod retrace;
mod run_index;
mod scan;
mod snapshot;

pub use atomic::{
    create_new, create_private, replace, replace_alike, replace_as, replace_private, sweep,
    sync_dir,
};
pub use blobs::Blobs;
pub use cache::{Cache, CacheEntry, Cleared};
pub use error::Error;
pub use inbox::{Inbox, Listed};
pub use journal::Journal;
pub use layout::{Layout, RunDir};
pub use line::{FORMAT_VERSION, GENESIS};
pub use lock::{Holder, RunLock};
pub use regular::{open_regular, open_regular_with, read_regular};
pub use run_index::RunIndex;
pub use scan::{
    Places, Record, RecordRef, Recovered, Scanned, Tail, ends, last_records, read, scan, verify,
};
pub use snapshot::{Content, SkillFiles, Snapshot};
