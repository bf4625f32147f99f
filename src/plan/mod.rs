//! The plan: flows with their tools found, ports wired, contracts checked, and nodes ordered in a
//! petgraph DAG.
//!
//! Pure: tools and files are asked of a [`Catalog`]. Knows nothing of YAML or of running.
//! [`Plan::compile`] reports every problem of a flow and its sub-flows at once.

mod catalog;
mod compile;
mod contract;
mod model;
mod order;
mod show;
mod wire;

pub use catalog::{Catalog, FlowError, Found, ToolInfo};
pub use model::{Fallback, NodeId, Plan, PlanNode, Scope, ScopeId, Step, Why, Wire, WireWhy};
pub use show::Format;
