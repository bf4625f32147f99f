//! Files that appear whole or not at all: temporary file, sync, rename, sync of the folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::error::Error;

/// Writes a file in place of whatever is there.
///
/// # Errors
/// When anything on the way fails; the old content is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path, bytes)?;
    temporary
        .persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_dir(parent(path))
}

/// Writes a file that must not be there yet. `Ok(false)` when it is.
///
/// # Errors
/// When anything on the way fails.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let temporary = temporary(path, bytes)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_dir(parent(path)).map(|()| true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("create", path)(error.error)),
    }
}

fn temporary(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile, Error> {
    let parent = parent(path);
    fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
    let mut builder = tempfile::Builder::new();
    // What a crash leaves behind is recognisable, and hidden from globs.
    builder.prefix(".flowctl-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut file = builder
        .tempfile_in(parent)
        .map_err(Error::io("create a file in", parent))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.as_file().sync_all().map_err(Error::io("sync", path))?;
    Ok(file)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes renames in a folder durable.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io("sync the folder", path))
}
