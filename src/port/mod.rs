//! Ports: what a tool takes, what it gives, and the one interface that every tool implements.
//!
//! Knows nothing of flows, runs or schedulers. A [`Signature`] lists typed [`Port`]s; a
//! [`Function`] is called with a [`Call`] and answers with an [`Outcome`] or a [`Failure`];
//! whatever it needs from outside comes through [`Host`].

mod compatible;
mod plain;
mod schema;
mod tool;

pub use compatible::{Lookup, Mismatch, compatible, lookup};
pub use schema::{Schema, Violation};
pub use tool::{
    Call, Command, Completed, Effect, Failure, FailureKind, File, Function, Host, Outcome, Port,
    Signature,
};
