//! [`AzureDesign`]: the decisions for Microsoft Azure.

use serde::{Deserialize, Serialize};

use super::{Decision, Immutability, Network, RegionPair, Tags};

/// The design of the product's storage on Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureDesign {
    /// The region and its pair (Azure itself chooses the pair of a geo-redundant account).
    pub region: Decision<RegionPair>,
    /// `account_replication_type`: GRS, RAGRS, GZRS or RAGZRS.
    pub replication: Decision<String>,
    /// Resource names within Azure's rules.
    pub names: Decision<AzureNames>,
    /// Tags of every resource.
    pub tags: Decision<Tags>,
    /// The customer-managed key.
    pub key: Decision<AzureKey>,
    /// `access_tier`: Hot or Cool.
    pub tier: Decision<String>,
    /// Whether old versions of blobs are kept.
    pub versioning: Decision<bool>,
    /// `min_tls_version`.
    pub min_tls: Decision<String>,
    /// How the account is reached.
    pub network: Decision<Network>,
    /// Version-level immutability.
    pub immutability: Decision<Immutability>,
    /// Whether the service encrypts a second time below the customer's key.
    pub infrastructure_encryption: Decision<bool>,
    /// For how many days the containers can be set back to a point in time; 0 is off.
    pub point_in_time_restore_days: Decision<u32>,
}

/// Names on Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureNames {
    /// The resource group.
    pub resource_group: String,
    /// The storage account: 3 to 24 lower-case letters and digits, globally unique.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z0-9]{3,24}$")))]
    pub storage_account: String,
    /// The blob container.
    pub container: String,
    /// The key vault: 3 to 24 letters, digits and hyphens, globally unique.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z][a-z0-9-]{1,22}[a-z0-9]$")))]
    pub key_vault: String,
    /// The key in the vault.
    pub key: String,
    /// The user-assigned identity of the account.
    pub identity: String,
    /// The Log Analytics workspace.
    pub log_workspace: String,
    /// The private endpoint.
    pub private_endpoint: String,
}

/// A key in Azure Key Vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AzureKey {
    /// `key_type`.
    pub key_type: String,
    /// `key_size`.
    pub key_size: u32,
    /// After how many days the key is rotated.
    pub rotation_days: u32,
    /// After how many days a version of the key expires; later than its rotation.
    pub expiry_days: u32,
}
