//! Writing evidence: when a run pauses, and when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bundle::JOURNAL;
use super::folder::{Close, Draft, Folder};
use super::index::{INDEX, INDEX_ENVELOPE};
use super::intact::places;
use super::ledger::{self, Entry, Receipt};
use super::material::Material;
use super::node_log::{log_name, may_tell, node_of};
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    let mut folder = Folder::open(layout)?;
    if catch_up(&mut folder, layout, signer)? {
        // So that never more than one entry is ahead of the index.
        folder.conclude(signer, None)?;
    }
    let material = Material::of(run)?;
    let last = material.last();
    let resumed = material
        .records
        .iter()
        .any(|record| record.event == "run_resumed");
    let mut own = folder.entries_of(run, resumed, false)?;
    let mut logs = fresh(&material, wanted, &own);
    // What was there when evidence was written before is in it, unless the receipts are short.
    let before = material.writings().into_iter().map(|(upto, _)| upto);
    let before = before.filter(|upto| *upto < last).max().unwrap_or(0);
    if logs.values().flatten().any(|seq| *seq <= before) {
        own = folder.entries_of(run, resumed, true)?;
        logs = fresh(&material, wanted, &own);
    }
    if let Some(entry) = own.iter().find(|entry| entry.upto > last) {
        let bundles = own
            .iter()
            .filter_map(|entry| Some((entry.bundle.as_ref()?, entry.upto)));
        let longer = bundles
            .filter(|(_, upto)| *upto > last)
            .flat_map(|(closed, _)| places(&layout.evidence(), &closed.name, &run.id))
            .map(|dir| dir.join(JOURNAL))
            .find(|journal| journal.is_file());
        return Err(Error::Shortened {
            run: run.id.to_string(),
            journal: run.journal().display().to_string(),
            last,
            named: "the ledger".to_owned(),
            upto: entry.upto,
            longer: longer.map(|path| path.display().to_string()),
        });
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
    let again = closed && is_closed(own.last(), &draft, key.as_ref());
    if !again && (closed || !draft.logs.is_empty()) {
        let Some(prepared) = folder.prepare(&material, &draft, signer)? else {
            return Err(Error::Unsigned {
                run: run.id.to_string(),
            });
        };
        // Receipts of entries that never came into the ledger, or of one that is gone, do not count.
        let mut receipts = ledger::receipts(run);
        receipts.retain(|receipt| own.contains(&receipt.entry));
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
        own.push(prepared.entry.clone());
        folder.perform(&material, prepared)?;
        folder.conclude(signer, None)?;
    }
    // A crash may also have come between the index and its signature.
    let unsigned = !root.join(INDEX_ENVELOPE).exists();
    let wanted = signer.is_some() || folder.index.keyid().is_some();
    if unsigned && wanted && root.join(INDEX).exists() {
        folder.conclude(signer, None)?;
    }
    let bundle = own.last().and_then(|entry| entry.bundle.as_ref());
    Ok(bundle.filter(|_| closed).map(|bundle| Sealed {
        path: format!("artifacts/evidence/bundles/{}", bundle.name),
        manifest: bundle.manifest,
    }))
}

/// What of a journal is evidence and in no log yet, by log.
fn fresh(
    material: &Material,
    wanted: &dyn Fn(&NodePath) -> bool,
    own: &[Entry],
) -> BTreeMap<String, Vec<u64>> {
    let written = own.iter().flat_map(|entry| entry.logs.values());
    let done: BTreeSet<u64> = written.flat_map(|log| log.seq.iter().copied()).collect();
    let mut logs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in material.records.iter().filter(|record| may_tell(record)) {
        // Few nodes leave evidence, and only of those the whole record is read.
        let found = node_of(record).filter(|node| wanted(node) && !done.contains(&record.seq));
        if let Some(node) = found.filter(|_| material.projected(record.seq).is_some()) {
            logs.entry(log_name(&node)).or_default().push(record.seq);
        }
    }
    logs
}

