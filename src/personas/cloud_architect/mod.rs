//! `CloudArchitect`: decides the design on every target cloud, each decision with id and reason.
//!
//! Classification decides protection (keys, retention, immutability), the recovery objectives decide
//! redundancy (replication, tiers). Every aspect has one id for good, so that generated code cites it.

mod aws;
mod azure;
mod baseline;
mod gcp;
mod oci;
mod persona;

pub(super) use persona::PERSONA;
