//! Terraform configurations: read, and planned without Terraform.
//!
//! [`Configuration`] holds the parsed `.tf` files of a tree, [`Plan`] is what a root module of it would
//! create, in the form of `terraform show -json`, so that policies written for real plans judge it.
//! [`Fault`] breaks a configuration on purpose, to see whether a policy notices.
//!
//! What only an apply can tell is not invented: see [`value::UNKNOWN`]. Defaults that a provider
//! sets, and values that it computes, are absent; validations and checks are not evaluated. Knows
//! nothing of products, policies and files on disk.

mod configuration;
mod fault;
mod functions;
mod module;
mod named;
mod plan;
mod references;
mod types;
mod value;

pub use configuration::{Configuration, Problem};
pub use fault::{Fault, Operation};
pub use plan::Plan;
