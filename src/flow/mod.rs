//! The flow file: its model, its keys, decoding and the checks that need nothing but the file.
//!
//! [`Flow::decode`] turns a spanned YAML tree into a [`Flow`] and reports every problem at once;
//! [`Flow::check`] finds unknown, later and circular references. Which tools exist and how nodes
//! are wired is `plan`'s to know. The key tables in `keys` serve the decoder and the JSON Schema
//! for editors alike, so that the two cannot drift.

mod check;
mod cursor;
mod decode;
mod duration;
mod expect;
mod http;
mod input;
mod keys;
mod model;
mod node;
mod notify;
mod persona;
mod policy;
mod promptflow;
mod schema;
mod selection;

pub(crate) use check::Place;
pub(crate) use cursor::Cursor;
pub use duration::{parse as parse_duration, show as show_duration};
pub use expect::Expect;
pub use input::{InputDecl, InputType};
pub use keys::NEAR_KINDS;
pub(crate) use keys::{Key, key};
pub use model::{
    Activate, ApprovalDecl, Backoff, CodeDecl, CodeKind, CodeSource, Dialect, Expiry, Field, Flow,
    GateScope, InputBinding, KindDecl, Moment, NodeDecl, NotifyDecl, NotifyTarget, OnError, Order,
    ProcessDecl, ProcessOutput, Retry, RetryOn, Spanned,
};
pub use persona::{Charter, ModelDecl, OnInvalid};
pub use promptflow::Variant;
pub use schema::json_schema;
pub(crate) use schema::mapping as mapping_schema;
pub use selection::{Batch, Part, ROWS, Selection};
