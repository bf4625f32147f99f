//! [`OciDesign`]: the decisions for Oracle Cloud Infrastructure.

use serde::{Deserialize, Serialize};

use super::{Decision, Immutability, Network, RegionPair, Tags};

/// The design of the product's storage on OCI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OciDesign {
    /// The region and the replica's region.
    pub region: Decision<RegionPair>,
    /// Whether a replication policy copies to the replica's region.
    pub replication: Decision<bool>,
    /// Resource names within OCI's rules.
    pub names: Decision<OciNames>,
    /// Freeform tags of every resource.
    pub tags: Decision<Tags>,
    /// The customer-managed key.
    pub key: Decision<OciKey>,
    /// Storage tier and auto-tiering.
    pub tier: Decision<OciTier>,
    /// Whether old versions of objects are kept (not together with a retention rule).
    pub versioning: Decision<bool>,
    /// The lowest TLS version that the service speaks.
    pub min_tls: Decision<String>,
    /// How the bucket is reached.
    pub network: Decision<Network>,
    /// The bucket's retention rule.
    pub immutability: Decision<Immutability>,
}

/// Names on OCI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OciNames {
    /// The bucket.
    pub bucket: String,
    /// The replica bucket.
    pub replica_bucket: String,
    /// The access log group.
    pub log_group: String,
    /// The vault.
    pub vault: String,
    /// The key.
    pub key: String,
}

/// A key in OCI Vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OciKey {
    /// After how many days the key is to be rotated (OCI accepts 60 to 365).
    pub rotation_days: u32,
    /// `SOFTWARE` or `HSM`.
    pub protection_mode: String,
    /// `DEFAULT`, or `VIRTUAL_PRIVATE`, which alone rotates keys by itself.
    pub vault_type: String,
}

/// Storage tier of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OciTier {
    /// `storage_tier`: always `Standard`, since an archived object takes an hour to restore.
    pub storage_tier: String,
    /// `auto_tiering`: `Disabled` or `InfrequentAccess`.
    pub auto_tiering: String,
}
