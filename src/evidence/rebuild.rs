//! Making the evidence folder again, from the journals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::bundle;
use super::folder::{Close, Draft, Folder, log_path};
use super::index::{INDEX_ENVELOPE, LEDGER};
use super::intact::{Intact, bundle_of, bundles, envelopes, of_evidence};
use super::ledger::{self, Entry, Receipt};
use super::material::Material;
use super::node_log::log_name;
use super::record::{Chain, text};
use super::settle::settle;
use super::write::{draft, sweep};
use super::{Error, PublicKey, Signer, lock};
use crate::id::{NodePath, RunId};
use crate::store::{Layout, RunDir, read_regular};

/// How the folder is called in which everything is made before it takes its place.
const MADE: &str = ".flowctl-evidence-";

/// What the journal alone does not say of a writing; it follows from the flow of the run.
pub struct Derived {
    /// Which nodes leave evidence.
    pub wanted: Box<dyn Fn(&NodePath) -> bool>,
    /// What the run is about.
    pub subject: String,
    /// The graph of its flow.
    pub graph: String,
}

/// What a rebuild did.
#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// Files that were as they should be.
    pub kept: usize,
    /// Files that were missing, or were something else.
    pub written: Vec<String>,
    /// Files that were changed or do not belong there, as they were found; below `aside`.
    pub moved: Vec<String>,
    /// Where they are now, relative to the workspace.
    pub aside: Option<String>,
    /// What could not be made again, and what is no longer signed.
    pub notes: Vec<String>,
}

/// One writing that is to be made again.
struct Planned {
    ts: Timestamp,
    n: u64,
    run: RunId,
    draft: Draft,
    stated: Option<Entry>,
    graph: String,
}

/// Makes everything below `artifacts/evidence` again. What is there and is not what the journals
/// say is moved aside, never removed. `derive` is asked about a run up to a record when nothing
/// else says how its evidence was written.
///
/// # Errors
/// A journal that is damaged; I/O. The evidence is then as it was.
pub fn rebuild(
    layout: &Layout,
    signer: Option<&Signer>,
    now: Timestamp,
    derive: &dyn Fn(&RunDir, u64) -> Result<Derived, Error>,
) -> Result<Rebuilt, Error> {
    let root = layout.evidence();
    let _lock = lock(layout)?;
    sweep(&root);
    let mut rebuilt = Rebuilt::default();
    let (sources, planned) = plan(layout, signer, derive, &mut rebuilt.notes)?;

    let above = root.parent().unwrap_or(&root).to_owned();
    for left in fs::read_dir(&above).into_iter().flatten().flatten() {
        if left.file_name().to_string_lossy().starts_with(MADE) {
            // Of a rebuild that was cut off; this one holds the lock.
            fs::remove_dir_all(left.path()).ok();
        }
    }
    let made = tempfile::Builder::new()
        .prefix(MADE)
        .tempdir_in(&above)
        .map_err(crate::store::Error::io("create a folder in", &above))?;
    let mut folder = Folder::empty(made.path());
    let mut receipts: BTreeMap<RunId, Vec<Receipt>> = BTreeMap::new();
    for mut one in planned {
        let read;
        let material = match sources.get(&one.run) {
            Some(Source::Run(dir)) => {
                read = Material::of(dir)?;
                &read
            }
            Some(Source::Evidence(material)) => material,
            None => continue,
        };
        let mut prepared = folder.prepare(material, &one.draft, signer)?;
        if prepared.is_none()
            && let Some(close) = &mut one.draft.close
        {
            rebuilt.notes.push(format!(
                "the bundle of run {} was signed by {}, and neither its signature nor the key is here: it is unsigned now",
                one.run,
                close.signer.as_ref().map_or_else(String::new, PublicKey::fingerprint),
            ));
            close.signer = None;
            prepared = folder.prepare(material, &one.draft, signer)?;
        }
        let Some(prepared) = prepared else {
            continue;
        };
        if let (Some(stated), Some(now)) = (
            one.stated.as_ref().and_then(|entry| entry.bundle.as_ref()),
            &prepared.entry.bundle,
        ) && stated.manifest != now.manifest
            && stated.signer == now.signer
        {
            rebuilt.notes.push(format!(
                "the bundle of run {} is not the one that the ledger named ({}): another version of flowctl may have written it",
                one.run, stated.manifest
            ));
        }
        let envelopes = prepared
            .bundle
            .as_ref()
            .map(|bundle| bundle.envelopes.clone());
        receipts.entry(one.run).or_default().push(Receipt {
            entry: prepared.entry.clone(),
            graph: one.graph,
            envelopes: envelopes
                .or_else(|| one.draft.close.map(|close| close.envelopes))
                .unwrap_or_default(),
        });
        folder.perform(material, prepared)?;
    }
    if !folder.entries.is_empty() {
        folder.write_ledger()?;
        let kept = read_regular(&root.join(INDEX_ENVELOPE)).ok();
        let signed = folder.conclude(signer, kept.as_deref())?;
        if kept.is_some() && !signed {
            rebuilt.notes.push(
                "the index was signed; it is another now, or its signature is damaged, and no key was given: it is unsigned now"
                    .to_owned(),
            );
        }
    }
    settle(made.path(), &root, now, &mut rebuilt)?;
    folder.left(layout)?;
    for (run, receipts) in receipts {
        if let Some(Source::Run(run)) = sources.get(&run) {
            ledger::keep(run, &receipts)?;
        }
    }
    Ok(rebuilt)
}

