//! [`DataClassification`]: how much a product's data must be protected.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The classification of a product's data; ordered, so that `>=` reads as "at least".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DataClassification {
    /// May be read by anyone; integrity and availability still matter.
    Public,
    /// For the organisation's own people.
    Internal,
    /// Harm when disclosed: personal or commercial data.
    Sensitive,
    /// Severe harm when disclosed or altered: regulated data and records.
    Restricted,
}

impl DataClassification {
    /// Every classification, from the least to the most protected.
    pub const ALL: [Self; 4] = [
        Self::Public,
        Self::Internal,
        Self::Sensitive,
        Self::Restricted,
    ];

    /// The word used in inputs, tags and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Sensitive => "sensitive",
            Self::Restricted => "restricted",
        }
    }

    /// Picks the value for this classification from a table in ascending order.
    #[must_use]
    pub fn pick<T: Copy>(self, table: [T; 4]) -> T {
        table[self as usize]
    }
}

impl fmt::Display for DataClassification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
