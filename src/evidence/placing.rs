//! Where bundles lie: the one of the last run about a subject at the top, those before it in `history/`.

use std::collections::BTreeMap;

use super::Error;
use super::bundle::{self, Bundle, ENVELOPE, HISTORY, OSCAL_ENVELOPE, SUMS};
use super::folder::{Folder, named, read};
use super::index::{BUNDLES, LEDGER, Listed, open_object};
use super::ledger::{self, Closed, Entry};
use super::lines::Lines;
use super::material::is_inside;
use super::record;
use crate::id::RunId;
use crate::store::read_regular;
use crate::value::Digest;

/// A bundle in its place: whose it is, and its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Top {
    run: RunId,
    manifest: Digest,
}

impl Folder {
    /// The bundle that is in the place of a name, as the ledger tells.
    fn top(&self, name: &str) -> Result<Option<Top>, Error> {
        let Some(layout) = self
            .layout
            .as_ref()
            .filter(|_| !self.tops.contains_key(name))
        else {
            return Ok(self.tops.get(name).cloned());
        };
        let dir = self.root.join(BUNDLES).join(name);
        if !dir.is_dir() {
            return Ok(None);
        }
        let Some(mut lines) = Lines::open(&self.root.join(LEDGER))? else {
            return Ok(None);
        };
        let closes = |entry: &Entry| {
            let closed = entry.bundle.as_ref().filter(|closed| closed.name == name)?;
            Some(Top {
                run: entry.run.clone(),
                manifest: closed.manifest,
            })
        };
        // Whose it is says the manifest; the receipts of that run say where to look in the ledger.
        if let Some(bytes) = read(&dir.join(bundle::MANIFEST))? {
            let manifest = Digest::of(&bytes);
            let run = open_object(&bytes).ok();
            let run = run.and_then(|manifest| RunId::parse(record::text(&manifest, "run")).ok());
            let receipts = run.map_or_else(Vec::new, |run| ledger::receipts(&layout.run(&run)));
            for receipt in receipts {
                if let Some(top) = closes(&receipt.entry)
                    && top.manifest == manifest
                    && named(&mut lines, self.index.ledger.bytes, &receipt.entry)?
                {
                    return Ok(Some(top));
                }
            }
        }
        let of = format!("\"name\":{}", serde_json::json!(name));
        let entries = self.search(&mut lines, &of)?;
        Ok(entries.iter().rev().find_map(closes))
    }

    /// Puts a bundle in its place. The one of an earlier run moves to `history/<run>/`, complete
    /// before anything of it is written over; its own manifest says which files it has.
    pub(super) fn place(
        &mut self,
        closed: &Closed,
        run: &RunId,
        bundle: &Bundle,
    ) -> Result<(), Error> {
        let top = format!("{BUNDLES}{}/", closed.name);
        let there = read_regular(&self.root.join(&top).join(bundle::MANIFEST)).unwrap_or_default();
        let here = Top {
            run: run.clone(),
            manifest: closed.manifest,
        };
        // The manifest comes last: where it is, everything before it is done.
        if Digest::of(&there) != here.manifest {
            if let Some(before) = self.top(&closed.name)?.filter(|before| *before != here) {
                if Digest::of(&there) != before.manifest {
                    let path = format!("{top}{}", bundle::MANIFEST);
                    return Err(self.changed(&path, "it is not the one that the ledger names"));
                }
                if before.run != *run {
                    self.keep(&top, &before, &there)?;
                }
                for name in names(&there) {
                    if !bundle.files.contains_key(&name) {
                        self.remove(&format!("{top}{name}"))?;
                    }
                }
            }
            for (path, bytes) in &bundle.files {
                if path != bundle::MANIFEST {
                    self.put(&format!("{top}{path}"), bytes)?;
                }
            }
            if let Some(manifest) = bundle.files.get(bundle::MANIFEST) {
                self.put(&format!("{top}{}", bundle::MANIFEST), manifest)?;
            }
        }
        // An earlier bundle of the same run: its journal is the beginning of this one's.
        let own = format!("{top}{HISTORY}{run}/");
        if let Some(manifest) = read(&self.root.join(&own).join(bundle::MANIFEST))? {
            for name in names(&manifest) {
                self.remove(&format!("{own}{name}"))?;
            }
        }
        self.tops.insert(closed.name.clone(), here);
        Ok(())
    }

    /// Makes room for the bundle of a run that is not made.
    pub(super) fn step_aside(&mut self, closed: &Closed, run: &RunId) -> Result<(), Error> {
        let top = format!("{BUNDLES}{}/", closed.name);
        if let Some(before) = self.top(&closed.name)?.filter(|before| before.run != *run) {
            let there = read(&self.root.join(&top).join(bundle::MANIFEST))?.unwrap_or_default();
            self.keep(&top, &before, &there)?;
            for name in names(&there) {
                self.remove(&format!("{top}{name}"))?;
            }
            self.tops.remove(&closed.name);
        }
        Ok(())
    }

    /// Copies the bundle of an earlier run to where it stays, its manifest last.
    fn keep(&self, top: &str, before: &Top, manifest: &[u8]) -> Result<(), Error> {
        let to = format!("{top}{HISTORY}{}/", before.run);
        let kept = read(&self.root.join(&to).join(bundle::MANIFEST))?;
        if kept.is_some_and(|kept| Digest::of(&kept) == before.manifest) {
            return Ok(());
        }
        let listed = listed(manifest);
        let mut files = BTreeMap::new();
        for name in names(manifest) {
            let path = format!("{top}{name}");
            let Some(bytes) = read(&self.root.join(&path))? else {
                // Whether each document had an envelope is for the sums to say.
                if listed.contains_key(&name) || name == SUMS {
                    return Err(self.changed(&path, "it is missing"));
                }
                continue;
            };
            if listed.get(&name).is_some_and(|listed| !listed.fits(&bytes)) {
                let message = "it is not the one that the manifest of its bundle names";
                return Err(self.changed(&path, message));
            }
            files.insert(name, bytes);
        }
        let sums = files.remove(SUMS).unwrap_or_default();
        if bundle::sums_of(&files) != sums {
            let message = "it does not say what the files of its bundle are";
            return Err(self.changed(&format!("{top}{SUMS}"), message));
        }
        files.insert(SUMS.to_owned(), sums);
        files.remove(bundle::MANIFEST);
        for (name, bytes) in &files {
            self.put(&format!("{to}{name}"), bytes)?;
        }
        self.put(&format!("{to}{}", bundle::MANIFEST), manifest)
    }
}

/// The files that a manifest lists.
fn listed(manifest: &[u8]) -> BTreeMap<String, Listed> {
    let manifest = open_object(manifest).unwrap_or_default();
    let files = manifest.get("files").cloned().unwrap_or_default();
    let mut files: BTreeMap<String, Listed> = serde_json::from_value(files).unwrap_or_default();
    // Files are written and removed by these names.
    files.retain(|path, _| is_inside(path));
    files
}

/// Every file that may belong to the bundle of a manifest; the manifest comes last.
fn names(manifest: &[u8]) -> Vec<String> {
    let listed = listed(manifest);
    let documents = listed.keys().filter(|name| super::is_document(name));
    let envelopes: Vec<String> = documents
        .map(|name| format!("{name}{OSCAL_ENVELOPE}"))
        .collect();
    let own = [ENVELOPE, SUMS, bundle::MANIFEST].map(str::to_owned);
    listed.into_keys().chain(envelopes).chain(own).collect()
}
