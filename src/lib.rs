//! flowctl: a declarative DAG workflow engine.

pub mod diagnostic;
pub mod id;
pub mod port;
pub mod value;
pub mod yaml;
