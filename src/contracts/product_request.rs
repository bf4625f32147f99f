//! [`ProductRequest`]: what the product is, as everything after `ProductManager` reads it.

use serde::{Deserialize, Serialize};

use super::{DataClassification, Slug, TargetClouds};

/// A request for an infrastructure product, checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProductRequest {
    /// The name as people write it, trimmed, without control characters.
    #[cfg_attr(test, schemars(length(min = 3, max = 200)))]
    pub product_name: String,
    /// The name as paths and resource names carry it.
    pub slug: Slug,
    /// What the product is for.
    #[cfg_attr(test, schemars(length(min = 1, max = 1000)))]
    pub description: String,
    /// The owning group, a Backstage entity reference.
    #[cfg_attr(test, schemars(length(min = 1, max = 130)))]
    pub owner: String,
    /// The clouds to build for, at least one, in the order asked for.
    pub target_clouds: TargetClouds,
    /// How much the data must be protected.
    pub data_classification: DataClassification,
    /// Recovery time objective in whole minutes: how long the product may be down.
    pub rto_target: u32,
    /// Recovery point objective in whole minutes: how much data may be lost.
    pub rpo_target: u32,
}
