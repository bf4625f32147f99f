//! [`Decision`]: one architecture decision, with the id by which generated code cites it.

use serde::{Deserialize, Serialize};

/// A decided value together with why it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Decision<T> {
    /// The id, for example `ADR-AZ-002`; the same aspect has the same id in every product.
    pub id: String,
    /// What was to be decided, in a few words.
    pub title: String,
    /// What was decided.
    pub value: T,
    /// One sentence that names what asked for it.
    pub reason: String,
}

impl<T> Decision<T> {
    /// Records a decision.
    pub fn new(id: &str, title: &str, value: T, reason: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            value,
            reason: reason.into(),
        }
    }
}
