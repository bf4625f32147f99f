//! flowctl: a declarative DAG workflow engine.

pub mod contracts;
pub mod personas;
pub mod port;
pub mod value;
