//! [`FileDigest`]: a rendered file, named with its digest and size.

use serde::{Deserialize, Serialize};

use crate::port::File;
use crate::value::Digest;

/// One rendered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Relative to the workspace, `/`-separated.
    pub path: String,
    /// 64 lower-case hex digits.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

impl FileDigest {
    /// Digests a file.
    #[must_use]
    pub fn of(file: &File) -> Self {
        Self {
            path: file.path.clone(),
            sha256: Digest::of(&file.content).hex(),
            bytes: file.content.len() as u64,
        }
    }
}
