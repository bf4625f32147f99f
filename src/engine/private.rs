//! A folder that only its owner reads, and that no repository takes up.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use crate::store::{Error, create_new};

/// Makes the folder when it is not there, and sees that it is private in any case.
pub(crate) fn folder(dir: &Path) -> Result<(), Error> {
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::metadata(dir).map_err(Error::io("open", dir))?;
            if found.permissions().mode() & 0o077 != 0 {
                std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
                    .map_err(Error::io("make private the folder", dir))?;
            }
        }
        Err(error) => return Err(Error::io("create the folder", dir)(error)),
    }
    create_new(&dir.join(".gitignore"), b"*\n")?;
    Ok(())
}
