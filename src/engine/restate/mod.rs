//! The Restate driver: carries out the same actions as the local one, inside a durable workflow.
//!
//! Three services: the workflow `FlowRun` holds the [`Driver`](super::Driver) of one run; the virtual object
//! `FlowInbox` numbers what is asked of a run; `FlowNode` makes one attempt of one node, on whichever worker
//! Restate chooses. Whatever the driver learns of the world it learns from a result that Restate has journaled, so
//! that going through a run again, on any worker, comes to the same journal to the byte.

mod client;
mod doctor;
mod ground;
mod inbox;
mod message;
mod node;
mod objects;
mod parcel;
mod run;
mod submit;
mod worker;

pub use client::{Client, ClientError};
pub use doctor::{Checked, Faces};
pub use objects::{Objects, ObjectsError};
pub use submit::Submit;
pub use worker::{Worker, WorkerError, WorkerOptions};

/// The workflow of a run.
pub(super) const RUN: &str = "FlowRun";
/// What numbers the requests to a run.
pub(super) const INBOX: &str = "FlowInbox";
/// What makes attempts.
pub(super) const NODE: &str = "FlowNode";

/// The service that makes attempts in a pool; without one, the common one.
pub(super) fn node_service(pool: Option<&str>) -> String {
    pool.map_or_else(|| NODE.to_owned(), |pool| format!("{NODE}_{pool}"))
}
