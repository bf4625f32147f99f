//! [`EvidenceRecord`]: what the evidence of a product consists of.

use serde::{Deserialize, Serialize};

use super::{QAStatus, Slug};

/// The index of a product's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceRecord {
    /// The product.
    pub product_slug: Slug,
    /// The bundle's folder, relative to the workspace.
    pub bundle_path: String,
    /// Where the product stood.
    pub qa_status: QAStatus,
    /// Who approved.
    pub approved_by: String,
    /// When, RFC 3339.
    pub approved_at: String,
    /// The OSCAL documents.
    pub oscal: Vec<EvidenceDocument>,
    /// The contracts that the documents were made from.
    pub sources: Vec<EvidenceSource>,
}

/// An OSCAL document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceDocument {
    /// The OSCAL model, for example `assessment-results`.
    pub model: String,
    /// Relative to the workspace.
    pub path: String,
    /// The document's own UUID.
    pub uuid: String,
    /// SHA-256 of its bytes.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
}

/// A contract that evidence was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceSource {
    /// The contract's name.
    pub contract: String,
    /// SHA-256 of its canonical JSON.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
}
