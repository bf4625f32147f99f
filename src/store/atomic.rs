//! Files that appear whole or not at all: temporary file, sync, rename, sync of the folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::error::Error;

/// What a crash leaves behind is recognisable, and hidden from globs.
const PREFIX: &str = ".flowctl-";
const SUFFIX: &str = ".tmp";

/// Writes a file in place of whatever is there.
///
/// # Errors
/// When anything on the way fails; the old content is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path, bytes, PREFIX)?;
    temporary
        .persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_dir(parent(path))
}

/// As [`replace`], for a folder that is not ours: what a crash leaves behind has its owner's name, so
/// that [`sweep`] finds it there and takes away nothing else.
///
/// # Errors
/// As [`replace`].
pub fn replace_as(owner: &str, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path, bytes, &leaving(owner))?;
    temporary
        .persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_dir(parent(path))
}

/// Removes what a crash has left of an owner's [`replace_as`] in a folder, and makes the renames that
/// came before it durable. A folder that is not there holds nothing.
///
/// # Errors
/// When the folder cannot be synced.
pub fn sweep(owner: &str, dir: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&leaving(owner)) && name.ends_with(SUFFIX) {
            // If it cannot be removed, it is in the way of nothing.
            fs::remove_file(entry.path()).ok();
        }
    }
    sync_dir(dir)
}

/// How the temporary files of an owner begin. The dot at the end keeps `r` apart from `r2`.
fn leaving(owner: &str) -> String {
    format!("{PREFIX}{owner}.")
}

/// Writes a file that must not be there yet. `Ok(false)` when it is.
///
/// # Errors
/// When anything on the way fails.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    placed(temporary(path, bytes, PREFIX)?, path)
}

/// As [`replace`], for a file that nobody else may read. Where a link leads, it leads afterwards.
///
/// # Errors
/// As [`replace`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = temporary_with(&real, bytes, PREFIX, 0o600)?;
    temporary
        .persist(&real)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_dir(parent(&real))
}

/// As [`create_new`], for a file that nobody else may read.
///
/// # Errors
/// As [`create_new`].
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    placed(temporary_with(path, bytes, PREFIX, 0o600)?, path)
}

/// As [`replace`], for a file of somebody's own: who may read and write it stays as it is, and where a
/// link leads, it leads afterwards.
///
/// # Errors
/// As [`replace`].
pub fn replace_alike(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    #[cfg(unix)]
    let mode = {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(&real).map_or(0o644, |found| found.permissions().mode() & 0o777)
    };
    #[cfg(not(unix))]
    let mode = 0o644;
    let temporary = temporary_with(&real, bytes, PREFIX, mode)?;
    temporary
        .persist(&real)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_dir(parent(&real))
}

fn placed(temporary: tempfile::NamedTempFile, path: &Path) -> Result<bool, Error> {
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_dir(parent(path)).map(|()| true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("create", path)(error.error)),
    }
}

fn temporary(path: &Path, bytes: &[u8], prefix: &str) -> Result<tempfile::NamedTempFile, Error> {
    temporary_with(path, bytes, prefix, 0o644)
}

#[cfg_attr(not(unix), expect(unused_variables, reason = "modes are of Unix"))]
fn temporary_with(
    path: &Path,
    bytes: &[u8],
    prefix: &str,
    mode: u32,
) -> Result<tempfile::NamedTempFile, Error> {
    let parent = parent(path);
    fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(mode));
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
