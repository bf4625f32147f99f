//! [`Ahead`]: the lines of a journal that are expected once more, from whoever goes through a run again.

use super::error::Error;
use std::path::Path;

/// Lines that are in the file and that the run, gone through again, must come to in the same way.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    at: usize,
}

impl Ahead {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are still expected.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether a line, with its newline, is in the file already.
    ///
    /// # Errors
    /// When another one is.
    pub(super) fn meets(&mut self, path: &Path, seq: u64, line: &[u8]) -> Result<bool, Error> {
        if self.left() == 0 {
            return Ok(false);
        }
        if !self.bytes[self.at..].starts_with(line) {
            let there = self.bytes[self.at..].split(|byte| *byte == b'\n');
            let shown = |line: &[u8]| {
                let text = String::from_utf8_lossy(line);
                let end = text.floor_char_boundary(300);
                text[..end].trim_end().to_owned()
            };
            let there = there.map(shown).next().unwrap_or_default();
            return Err(Error::Diverged {
                path: path.to_owned(),
                seq,
                there,
                now: shown(line),
            });
        }
        self.at += line.len();
        Ok(true)
    }
}
