//! [`Material`]: the durable records of a run, from which its evidence is made.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;
use std::path::Path;

use super::Error;
use super::node_log::{self, Projected};
use crate::id::RunId;
use crate::run::{Payload, StagedFile};
use crate::store::{Blobs, Record, RunDir, read_regular, verify};
use crate::value::Digest;

/// A run's journal, and the documents that it names.
pub(super) struct Material {
    pub(super) run: RunId,
    /// Whose journal it is, as that says itself.
    pub(super) named: String,
    bytes: Vec<u8>,
    /// Every whole record.
    pub(super) records: Vec<Record>,
    documents: Documents,
}

enum Documents {
    Run(Blobs),
    Evidence(BTreeMap<Digest, Vec<u8>>),
}

impl Material {
    /// Of a run that is there.
    pub(super) fn of(run: &RunDir) -> Result<Self, Error> {
        let path = run.journal();
        let bytes = read_regular(&path).map_err(crate::store::Error::io("read", &path))?;
        let recovered = verify(&path, &bytes)?;
        let (named, records) = (recovered.run, recovered.records);
        let documents = Documents::Run(Blobs::new(run.files()));
        Ok(Self {
            run: run.id.clone(),
            named,
            bytes,
            records,
            documents,
        })
    }

    /// Of a run of which only the evidence is left.
    pub(super) fn of_bundle(
        run: RunId,
        journal: Vec<u8>,
        documents: BTreeMap<Digest, Vec<u8>>,
    ) -> Result<Self, Error> {
        let recovered = verify(Path::new(run.as_str()), &journal)?;
        let (named, records) = (recovered.run, recovered.records);
        Ok(Self {
            run,
            named,
            bytes: journal,
            records,
            documents: Documents::Evidence(documents),
        })
    }

    /// Lets go of everything but the names.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
        self.records = Vec::new();
        self.documents = Documents::Evidence(BTreeMap::new());
    }

    /// The last record.
    pub(super) fn last(&self) -> u64 {
        self.records.last().map_or(0, |record| record.seq)
    }

    /// The records up to and with one.
    pub(super) fn upto(&self, seq: u64) -> &[Record] {
        let end =
            usize::try_from(seq).map_or(self.records.len(), |end| end.min(self.records.len()));
        &self.records[..end]
    }

    /// The bytes of the records up to and with one.
    pub(super) fn bytes_upto(&self, seq: u64) -> &[u8] {
        let mut rest = &self.bytes[..];
        for _ in 0..seq {
            // Reading from memory does not fail.
            if rest.skip_until(b'\n').is_err() || rest.is_empty() {
                break;
            }
        }
        &self.bytes[..self.bytes.len() - rest.len()]
    }

    /// What a record becomes, if it is evidence, with the documents that come with it.
    pub(super) fn projected(&self, seq: u64) -> Option<(Projected, Vec<(String, Digest)>)> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        project(&self.run, self.records.get(index)?)
    }

    /// Every record that is evidence, after one and up to another.
    pub(super) fn all(&self, upto: u64) -> impl Iterator<Item = (u64, Projected)> {
        self.upto(upto)
            .iter()
            .filter_map(|record| Some((record.seq, project(&self.run, record)?.0)))
    }

    /// A document.
    pub(super) fn document(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        match &self.documents {
            Documents::Run(blobs) => Ok(blobs.get(digest)?),
            Documents::Evidence(found) => {
                found.get(&digest).cloned().ok_or_else(|| Error::Changed {
                    path: format!("run {}", self.run),
                    message: format!("a document of it is gone: {digest}"),
                })
            }
        }
    }

    /// The places at which evidence was written, as far as the journal tells: each pause, and each
    /// closing, which covers everything before its own record.
    pub(super) fn writings(&self) -> Vec<(u64, bool)> {
        self.records
            .iter()
            .filter_map(|record| match record.event.as_str() {
                "run_paused" => Some((record.seq, false)),
                "run_sealed" => Some((record.seq - 1, true)),
                _ => None,
            })
            .collect()
    }

    /// The records before which bundles were closed.
    pub(super) fn closings(&self) -> BTreeSet<u64> {
        let closings = self.writings().into_iter().filter(|(_, closes)| *closes);
        closings.map(|(upto, _)| upto).collect()
    }
}

/// What a record becomes, with its documents.
pub(super) fn project(run: &RunId, record: &Record) -> Option<(Projected, Vec<(String, Digest)>)> {
    let payload = Payload::parse(&record.event, &record.data).ok()??;
    let projected = node_log::project(run, record, &payload)?;
    let documents = documents(&payload)
        .map(|file| (file.path, file.sha256))
        .collect();
    Some((projected, documents))
}

/// The documents of a record: what a node wrote for the evidence, and a value that is too large to
/// stand in the record itself.
pub(super) fn documents(payload: &Payload) -> impl Iterator<Item = StagedFile> {
    let written = match payload {
        Payload::NodeSucceeded(data) => &*data.evidence,
        _ => &[],
    };
    let written = written.iter().filter(|file| is_document(&file.path));
    let external = payload.external().map(|external| external.document());
    written.cloned().chain(external)
}

/// Whether a path of the evidence folder is for documents of nodes: in a folder of its own.
#[must_use]
pub fn is_document(path: &str) -> bool {
    let Some((folder, _)) = path.split_once('/') else {
        return false;
    };
    let ours = ["runs", "bundles", "history", "decisions"];
    !folder.starts_with('.')
        && !ours.iter().any(|ours| folder.eq_ignore_ascii_case(ours))
        && !path.ends_with(super::bundle::OSCAL_ENVELOPE)
        && is_inside(path)
}

/// Whether a path stays below the folder that it starts from.
pub(super) fn is_inside(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
