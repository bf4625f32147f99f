//! [`ApprovalRecord`]: who said yes, when, and to what.

use serde::{Deserialize, Serialize};

use super::Slug;

/// A human's approval of a checked product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApprovalRecord {
    /// The product that was approved.
    pub product_slug: Slug,
    /// The decision; `approved`.
    pub decision: String,
    /// Who decided.
    pub by: String,
    /// How sure flowctl is of that identity, for example `unverified`.
    pub identity: String,
    /// When, RFC 3339.
    pub at: String,
    /// What the approver wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The digest of what was asked, which the decision named.
    pub digest: String,
    /// The round in which it was asked.
    pub round: u32,
    /// SHA-256 of the canonical JSON of the QA summary that the approver saw.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub qa_summary_sha256: String,
    /// Ids of cases that had not run when the approver said yes: accepted knowingly.
    pub accepted_not_run: Vec<String>,
}
