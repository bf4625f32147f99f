//! [`Inventory`]: what there is to export, and under which name that never needs to change.
//!
//! | in `artifacts/evidence` | name |
//! |---|---|
//! | `bundles/S/…` and `bundles/S/history/R/…` | `bundles/S/RUN/DIGEST/…`, as the folder is |
//! | any other `.jsonl`, `runs/NODE.jsonl` | `runs/NODE/RECORD.jsonl`: segments |
//! | anything else, `oscal/x.json` | `oscal/x.DIGEST.json` |
//!
//! `DIGEST` is the first 16 hex digits of the SHA-256 of the bundle's manifest, or of the file. A
//! run that failed, was resumed and succeeded has two bundles, and both are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::destination::is_unsafe;
use super::segment::{self, Segment};
use super::{Error, Trouble};
use crate::id::RunId;
use crate::store::{Layout, RunLock, open_regular};
use crate::value::Digest;

/// The largest manifest of a bundle that is read.
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;

/// What there is to export.
#[derive(Debug, Default)]
pub struct Inventory {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) logs: Vec<Log>,
    pub(super) damaged: BTreeMap<String, Trouble>,
    pub(super) open: BTreeSet<String>,
}

/// One object: bytes that do not change.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) source: Source,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// Where the bytes of an object are.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A part of a file.
    File(PathBuf, Range<u64>),
    /// Made by the export itself.
    Text(String),
}

/// A log that grows.
#[derive(Debug)]
pub(super) struct Log {
    /// Its path without `.jsonl`: `runs/QA`.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Where each whole record ends.
    pub(super) ends: Vec<u64>,
}

/// A segment that is there and is none of the log here.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) key: String,
    pub(super) why: String,
}

impl Source {
    /// Opens it at its beginning.
    pub(super) fn open(&self) -> std::io::Result<Box<dyn std::io::Read + Send + '_>> {
        match self {
            Self::File(path, range) => {
                let mut file = open_regular(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Box::new(file.take(range.end - range.start)))
            }
            Self::Text(text) => Ok(Box::new(text.as_bytes())),
        }
    }
}

impl Object {
    /// A part of a file, as it is now.
    fn of(path: &Path, range: Range<u64>) -> Result<Self, Error> {
        let source = Source::File(path.to_owned(), range);
        let found = source
            .open()
            .and_then(|mut reader| Digest::of_reader(&mut reader));
        let (digest, bytes) = found.map_err(crate::store::Error::io("read", path))?;
        Ok(Self {
            source,
            bytes,
            digest,
        })
    }

    fn whole(path: &Path) -> Result<Self, Error> {
        let mut object = Self::of(path, 0..u64::MAX)?;
        // What is appended from now on is not part of it.
        if let Source::File(_, range) = &mut object.source {
            range.end = object.bytes;
        }
        Ok(object)
    }

    /// A text of the export's own.
    pub(super) fn text(text: String) -> Self {
        Self {
            bytes: text.len() as u64,
            digest: Digest::of(text.as_bytes()),
            source: Source::Text(text),
        }
    }
}

impl Log {
    fn read(path: &Path, name: &str) -> Result<Self, Error> {
        let read = || -> std::io::Result<Vec<u64>> {
            let (mut ends, mut at) = (Vec::new(), 0);
            let mut reader = BufReader::new(open_regular(path)?);
            loop {
                let part = reader.fill_buf()?;
                if part.is_empty() {
                    // What comes after the last newline was never acknowledged.
                    return Ok(ends);
                }
                let newlines = part.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                ends.extend(newlines.map(|(index, _)| at + index as u64 + 1));
                let length = part.len();
                at += length as u64;
                reader.consume(length);
            }
        };
        Ok(Self {
            name: name.trim_end_matches(".jsonl").to_owned(),
            path: path.to_owned(),
            ends: read().map_err(crate::store::Error::io("read", path))?,
        })
    }

    /// The folder of its segments, with a slash.
    pub(super) fn folder(&self) -> String {
        format!("{}/", self.name)
    }

    /// Its segments as objects, given the names and sizes of what is there.
    pub(super) fn objects(
        &self,
        there: &BTreeMap<String, u64>,
    ) -> Result<Result<Vec<(String, Object)>, Foreign>, Error> {
        let folder = self.folder();
        let name = |first: u64| format!("{folder}{first:012}.jsonl");
        let there = there
            .range(folder.clone()..)
            .take_while(|(key, _)| key.starts_with(&folder))
            .filter_map(|(key, bytes)| {
                let first = key[folder.len()..].strip_suffix(".jsonl")?.parse().ok()?;
                (*key == name(first)).then_some((first, *bytes))
            });
        let segments = match segment::segments(&self.ends, there, segment::MOST) {
            Ok(segments) => segments,
            Err(mismatch) => {
                let (key, why) = (name(mismatch.first), mismatch.to_string());
                return Ok(Err(Foreign { key, why }));
            }
        };
        let object = |Segment { first, from, to }: Segment| {
            Ok((name(first), Object::of(&self.path, from..to)?))
        };
        segments
            .into_iter()
            .map(object)
            .collect::<Result<_, Error>>()
            .map(Ok)
    }
}

