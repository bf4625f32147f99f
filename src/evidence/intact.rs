//! [`Intact`]: bundles that are as their manifests say, and what can be made again from them alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::bundle::{self, HISTORY};
use super::index::{BUNDLES, open_object};
use super::ledger::Entry;
use super::material::{Material, is_inside};
use super::record::text;
use super::settle::files;
use crate::id::RunId;
use crate::store::{Layout, read_regular};
use crate::value::{Digest, Object};

/// Where the bundle of a run may lie.
pub(super) fn places(root: &Path, name: &str, run: &RunId) -> [PathBuf; 2] {
    let top = root.join(BUNDLES).join(name);
    let history = top.join(HISTORY).join(run.as_str());
    [top, history]
}

/// What the last bundle of a run holds, if it is intact: journal, documents, graph.
pub(super) fn of_evidence(root: &Path, run: &RunId, old: &[Entry]) -> Option<(Material, String)> {
    let closed = old
        .iter()
        .rev()
        .filter(|entry| entry.run == *run)
        .find_map(|entry| entry.bundle.as_ref())?;
    let dir = places(root, &closed.name, run).into_iter().find(|dir| {
        read_regular(&dir.join(bundle::MANIFEST))
            .is_ok_and(|bytes| Digest::of(&bytes) == closed.manifest)
    })?;
    let found = intact(&dir, run)?;
    Some((found.material, found.graph))
}

/// A bundle in which everything is as its manifest says.
pub(super) struct Intact {
    pub(super) dir: PathBuf,
    pub(super) manifest: Object,
    pub(super) material: Material,
    /// Its last record.
    pub(super) last: u64,
    pub(super) graph: String,
}

fn intact(dir: &Path, run: &RunId) -> Option<Intact> {
    let manifest = open_object(&read_regular(&dir.join(bundle::MANIFEST)).ok()?).ok()?;
    let mut files = BTreeMap::new();
    for (path, stated) in manifest.get("files")?.as_object()? {
        if !is_inside(path) {
            return None;
        }
        let bytes = read_regular(&dir.join(path)).ok()?;
        if stated["sha256"].as_str() != Some(&Digest::of(&bytes).hex()) {
            return None;
        }
        files.insert(path.clone(), bytes);
    }
    let summary = String::from_utf8(files.remove(bundle::SUMMARY)?).ok()?;
    let (_, graph) = summary.rsplit_once("```mermaid\n")?;
    let graph = graph.strip_suffix("```\n")?.to_owned();
    let journal = files.remove(bundle::JOURNAL)?;
    let documents = files
        .into_values()
        .map(|bytes| (Digest::of(&bytes), bytes))
        .collect();
    let material = Material::of_bundle(run.clone(), journal, documents).ok()?;
    (material.named == run.as_str()).then(|| Intact {
        dir: dir.to_owned(),
        manifest,
        last: material.last(),
        material,
        graph,
    })
}

/// Folders in a folder, by name; links are none.
fn folders(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path())
        })
        .collect();
    found.sort();
    found
}

/// The bundles that lie there and are intact, the longest of each run, whatever the ledger says.
pub(super) fn bundles(layout: &Layout, notes: &mut Vec<String>) -> BTreeMap<RunId, Intact> {
    let mut found: BTreeMap<RunId, Intact> = BTreeMap::new();
    for (name, top) in folders(&layout.evidence().join(BUNDLES)) {
        let history = folders(&top.join(HISTORY));
        let dirs = std::iter::once(top).chain(history.into_iter().map(|(_, dir)| dir));
        for dir in dirs {
            let manifest = read_regular(&dir.join(bundle::MANIFEST)).unwrap_or_default();
            let manifest = open_object(&manifest).unwrap_or_default();
            let named = crate::slug::Slug::of(text(&manifest, "subject")).as_str() == name;
            let run = RunId::parse(text(&manifest, "run"));
            let lives = run
                .as_ref()
                .is_ok_and(|run| layout.run(run).journal().is_file());
            let bundle = run
                .ok()
                .filter(|_| named)
                .and_then(|run| intact(&dir, &run));
            let Some(mut bundle) = bundle else {
                if lives {
                    continue;
                }
                notes.push(format!(
                    "the bundle `{}` is not intact: nothing is taken from it",
                    dir.display()
                ));
                continue;
            };
            let run = bundle.material.run.clone();
            if lives {
                // Only how far it goes is compared; all of them would be a lot.
                bundle.material.forget();
            }
            if found.get(&run).is_none_or(|other| other.last < bundle.last) {
                found.insert(run, bundle);
            }
        }
    }
    found
}

/// The folder that holds the bundle of a run, and its manifest.
pub(super) fn bundle_of(root: &Path, subject: &str, run: &RunId) -> Option<(PathBuf, Object)> {
    let name = crate::slug::Slug::of(subject).to_string();
    places(root, &name, run).into_iter().find_map(|dir| {
        let manifest = open_object(&read_regular(&dir.join(bundle::MANIFEST)).ok()?).ok()?;
        (text(&manifest, "run") == run.as_str()).then_some((dir, manifest))
    })
}

/// What is signed in the bundle of a run.
pub(super) fn envelopes(root: &Path, subject: &str, run: &RunId) -> BTreeMap<String, String> {
    let Some((dir, _)) = bundle_of(root, subject, run) else {
        return BTreeMap::new();
    };
    files(&dir)
        .into_iter()
        .filter(|path| path == bundle::ENVELOPE || path.ends_with(bundle::OSCAL_ENVELOPE))
        .filter(|path| !path.starts_with(HISTORY))
        .filter_map(|path| {
            Some((
                String::from_utf8(read_regular(&dir.join(&path)).ok()?).ok()?,
                path,
            ))
        })
        .map(|(text, path)| (path, text))
        .collect()
}
