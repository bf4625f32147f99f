//! Language models: prompts to messages, requests, answers.
//!
//! What becomes of a prompt is always there; what asks a model is behind the feature `llm`. It speaks
//! with OpenAI, Azure OpenAI, servers that are compatible with them, and Anthropic. All but `Llm` is pure.
//! Knows nothing of flows: who runs a node says where its inputs came from ([`Origin`]), so that what a user
//! wrote opens no message.

#[cfg(feature = "llm")]
mod anthropic;
#[cfg(feature = "llm")]
mod body;
#[cfg(test)]
#[cfg(feature = "llm")]
mod captured;
#[cfg(feature = "llm")]
mod client;
mod images;
mod mask;
#[cfg(feature = "llm")]
mod openai;
mod parameters;
mod prepare;
#[cfg(feature = "llm")]
mod problem;
#[cfg(feature = "llm")]
mod request;
mod roles;
#[cfg(test)]
#[cfg(feature = "llm")]
mod testing;

#[cfg(feature = "llm")]
pub use client::Llm;
pub use images::Images;
pub use mask::Mask;
pub use parameters::{Api, Split, coerce_literal, parameter};
pub use prepare::{Origin, Prepared, Rendered, prepare, render};
#[cfg(feature = "llm")]
pub use request::{LlmAnswer, LlmRequest, providers};
