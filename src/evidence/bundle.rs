//! The bundle: `artifacts/evidence/bundles/<subject>/`, closed over the journal of a run.
//!
//! Everything in it is a function of the journal, the documents that the journal names, the graph
//! and the key, so that it can be made again, and checked, from what it holds itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::index::{pretty, seal_object, signature};
use super::story::Story;
use super::{PublicKey, Signer, envelope, record};
use crate::id::RunId;
use crate::value::{Digest, Object};

/// The manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// The journal. Not `.jsonl`: its chain is over raw bytes, and not that of records.
pub(super) const JOURNAL: &str = "journal.ndjson";
/// The decisions; there is no such file when there was none.
pub(super) const DECISIONS: &str = "decisions.jsonl";
/// For people.
pub(super) const SUMMARY: &str = "summary.md";
/// What was published, for `sha256sum -c` in the workspace.
pub(super) const PUBLISHED: &str = "published.sha256";
/// What else is in the bundle, for `sha256sum -c`.
pub(super) const SUMS: &str = "SHA256SUMS";
/// The signature.
pub(super) const ENVELOPE: &str = "attestation.intoto.json";
/// Bundles of earlier runs of the same subject.
pub(super) const HISTORY: &str = "history/";
/// What the name of a signature over an OSCAL document ends with.
pub(super) const OSCAL_ENVELOPE: &str = ".dsse.json";

/// What a bundle is made of.
pub(super) struct Parts<'a> {
    pub(super) run: &'a RunId,
    pub(super) subject: &'a str,
    /// The folder below `bundles/`.
    pub(super) name: &'a str,
    pub(super) story: &'a Story,
    /// The hash of the journal's last record.
    pub(super) journal_head: &'a str,
    pub(super) signer: Option<&'a PublicKey>,
}

impl Parts<'_> {
    /// Every file that the manifest names, but for the journal and the documents.
    pub(super) fn derived(&self, graph: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        if let Some(decisions) = self.decisions() {
            files.insert(DECISIONS.to_owned(), decisions);
        }
        if let Some(published) = self.published() {
            files.insert(PUBLISHED.to_owned(), published);
        }
        files.extend(self.signed());
        let signature = self.signer.map_or_else(
            || "unsigned".to_owned(),
            |key| format!("by the key {}", key.fingerprint()),
        );
        let summary = self
            .story
            .summary(self.run, self.subject, graph, &signature);
        files.insert(SUMMARY.to_owned(), summary.into_bytes());
        files
    }

    /// The signed decisions, for `ssh-keygen -Y verify`.
    pub(super) fn signed(&self) -> BTreeMap<String, Vec<u8>> {
        let signed = self.story.signed.iter();
        super::decisions::signed(self.run, signed.map(|(seq, decision)| (*seq, decision)))
    }

    /// The decisions as a chain of records.
    pub(super) fn decisions(&self) -> Option<Vec<u8>> {
        if self.story.decisions.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        let mut head = record::FIRST.to_owned();
        for decision in &self.story.decisions {
            let (line, hash) = record::chain(decision.clone(), &head);
            bytes.extend(line);
            head = hash;
        }
        Some(bytes)
    }

    /// The published files for `sha256sum -c`.
    pub(super) fn published(&self) -> Option<Vec<u8>> {
        if self.story.published.is_empty() {
            return None;
        }
        let files = self.story.published.iter();
        Some(sums(files.map(|file| (&*file.path, file.sha256.hex()))))
    }

    /// The manifest over these files.
    pub(super) fn manifest<'f>(
        &self,
        files: impl IntoIterator<Item = (&'f String, Digest, u64)>,
    ) -> Vec<u8> {
        let story = self.story;
        let digests: Object = files
            .into_iter()
            .map(|(path, digest, bytes)| {
                (
                    path.clone(),
                    json!({ "sha256": digest.hex(), "bytes": bytes }),
                )
            })
            .collect();
        let signature = signature(self.signer, ENVELOPE);
        let manifest = json!({
            "v": 1,
            "run": self.run,
            "flow": story.flow,
            "subject": self.subject,
            "status": story.status,
            "started_by": story.by,
            "started_at": story.started_at,
            "ended_at": story.ended_at,
            "snapshot": story.snapshot,
            "inputs": story.inputs,
            "journal_head": self.journal_head,
            "files": digests,
            "published": story.published,
            "not_reviewed": story.not_reviewed,
            "signature": signature,
        });
        match manifest {
            Value::Object(manifest) => seal_object(manifest),
            other => pretty(&other),
        }
    }

    /// What is signed: the statement over the manifest and the published files, and one over each
    /// OSCAL document, by path in the bundle.
    pub(super) fn statements(
        &self,
        manifest: &[u8],
        documents: &BTreeMap<String, Vec<u8>>,
    ) -> BTreeMap<String, Vec<u8>> {
        let Some(key) = self.signer else {
            return BTreeMap::new();
        };
        let story = self.story;
        let name = format!("artifacts/evidence/bundles/{}/{MANIFEST}", self.name);
        let subjects = std::iter::once((&*name, Digest::of(manifest))).chain(
            story
                .published
                .iter()
                .map(|file| (&*file.path, file.sha256)),
        );
        let decisions: Vec<Value> = story
            .answers
            .iter()
            .map(|answer| {
                json!({
                    "node": answer.node, "decision": answer.decision, "by": answer.by,
                    "at": answer.at, "digest": answer.digest, "identity": answer.identity,
                })
            })
            .collect();
        let predicate = json!({
            "run": self.run, "flow": story.flow, "subject": self.subject, "status": story.status,
            "ended_at": story.ended_at, "journal_head": self.journal_head,
            "decisions": decisions, "not_reviewed": story.not_reviewed, "signer": key.openssh(),
        });
        let mut statements = BTreeMap::new();
        statements.insert(
            ENVELOPE.to_owned(),
            envelope::statement(subjects, envelope::BUNDLE, &predicate),
        );
        for (path, bytes) in documents {
            let name = path.rsplit('/').next().unwrap_or(path);
            if path.starts_with("oscal/")
                && path.ends_with(".json")
                && let Some(statement) = envelope::oscal_statement(name, bytes)
            {
                statements.insert(format!("{path}{OSCAL_ENVELOPE}"), statement);
            }
        }
        statements
    }
}

