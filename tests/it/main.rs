//! The integration tests: the real binary over real folders.
//!
//! One binary with one module per concern. Outputs are compared as inline `insta` snapshots;
//! `harness` replaces what differs from run to run and machine to machine by placeholders.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "YAML of tests is put together where it is read"
)]

mod accept_changes;
mod architecture;
mod commands;
mod crash;
mod diagnostics;
mod examples;
mod gates;
mod harness;
mod nodes;
mod publish;
