//! The contracts: the typed documents that the personas hand to one another.
//!
//! Pure data with serde. Knows nothing of flows, runs or how a persona decides. One type (family)
//! per file; [`schema`] gives the JSON Schema of a contract by name, as it lies in
//! `schemas/contracts/`. Everything here is deterministic: no clock, no randomness.

mod approval_record;
mod architecture_spec;
mod aws_design;
mod azure_design;
mod backstage_bundle;
mod classification;
mod cloud;
mod decision;
mod evidence_record;
mod file_digest;
mod gcp_design;
mod iac_plan;
mod oci_design;
mod product_request;
mod qa_summary;
mod schema;
mod security_profile;

pub use crate::slug::Slug;
pub use approval_record::ApprovalRecord;
pub use architecture_spec::{
    ArchitectureSpec, Baseline, CloudDesigns, DecisionEntry, Immutability, Network, RegionPair,
    ResidualRisk, ResilienceTier, Tags,
};
pub use aws_design::{AwsDesign, AwsKey, AwsNames, AwsReplication, AwsTier};
pub use azure_design::{AzureDesign, AzureKey, AzureNames};
pub use backstage_bundle::BackstageBundle;
pub use classification::DataClassification;
pub use cloud::{Cloud, TargetClouds};
pub use decision::Decision;
pub use evidence_record::{EvidenceDocument, EvidenceRecord, EvidenceSource};
pub use file_digest::FileDigest;
pub use gcp_design::{GcpDesign, GcpKey, GcpNames, GcpReplication};
pub use iac_plan::{IaCPlan, IaCUnit};
pub use oci_design::{OciDesign, OciKey, OciNames, OciTier};
pub use product_request::ProductRequest;
pub use qa_summary::{QACounts, QAMode, QAStatus, QASummary, TestCase, TestStatus, ToolVersion};
pub use schema::{NAMES, schema};
pub use security_profile::{
    Control, ControlFamily, Enforcement, Guardrail, Mechanism, PolicyFile, SecurityProfile,
    Severity,
};
