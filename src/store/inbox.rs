//! [`Inbox`]: a folder of requests to a run; each appears whole, and goes once it is journaled.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::{create_new, open_regular, sync_dir};

/// The largest request that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// An entry of the inbox: its id, and the request or why it cannot be read.
pub type Listed<T> = (String, Result<T, String>);

/// The inbox of a run.
#[derive(Clone, Debug)]
pub struct Inbox {
    dir: PathBuf,
}

impl Inbox {
    /// The inbox at this path.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Puts a request in. Ids sort by time, so that requests are taken in the order they came.
    ///
    /// # Errors
    /// I/O.
    pub fn put(&self, id: &str, request: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(request).expect("plain data becomes JSON");
        create_new(&self.path(id), &bytes).map(|_| ())
    }

    /// Whether anything is in.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn holds_any(&self) -> Result<bool, Error> {
        Ok(!self.ids()?.is_empty())
    }

    /// Everything that is in, in order: the id, and the request or why it cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list<T: DeserializeOwned>(&self) -> Result<Vec<Listed<T>>, Error> {
        let listed = self.ids()?.into_iter().map(|id| {
            let request = read_request(&self.path(&id));
            (id, request)
        });
        Ok(listed.collect())
    }

    fn ids(&self) -> Result<Vec<String>, Error> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read the folder", &self.dir)(error)),
        };
        let mut ids: Vec<String> = entries
            .filter_map(|entry| {
                entry
                    .ok()?
                    .file_name()
                    .to_str()?
                    .strip_suffix(".json")
                    .map(str::to_owned)
            })
            .filter(|id| !id.starts_with('.'))
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes a request that is journaled.
    ///
    /// # Errors
    /// I/O, except that it is gone already.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Ok(()) => sync_dir(&self.dir),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("remove", &path)(error)),
        }
    }

    /// Puts a request that cannot be read aside, so that nothing is lost and nothing is stuck.
    ///
    /// # Errors
    /// I/O.
    pub fn set_aside(&self, id: &str) -> Result<PathBuf, Error> {
        let target = self.dir.join(format!("{id}.unreadable"));
        std::fs::rename(self.path(id), &target).map_err(Error::io("rename", &target))?;
        Ok(target)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

fn read_request<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let read = || {
        let mut bytes = Vec::new();
        let file = open_regular(path)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error: std::io::Error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
