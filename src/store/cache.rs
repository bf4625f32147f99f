//! [`Cache`]: outcomes of pure tools by what they are a function of, for all runs of a workspace.
//!
//! An entry is `artifacts/cache/KEY.json`; the files that it names lie in `artifacts/cache/files`, by
//! content. Both appear whole or not at all, and are checked when they are read, so that runs may
//! share them without a lock: what is damaged, or was cleared in between, is a miss.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::atomic::replace;
use super::blobs::Blobs;
use super::error::Error;
use super::read_regular;
use crate::port::{File, Outcome};
use crate::value::{Digest, Value};

/// The format of an entry.
const VERSION: u64 = 1;

/// The cached outcomes of a workspace.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    blobs: Blobs,
}

/// One cached outcome, as `KEY.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    v: u64,
    key: Digest,
    tool: String,
    created: Timestamp,
    output: Value,
    files: Vec<Kept>,
    evidence: Vec<Kept>,
    subject: Option<String>,
    /// Of the rest, in canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    path: String,
    sha256: Digest,
    bytes: u64,
}

/// What a person is told of an entry.
#[derive(Clone, Debug, Serialize)]
pub struct CacheEntry {
    /// What its outcome is a function of.
    pub key: Digest,
    /// The tool.
    pub tool: String,
    /// When it was kept.
    pub created: Timestamp,
    /// Length of the entry and of its files.
    pub bytes: u64,
}

/// What clearing removed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cleared {
    /// Entries, also damaged ones.
    pub entries: usize,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Cache {
    /// The cache in this folder; it is made when the first outcome comes.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        let blobs = Blobs::new(dir.join("files"));
        Self { dir, blobs }
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.dir.join(format!("{}.json", key.hex()))
    }

    /// Looks an outcome up. One that is damaged is removed, and an error says what was wrong: the
    /// caller goes on as if there were none.
    ///
    /// # Errors
    /// A damaged entry; I/O.
    pub fn load(&self, key: Digest) -> Result<Option<Outcome>, Error> {
        let path = self.path(key);
        let bytes = match read_regular(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let loaded = decode(&bytes, key)
            .map_err(|message| Error::Damaged {
                path: path.clone(),
                line: 1,
                message,
            })
            .and_then(|entry| {
                Ok(Outcome {
                    files: self.files(entry.files)?,
                    evidence: self.files(entry.evidence)?,
                    output: entry.output,
                    subject: entry.subject,
                    about: None,
                })
            });
        if loaded.is_err() {
            fs::remove_file(&path).ok();
        }
        loaded.map(Some)
    }

    fn files(&self, kept: Vec<Kept>) -> Result<Vec<File>, Error> {
        let read = |kept: Kept| match self.blobs.get(kept.sha256) {
            Ok(content) => Ok(File {
                path: kept.path,
                content,
            }),
            Err(error) => {
                // A damaged file of the right length would be taken for the right one when it is
                // put there again.
                self.blobs.forget(kept.sha256);
                Err(error)
            }
        };
        kept.into_iter().map(read).collect()
    }

    /// Keeps an outcome.
    ///
    /// # Errors
    /// I/O.
    pub fn keep(
        &self,
        key: Digest,
        tool: &str,
        created: Timestamp,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let put = |files: &[File]| -> Result<Vec<Kept>, Error> {
            let put = |file: &File| {
                Ok(Kept {
                    path: file.path.clone(),
                    sha256: self.blobs.put(&file.content)?,
                    bytes: file.content.len() as u64,
                })
            };
            files.iter().map(put).collect()
        };
        let mut entry = Entry {
            v: VERSION,
            key,
            tool: tool.to_owned(),
            created,
            output: outcome.output.clone(),
            files: put(&outcome.files)?,
            evidence: put(&outcome.evidence)?,
            subject: outcome.subject.clone(),
            hash: None,
        };
        entry.hash = Some(Digest::of_json(&entry));
        let mut bytes = serde_json::to_vec(&entry).expect("plain data becomes JSON");
        bytes.push(b'\n');
        replace(&self.path(key), &bytes)
    }

    /// Every entry that can be read, newest first, and how many cannot.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn entries(&self) -> Result<(Vec<CacheEntry>, usize), Error> {
        let (mut entries, mut damaged) = (Vec::new(), 0);
        for path in self.found()? {
            match self.entry(&path) {
                Some((entry, length)) => entries.push(CacheEntry {
                    bytes: length + kept(&entry).map(|kept| kept.bytes).sum::<u64>(),
                    key: entry.key,
                    tool: entry.tool,
                    created: entry.created,
                }),
                None => damaged += 1,
            }
        }
        entries.sort_by(|a, b| (b.created, a.key).cmp(&(a.created, b.key)));
        Ok((entries, damaged))
    }

    /// Removes what was kept before a time, everything that is damaged, and files that nothing
    /// names any more. A run that goes on meanwhile may miss what it would have found.
    ///
    /// # Errors
    /// I/O.
    pub fn clear(&self, before: Timestamp) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        let mut named = BTreeSet::new();
        for path in self.found()? {
            match self.entry(&path) {
                Some((entry, _)) if entry.created > before => {
                    named.extend(kept(&entry).map(|kept| kept.sha256.hex()));
                }
                _ => {
                    cleared.bytes += remove(&path)?;
                    cleared.entries += 1;
                }
            }
        }
        for path in list(&self.dir.join("files"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !named.contains(&*name) {
                cleared.bytes += remove(&path)?;
            }
        }
        Ok(cleared)
    }

    /// The files of entries.
    fn found(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = list(&self.dir)?;
        found.retain(|path| path.extension().is_some_and(|end| end == "json"));
        Ok(found)
    }

    fn entry(&self, path: &Path) -> Option<(Entry, u64)> {
        let key = Digest::parse(path.file_stem()?.to_str()?)?;
        let bytes = read_regular(&self.path(key)).ok()?;
        Some((decode(&bytes, key).ok()?, bytes.len() as u64))
    }
}