/// Whether the last entry of a run has closed it as it would be closed now: a crash came between
/// that and the journal's own record of it.
fn is_closed(last: Option<&Entry>, draft: &Draft, key: Option<&PublicKey>) -> bool {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::id::RunId;
    use crate::store::GENESIS;

    /// The journal of a run that ended well; `lines` of its nodes are evidence.
    fn ended(layout: &Layout, id: &str, lines: usize) -> RunDir {
        let run = layout.run(&RunId::from(id));
        let digest = Digest::of(b"x");
        let started = serde_json::json!({
            "flow": "f", "path": "f.yaml", "snapshot": digest, "inputs": {}, "env": {},
            "by": "ada", "version": "0",
        });
        let node = serde_json::json!({
            "node": "Build", "attempt": 1, "digest": Digest::of_json(&1), "fingerprint": digest,
            "effectful": false, "files": [], "evidence": [], "subject": null, "output": 1,
        });
        let mut data = vec![("run_started", started)];
        data.extend((0..lines).map(|_| ("node_succeeded", node.clone())));
        data.push(("run_succeeded", serde_json::json!({ "outputs": {} })));
        let (mut text, mut head) = (String::new(), GENESIS.to_owned());
        for (at, (event, data)) in data.into_iter().enumerate() {
            let body = format!(
                "{{\"v\":1,\"seq\":{},\"ts\":\"2026-01-01T00:00:00Z\",\"run\":\"{id}\",\"event\":\"{event}\",\"round\":1,\"data\":{data}",
                at + 1
            );
            head = Digest::of(format!("{head}{body}").as_bytes()).hex();
            text.extend([&body, ",\"hash\":\"", &head, "\"}\n"].map(str::to_owned));
        }
        fs::create_dir_all(&run.path).expect("a folder");
        fs::write(run.journal(), text).expect("a journal");
        run
    }

    fn close(layout: &Layout, run: &RunDir, subject: &str) {
        let sealed = write(Writing {
            layout,
            run,
            wanted: &|_| true,
            close: Some((subject.to_owned(), String::new())),
            signer: None,
        });
        assert!(sealed.expect("it is written").is_some());
    }

    /// Bytes that this thread has read and written so far, as the kernel counts them.
    fn moved() -> [u64; 2] {
        let text = fs::read_to_string("/proc/thread-self/io").expect("the kernel counts");
        ["rchar: ", "wchar: "].map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.expect("it is counted").parse().expect("a number")
        })
    }

    #[test]
    fn a_writing_costs_what_it_adds() {
        const RUNS: usize = 96;
        let dir = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(dir.path());
        let mut costs = Vec::new();
        for n in 0..RUNS {
            let run = ended(&layout, &format!("run-{n:06}"), 3);
            // Every other run is about the same, and moves the bundle before it to history.
            let subject = if n % 2 == 0 {
                "same".to_owned()
            } else {
                format!("s-{n:06}")
            };
            let before = moved();
            close(&layout, &run, &subject);
            let after = moved();
            costs.push([after[0] - before[0], after[1] - before[1]]);
        }
        // What finding an entry by its number reads grows with the logarithm of the entries.
        for (early, late) in [(20, RUNS - 2), (21, RUNS - 1)] {
            for (what, early, late) in [
                ("read", costs[early][0], costs[late][0]),
                ("written", costs[early][1], costs[late][1]),
            ] {
                assert!(
                    late < early + 16 * 1024,
                    "{what}: {early} of the 20th run, {late} of the last"
                );
            }
        }
        let report = super::super::verify(&super::super::Tree::Disk(layout.evidence()), &[]);
        let report = report.expect("it is evidence");
        assert_eq!(report.findings, []);
        assert_eq!((report.bundles.len(), report.records), (RUNS, RUNS * 3));
        // A second closing finds that all is done, also when what is beside the run is gone.
        let run = layout.run(&RunId::from("run-000007"));
        let ledger = layout.evidence().join("ledger.jsonl");
        let length = || fs::metadata(&ledger).expect("it is there").len();
        let before = length();
        close(&layout, &run, "s-000007");
        assert_eq!(length(), before);
    }
}
