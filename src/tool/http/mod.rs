//! HTTP: a client that comes back later and keeps keys to itself, and the `http` nodes.
//!
//! The client, and whoever uses it, is behind the feature `llm`; what a request is, is not. Knows nothing of flows
//! and language models. Main types: [`Client`], [`Request`], [`Response`], [`Events`].

#[cfg(feature = "llm")]
mod answer;
#[cfg(feature = "llm")]
mod client;
mod events;
mod request;

#[cfg(feature = "llm")]
pub use client::{Client, Events, Response};
pub use events::{Event, EventReader, TooLong};
pub use request::{Error, ErrorKind, Expect, Request, Retry};
