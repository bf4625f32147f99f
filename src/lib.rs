//! flowctl: a declarative DAG workflow engine.

pub mod diagnostic;
pub mod expr;
pub mod flow;
pub mod id;
pub mod plan;
pub mod port;
pub mod run;
pub mod value;
pub mod yaml;