/// Where the records of a run are read from; one run is in memory at a time.
enum Source {
    Run(RunDir),
    Evidence(Box<Material>),
}

type Plan = (BTreeMap<RunId, Source>, Vec<Planned>);

/// Finds out what was written, and in which order: from the receipts beside the runs, else from
/// the ledger, else from the journals.
fn plan(
    layout: &Layout,
    signer: Option<&Signer>,
    derive: &dyn Fn(&RunDir, u64) -> Result<Derived, Error>,
    notes: &mut Vec<String>,
) -> Result<Plan, Error> {
    let root = layout.evidence();
    let old = read_regular(&root.join(LEDGER)).unwrap_or_default();
    let old: Vec<Entry> = Chain::read(&old)
        .records
        .iter()
        .map_while(|record| Entry::of(record).ok())
        .collect();
    let mut sources = BTreeMap::new();
    let mut planned: Vec<Planned> = Vec::new();
    let bundles = bundles(layout, notes);
    for run in layout.all_runs()? {
        let link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if link(&run.path) || link(&run.journal()) {
            notes.push(format!(
                "artifacts/runs/{} is a link, which is not followed: no evidence is made from it",
                run.id
            ));
            continue;
        }
        let material = Material::of(&run)?;
        if !material.records.is_empty() && material.named != run.id.as_str() {
            notes.push(format!(
                "artifacts/runs/{} holds the journal of run {}: no evidence is made from it",
                run.id, material.named
            ));
            continue;
        }
        whole(&run, &material, &old, bundles.get(&run.id))?;
        let receipts = known(&run, &material);
        if let Some(receipts) = receipts {
            for receipt in receipts {
                planned.push(stated(receipt)?);
            }
        } else {
            let lost = Lost {
                root: &root,
                run: &run,
                material: &material,
                signer,
                derive,
            };
            match lost.of_ledger(&old)? {
                Some(found) => planned.extend(found),
                None => planned.extend(lost.of_journal()?),
            }
        }
        sources.insert(run.id.clone(), Source::Run(run));
    }
    // Runs that were pruned: what the evidence itself holds of them.
    let gone: BTreeSet<&RunId> = old
        .iter()
        .map(|entry| &entry.run)
        .chain(bundles.keys())
        .filter(|run| !sources.contains_key(*run))
        .collect();
    let mut kept = Vec::new();
    for run in gone {
        let bundle = bundles.get(run);
        if let Some((material, graph)) = of_evidence(&root, run, &old)
            && bundle.is_none_or(|bundle| bundle.last <= material.last())
        {
            for entry in old.iter().filter(|entry| entry.run == *run) {
                if entry.upto > material.last() {
                    notes.push(format!(
                        "run {run} is gone from artifacts/runs, and its bundle ends with record {}: what entry {} of the ledger says, up to record {}, cannot be made again",
                        material.last(), entry.n, entry.upto
                    ));
                    continue;
                }
                let mut one = stated(Receipt {
                    entry: entry.clone(),
                    graph: graph.clone(),
                    envelopes: BTreeMap::new(),
                })?;
                if let Some(close) = &mut one.draft.close {
                    close.envelopes = envelopes(&root, &close.subject, run);
                }
                planned.push(one);
            }
            kept.push((run.clone(), material));
        } else if bundle.is_some() {
            notes.push(format!(
                "run {run} is gone from artifacts/runs, and the ledger does not tell all of it: its evidence is made again from its bundle, and an earlier closing of it is not"
            ));
        } else {
            notes.push(format!(
                "run {run} is gone from artifacts/runs, and its bundle is damaged or was never closed: its evidence cannot be made again"
            ));
        }
    }
    let kept: BTreeMap<RunId, Material> = kept.into_iter().collect();
    for (run, bundle) in bundles {
        if !sources.contains_key(&run) && !kept.contains_key(&run) {
            planned.extend(bundle.planned(&root));
            sources.insert(run, Source::Evidence(Box::new(bundle.material)));
        }
    }
    for (run, material) in kept {
        sources.insert(run, Source::Evidence(Box::new(material)));
    }
    planned.sort_by(|a, b| (a.ts, a.n, &a.run).cmp(&(b.ts, b.n, &b.run)));
    // Only the last closing of a run stays; those before it are made if their digest is not known.
    let mut last: BTreeMap<RunId, usize> = BTreeMap::new();
    for (at, one) in planned.iter().enumerate() {
        if one.draft.close.is_some() {
            last.insert(one.run.clone(), at);
        }
    }
    for (at, one) in planned.iter_mut().enumerate() {
        let manifest = one
            .stated
            .as_ref()
            .and_then(|entry| Some(entry.bundle.as_ref()?.manifest));
        if let Some(close) = &mut one.draft.close
            && last.get(&one.run) != Some(&at)
        {
            close.superseded = manifest;
        }
    }
    Ok((sources, planned))
}

