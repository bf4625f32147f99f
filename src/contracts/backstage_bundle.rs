//! [`BackstageBundle`]: the software template and catalogue entry for the developer portal.

use serde::{Deserialize, Serialize};

use super::{FileDigest, Slug};

/// What `BackstagePublisher` rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackstageBundle {
    /// The product that this is for.
    pub product_slug: Slug,
    /// The bundle's folder, relative to the workspace.
    pub path: String,
    /// The template's entity reference.
    pub template_ref: String,
    /// The catalogue component's entity reference.
    pub component_ref: String,
    /// The owner's entity reference.
    pub owner: String,
    /// The component's lifecycle.
    pub lifecycle: String,
    /// Every file of the bundle.
    pub files: Vec<FileDigest>,
}
