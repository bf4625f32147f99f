//! Who may approve, and by what they prove it: `approvers.yaml`.
//!
//! [`Pinned`] is what a run remembers of the file; what is taken away later no longer counts, and
//! what is added later never does. Pure: files, clocks and randomness are elsewhere.

mod pinned;

/// Where the file is, in the workspace.
pub const FILE: &str = "approvers.yaml";

pub use pinned::{Pinned, PinnedUser};
