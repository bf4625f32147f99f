//! Language models: prompts to messages, requests, answers.
//!
//! Everything but [`Llm`] is pure and always there; [`Llm`] sends, and is behind the feature `llm`. It speaks
//! with OpenAI, Azure OpenAI, servers that are compatible with them, and Anthropic. Knows nothing of flows:
//! who runs a node says where its inputs came from ([`Origin`]), so that what a user wrote opens no message.

mod anthropic;
#[cfg(test)]
mod captured;
#[cfg(feature = "llm")]
mod client;
mod images;
mod mask;
mod openai;
mod parameters;
mod prepare;
mod problem;
mod request;
mod roles;
#[cfg(test)]
mod testing;

#[cfg(feature = "llm")]
pub use client::Llm;
pub use images::Images;
pub use mask::Mask;
pub use parameters::{Api, Split, coerce_literal, parameter};
pub use prepare::{Origin, Prepared, Rendered, prepare, render};
pub use request::{LlmAnswer, LlmRequest, providers};
