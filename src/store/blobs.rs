//! [`Blobs`]: the staged files of a run, by content.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use super::error::Error;
use super::sync_dir;
use crate::value::Digest;

/// A folder of files that are named by their SHA-256.
///
/// Files are written at once and synced together, before the record that names them is.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    unsynced: Mutex<BTreeSet<Digest>>,
}

impl Blobs {
    /// The folder at this path; it is made when the first file comes.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            unsynced: Mutex::new(BTreeSet::new()),
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
        let path = self.path(digest);
        // A file of the right length under this name can only be this content, or a torn rest of
        // it, which `get` would refuse; lengths tell the two apart.
        if fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(digest);
        }
        fs::create_dir_all(&self.dir).map_err(Error::io("create the folder", &self.dir))?;
        let mut file = tempfile::Builder::new()
            .prefix(".flowctl-")
            .tempfile_in(&self.dir)
            .map_err(Error::io("create a file in", &self.dir))?;
        file.write_all(bytes).map_err(Error::io("write", &path))?;
        file.persist(&path)
            .map_err(|error| Error::io("create", &path)(error.error))?;
        self.unsynced
            .lock()
            .expect("no holder panics")
            .insert(digest);
        Ok(digest)
    }

    /// Reads a file and checks that it is what its name says.
    ///
    /// # Errors
    /// When it is not there or is damaged.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        if Digest::of(&bytes) == digest {
            return Ok(bytes);
        }
        Err(Error::Damaged {
            path,
            line: 1,
            message: "the content does not match its name".to_owned(),
        })
    }

    /// Makes everything kept so far durable.
    ///
    /// # Errors
    /// When a file cannot be synced; it is tried again the next time.
    pub fn sync(&self) -> Result<(), Error> {
        let mut unsynced = self.unsynced.lock().expect("no holder panics");
        if unsynced.is_empty() {
            return Ok(());
        }
        for digest in unsynced.iter() {
            let path = self.path(*digest);
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(Error::io("sync", &path))?;
        }
        sync_dir(&self.dir)?;
        unsynced.clear();
        Ok(())
    }
}
