//! flowctl: a declarative DAG workflow engine.

pub mod cli;
pub mod contracts;
pub mod diagnostic;
pub mod engine;
pub mod evidence;
pub mod expr;
pub mod flow;
pub mod id;
pub mod personas;
pub mod plan;
pub mod port;
pub mod run;
pub mod slug;
pub mod store;
pub mod tool;
pub mod value;
pub mod yaml;