impl Inventory {
    /// Takes stock, while nobody writes evidence. `waiting` is called when somebody does.
    ///
    /// # Errors
    /// When there is no evidence, or it cannot be read.
    pub fn take(layout: &Layout, waiting: impl FnOnce()) -> Result<Self, Error> {
        let root = layout.evidence();
        if !root.is_dir() {
            return Err(Error::Nothing(root.display().to_string()));
        }
        // An auditor's copy may be on a medium that cannot be written; nobody writes to it then.
        let _lock = match RunLock::wait(&root.join(".lock"), waiting) {
            Ok(lock) => Some(lock),
            Err(crate::store::Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let mut inventory = Self::default();
        let mut files = Vec::new();
        let mut walk = Walk {
            root: &root,
            found: &mut files,
            damaged: &mut inventory.damaged,
        };
        walk.folder(&root)?;
        let mut bundles: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
        for (name, path) in files {
            let parts: Vec<&str> = name.split('/').collect();
            match parts.as_slice() {
                ["bundles", subject, "history", run, _, ..] => {
                    let bundle = format!("bundles/{subject}/history/{run}");
                    let rest = name[bundle.len() + 1..].to_owned();
                    bundles.entry(bundle).or_default().push((rest, path));
                }
                ["bundles", subject, _, ..] => {
                    let bundle = format!("bundles/{subject}");
                    let rest = name[bundle.len() + 1..].to_owned();
                    bundles.entry(bundle).or_default().push((rest, path));
                }
                _ if name.ends_with(".jsonl") => {
                    inventory.logs.push(Log::read(&path, &name)?);
                }
                _ => {
                    let object = Object::whole(&path)?;
                    inventory
                        .objects
                        .insert(versioned(&name, object.digest), object);
                }
            }
        }
        for (bundle, files) in bundles {
            inventory.bundle(&bundle, &files)?;
        }
        Ok(inventory)
    }

    /// Adds a bundle, if it is closed and is what its manifest says.
    fn bundle(&mut self, bundle: &str, files: &[(String, PathBuf)]) -> Result<(), Error> {
        let Some((_, path)) = files.iter().find(|(name, _)| name == "manifest.json") else {
            self.open.insert(bundle.to_owned());
            return Ok(());
        };
        let mut text = Vec::new();
        open_regular(path)
            .and_then(|file| file.take(MAX_MANIFEST).read_to_end(&mut text))
            .map_err(crate::store::Error::io("read", path))?;
        let damaged = |what: &str| Trouble::Damaged(what.to_owned());
        let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
        let run = manifest["run"]
            .as_str()
            .and_then(|run| RunId::parse(run).ok());
        let (Some(run), Some(stated)) = (run, manifest["files"].as_object()) else {
            let name = format!("{bundle}/manifest.json");
            self.damaged
                .insert(name, damaged("it is no manifest of a bundle"));
            return Ok(());
        };
        // `bundles/S/history/R` goes where `bundles/S` of that run went.
        let subject = bundle.split('/').nth(1).unwrap_or_default();
        let digest = &Digest::of(&text).hex()[..16];
        let folder = format!("bundles/{subject}/{run}/{digest}");
        let (mut objects, mut troubles) = (BTreeMap::new(), BTreeMap::new());
        for (name, path) in files {
            let object = Object::whole(path)?;
            let says = stated.get(name).map(|file| file["sha256"].as_str());
            if says.is_some_and(|says| says != Some(object.digest.hex().as_str())) {
                let message = damaged("it is not what the bundle's manifest says");
                troubles.insert(format!("{bundle}/{name}"), message);
            }
            objects.insert(format!("{folder}/{name}"), object);
        }
        for name in stated.keys() {
            if files.iter().all(|(found, _)| found != name) {
                let message = damaged("it is missing; the bundle's manifest lists it");
                troubles.insert(format!("{bundle}/{name}"), message);
            }
        }
        // Once it is in a store that forgets nothing, a broken bundle stays there.
        if troubles.is_empty() {
            self.objects.extend(objects);
        }
        self.damaged.append(&mut troubles);
        Ok(())
    }
}

/// A name that says which version it is: `oscal/plan.json` is `oscal/plan.0123456789abcdef.json`.
fn versioned(name: &str, digest: Digest) -> String {
    let digest = &digest.hex()[..16];
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, extension) = name.split_at(file + dot);
            format!("{stem}.{digest}{extension}")
        }
        _ => format!("{name}.{digest}"),
    }
}

/// Finds files; what is neither file nor folder, or has a name that is none, is no evidence.
struct Walk<'a> {
    root: &'a Path,
    found: &'a mut Vec<(String, PathBuf)>,
    damaged: &'a mut BTreeMap<String, Trouble>,
}

