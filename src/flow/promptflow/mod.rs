//! The dialect of Prompt Flow's `flow.dag.yaml`.
//!
//! Gives the same [`Flow`](super::Flow) as flowctl's own dialect; what differs at run time hangs on
//! its [`Dialect`](super::Dialect). flowctl's keys (`approval`, `retry`, `foreach`, …) work here,
//! too. `docs/promptflow.md` lists where Prompt Flow does otherwise.

mod decode;
mod input;
mod keys;
mod node;
mod reference;
mod variant;

pub(super) use decode::{decode, is_prompt_flow};
pub use variant::Variant;
