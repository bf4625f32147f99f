//! [`Lines`]: a file of records that grows, read at any place in it and never as a whole.
//!
//! What a writing costs must not depend on how much was written before it, so that the hundred
//! thousandth run is as quick as the first: the last line is found from the end, an entry of the
//! ledger by its number, halving what is left.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;
use crate::store::open_regular;

/// How much is read at once where a line may begin.
const BLOCK: u64 = 2 * 1024;

/// A file of records, up to the end that is known.
pub(super) struct Lines {
    file: File,
    path: PathBuf,
    /// Its length on disk; what is known may end before it.
    pub(super) length: u64,
}

#[derive(Deserialize)]
struct Numbered {
    n: u64,
}

impl Lines {
    /// Opens a file; `None` when there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Error> {
        let found = open_regular(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match found {
            Ok((length, file)) => Ok(Some(Self {
                file,
                path: path.to_owned(),
                length,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(crate::store::Error::io("read", path)(error).into()),
        }
    }

    fn bytes(&mut self, from: u64, to: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = self
            .file
            .seek(SeekFrom::Start(from))
            .and_then(|_| (&self.file).take(to - from).read_to_end(&mut bytes));
        read.map_err(crate::store::Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Everything from a place on.
    pub(super) fn after(&mut self, from: u64) -> Result<Vec<u8>, Error> {
        self.bytes(from, self.length.max(from))
    }

    /// Where the line begins that holds the byte before `end`, not counting a newline there.
    fn begin(&mut self, end: u64) -> Result<u64, Error> {
        let mut to = end.saturating_sub(1);
        let mut block = BLOCK;
        while to > 0 {
            let from = to.saturating_sub(block);
            let bytes = self.bytes(from, to)?;
            if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
                return Ok(from + at as u64 + 1);
            }
            to = from;
            block *= 2;
        }
        Ok(0)
    }

    /// The line that ends at `end` with its newline, without it; `None` when none does.
    pub(super) fn before(&mut self, end: u64) -> Result<Option<Vec<u8>>, Error> {
        if end == 0 || end > self.length {
            return Ok(None);
        }
        let from = self.begin(end)?;
        let mut line = self.bytes(from, end)?;
        Ok((line.pop() == Some(b'\n')).then_some(line))
    }

    /// The line with this `n` among those before `end`; lines are numbered upwards.
    pub(super) fn numbered(&mut self, n: u64, end: u64) -> Result<Option<Vec<u8>>, Error> {
        let (mut low, mut high) = (0, end.min(self.length));
        while low < high {
            let middle = low + (high - low) / 2;
            let from = self.begin(middle + 1)?.max(low);
            let line = self.line(from, high)?;
            let Ok(found) = serde_json::from_slice::<Numbered>(&line) else {
                return Ok(None);
            };
            match found.n.cmp(&n) {
                std::cmp::Ordering::Equal => return Ok(Some(line)),
                std::cmp::Ordering::Less => low = from + line.len() as u64 + 1,
                std::cmp::Ordering::Greater => high = from,
            }
        }
        Ok(None)
    }

    /// The line that begins at `from`.
    fn line(&mut self, from: u64, end: u64) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let mut block = BLOCK;
        let mut at = from;
        while at < end {
            let to = (at + block).min(end);
            let bytes = self.bytes(at, to)?;
            if let Some(length) = bytes.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&bytes[..length]);
                return Ok(line);
            }
            line.extend(bytes);
            at = to;
            block *= 2;
        }
        Ok(line)
    }

    /// Every line before `end` that is wanted; reads all of them.
    pub(super) fn search(
        &mut self,
        end: u64,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        let mut read = || -> std::io::Result<()> {
            self.file.seek(SeekFrom::Start(0))?;
            let mut reader = BufReader::with_capacity(64 * 1024, (&self.file).take(end));
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                if line.pop() != Some(b'\n') {
                    break;
                }
                if wanted(&line) {
                    found.push(line.clone());
                }
                line.clear();
            }
            Ok(())
        };
        read().map_err(crate::store::Error::io("read", &self.path))?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(numbers: std::ops::RangeInclusive<u64>) -> (tempfile::NamedTempFile, Vec<String>) {
        let lines: Vec<String> = numbers
            .map(|n| {
                // Short lines, and lines that are longer than a block.
                let length = usize::try_from(n * n % 7).expect("small") * 1000;
                format!("{{\"v\":1,\"n\":{n},\"x\":\"{}\"}}", "y".repeat(length))
            })
            .collect();
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = lines.join("\n") + "\n";
        std::fs::write(file.path(), text).expect("it is written");
        (file, lines)
    }

    #[test]
    fn lines_are_found_by_number_and_from_the_end() {
        let (file, lines) = sample(1..=40);
        let mut read = Lines::open(file.path()).expect("read").expect("there");
        let end = read.length;
        for (at, line) in lines.iter().enumerate() {
            let found = read.numbered(at as u64 + 1, end).expect("read");
            assert_eq!(found.as_deref(), Some(line.as_bytes()), "{at}");
        }
        assert_eq!(read.numbered(0, end).expect("read"), None);
        assert_eq!(read.numbered(41, end).expect("read"), None);
        let mut end = end;
        for line in lines.iter().rev() {
            let found = read.before(end).expect("read");
            assert_eq!(found.as_deref(), Some(line.as_bytes()));
            end -= line.len() as u64 + 1;
        }
        assert_eq!(read.before(0).expect("read"), None);
        // No line ends in the middle of one.
        assert_eq!(read.before(5).expect("read"), None);
    }
}
