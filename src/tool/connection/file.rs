//! Reading files that may hold secrets: size, kind and rights first.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use super::declared::{Declared, decode};
use super::veil::veil;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};

/// The largest file of connections, and the largest `.env`.
const MAX_BYTES: u64 = 256 * 1024;

/// How much is asked of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It was named, and must be there.
    Given,
    /// It is the user's own: nobody else may read or write it.
    Private,
    /// It is used when it is there.
    Found,
}

/// A file as it was read.
pub(super) struct Contents {
    pub(super) source: Arc<Source>,
    /// Whether others may read it.
    pub(super) exposed: bool,
}

/// Reads a file; `Ok(None)` when there is none and there need be none.
pub(super) fn read(path: &Path, trust: Trust) -> Result<Option<Contents>, Diagnostics> {
    let shown = shown(path);
    let source = || Arc::new(Source::new(shown.clone(), ""));
    let refuse = |code, message: String, help: String| {
        Diagnostics::from(Diagnostic::error(code, message, &source(), Span::default()).help(help))
    };
    let cannot = |error: std::io::Error| {
        refuse(
            Code::FileUnreadable,
            format!("cannot read the connections: {error}"),
            "give a file that is there and that you may read".to_owned(),
        )
    };
    // A named pipe would be waited for until somebody writes.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = std::fs::File::options()
        .read(true)
        .custom_flags(nonblocking)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            let missing = matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            );
            if missing && trust != Trust::Given {
                return Ok(None);
            }
            return Err(cannot(error));
        }
    };
    // Asked of what was opened: the name may be something else by now.
    let found = file.metadata().map_err(cannot)?;
    if !found.is_file() {
        if trust == Trust::Found {
            // A Python environment may be called `.env`.
            return Ok(None);
        }
        return Err(cannot(std::io::Error::other("it is no file")));
    }
    if trust == Trust::Private {
        let user = rustix::process::geteuid().as_raw();
        if found.uid() != user {
            return Err(refuse(
                Code::ExposedConnections,
                format!(
                    "the file belongs to another user (uid {}, and you are {user})",
                    found.uid()
                ),
                "who owns it can change it; make a copy of your own".to_owned(),
            ));
        }
        if found.mode() & 0o077 != 0 {
            return Err(refuse(
                Code::ExposedConnections,
                format!(
                    "the file is open to others (mode {:04o})",
                    found.mode() & 0o7777
                ),
                format!("take their rights away: `chmod 600 {shown}`"),
            ));
        }
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(
            Code::FileTooLarge,
            format!("the file has more than {MAX_BYTES} bytes"),
            "is it a file of connections? split it if it is".to_owned(),
        ));
    }
    let source = crate::yaml::decode(&shown, bytes).map_err(|problems| veil(&problems, &[]))?;
    Ok(Some(Contents {
        source,
        exposed: found.mode() & 0o077 != 0,
    }))
}

/// Reads the connections of a text. What is wrong shows no value.
pub(super) fn connections(source: &Arc<Source>, problems: &mut Diagnostics) -> Vec<Declared> {
    let mut found = Diagnostics::default();
    let root = crate::yaml::load(source, &mut found);
    let declared = root.map_or_else(Vec::new, |root| decode(&root, source, &mut found));
    let names: Vec<String> = declared.iter().map(|one| one.name.clone()).collect();
    problems.extend(veil(&found, &names));
    declared
}

/// A path as people write it.
pub(super) fn shown(path: &Path) -> String {
    let shown = path.display().to_string();
    shown
        .strip_prefix("./")
        .map_or(shown.clone(), str::to_owned)
}
