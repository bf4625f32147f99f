//! flowctl: a declarative DAG workflow engine for flows in which personas, deterministic skills
//! and humans who must say yes work together.
//!
//! The heart is a pure state machine ([`run`]) over a compiled flow ([`plan`]); drivers around it
//! touch the world. The rooms, from the ground up; a room uses rooms on lower floors only, which
//! `tests/it/architecture.rs` checks:
//!
//! | floor | room | holds |
//! |---|---|---|
//! | 6 | [`cli`] | commands, progress, rendering of diagnostics |
//! | 5b | `web` (feature) | pages, decisions, API: what the engine knows, over HTTP |
//! | 5 | [`engine`] | the local driver: carries actions out, publishes |
//! | 4b | [`evidence`] | node logs and bundles, projected from the journal; verifying, signing |
//! | 4b | [`export`] | evidence in a folder, bucket or table elsewhere, written once |
//! | 4a | [`tool`] | the registry, skill folders, commands, connections, HTTP |
//! | 4a | [`store`] | journal, lock, inbox, staged files, snapshot |
//! | 3b | [`run`] | events and [`run::RunState`]: one transition function |
//! | 3a | [`plan`] | tools found, ports wired, contracts checked, nodes ordered |
//! | 2c | [`approvers`] | who may approve, and by what they prove it: `approvers.yaml` |
//! | 2b | [`flow`] | the flow file: model, keys, decoding, checks |
//! | 2a | [`expr`], [`port`] | references and templates; ports, schemas, the tool interface |
//! | 1 | [`yaml`] | text to a tree that knows its places |
//! | 0 | [`value`], [`id`], [`slug`], [`diagnostic`] | words everyone uses |
//! | 0 | [`python_value`] | values as Python prints, compares and converts them |
//! | side | [`terraform`] | configurations, read and planned without Terraform |
//! | side | [`contracts`], [`personas`] | the contracts and the eight personas: pure functions |
//!
//! Only [`cli`] knows which personas exist: it tells the engine when it starts.

pub mod approvers;
pub mod cli;
pub mod contracts;
pub mod diagnostic;
pub mod engine;
pub mod evidence;
pub mod export;
pub mod expr;
pub mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod id;
pub mod personas;
pub mod plan;
pub mod port;
pub mod python_value;
pub mod run;
pub mod slug;
pub mod store;
pub mod terraform;
pub mod tool;
pub mod value;
#[cfg(feature = "web")]
pub mod web;
pub mod yaml;