fn stated(receipt: Receipt) -> Result<Planned, Error> {
    Ok(Planned {
        ts: receipt.entry.ts,
        n: receipt.entry.n,
        run: receipt.entry.run.clone(),
        draft: draft(&receipt.entry, Some(&receipt))?,
        graph: receipt.graph,
        stated: Some(receipt.entry),
    })
}

/// The receipts of a run, when they can be relied on: every line can be read, each closing of the
/// journal is among them, and none says more than the journal. The last may be one that a crash
/// kept out of the ledger: then it is carried out now.
fn known(run: &RunDir, material: &Material) -> Option<Vec<Receipt>> {
    let receipts = ledger::whole(run).filter(|receipts| !receipts.is_empty())?;
    let closed: BTreeSet<u64> = receipts
        .iter()
        .filter(|receipt| receipt.entry.bundle.is_some())
        .map(|receipt| receipt.entry.upto)
        .collect();
    let complete = receipts
        .iter()
        .all(|receipt| receipt.entry.upto <= material.last())
        && material.closings().is_subset(&closed);
    complete.then_some(receipts)
}

/// A run whose receipts are lost.
struct Lost<'a> {
    root: &'a Path,
    run: &'a RunDir,
    material: &'a Material,
    signer: Option<&'a Signer>,
    derive: &'a dyn Fn(&RunDir, u64) -> Result<Derived, Error>,
}

