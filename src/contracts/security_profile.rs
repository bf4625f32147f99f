//! [`SecurityProfile`]: guardrails, the controls that they implement and where they are enforced.

use serde::{Deserialize, Serialize};

use super::{Cloud, DataClassification, Slug};

/// What protects the product, mapped to NIST SP 800-53 revision 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SecurityProfile {
    /// The product that this is for.
    pub product_slug: Slug,
    /// The classification that selected the guardrails.
    pub data_classification: DataClassification,
    /// The control catalogue, by its OSCAL title.
    pub catalog: String,
    /// Where the catalogue's OSCAL form is published.
    pub catalog_href: String,
    /// The control families that the classification requires.
    pub families: Vec<ControlFamily>,
    /// The guardrails, mandatory ones and recommended ones.
    pub guardrails: Vec<Guardrail>,
    /// Every control that a guardrail implements, once, in catalogue order.
    pub controls: Vec<Control>,
    /// The policy files that enforce them.
    pub policy_files: Vec<PolicyFile>,
}

/// A family of controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ControlFamily {
    /// Two letters, for example `SC`.
    pub id: String,
    /// The family's title.
    pub title: String,
}

/// A control of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The OSCAL id, for example `sc-28.1`.
    pub id: String,
    /// The label in print, for example `SC-28(1)`.
    pub label: String,
    /// The control's title.
    pub title: String,
    /// The family's two letters.
    pub family: String,
    /// The guardrails that implement it.
    pub guardrails: Vec<String>,
}

/// A rule that the product must keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// The id, for example `GR-SC-01`.
    pub id: String,
    /// The rule in a few words.
    pub title: String,
    /// The rule in a sentence.
    pub statement: String,
    /// How bad a breach is.
    pub severity: Severity,
    /// Whether it is mandatory at this classification; otherwise it is recommended.
    pub mandatory: bool,
    /// OSCAL ids of the controls that it implements.
    pub controls: Vec<String>,
    /// The architecture decisions that it rests on.
    pub decisions: Vec<String>,
    /// The Rego rule that checks it over a Terraform plan; absent when no plan can show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rego_rule: Option<String>,
    /// Where it is enforced, at least one point per target cloud.
    pub enforcement: Vec<Enforcement>,
}

/// How bad a breach of a guardrail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth mending.
    Low,
    /// Weakens the product.
    Medium,
    /// Exposes data or loses it.
    High,
    /// Exposes data to anyone.
    Critical,
}

/// One point at which a guardrail is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Enforcement {
    /// The cloud.
    pub cloud: Cloud,
    /// What enforces it.
    pub mechanism: Mechanism,
    /// The policy or rule by the name that it has in its file.
    pub policy: String,
    /// The file that carries it, relative to the workspace; absent when the platform itself does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What enforces a guardrail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// A rule of the Rego package, over the Terraform plan and before anything is deployed.
    Rego,
    /// The cloud itself, without a setting that could be wrong.
    Platform,
    /// A definition of the Azure Policy initiative.
    AzurePolicy,
    /// A rule of the AWS Config conformance pack.
    AwsConfig,
    /// A Google Cloud organisation policy.
    GcpOrgPolicy,
    /// A rule of the OCI Cloud Guard detector recipe.
    OciCloudGuard,
}

/// A file of the policy pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Relative to the workspace.
    pub path: String,
    /// The cloud that reads it; absent for Rego, which is for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cloud>,
    /// `azure-policy-initiative`, `aws-conformance-pack`, `gcp-org-policy`, `oci-detector-recipe`, `rego`.
    pub format: String,
    /// The guardrails that it enforces.
    pub guardrails: Vec<String>,
}
