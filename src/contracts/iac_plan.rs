//! [`IaCPlan`]: the Terraform that `IaCEngineer` rendered, file by file.

use serde::{Deserialize, Serialize};

use super::{Cloud, FileDigest, Slug};

/// Everything that was rendered for Terraform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IaCPlan {
    /// The product that this is for.
    pub product_slug: Slug,
    /// The reusable modules, the same bytes for every product.
    pub modules: Vec<IaCUnit>,
    /// The product's own root modules.
    pub stacks: Vec<IaCUnit>,
    /// Files that belong to no single module or stack.
    pub shared_files: Vec<FileDigest>,
    /// SHA-256 over the canonical JSON of all files: one digest for the whole tree.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub tree_sha256: String,
}

impl IaCPlan {
    /// Every file of the plan.
    pub fn files(&self) -> impl Iterator<Item = &FileDigest> {
        let units = self.modules.iter().chain(&self.stacks);
        units.flat_map(|unit| &unit.files).chain(&self.shared_files)
    }
}

/// A folder with Terraform in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IaCUnit {
    /// The cloud.
    pub cloud: Cloud,
    /// The folder, relative to the workspace.
    pub path: String,
    /// Its files, sorted by path.
    pub files: Vec<FileDigest>,
}
