//! Names and ids: newtypes, so that a node's name is never taken for a tool's.
//!
//! Knows nothing of what the names stand for.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: AsRef<str>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(Arc::from(text.as_ref()))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, formatter)
            }
        }
    };
}

name! {
    /// A node's name, unique within its flow file.
    NodeName
}
name! {
    /// A registered tool's name, for example `qa_verification.run`.
    ToolName
}
name! {
    /// Where a node instance stands in a run: `QA`, `Build/QA`, `Scan[2]/Fix`.
    NodePath
}
name! {
    /// A run's id: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    RunId
}

impl RunId {
    /// Reads an id as a person types it.
    ///
    /// # Errors
    /// A sentence fragment that says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // `.` and `..` would be folders, and a leading `-` would read as an option.
        if text.is_empty()
            || text.len() > 64
            || !text.chars().all(allowed)
            || text.starts_with(['.', '-'])
        {
            return Err(format!(
                "`{}` is not a run id: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with `.` or `-`",
                text.escape_debug()
            ));
        }
        Ok(Self::from(text))
    }
}

impl NodePath {
    /// The path of a node inside this instance (`Build` → `Build/QA`).
    #[must_use]
    pub fn child(&self, name: &NodeName) -> Self {
        Self::from(format!("{self}/{name}"))
    }

    /// The path of one item of this `foreach` instance (`Scan` → `Scan[2]`).
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self::from(format!("{self}[{index}]"))
    }
}

/// Whether a text may name a node or an input: a letter or `_`, then letters, digits, `_`, `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_cannot_be_paths() {
        for bad in ["", ".", "..", "a/b", "-x", "a b", "é", &"x".repeat(65)] {
            assert!(RunId::parse(bad).is_err(), "{bad}");
        }
        for good in ["a", "2026.11.22_x-1", &"x".repeat(64)] {
            assert!(RunId::parse(good).is_ok(), "{good}");
        }
    }
}