impl Walk<'_> {
    fn folder(&mut self, dir: &Path) -> Result<(), Error> {
        let read = || -> std::io::Result<Vec<_>> { std::fs::read_dir(dir)?.collect() };
        let mut entries = read().map_err(crate::store::Error::io("read the folder", dir))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            // Locks, and what a crash left behind.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = path.strip_prefix(self.root).unwrap_or(&path);
            let shown = name.to_string_lossy().into_owned();
            let kind = entry
                .file_type()
                .map_err(crate::store::Error::io("look at", &path))?;
            let wrong = |what: &str| Trouble::Damaged(what.to_owned());
            if name.to_str().is_none() || shown.contains(is_unsafe) {
                let message = wrong("its name cannot be that of an object");
                self.damaged
                    .insert(shown.escape_debug().to_string(), message);
            } else if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_file() {
                self.found.push((shown, path));
            } else {
                self.damaged
                    .insert(shown, wrong("it is neither a file nor a folder"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join("artifacts/evidence").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(path, text).expect("it is written");
    }

    fn take(root: &Path) -> Inventory {
        Inventory::take(&Layout::new(root), || {}).expect("it can be read")
    }

    fn manifest(run: &str, files: &[(&str, &str)]) -> String {
        let files: serde_json::Map<_, _> = files
            .iter()
            .map(|(name, text)| {
                let digest = Digest::of(text.as_bytes()).hex();
                ((*name).to_owned(), serde_json::json!({ "sha256": digest }))
            })
            .collect();
        serde_json::json!({ "run": run, "files": files }).to_string()
    }

    #[test]
    fn names_say_which_version_they_are() {
        let digest = Digest::of(b"");
        for (name, to) in [
            ("oscal/plan.json", "oscal/plan.e3b0c44298fc1c14.json"),
            ("a.b/index", "a.b/index.e3b0c44298fc1c14"),
            ("index.json", "index.e3b0c44298fc1c14.json"),
        ] {
            assert_eq!(versioned(name, digest), to);
        }
    }

    #[test]
    fn a_bundle_goes_where_it_goes_when_it_is_history() {
        let dir = tempfile::tempdir().expect("a folder");
        let text = manifest("r1", &[("journal.jsonl", "x")]);
        put(dir.path(), "bundles/s/journal.jsonl", "x");
        put(dir.path(), "bundles/s/manifest.json", &text);
        put(dir.path(), ".lock", "");
        let now: Vec<String> = take(dir.path()).objects.into_keys().collect();
        assert_eq!(now.len(), 2);
        assert!(now[0].starts_with("bundles/s/r1/"), "{now:?}");
        put(dir.path(), "bundles/s/history/r1/journal.jsonl", "x");
        put(dir.path(), "bundles/s/history/r1/manifest.json", &text);
        put(dir.path(), "bundles/s/journal.jsonl", "y");
        put(
            dir.path(),
            "bundles/s/manifest.json",
            &manifest("r2", &[("journal.jsonl", "y")]),
        );
        let later = take(dir.path());
        assert_eq!(later.objects.len(), 4);
        assert!(now.iter().all(|name| later.objects.contains_key(name)));
    }

    #[test]
    fn a_bundle_that_is_open_or_broken_stays_here() {
        let dir = tempfile::tempdir().expect("a folder");
        put(dir.path(), "bundles/open/journal.jsonl", "x");
        let stated = manifest("r1", &[("a", "a"), ("b", "b")]);
        put(dir.path(), "bundles/broken/manifest.json", &stated);
        put(dir.path(), "bundles/broken/a", "A");
        put(dir.path(), "bundles/none/manifest.json", "[]");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("artifacts/evidence/link"))
            .expect("a link");
        put(dir.path(), "odd\nname", "x");
        let found = take(dir.path());
        assert!(found.objects.is_empty(), "{:?}", found.objects);
        assert_eq!(found.open, ["bundles/open".to_owned()].into());
        let damaged: Vec<&str> = found.damaged.keys().map(String::as_str).collect();
        assert_eq!(
            damaged,
            [
                "bundles/broken/a",
                "bundles/broken/b",
                "bundles/none/manifest.json",
                "link",
                "odd\\nname"
            ]
        );
    }

    #[test]
    fn a_torn_line_waits_for_the_next_export() {
        let dir = tempfile::tempdir().expect("a folder");
        put(dir.path(), "runs/QA.jsonl", "{\"a\":1}\n{\"b\"");
        let found = take(dir.path());
        let objects = found.logs[0].objects(&BTreeMap::new()).expect("it is read");
        let objects = objects.expect("nothing is there");
        assert_eq!(objects[0].0, "runs/QA/000000000001.jsonl");
        assert_eq!((objects.len(), objects[0].1.bytes), (1, 8));
        let there = [("runs/QA/000000000002.jsonl".to_owned(), 8)].into();
        let foreign = found.logs[0]
            .objects(&there)
            .expect("it is read")
            .expect_err("a gap");
        assert_eq!(foreign.key, "runs/QA/000000000002.jsonl");
        assert_eq!(
            foreign.why,
            "it begins at record 2, but record 1 is the next one"
        );
    }
}
