//! [`Away`]: the note in a run's folder that says that Restate has the run, and not this machine.

use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::store::{self, RunDir, RunLock};
use crate::value::Digest;

/// How Restate and what belongs to it are reached.
#[derive(Clone, Default)]
pub struct Distance {
    /// Where the server takes requests, if that is not where a run's note says.
    pub ingress: Option<String>,
    /// What goes along with each request, for a server behind something that asks for it.
    pub token: Option<String>,
    /// Where workers keep what is too large for a message; a folder of the workspace when absent.
    pub object_store: Option<String>,
}

impl std::fmt::Debug for Distance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token.
        formatter
            .debug_struct("Distance")
            .field("ingress", &self.ingress)
            .field("object_store", &self.object_store)
            .finish_non_exhaustive()
    }
}

/// A run that was given to Restate, or had been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Where the server takes requests.
    pub ingress: String,
    /// Whether it still has the run.
    pub open: bool,
    /// What it was given.
    pub life: Life,
}

/// The time from when a run is given to Restate until it is given back: when it has ended, or when somebody
/// takes it back. A run that failed and is resumed lives once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The run.
    pub run: String,
    /// What it is called on the server: its id, and the beginning of the hash of its first record. Two
    /// workspaces may each have a run of that id.
    pub name: String,
    /// From 1.
    pub number: u32,
    /// The last record of the journal before it.
    pub after: u64,
    /// The hash of that record.
    pub head: String,
    /// The flow, its sub-flows, skills and schemas, by content.
    pub snapshot: Digest,
    /// The flow's name, for whoever looks at Restate's own page.
    pub flow: String,
    /// Attempts at the same time.
    pub jobs: usize,
    /// Who gave it.
    pub by: String,
}

/// Whether somebody drives a run: a process of a machine that shares its folder, or Restate.
#[must_use]
pub fn is_driven(dir: &RunDir) -> bool {
    RunLock::holder(&dir.lock()).is_some() || matches!(Away::has(dir), Ok(Some(_)))
}

impl Life {
    /// The key of its workflow.
    #[must_use]
    pub fn key(&self) -> String {
        match self.number {
            1 => self.name.clone(),
            number => format!("{}~{number}", self.name),
        }
    }
}

impl Away {
    /// What the folder of a run says.
    ///
    /// # Errors
    /// A note that cannot be read.
    pub fn of(dir: &RunDir) -> Result<Option<Self>, Error> {
        let path = dir.away();
        let bytes = match store::read_regular(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(store::Error::io("read", &path)(error).into()),
        };
        let note = serde_json::from_slice(&bytes).map_err(|error| store::Error::Damaged {
            path,
            line: 1,
            message: error.to_string(),
        })?;
        Ok(Some(note))
    }

    /// Whether Restate has a run now.
    ///
    /// # Errors
    /// As [`Away::of`].
    pub fn has(dir: &RunDir) -> Result<Option<Self>, Error> {
        Ok(Self::of(dir)?.filter(|away| away.open))
    }

    /// Writes the note.
    ///
    /// # Errors
    /// I/O.
    pub fn note(&self, dir: &RunDir) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("plain data becomes JSON");
        bytes.push(b'\n');
        Ok(store::replace(&dir.away(), &bytes)?)
    }
}