impl Lost<'_> {
    /// The writings as the ledger tells them, if it knows all of them.
    fn of_ledger(&self, old: &[Entry]) -> Result<Option<Vec<Planned>>, Error> {
        let own: Vec<&Entry> = old
            .iter()
            .filter(|entry| entry.run == self.run.id)
            .collect();
        let closed: BTreeSet<u64> = own
            .iter()
            .filter(|entry| entry.bundle.is_some())
            .map(|entry| entry.upto)
            .collect();
        let fits = own.iter().all(|entry| entry.upto <= self.material.last());
        if own.is_empty() || !fits || !self.material.closings().is_subset(&closed) {
            return Ok(None);
        }
        let mut planned = Vec::with_capacity(own.len());
        for entry in own {
            let (graph, envelopes) = match &entry.bundle {
                None => (String::new(), BTreeMap::new()),
                Some(bundle) => (
                    (self.derive)(self.run, entry.upto)?.graph,
                    envelopes(self.root, &bundle.subject, &self.run.id),
                ),
            };
            planned.push(stated(Receipt {
                entry: entry.clone(),
                graph,
                envelopes,
            })?);
        }
        Ok(Some(planned))
    }

    /// The writings as the journal tells them.
    fn of_journal(&self) -> Result<Vec<Planned>, Error> {
        let mut planned = Vec::new();
        let mut done = BTreeSet::new();
        for (upto, closes) in self.material.writings() {
            let Derived {
                wanted,
                subject,
                graph,
            } = (self.derive)(self.run, upto)?;
            let mut logs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for (seq, projected) in self.material.all(upto) {
                if wanted(&projected.node) && done.insert(seq) {
                    logs.entry(log_name(&projected.node)).or_default().push(seq);
                }
            }
            let Some(record) = self.material.upto(upto).last() else {
                continue;
            };
            if logs.is_empty() && !closes {
                continue;
            }
            let (graph, close) = if closes {
                // A bundle that is there says by whom it was signed, or that it was not.
                let signer = match bundle_of(self.root, &subject, &self.run.id) {
                    None => self.signer.map(Signer::public),
                    Some((_, manifest)) => manifest
                        .get("signature")
                        .and_then(|signature| PublicKey::parse(signature["key"].as_str()?).ok()),
                };
                let close = Close {
                    envelopes: envelopes(self.root, &subject, &self.run.id),
                    subject,
                    graph: graph.clone(),
                    signer,
                    superseded: None,
                };
                (graph, Some(close))
            } else {
                (String::new(), None)
            };
            planned.push(Planned {
                ts: record.ts,
                n: 0,
                run: self.run.id.clone(),
                draft: Draft { upto, logs, close },
                stated: None,
                graph,
            });
        }
        Ok(planned)
    }
}

/// Refuses a journal that is shorter than what was written of it: evidence that is made from it
/// would lack what is missing, and nobody would know.
fn whole(
    run: &RunDir,
    material: &Material,
    old: &[Entry],
    bundle: Option<&Intact>,
) -> Result<(), Error> {
    let last = material.last();
    let of_bundle = bundle.map(|bundle| (bundle.last, "its bundle"));
    let of_ledger = old.iter().filter(|entry| entry.run == run.id);
    let receipts = ledger::receipts(run);
    let named = of_bundle
        .into_iter()
        .chain(of_ledger.map(|entry| (entry.upto, "the ledger")))
        .chain(
            receipts
                .iter()
                .map(|receipt| (receipt.entry.upto, "evidence.jsonl beside it")),
        )
        .find(|(upto, _)| *upto > last);
    let Some((upto, named)) = named else {
        return Ok(());
    };
    let longer = bundle.filter(|bundle| bundle.last > last);
    Err(Error::Shortened {
        run: run.id.to_string(),
        journal: run.journal().display().to_string(),
        last,
        named: named.to_owned(),
        upto,
        longer: longer.map(|bundle| bundle.dir.join(bundle::JOURNAL).display().to_string()),
    })
}

impl Intact {
    /// The writings of a run of which the bundle alone is left. Which nodes leave evidence say the
    /// logs that are there; an answer always does.
    fn planned(&self, root: &Path) -> Vec<Planned> {
        let material = &self.material;
        let subject = text(&self.manifest, "subject");
        let key = self.manifest.get("signature");
        let key = key.and_then(|signature| PublicKey::parse(signature["key"].as_str()?).ok());
        let mut uptos: Vec<u64> = material
            .writings()
            .into_iter()
            .map(|(upto, _)| upto)
            .collect();
        uptos.retain(|upto| *upto < material.last());
        uptos.push(material.last());
        let mut done = BTreeSet::new();
        let mut planned = Vec::new();
        for upto in uptos {
            let mut logs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for (seq, projected) in material.all(upto) {
                let name = log_name(&projected.node);
                let is_there = || root.join(log_path(&name)).is_file();
                if (projected.decision || is_there()) && done.insert(seq) {
                    logs.entry(name).or_default().push(seq);
                }
            }
            let closes = upto == material.last();
            let Some(record) = material.upto(upto).last() else {
                continue;
            };
            if logs.is_empty() && !closes {
                continue;
            }
            let close = closes.then(|| Close {
                subject: subject.to_owned(),
                graph: self.graph.clone(),
                signer: key.clone(),
                envelopes: envelopes(root, subject, &material.run),
                superseded: None,
            });
            planned.push(Planned {
                ts: record.ts,
                n: 0,
                run: material.run.clone(),
                draft: Draft { upto, logs, close },
                stated: None,
                graph: self.graph.clone(),
            });
        }
        planned
    }
}
