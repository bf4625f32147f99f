//! Who may approve, and by what they prove it: `approvers.yaml`.
//!
//! [`Approvers`] is the file, decoded with every problem at once; [`Pinned`] is what a run remembers of
//! it: what is taken away later no longer counts, and what is added later never does. Pure: files,
//! clocks and randomness are elsewhere.

mod decode;
mod keys;
mod model;
mod pinned;
mod public_key;
mod token;

/// Where the file is, in the workspace.
pub const FILE: &str = "approvers.yaml";

pub use keys::json_schema;
pub use model::{Approvers, User};
pub use pinned::{Pinned, PinnedUser};
pub use public_key::{PublicKey, fingerprint};
#[cfg(feature = "web")]
pub use token::NewToken;
pub use token::{Token, TokenHash};
