//! Batches: a flow run once for each row of a file, as one run.
//!
//! [`read_rows`] reads the file, [`Mapping`] makes the lines' inputs of its rows, and [`Results`]
//! says what came of them. In between a batch is a run like any other: it is journaled node by node,
//! and taken up where it was left.

mod data;
mod mapping;
mod results;

pub use data::{Row, read_rows};
pub use mapping::{Lines, Mapping};
pub use results::{LineError, Results};
