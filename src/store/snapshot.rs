//! [`Snapshot`]: the flow, sub-flows and skills that a run was started with.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::{RunDir, create_new};
use crate::flow::Selection;
use crate::value::{Digest, Value};

/// Everything that a plan was compiled from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The path of the flow itself, among `flows`.
    pub root: String,
    /// Flow files by the path under which they were read.
    pub flows: BTreeMap<String, String>,
    /// Skills by name.
    pub skills: BTreeMap<String, SkillFiles>,
    /// What of the flow was wanted.
    #[serde(default, skip_serializing_if = "Selection::is_all")]
    pub selection: Selection,
    /// What was found out of code beside flows, by the name of its tool.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, Value>,
}

/// The files of a skill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillFiles {
    /// Where it was found: `skills/NAME` or `builtin:skills/NAME`.
    pub origin: String,
    /// Files by path below it.
    pub files: BTreeMap<String, Content>,
}

/// A file's bytes; text stays readable in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(String),
}

impl Content {
    /// Keeps bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(
            |error| Self::Base64(STANDARD.encode(error.as_bytes())),
            Self::Text,
        )
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        }
    }
}

impl SkillFiles {
    /// Changes when any file does.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let bytes: Vec<(Vec<u8>, Vec<u8>)> = self
            .files
            .iter()
            .map(|(path, content)| (path.clone().into_bytes(), content.bytes()))
            .collect();
        Digest::of_parts(
            bytes
                .iter()
                .flat_map(|(path, content)| [path.as_slice(), content.as_slice()]),
        )
    }
}

impl Snapshot {
    /// The bytes as they are kept, and their digest.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Digest) {
        let bytes = serde_json::to_vec_pretty(self).expect("plain data becomes JSON");
        let digest = Digest::of(&bytes);
        (bytes, digest)
    }

    /// Keeps the snapshot in a run's folder.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, run: &RunDir) -> Result<Digest, Error> {
        let (bytes, digest) = self.encode();
        // The same content under the same name is as good as new.
        create_new(&run.snapshot(digest), &bytes)?;
        Ok(digest)
    }

    /// Reads a run's snapshot and checks that it is what the journal says.
    ///
    /// # Errors
    /// I/O, and damage.
    pub fn load(run: &RunDir, digest: Digest) -> Result<Self, Error> {
        let path = run.snapshot(digest);
        let bytes = super::read_regular(&path).map_err(Error::io("read", &path))?;
        let damaged = |path: &Path, message: String| Error::Damaged {
            path: path.to_owned(),
            line: 1,
            message,
        };
        if Digest::of(&bytes) != digest {
            return Err(damaged(
                &path,
                "its digest is not the one in the journal".to_owned(),
            ));
        }
        Self::decode(&bytes).map_err(|error| damaged(&path, error.to_string()))
    }

    /// Reads the bytes of a snapshot.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}
