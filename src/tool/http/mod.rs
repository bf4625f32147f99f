//! HTTP: a client that comes back later and keeps keys to itself, and the `http` nodes.
//!
//! The client, and whoever uses it, is behind the feature `llm`; what a request is, is not. Knows nothing of flows
//! and language models. Main types: [`Client`], [`Request`], [`Response`], [`Events`].

#[cfg(feature = "llm")]
mod answer;
#[cfg(feature = "llm")]
mod client;
mod events;
#[cfg(feature = "llm")]
mod node;
mod ports;
mod request;
mod web;

#[cfg(feature = "llm")]
pub use client::{Client, Events, Response};
pub use events::{Event, EventReader, TooLong};
pub use ports::signature;
pub use request::{Error, ErrorKind, Request, Retry};
pub use web::{BUILT_IN, Web};
