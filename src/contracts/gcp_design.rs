//! [`GcpDesign`]: the decisions for Google Cloud.

use serde::{Deserialize, Serialize};

use super::{Decision, Immutability, Network, RegionPair, Tags};

/// The design of the product's storage on Google Cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpDesign {
    /// The two regions that hold the data (one, when the bucket is regional).
    pub region: Decision<RegionPair>,
    /// Location type and replication.
    pub replication: Decision<GcpReplication>,
    /// Resource names within Google Cloud's rules.
    pub names: Decision<GcpNames>,
    /// Labels of every resource: lower case, at most 63 characters.
    pub tags: Decision<Tags>,
    /// The customer-managed key.
    pub key: Decision<GcpKey>,
    /// `storage_class`: STANDARD or NEARLINE.
    pub tier: Decision<String>,
    /// Whether old versions of objects are kept (not together with a retention policy).
    pub versioning: Decision<bool>,
    /// The TLS versions that the organisation policy denies.
    pub min_tls: Decision<String>,
    /// How the bucket is reached.
    pub network: Decision<Network>,
    /// The bucket's retention policy.
    pub immutability: Decision<Immutability>,
}

/// Location and replication of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpReplication {
    /// The bucket's `location`: the dual-region `EUR4` or one region.
    pub location: String,
    /// The location of the key ring, which must fit the bucket's.
    pub kms_location: String,
    /// Whether the location is a dual-region.
    pub dual_region: bool,
    /// The bucket's `rpo`: `ASYNC_TURBO` (15 minutes) or `DEFAULT`; absent for one region.
    #[serde(default)]
    pub rpo: Option<String>,
}

/// Names on Google Cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpNames {
    /// The bucket: globally unique, and never with `goog` at its beginning or `google` in it.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")))]
    pub bucket: String,
    /// The access log bucket.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")))]
    pub log_bucket: String,
    /// The key ring.
    pub key_ring: String,
    /// The key.
    pub key: String,
}

/// A key in Cloud KMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GcpKey {
    /// After how many days the key is rotated.
    pub rotation_days: u32,
    /// `SOFTWARE` or `HSM`.
    pub protection_level: String,
}
