//! [`AwsDesign`]: the decisions for Amazon Web Services.

use serde::{Deserialize, Serialize};

use super::{Decision, Immutability, Network, RegionPair, Tags};

/// The design of the product's storage on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsDesign {
    /// The region and the replica's region.
    pub region: Decision<RegionPair>,
    /// Cross-region replication.
    pub replication: Decision<AwsReplication>,
    /// Resource names within AWS's rules.
    pub names: Decision<AwsNames>,
    /// Tags of every resource.
    pub tags: Decision<Tags>,
    /// The customer-managed key.
    pub key: Decision<AwsKey>,
    /// Storage class and lifecycle.
    pub tier: Decision<AwsTier>,
    /// Whether old versions of objects are kept (replication needs it).
    pub versioning: Decision<bool>,
    /// The lowest TLS version that the bucket policy accepts: `1.2` or `1.3`.
    pub min_tls: Decision<String>,
    /// How the bucket is reached.
    pub network: Decision<Network>,
    /// Object Lock.
    pub immutability: Decision<Immutability>,
}

/// Cross-region replication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsReplication {
    /// Whether S3 Replication Time Control (15 minutes, with metrics) is on.
    pub time_control: bool,
    /// The storage class of the copies.
    pub replica_storage_class: String,
}

/// Names on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsNames {
    /// The bucket.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")))]
    pub bucket: String,
    /// The replica bucket.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")))]
    pub replica_bucket: String,
    /// The access log bucket.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")))]
    pub log_bucket: String,
    /// The alias of the key.
    pub key_alias: String,
    /// The replication role: at most 64 characters.
    #[cfg_attr(test, schemars(length(max = 64)))]
    pub replication_role: String,
}

/// A key in AWS KMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsKey {
    /// After how many days the key is rotated (AWS accepts 90 to 2560).
    pub rotation_days: u32,
    /// How long a deleted key can be brought back (7 to 30).
    pub deletion_window_days: u32,
}

/// Storage class and lifecycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsTier {
    /// After how many days an object moves to `STANDARD_IA`.
    pub standard_ia_after_days: u32,
    /// After how many days an object moves to `GLACIER_IR` (milliseconds to read, cheaper to keep).
    pub glacier_ir_after_days: u32,
}
