//! [`Objects`]: where workers keep what is too large for a message, by content.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::export::{self, Destination};
use crate::run::External;
use crate::store::{self, Blobs};
use crate::value::Digest;

/// Why an object cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// A place that takes no objects.
    #[error(transparent)]
    Place(#[from] export::Error),
    /// The store said no.
    #[error("the object store `{place}` cannot {action} `{key}`: {message}")]
    Store {
        /// Where.
        place: String,
        /// What was tried.
        action: &'static str,
        /// With what.
        key: String,
        /// Why not.
        message: String,
    },
    /// The folder said no.
    #[error(transparent)]
    Folder(#[from] store::Error),
}

/// A content-addressed store: a folder, or a bucket.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Folder(PathBuf),
    Bucket {
        store: Arc<dyn ObjectStore>,
        prefix: object_store::path::Path,
        shown: String,
    },
}

impl Objects {
    /// Opens the store at a place, as `--object-store` names it.
    ///
    /// # Errors
    /// A place that takes no objects, or credentials that are not there.
    pub fn open(place: &str) -> Result<Self, ObjectsError> {
        let place = place.strip_prefix("file://").unwrap_or(place);
        Ok(Self(Arc::new(match Destination::parse(place)? {
            Destination::Folder(path) => Kind::Folder(path),
            bucket => {
                let opened = export::Bucket::open(&bucket)?;
                Kind::Bucket {
                    store: opened.store,
                    prefix: opened.prefix,
                    shown: bucket.to_string(),
                }
            }
        })))
    }

    /// A folder.
    #[must_use]
    pub fn folder(path: &Path) -> Self {
        Self(Arc::new(Kind::Folder(path.to_owned())))
    }

    /// Keeps bytes. What is there already is not written again.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn put(&self, bytes: Vec<u8>) -> Result<External, ObjectsError> {
        let external = External {
            sha256: Digest::of(&bytes),
            bytes: bytes.len() as u64,
        };
        match &*self.0 {
            Kind::Folder(path) => {
                let path = path.clone();
                aside(move || {
                    let blobs = Blobs::new(path);
                    blobs.put(&bytes)?;
                    blobs.sync()
                })
                .await?;
            }
            Kind::Bucket { store, prefix, .. } => {
                let key = prefix.clone().join(external.sha256.hex());
                let there = store.head(&key).await;
                if there.is_ok_and(|found| found.size == external.bytes) {
                    return Ok(external);
                }
                let put = store.put(&key, PutPayload::from(bytes)).await;
                put.map_err(|error| self.refused("keep", &key, &error))?;
            }
        }
        Ok(external)
    }

    /// Reads bytes back, and checks that they are what their name says.
    ///
    /// # Errors
    /// When they are not there, or are others.
    pub async fn get(&self, digest: Digest) -> Result<Vec<u8>, ObjectsError> {
        match &*self.0 {
            Kind::Folder(path) => {
                let path = path.clone();
                let got = aside(move || Blobs::new(path).get(digest)).await;
                got.map_err(|error| self.refused("give", &digest.hex(), &not_the_same(&error)))
            }
            Kind::Bucket { store, prefix, .. } => {
                let key = prefix.clone().join(digest.hex());
                let found = async { store.get(&key).await?.bytes().await };
                let bytes = found
                    .await
                    .map_err(|error| self.refused("give", &key, &not_the_same(&error)))?;
                if Digest::of(&bytes) != digest {
                    let error = "it holds something else than its name says";
                    return Err(self.refused("give", &key, &error));
                }
                Ok(bytes.into())
            }
        }
    }

    /// Notes that a life of a run is to be stopped.
    ///
    /// # Errors
    /// When the note cannot be kept.
    pub async fn stop(&self, life: &str) -> Result<(), ObjectsError> {
        match &*self.0 {
            Kind::Folder(path) => {
                let path = path.join(stop_key(life));
                aside(move || store::create_new(&path, b"").map(|_| ())).await?;
            }
            Kind::Bucket { store, prefix, .. } => {
                let key = prefix.clone().join(stop_key(life));
                let put = store.put(&key, PutPayload::default()).await;
                put.map_err(|error| self.refused("keep", &key, &error))?;
            }
        }
        Ok(())
    }

    /// Whether a life of a run is to be stopped. A store that does not answer says no.
    pub async fn is_stopped(&self, life: &str) -> bool {
        match &*self.0 {
            Kind::Folder(path) => {
                let path = path.join(stop_key(life));
                aside(move || Ok(path.exists())).await.unwrap_or(false)
            }
            Kind::Bucket { store, prefix, .. } => {
                let key = prefix.clone().join(stop_key(life));
                store.head(&key).await.is_ok()
            }
        }
    }

    /// How often whoever makes an attempt may ask whether it is to be stopped.
    #[must_use]
    pub fn patience(&self) -> std::time::Duration {
        match &*self.0 {
            Kind::Folder(_) => std::time::Duration::from_millis(500),
            // Each time costs.
            Kind::Bucket { .. } => std::time::Duration::from_secs(3),
        }
    }

    /// Keeps something and reads it back, for whoever wants to know whether it works.
    ///
    /// # Errors
    /// When it does not.
    pub async fn try_out(&self) -> Result<(), ObjectsError> {
        let kept = self.put(b"flowctl worker --doctor".to_vec()).await?;
        self.get(kept.sha256).await.map(|_| ())
    }

    fn refused(
        &self,
        action: &'static str,
        key: &dyn std::fmt::Display,
        error: &dyn std::fmt::Display,
    ) -> ObjectsError {
        ObjectsError::Store {
            place: self.to_string(),
            action,
            key: key.to_string(),
            message: error.to_string(),
        }
    }
}

impl std::fmt::Display for Objects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.0 {
            Kind::Folder(path) => path.display().fmt(formatter),
            Kind::Bucket { shown, .. } => shown.fmt(formatter),
        }
    }
}

/// What somebody most likely did who asks a store for what it never got.
fn not_the_same(error: &dyn std::fmt::Display) -> String {
    format!("{error}; do all workers and commands have the same `--object-store`?")
}

fn stop_key(life: &str) -> String {
    format!("stop-{life}")
}

/// Does what waits for a disk where nothing else waits for it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, store::Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_gives_what_it_was_given_or_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let objects = Objects::folder(dir.path());
        let kept = objects.put(b"large".to_vec()).await.expect("it is kept");
        assert_eq!(kept.bytes, 5);
        let got = objects.get(kept.sha256).await.expect("it is there");
        assert_eq!(got, b"large");
        std::fs::write(dir.path().join(kept.sha256.hex()), "other").expect("it is written");
        let damaged = objects.get(kept.sha256).await;
        let damaged = damaged.expect_err("it is another").to_string();
        assert!(damaged.contains("`--object-store`"), "{damaged}");
    }

    #[tokio::test]
    async fn a_life_is_stopped_alone_and_only_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let objects = Objects::folder(dir.path());
        assert!(!objects.is_stopped("r.00000000").await);
        for _ in 0..2 {
            objects.stop("r.00000000").await.expect("it is noted");
        }
        assert!(objects.is_stopped("r.00000000").await);
        assert!(!objects.is_stopped("r.00000000~2").await);
    }
}
