//! `QA` and `Approvals`: one tool, `qa_verification.run`.
//!
//! From an `iac_plan` it checks ([`verify`]), from an existing `qa_summary` it records the human's
//! approval ([`approve`]). QA executes what it lists: a case that could not be executed says
//! `not-run` and why, and is never `passed`. A failed mandatory case fails the node.

mod approve;
mod case;
mod digests;
mod documents;
mod evaluator;
mod mirror;
mod persona;
mod policy;
mod structure;
mod terraform;
mod tree;
mod verdict;
mod verify;

pub(super) use persona::{APPROVALS, QA};
