//! [`Part`]: a file that is read in parts, and open only while one is read.
//!
//! All node logs are read side by side, and there may be more of them than a process may have open.

use std::io::{Read, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::{Tree, file};
use crate::store::open_regular;

/// A file, read from its beginning.
pub(super) enum Part<'a> {
    /// On disk, and how far it was read.
    Disk(PathBuf, u64),
    /// What is left of a file in memory.
    Memory(&'a [u8]),
}

impl<'a> Part<'a> {
    /// Looks whether there is such a file.
    pub(super) fn open(tree: &'a Tree, path: &str) -> Result<Self, String> {
        match tree {
            Tree::Disk(root) => Ok(Self::Disk(file(root, path)?, 0)),
            Tree::Memory(files) => {
                let bytes = files.get(path).ok_or("it is missing")?;
                Ok(Self::Memory(bytes))
            }
        }
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Disk(path, at) => {
                let mut file = open_regular(path)?;
                file.seek(SeekFrom::Start(*at))?;
                let length = file.read(buffer)?;
                *at += length as u64;
                Ok(length)
            }
            Self::Memory(rest) => rest.read(buffer),
        }
    }
}
