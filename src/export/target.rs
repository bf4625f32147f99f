//! [`Target`]: what can list, digest and create objects, and never overwrites one.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "export")]
use super::cloud::Cloud;
use super::folder::Folder;
use super::inventory::Object;
use super::{Destination, Error};
use crate::store::Layout;
use crate::value::Digest;

/// A place for objects.
#[derive(Clone, Debug)]
pub struct Target(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Folder(Arc<Folder>),
    #[cfg(feature = "export")]
    Cloud(Arc<Cloud>),
}

/// What came of creating an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// It is there, and was not before.
    New,
    /// There is one of this name already.
    Exists,
    /// The file here is no longer what it was.
    Moved,
}

impl Target {
    /// Opens a destination for objects; nothing is written yet.
    ///
    /// # Errors
    /// When it takes no objects, this program was built without it, or its settings are incomplete.
    pub fn open(destination: &Destination, layout: &Layout) -> Result<Self, Error> {
        match destination {
            Destination::Folder(path) => {
                let folder = Folder::new(path.clone());
                folder.is_apart_from(&layout.evidence())?;
                Ok(Self(Kind::Folder(Arc::new(folder))))
            }
            #[cfg(feature = "export")]
            other => Ok(Self(Kind::Cloud(Arc::new(Cloud::open(other)?)))),
            #[cfg(not(feature = "export"))]
            other => Err(Error::Destination {
                message: format!("this flowctl was built without export to `{other}`"),
                help: "build it with `cargo install --path . --features export`; export to a folder works without"
                    .to_owned(),
            }),
        }
    }

    /// All objects with their sizes.
    pub(super) async fn list(&self) -> Result<BTreeMap<String, u64>, Error> {
        match &self.0 {
            Kind::Folder(folder) => {
                let folder = folder.clone();
                aside(move || folder.list()).await
            }
            #[cfg(feature = "export")]
            Kind::Cloud(cloud) => cloud.list().await,
        }
    }

    /// The digest of an object; `read_back` does not believe what the object says of itself.
    pub(super) async fn digest(&self, key: &str, read_back: bool) -> Result<Option<Digest>, Error> {
        match &self.0 {
            Kind::Folder(folder) => {
                // Nothing carries a digest here: it is always read.
                _ = read_back;
                let (folder, key) = (folder.clone(), key.to_owned());
                aside(move || folder.digest(&key)).await
            }
            #[cfg(feature = "export")]
            Kind::Cloud(cloud) => cloud.digest(key, read_back).await,
        }
    }

    /// Creates an object, unless there is one.
    pub(super) async fn create(&self, key: &str, object: &Object) -> Result<Created, Error> {
        match &self.0 {
            Kind::Folder(folder) => {
                let (folder, key, object) = (folder.clone(), key.to_owned(), object.clone());
                aside(move || folder.create(&key, &object)).await
            }
            #[cfg(feature = "export")]
            Kind::Cloud(cloud) => cloud.create(key, object).await,
        }
    }
}

/// Does something that blocks, without holding the others up.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
