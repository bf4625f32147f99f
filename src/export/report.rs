//! [`Report`]: what came of an export; [`Observer`]: who watches it.

use std::collections::{BTreeMap, BTreeSet};

/// What came of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there now.
    Exported,
    /// It was there, with the same content.
    There,
    /// It is not there as it should be.
    Trouble,
}

/// What is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Something else is there under its name.
    Conflict(String),
    /// The evidence here is not what it says it is.
    Damaged(String),
    /// It could not be put, or not be looked at.
    Failed(String),
}

impl Trouble {
    /// One word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Damaged(_) => "damaged",
            Self::Failed(_) => "failed",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Conflict(message) | Self::Damaged(message) | Self::Failed(message) => message,
        }
    }
}

/// What came of an export.
#[derive(Debug, Default)]
pub struct Report {
    /// What this export put, or would put; objects, or logs for Azure Data Explorer, with a number
    /// of bytes.
    pub exported: BTreeMap<String, u64>,
    /// What was there already, with the same content.
    pub there: BTreeSet<String>,
    /// What is not there as it should be.
    pub troubles: BTreeMap<String, Trouble>,
    /// Bundles that are not closed yet, and are left for the next export.
    pub open: BTreeSet<String>,
    /// The list of everything, when everything is there.
    pub manifest: Option<String>,
    /// How many objects were not even tried, because too many had failed.
    pub left: usize,
    /// Rows that were sent, when the destination takes rows.
    pub rows: Option<Rows>,
    /// Whether somebody asked it to stop before the end.
    pub interrupted: bool,
}

/// How many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Sent by this export.
    pub sent: u64,
    /// Sent before.
    pub there: u64,
}

/// Who watches an export.
pub trait Observer: Send {
    /// So many objects are looked at.
    fn begin(&mut self, objects: u64);
    /// One of them is done.
    fn done(&mut self, name: &str, outcome: Outcome);
}
