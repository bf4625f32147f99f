//! Opening what must be a regular file. A pipe in its place would keep whoever opens it waiting for
//! ever, and a device would be read without end.

use std::fs::{File, OpenOptions};
use std::io::{Error, Read as _, Result};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a file to read it.
///
/// # Errors
/// When it cannot be opened, and when it is no regular file.
pub fn open_regular(path: &Path) -> Result<File> {
    open_regular_with(OpenOptions::new().read(true), path)
}

/// Opens a file in some other way.
///
/// # Errors
/// As [`open_regular`].
pub fn open_regular_with(options: &mut OpenOptions, path: &Path) -> Result<File> {
    // Of a regular file, this changes nothing.
    let nonblocking = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(nonblocking.bits()).expect("the flags are small");
    let file = match options.custom_flags(flags).open(path) {
        // A socket, a pipe that nobody reads, a device that is not there.
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            return Err(no_file("a socket, a pipe or a device"));
        }
        opened => opened?,
    };
    // Asked of what was opened: the name may be something else by now.
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(no_file(if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "something else"
    }))
}

/// Reads a file.
///
/// # Errors
/// As [`open_regular`].
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    // With the length known, memory is taken once.
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn no_file(what: &str) -> Error {
    Error::other(format!(
        "it is {what}, and a file should be there: put the file back"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened_and_nobody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )
        .expect("a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");
        std::os::unix::fs::symlink("/dev/zero", at("device")).expect("a link");
        std::fs::create_dir(at("folder")).expect("a folder");
        for (name, says) in [
            ("pipe", "a pipe"),
            ("socket", "a socket"),
            ("device", "a device"),
            ("folder", "a folder"),
        ] {
            let error = read_regular(&at(name)).expect_err(name).to_string();
            assert!(error.contains(says), "{error}");
            let mut append = OpenOptions::new();
            assert!(
                open_regular_with(append.append(true), &at(name)).is_err(),
                "{name}"
            );
        }
        std::fs::write(at("file"), "text").expect("it is written");
        assert_eq!(read_regular(&at("file")).expect("it is read"), b"text");
        let missing = read_regular(&at("missing")).expect_err("it is missing");
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }
}
