//! YAML: text → a tree in which every value and key knows its bytes.
//!
//! Reads YAML 1.2 (core schema) through `granit-parser`'s events, resolves aliases and merge keys
//! within a budget, and reports duplicate keys with both places. [`edit`] changes one place of a text.
//! Knows nothing of flows.
//! Main types: [`Node`], [`Kind`], [`Entry`], [`Scalars`].

mod edit;
mod load;
mod node;
mod scalar;

pub use edit::{Change, edit, scalar};
pub use load::{MAX_BYTES, decode, load, load_as};
pub use node::{Entry, Kind, Node};
pub use scalar::Scalars;
