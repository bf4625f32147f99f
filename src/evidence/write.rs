//! Writing evidence: when a run pauses, and when it ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::folder::{Close, Draft, Folder};
use super::index::INDEX_ENVELOPE;
use super::ledger::{self, Entry, Receipt};
use super::material::Material;
use super::node_log::log_name;
use super::{Error, PublicKey, Signer, lock};
use crate::id::NodePath;
use crate::store::{Layout, RunDir};
use crate::value::Digest;

/// What is to be written.
pub struct Writing<'a> {
    /// The workspace.
    pub layout: &'a Layout,
    /// The run, whose journal is on disk.
    pub run: &'a RunDir,
    /// Which nodes leave evidence.
    pub wanted: &'a dyn Fn(&NodePath) -> bool,
    /// For a run that has ended: what it is about, and its graph.
    pub close: Option<(String, String)>,
    /// Who signs.
    pub signer: Option<&'a Signer>,
}

/// A closed bundle.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Relative to the workspace.
    pub path: String,
    /// Digest of `manifest.json`.
    pub manifest: Digest,
}

/// Appends what is new in a journal to the node logs, writes evidence documents of nodes, and
/// closes the bundle of a run that has ended. Done again, it changes nothing.
///
/// # Errors
/// I/O, and evidence that somebody else has changed.
pub fn write(writing: Writing<'_>) -> Result<Option<Sealed>, Error> {
    let Writing {
        layout,
        run,
        wanted,
        close,
        signer,
    } = writing;
    let _lock = lock(layout)?;
    let root = layout.evidence();
    // Index and signature are written last: a crash there leaves nothing pending, but half a file.
    sweep_here(&root);
    let mut folder = Folder::open(&root)?;
    let mut changed = catch_up(&mut folder, layout, signer)?;
    let material = Material::of(run)?;
    let last = material.last();
    if let Some(entry) = folder
        .entries
        .iter()
        .find(|entry| entry.run == run.id && entry.upto > last)
    {
        return Err(Error::Changed {
            path: run.journal().display().to_string(),
            message: format!(
                "it ends with record {last}, and evidence was written of record {}",
                entry.upto
            ),
        });
    }
    let done = folder.done(&run.id);
    let mut logs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (seq, projected) in material.all(last) {
        if wanted(&projected.node) && !done.contains(&seq) {
            logs.entry(log_name(&projected.node)).or_default().push(seq);
        }
    }
    let key = signer.map(Signer::public);
    let closed = close.is_some();
    let draft = Draft {
        upto: last,
        logs,
        close: close.map(|(subject, graph)| Close {
            subject,
            graph,
            signer: key.clone(),
            envelopes: BTreeMap::new(),
            superseded: None,
        }),
    };
    let again = closed && is_closed(&folder, run, &draft, key.as_ref());
    if !again && (closed || !draft.logs.is_empty()) {
        let Some(prepared) = folder.prepare(&material, &draft, signer)? else {
            return Err(Error::Unsigned {
                run: run.id.to_string(),
            });
        };
        // Receipts of entries that never came into the ledger, or of one that is gone, do not count.
        let mut receipts = ledger::receipts(run);
        receipts.retain(|receipt| folder.entries.contains(&receipt.entry));
        receipts.push(Receipt {
            entry: prepared.entry.clone(),
            graph: draft
                .close
                .as_ref()
                .map_or_else(String::new, |close| close.graph.clone()),
            envelopes: prepared
                .bundle
                .as_ref()
                .map_or_else(BTreeMap::new, |bundle| bundle.envelopes.clone()),
        });
        ledger::keep(run, &receipts)?;
        folder.announce(&prepared.entry)?;
        folder.perform(&material, prepared)?;
        changed = true;
    }
    // A crash may also have come between the index and its signature.
    let unsigned = signer.is_some() && !root.join(INDEX_ENVELOPE).exists();
    if changed || unsigned {
        folder.conclude(signer, None)?;
    }
    let bundle = folder
        .entries
        .iter()
        .rev()
        .find(|entry| entry.run == run.id)
        .and_then(|entry| entry.bundle.as_ref());
    Ok(bundle.filter(|_| closed).map(|bundle| Sealed {
        path: format!("artifacts/evidence/bundles/{}", bundle.name),
        manifest: bundle.manifest,
    }))
}

/// Whether the last entry of a run has closed it as it would be closed now: a crash came between
/// that and the journal's own record of it.
fn is_closed(folder: &Folder, run: &RunDir, draft: &Draft, key: Option<&PublicKey>) -> bool {
    let last = folder
        .entries
        .iter()
        .rev()
        .find(|entry| entry.run == run.id);
    let Some((entry, bundle)) = last.and_then(|entry| Some((entry, entry.bundle.as_ref()?))) else {
        return false;
    };
    let signed = bundle.signer.clone();
    draft.logs.is_empty()
        && entry.upto == draft.upto
        && (key.is_none() || signed == key.map(PublicKey::openssh))
}

/// Carries out what the ledger announces and a crash has left undone.
fn catch_up(folder: &mut Folder, layout: &Layout, signer: Option<&Signer>) -> Result<bool, Error> {
    let pending = std::mem::take(&mut folder.pending);
    if pending.is_empty() {
        return Ok(false);
    }
    sweep(&layout.evidence());
    for entry in pending {
        let run = layout.run(&entry.run);
        let material = Material::of(&run)?;
        let receipt = ledger::receipts(&run)
            .into_iter()
            .find(|receipt| receipt.entry == entry);
        let draft = draft(&entry, receipt.as_ref())?;
        let prepared = folder.prepare(&material, &draft, signer)?;
        match prepared {
            Some(prepared) if prepared.entry == entry => folder.perform(&material, prepared)?,
            Some(_) => {
                return Err(Error::Changed {
                    path: run.journal().display().to_string(),
                    message: format!(
                        "it is not the one that entry {} of the ledger was made from",
                        entry.n
                    ),
                });
            }
            None => {
                return Err(Error::Unsigned {
                    run: entry.run.to_string(),
                });
            }
        }
    }
    Ok(true)
}

/// The draft that an entry came from.
pub(super) fn draft(entry: &Entry, receipt: Option<&Receipt>) -> Result<Draft, Error> {
    let close = match &entry.bundle {
        None => None,
        Some(bundle) => {
            let signer = bundle.signer.as_deref().map(PublicKey::parse).transpose();
            Some(Close {
                subject: bundle.subject.clone(),
                graph: receipt.map_or_else(String::new, |receipt| receipt.graph.clone()),
                signer: signer.map_err(|message| Error::Run {
                    run: entry.run.to_string(),
                    message,
                })?,
                envelopes: receipt.map_or_else(BTreeMap::new, |receipt| receipt.envelopes.clone()),
                superseded: None,
            })
        }
    };
    Ok(Draft {
        upto: entry.upto,
        logs: entry
            .logs
            .iter()
            .map(|(name, log)| (name.clone(), log.seq.clone()))
            .collect(),
        close,
    })
}

/// Removes the half-written files that a crash has left; nobody else writes now.
pub(super) fn sweep(dir: &Path) {
    for folder in sweep_here(dir) {
        sweep(&folder);
    }
}

/// The same in one folder; gives the folders in it.
fn sweep_here(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(path);
        } else if name.starts_with(".flowctl-") && name.ends_with(".tmp") {
            fs::remove_file(path).ok();
        }
    }
    folders
}
