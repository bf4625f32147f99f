//! flowctl: a declarative DAG workflow engine.

pub mod port;
pub mod value;