/// A bundle, ready to be written.
pub(super) struct Bundle {
    /// Every file, by path in the bundle.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Of `manifest.json`.
    pub(super) manifest: Digest,
    /// What was signed, for the receipt.
    pub(super) envelopes: BTreeMap<String, String>,
}

/// Makes a bundle. `None` when it is to be signed by a key that is not there, and no envelope of
/// before fits.
pub(super) fn build(
    parts: &Parts<'_>,
    journal: &[u8],
    documents: &BTreeMap<String, Vec<u8>>,
    graph: &str,
    signer: Option<&Signer>,
    before: &BTreeMap<String, String>,
) -> Option<Bundle> {
    let mut files = parts.derived(graph);
    files.insert(JOURNAL.to_owned(), journal.to_vec());
    files.extend(
        documents
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.clone())),
    );
    // Once for the manifest and the sums: the journal may be long.
    let mut digests: BTreeMap<String, Digest> = files
        .iter()
        .map(|(path, bytes)| (path.clone(), Digest::of(bytes)))
        .collect();
    let manifest = parts.manifest(
        files
            .iter()
            .map(|(path, bytes)| (path, digests[path], bytes.len() as u64)),
    );
    let mut envelopes = BTreeMap::new();
    if let Some(key) = parts.signer {
        for (path, statement) in parts.statements(&manifest, documents) {
            let kept = before
                .get(&path)
                .filter(|kept| envelope::check(kept.as_bytes(), &statement, key).is_ok());
            let text = match (kept, signer.filter(|signer| signer.public().is(key))) {
                (Some(kept), _) => kept.clone(),
                (None, Some(signer)) => envelope::sign(&statement, signer),
                (None, None) => return None,
            };
            envelopes.insert(path, text);
        }
    }
    let digest = Digest::of(&manifest);
    files.insert(MANIFEST.to_owned(), manifest);
    digests.insert(MANIFEST.to_owned(), digest);
    for (path, text) in &envelopes {
        digests.insert(path.clone(), Digest::of(text.as_bytes()));
        files.insert(path.clone(), text.clone().into_bytes());
    }
    let lines = digests.iter();
    let sums = sums(lines.map(|(path, digest)| (&**path, digest.hex())));
    files.insert(SUMS.to_owned(), sums);
    Some(Bundle {
        files,
        manifest: digest,
        envelopes,
    })
}

/// The sums of the files of a bundle.
pub(super) fn sums_of(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    sums(
        files
            .iter()
            .map(|(path, bytes)| (&**path, Digest::of(bytes).hex())),
    )
}

/// Lines as `sha256sum` writes and reads them.
pub(super) fn sums<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Vec<u8> {
    let mut text = String::new();
    for (path, hex) in files {
        let escaped = path
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\r', "\\r");
        let mark = if escaped == path { "" } else { "\\" };
        _ = writeln!(text, "{mark}{hex}  {escaped}");
    }
    text.into_bytes()
}
