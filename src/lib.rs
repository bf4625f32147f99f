//! flowctl: a declarative DAG workflow engine.

pub mod contracts;
pub mod port;
pub mod value;
