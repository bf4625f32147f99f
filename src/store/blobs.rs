//! [`Blobs`]: files of a run by content: what nodes staged, and outputs too large for a record.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use super::error::Error;
use super::{open_regular, read_regular, sync_dir};
use crate::value::Digest;

/// A folder of files that are named by their SHA-256.
///
/// Files are written at once and synced together, before the record that names them is written.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What this process has written, or has looked at.
    known: HashSet<Digest>,
    /// What of it may not be on disk.
    unsynced: Vec<Digest>,
}

impl Blobs {
    /// The folder at this path; it is made when the first file comes.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            kept: Mutex::default(),
        }
    }

    /// Where a file lies.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }

    /// Keeps a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        if self.kept().known.contains(&digest) {
            return Ok(digest);
        }
        let path = self.path(digest);
        // What an earlier driver has left may be the torn rest of a crash; and even when it is
        // whole, nobody knows whether it ever reached the disk.
        let there = fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64)
            && self.get(digest).is_ok();
        if !there {
            fs::create_dir_all(&self.dir).map_err(Error::io("create the folder", &self.dir))?;
            let mut file = tempfile::Builder::new()
                .prefix(".flowctl-")
                .tempfile_in(&self.dir)
                .map_err(Error::io("create a file in", &self.dir))?;
            file.write_all(bytes).map_err(Error::io("write", &path))?;
            file.persist(&path)
                .map_err(|error| Error::io("create", &path)(error.error))?;
        }
        // Also when somebody else kept the same meanwhile: this may be another file in its place.
        let mut kept = self.kept();
        kept.known.insert(digest);
        kept.unsynced.push(digest);
        Ok(digest)
    }

    /// Takes a file for one that is kept here, whoever has written it: it is synced with the others.
    pub fn adopt(&self, digest: Digest) {
        let mut kept = self.kept();
        if kept.known.insert(digest) {
            kept.unsynced.push(digest);
        }
    }

    /// Reads a file and checks that it is what its name says.
    ///
    /// # Errors
    /// When it is not there or is damaged.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let bytes = read_regular(&path).map_err(Error::io("read", &path))?;
        if Digest::of(&bytes) == digest {
            return Ok(bytes);
        }
        Err(Error::NotItsName { path })
    }

    /// Checks that a file is what its name says, without keeping it in memory.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn check(&self, digest: Digest) -> Result<(), Error> {
        let path = self.path(digest);
        let mut file = open_regular(&path).map_err(Error::io("read", &path))?;
        let (found, _) = Digest::of_reader(&mut file).map_err(Error::io("read", &path))?;
        if found == digest {
            return Ok(());
        }
        Err(Error::NotItsName { path })
    }

    /// Takes a file away that is not what its name says, so that it is written again when it comes again.
    pub fn forget(&self, digest: Digest) {
        let mut kept = self.kept();
        kept.known.remove(&digest);
        kept.unsynced.retain(|other| *other != digest);
        drop(kept);
        fs::remove_file(self.path(digest)).ok();
    }

    /// Makes everything kept so far durable.
    ///
    /// # Errors
    /// When a file cannot be synced. What the system has then lost it does not tell again, so that
    /// whoever gets this error must not write any more.
    pub fn sync(&self) -> Result<(), Error> {
        // Attempts keep files meanwhile: the lock is not held while the disk works.
        let unsynced = std::mem::take(&mut self.kept().unsynced);
        if unsynced.is_empty() {
            return Ok(());
        }
        for digest in &unsynced {
            let path = self.path(*digest);
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(Error::io("sync", &path))?;
        }
        sync_dir(&self.dir)?;
        // The folder itself came with the first file.
        if let Some(run) = self.dir.parent() {
            sync_dir(run)?;
        }
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_torn_is_written_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::new(dir.path().join("files"));
        let digest = blobs.put(b"whole").expect("it is written");
        blobs.sync().expect("it is synced");
        // Of the right length, as a crash may leave it before its content is on disk.
        fs::write(blobs.path(digest), b"\0\0\0\0\0").expect("it is there");
        assert!(matches!(blobs.get(digest), Err(Error::NotItsName { .. })));
        let next = Blobs::new(dir.path().join("files"));
        assert_eq!(next.put(b"whole").expect("it is written"), digest);
        assert_eq!(next.get(digest).expect("it is whole"), b"whole");
        // Whole, but of another process: it is synced all the same.
        let third = Blobs::new(dir.path().join("files"));
        third.put(b"whole").expect("it is there");
        assert_eq!(third.kept().unsynced, [digest]);
        third.sync().expect("it is synced");
        assert!(third.kept().unsynced.is_empty());
    }
}
