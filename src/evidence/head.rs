//! [`Head`]: how far the evidence of this workspace went, kept beside the folder.
//!
//! An older copy of the whole folder is intact in itself, and so is one whose index says that nobody
//! signed it. What was written last must be known from elsewhere. A copy for an auditor has no head;
//! where it is lost with everything else, [`verify`](fn@super::verify) still judges what is there.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Error;
use super::index::{INDEX, Index, LEDGER};
use super::lines::Lines;
use super::record;
use super::verify::Finding;
use crate::store::{Layout, read_regular};

/// What was written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The major version of the format.
    v: u64,
    /// Entries of the ledger.
    entries: u64,
    /// The hash of the last of them.
    head: String,
    /// The fingerprint of the key that signed the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// A new index was about to be written: until it is there, the signature of the one before may be
    /// gone already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    writing: bool,
}

/// Something about the folder that is not as it was left: the file, and what is wrong.
pub(super) type Amiss = (&'static str, String);

impl Head {
    /// Of an index that was written.
    pub(super) fn of(index: &Index) -> Self {
        Self {
            v: 1,
            entries: index.ledger.records,
            head: index.ledger.head.clone(),
            signer: index.keyid().map(str::to_owned),
            writing: false,
        }
    }

    /// The same while the next one is written.
    pub(super) fn writing(self) -> Self {
        Self {
            writing: true,
            ..self
        }
    }

    /// Reads what is kept; what cannot be read is not there.
    pub(super) fn read(layout: &Layout) -> Option<Self> {
        let bytes = read_regular(&layout.evidence_head()).ok()?;
        let head: Self = serde_json::from_slice(&bytes).ok()?;
        (head.v == 1).then_some(head)
    }

    /// Keeps it. It is not synced: a head of before is true as well.
    pub(super) fn keep(&self, layout: &Layout) -> Result<(), Error> {
        let path = layout.evidence_head();
        let written = || -> std::io::Result<()> {
            let above = path.parent().unwrap_or_else(|| Path::new("."));
            let mut bytes = serde_json::to_vec(self)?;
            bytes.push(b'\n');
            let file = tempfile::Builder::new()
                .prefix(".flowctl-")
                .suffix(".tmp")
                .tempfile_in(above)?;
            fs::write(file.path(), bytes)?;
            file.persist(&path)?;
            Ok(())
        };
        Ok(written().map_err(crate::store::Error::io("write", &path))?)
    }

    /// Whether an index and its ledger are those that were written last, or a crash came before they
    /// were said to be. `signed` says whether the signature of the index is there.
    pub(super) fn judge(
        &self,
        index: &Index,
        lines: Option<&mut Lines>,
        signed: bool,
    ) -> Result<Option<Amiss>, Error> {
        let known = &index.ledger;
        if self.entries > known.records {
            let has = match known.records {
                0 => "nothing is".to_owned(),
                last => format!("only entry {last} and what is before it are"),
            };
            return Ok(Some((
                LEDGER,
                format!(
                    "entry {} was written here, and {has} in it: it is older than it was",
                    self.entries
                ),
            )));
        }
        let same = if self.entries == known.records {
            known.head == self.head
        } else {
            let line = match lines {
                Some(lines) if self.entries > 0 => lines.numbered(self.entries, known.bytes)?,
                _ => None,
            };
            let found = line.and_then(|line| record::open(&line).ok());
            self.entries == 0
                || found.is_some_and(|found| record::text(&found, "hash") == self.head)
        };
        if !same {
            let message = format!(
                "entry {} is not the one that was written here",
                self.entries
            );
            return Ok(Some((LEDGER, message)));
        }
        if let Some(key) = &self.signer
            && self.entries == known.records
            && !self.writing
            && !signed
            && index.keyid().is_none()
        {
            let message = format!("it says that nobody signed it, and {key} had signed it");
            return Ok(Some((INDEX, message)));
        }
        Ok(None)
    }

    /// Whether this index was written to its end, with its signature.
    pub(super) fn concluded(&self, index: &Index) -> bool {
        *self == Self::of(index)
    }
}

/// What is wrong with the evidence of a workspace although it is intact in itself: an older copy is in
/// its place, or its signature was taken away.
///
/// # Errors
/// I/O.
pub fn behind(layout: &Layout) -> Result<Option<Finding>, Error> {
    let root = layout.evidence();
    let Some(head) = Head::read(layout) else {
        return Ok(None);
    };
    let index = match read_regular(&root.join(INDEX)) {
        Ok(bytes) => match Index::decode(&bytes) {
            Ok(index) => index,
            // That is found already.
            Err(_) => return Ok(None),
        },
        Err(_) => Index::default(),
    };
    let signed = root.join(super::index::INDEX_ENVELOPE).exists();
    // A ledger that cannot be read is found already, too.
    let Ok(mut lines) = Lines::open(&root.join(LEDGER)) else {
        return Ok(None);
    };
    let amiss = head.judge(&index, lines.as_mut(), signed)?;
    Ok(amiss.map(|(path, message)| Finding {
        path: path.to_owned(),
        line: None,
        message,
    }))
}
