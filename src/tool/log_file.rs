//! [`LogFile`]: what a node prints, as it prints it. Bounded: a node may print for ever.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A log that grows above this is put aside, in place of the one that was put aside before.
pub const MAX_LOG: u64 = 64 * 1024 * 1024;

/// A log that several streams append to; the file appears with the first bytes.
#[derive(Clone, Debug)]
pub struct LogFile(Arc<Mutex<Sink>>);

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    limit: u64,
}

/// Where the part of a log is that was put aside.
#[must_use]
pub fn put_aside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

impl LogFile {
    /// A log at this path.
    #[must_use]
    pub fn lazy(path: PathBuf) -> Self {
        Self::limited(path, MAX_LOG)
    }

    fn limited(path: PathBuf, limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Sink {
            path,
            file: None,
            bytes: 0,
            limit,
        })))
    }

    /// Appends bytes; a log that cannot be written never fails the work it is about.
    pub fn write(&self, bytes: &[u8]) {
        let Ok(mut sink) = self.0.lock() else { return };
        sink.write(bytes);
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) {
        if self.bytes >= self.limit {
            // Not in the middle of a line, unless there is none that ends.
            let cut = bytes.iter().position(|byte| *byte == b'\n');
            let (old, new) = bytes.split_at(cut.map_or(0, |cut| cut + 1));
            if cut.is_some() || self.bytes >= self.limit + self.limit / 4 {
                self.append(old);
                self.file = None;
                fs::rename(&self.path, put_aside(&self.path)).ok();
                self.append(new);
                return;
            }
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.file.is_none() {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent).ok();
            }
            self.file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&self.path)
                .ok();
            let found = self.file.as_ref().and_then(|file| file.metadata().ok());
            self.bytes = found.map_or(0, |found| found.len());
        }
        if let Some(file) = &mut self.file
            && file.write_all(bytes).is_ok()
        {
            self.bytes += bytes.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_end_and_no_more_than_twice_its_limit() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("logs/N.log");
        let log = LogFile::limited(path.clone(), 1000);
        for n in 0..1000 {
            log.write(format!("line {n}\nand ").as_bytes());
        }
        let read = |path: &Path| fs::read_to_string(path).expect("it is there");
        let (old, new) = (read(&put_aside(&path)), read(&path));
        assert!(
            old.len() < 1300 && new.len() < 1300,
            "{} {}",
            old.len(),
            new.len()
        );
        // The two follow one another, whole lines each.
        assert!(old.ends_with('\n'));
        let both = format!("{old}{new}");
        let rest: Vec<&str> = both.lines().collect();
        assert_eq!(rest[rest.len() - 2..], ["and line 999", "and "]);
        let first: usize = rest[0]
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert_eq!(rest.len() - 1, 1000 - first);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("N.log");
        let log = LogFile::limited(path.clone(), 1000);
        for _ in 0..100 {
            log.write(&[b'x'; 100]);
        }
        let length = |path: &Path| fs::metadata(path).expect("it is there").len();
        assert!(length(&path) <= 1350 && length(&put_aside(&path)) <= 1350);
    }
}
