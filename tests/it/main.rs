//! The integration tests: the real binary over real folders.
//!
//! One binary with one module per concern. Outputs are compared as inline `insta` snapshots;
//! `harness` replaces what differs from run to run and machine to machine by placeholders.

#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::disallowed_methods,
    let_underscore_drop,
    reason = "a test that stops where it stands says enough, and texts are short"
)]

mod accept_changes;
#[cfg(feature = "web")]
mod api;
#[cfg(all(feature = "sign", feature = "web"))]
mod approvers;
mod architecture;
mod cache;
mod commands;
mod connections;
mod crash;
#[cfg(feature = "web")]
mod deciders;
mod diagnostics;
#[cfg(all(feature = "web", target_os = "linux"))]
mod door;
mod durable;
#[cfg(feature = "sign")]
mod evidence;
mod examples;
mod export;
#[cfg(feature = "export")]
mod export_adx;

#[cfg(target_os = "linux")]
mod faults;
mod flagship;
mod fleet;
mod gates;
mod harness;
mod hostile;
#[cfg(feature = "llm")]
mod http_client;
#[cfg(feature = "llm")]
mod http_nodes;
#[cfg(feature = "llm")]
mod models;
mod nodes;
mod notify;
#[cfg(all(feature = "web", target_os = "linux"))]
mod pages;
#[cfg(feature = "sign")]
mod policy;
mod processes;
mod promptflow;
mod publish;
#[cfg(all(feature = "web", target_os = "linux"))]
mod quorum;
mod secrets;
#[cfg(feature = "llm")]
mod server;
#[cfg(feature = "sign")]
mod signed;
mod skills_python;
mod terraform;
#[cfg(target_os = "linux")]
mod tracer;
#[cfg(feature = "sign")]
mod trust;
#[cfg(all(feature = "web", target_os = "linux"))]
mod web;
mod world;