fn kept(entry: &Entry) -> impl Iterator<Item = &Kept> {
    entry.files.iter().chain(&entry.evidence)
}

fn decode(bytes: &[u8], key: Digest) -> Result<Entry, String> {
    let mut entry: Entry =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no entry: {error}"))?;
    let stated = entry.hash.take();
    if entry.v != VERSION {
        return Err(format!("it has the format version {}", entry.v));
    }
    if stated != Some(Digest::of_json(&entry)) {
        return Err("its hash does not match it".to_owned());
    }
    if entry.key != key {
        return Err("it is the entry of another key".to_owned());
    }
    Ok(entry)
}

/// The files of a folder that may not be there.
fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read the folder", dir)(error)),
    };
    let files = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    Ok(files.map(|entry| entry.path()).collect())
}

/// Removes a file, if nobody else did; gives its length.
fn remove(path: &Path) -> Result<u64, Error> {
    let length = fs::metadata(path).map_or(0, |found| found.len());
    match fs::remove_file(path) {
        Ok(()) => Ok(length),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            output: serde_json::json!({ "x": [1.5, "é"] }),
            files: vec![File {
                path: "a/b.txt".to_owned(),
                content: b"text".to_vec(),
            }],
            evidence: Vec::new(),
            subject: Some("it".to_owned()),
            about: None,
        }
    }

    #[test]
    fn what_is_kept_is_found_until_any_byte_of_it_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(dir.path().join("cache"));
        let key = Digest::of(b"key");
        assert_eq!(cache.load(key).expect("nothing is wrong"), None);
        let keep = || {
            cache
                .keep(key, "skill:x", Timestamp::UNIX_EPOCH, &outcome())
                .expect("it is kept");
        };
        keep();
        assert_eq!(cache.load(key).expect("it is read"), Some(outcome()));
        let places = [cache.path(key), cache.blobs.path(Digest::of(b"text"))];
        for path in places {
            let good = fs::read(&path).expect("it is there");
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                fs::write(&path, bad).expect("it is written");
                // The newline at the end is no part of it.
                if cache.load(key).is_ok_and(|found| found == Some(outcome())) {
                    assert_eq!(at, good.len() - 1);
                }
                // It was removed, and is made again as it was.
                keep();
                assert_eq!(
                    cache.load(key).expect("it is read"),
                    Some(outcome()),
                    "{at}"
                );
            }
        }
        // Under another name, it is not what was asked for.
        let other = Digest::of(b"other");
        fs::copy(cache.path(key), cache.path(other)).expect("it is copied");
        cache.load(other).expect_err("it is of another key");
        assert!(!cache.path(other).exists());
    }

    #[test]
    fn clearing_keeps_what_is_newer_with_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(dir.path().join("cache"));
        let at = |second| Timestamp::from_second(second).expect("a time");
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let mut other = outcome();
        other.files[0].content = b"other".to_vec();
        cache.keep(old, "t", at(10), &other).expect("kept");
        cache.keep(new, "t", at(20), &outcome()).expect("kept");
        fs::write(cache.dir.join("x.json"), "{").expect("written");
        let (entries, damaged) = cache.entries().expect("listed");
        assert_eq!((entries.len(), damaged), (2, 1));
        assert_eq!(entries[0].key, new);
        let cleared = cache.clear(at(15)).expect("cleared");
        assert_eq!(cleared.entries, 2);
        assert_eq!(cache.load(old).expect("read"), None);
        assert_eq!(cache.load(new).expect("read"), Some(outcome()));
        assert!(!cache.blobs.path(Digest::of(b"other")).exists());
    }
}
