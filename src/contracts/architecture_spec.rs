//! [`ArchitectureSpec`]: what `CloudArchitect` decided, every decision with an id and a reason.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    AwsDesign, AzureDesign, DataClassification, Decision, GcpDesign, OciDesign, Slug, TargetClouds,
};

/// Tags (labels on Google Cloud), in the order in which they are written.
pub type Tags = IndexMap<String, String>;

/// The architecture of one product on all of its clouds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArchitectureSpec {
    /// The product that this is for.
    pub product_slug: Slug,
    /// The classification that was decided upon.
    pub data_classification: DataClassification,
    /// The clouds, in the order asked for.
    pub target_clouds: TargetClouds,
    /// Recovery time objective in minutes.
    pub rto_minutes: u32,
    /// Recovery point objective in minutes.
    pub rpo_minutes: u32,
    /// What holds on every cloud.
    pub baseline: Baseline,
    /// What holds on each; exactly the target clouds are present.
    pub clouds: CloudDesigns,
    /// What the objectives ask for and a cloud does not promise.
    pub residual_risks: Vec<ResidualRisk>,
    /// Every decision above once more as one flat list, for documents.
    pub decisions: Vec<DecisionEntry>,
}

/// Decisions that hold on every cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// How much redundancy the objectives ask for.
    pub resilience_tier: Decision<ResilienceTier>,
    /// How long an object is kept, at least, when immutability is on; also the documented retention.
    pub retention_days: Decision<u32>,
    /// How long a deleted object can be brought back (7 to 90, so that every cloud accepts it).
    pub soft_delete_days: Decision<u32>,
    /// After how many days old versions of an object go.
    pub noncurrent_version_days: Decision<u32>,
    /// How long access logs are kept.
    pub log_retention_days: Decision<u32>,
    /// The tag keys that every resource must carry.
    pub required_tags: Decision<Vec<String>>,
}

/// How much redundancy a product needs, from its recovery objectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ResilienceTier {
    /// More than a day may pass for both.
    Basic,
    /// Back within a day, or a day of data may be lost.
    Standard,
    /// Back within four hours, or an hour of data may be lost.
    BusinessCritical,
    /// Back within the hour, or at most a quarter of an hour of data may be lost.
    MissionCritical,
}

impl ResilienceTier {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::BusinessCritical => "business-critical",
            Self::MissionCritical => "mission-critical",
        }
    }
}

/// The design per cloud; a cloud that is not targeted is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloudDesigns {
    /// Microsoft Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureDesign>,
    /// Amazon Web Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsDesign>,
    /// Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpDesign>,
    /// Oracle Cloud Infrastructure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciDesign>,
}

/// Where the data lies and where its copy lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RegionPair {
    /// The region that serves.
    pub primary: String,
    /// The region that holds the replica.
    pub replica: String,
}

/// How the product is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The mechanism, for example `private-endpoint`.
    pub mode: String,
    /// Well-formed placeholders for the networks that may reach the data; the landing zone's
    /// real ids replace them in the stack's variables.
    pub allowed_network_ids: Vec<String>,
}

/// Whether objects can be altered or deleted before their time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Immutability {
    /// Whether a write-once period is set.
    pub enabled: bool,
    /// The cloud's own word for the (reversible) mode, for example `GOVERNANCE` or `Unlocked`.
    pub mode: String,
    /// The period in days; 0 when not enabled.
    pub days: u32,
}

/// Something that the objectives ask for and a cloud does not promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResidualRisk {
    /// The id, for example `RISK-AZ-001`.
    pub id: String,
    /// The cloud that it is about.
    pub cloud: super::Cloud,
    /// What is not promised.
    pub statement: String,
    /// What limits it.
    pub mitigation: String,
}

/// A decision as a line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DecisionEntry {
    /// The decision's id.
    pub id: String,
    /// `all` or the cloud.
    pub scope: String,
    /// What was to be decided.
    pub title: String,
    /// What was decided, as text (compact JSON where it is more than a word).
    pub value: String,
    /// Why.
    pub reason: String,
}
