//! Reading a journal: record by record, each checked against the one before, and nothing kept that
//! nobody asks for. [`Places`] reads single records back.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::error::Error;
use super::line::{FORMAT_VERSION, GENESIS, Line, decode};
use super::open_regular;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// One record, while its line is at hand.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// Its kind.
    pub event: &'a str,
    /// Its round.
    pub round: u32,
    /// Its data.
    pub data: &'a RawValue,
    /// Its hash.
    pub hash: &'a str,
}

/// One record, owned.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// Its kind.
    pub event: String,
    /// Its round.
    pub round: u32,
    /// Its data.
    pub data: Box<RawValue>,
    /// Its hash.
    pub hash: String,
}

impl From<RecordRef<'_>> for Record {
    fn from(record: RecordRef<'_>) -> Self {
        Self {
            seq: record.seq,
            ts: record.ts,
            event: record.event.to_owned(),
            round: record.round,
            data: record.data.to_owned(),
            hash: record.hash.to_owned(),
        }
    }
}

impl Record {
    /// The record without its ownership.
    #[must_use]
    pub fn as_ref(&self) -> RecordRef<'_> {
        RecordRef {
            seq: self.seq,
            ts: self.ts,
            event: &self.event,
            round: self.round,
            data: &self.data,
            hash: &self.hash,
        }
    }
}

/// A whole journal in memory.
#[derive(Debug)]
pub struct Recovered {
    /// All whole records.
    pub records: Vec<Record>,
    /// The run's id, as the records say.
    pub run: String,
    /// Bytes of whole records.
    pub good: u64,
    /// Bytes of a torn last line, which never was acknowledged.
    pub torn: u64,
}

/// What a walk over a journal found, besides the records.
#[derive(Debug)]
pub struct Scanned {
    /// The run's id, as the records say.
    pub run: String,
    /// The last record.
    pub last: u64,
    /// Its hash.
    pub head: String,
    /// Bytes of whole records.
    pub good: u64,
    /// Bytes of a torn last line, which never was acknowledged.
    pub torn: u64,
    /// Where the records are.
    pub places: Places,
}

/// Where each record of a journal is, to read single ones back.
#[derive(Debug)]
pub struct Places {
    path: PathBuf,
    file: File,
    /// Where each line begins; the end of the last one stands at the end.
    starts: Vec<u64>,
}

impl Places {
    /// Of a journal of which nothing is known yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            file: open_regular(path).map_err(Error::io("open", path))?,
            starts: vec![0],
        })
    }

    /// Notes the next record, by the length of its line with the newline.
    pub(super) fn push(&mut self, length: usize) {
        let end = self.starts.last().copied().unwrap_or_default();
        self.starts.push(end + length as u64);
    }

    /// Forgets all but the first records; gives where they end.
    pub(super) fn cut(&mut self, records: u64) -> u64 {
        let keep = usize::try_from(records).unwrap_or(usize::MAX);
        self.starts.truncate(keep.saturating_add(1));
        self.starts.last().copied().unwrap_or_default()
    }

    /// The journal.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a record back, for example for the output in it.
    ///
    /// # Errors
    /// I/O and damage.
    pub fn load(&self, seq: u64) -> Result<Record, Error> {
        let index = seq
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        let index = index.unwrap_or(usize::MAX);
        let damaged = |message: String| Error::Damaged {
            path: self.path.clone(),
            line: index.saturating_add(1),
            message,
        };
        let (Some(start), Some(end)) = (
            self.starts.get(index),
            self.starts.get(index.saturating_add(1)),
        ) else {
            return Err(damaged("there is no such record".to_owned()));
        };
        let mut line = vec![0; usize::try_from(end - start - 1).unwrap_or(usize::MAX)];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(*start))
            .and_then(|_| file.read_exact(&mut line))
            .map_err(Error::io("read", &self.path))?;
        let line: Line<'_> =
            serde_json::from_slice(&line).map_err(|error| damaged(error.to_string()))?;
        Ok(line.record().into())
    }
}

/// Reads and checks a journal without changing it; every record is handed to `visit`, in order.
///
/// # Errors
/// Damage anywhere but in a torn last line; newer formats; I/O; what `visit` says.
pub fn scan<E: From<Error>>(
    path: &Path,
    visit: impl FnMut(RecordRef<'_>) -> Result<(), E>,
) -> Result<Scanned, E> {
    let mut places = Places::new(path)?;
    let file = places.file.try_clone().map_err(Error::io("open", path))?;
    let walked = walk(
        path,
        BufReader::with_capacity(BUFFER, file),
        visit,
        |length| places.push(length),
    )?;
    Ok(Scanned {
        run: walked.run,
        last: walked.last,
        head: walked.head,
        good: walked.good,
        torn: walked.torn,
        places,
    })
}

/// The first record of a long journal and those in its last `window` bytes, each of those checked
/// against the one before. `None` for a journal that is no longer than twice that, or of which
/// these bytes hold fewer than two whole records.
///
/// # Errors
/// Damage in what is read; I/O.
pub fn ends(path: &Path, window: u64) -> Result<Option<Vec<Record>>, Error> {
    let mut file = open_regular(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    if length <= 2 * window {
        return Ok(None);
    }
    let mut first = Vec::new();
    BufReader::new(Read::by_ref(&mut file).take(window))
        .read_until(b'\n', &mut first)
        .map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(length - window))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    // What has no newline is torn, or was not read from its beginning.
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    let (Some((b'\n', first)), [_, before, rest @ ..]) = (first.split_last(), &lines[..]) else {
        return Ok(None);
    };
    let parse =
        |line: &[u8]| serde_json::from_slice::<Line<'_>>(line).map(|line| line.record().into());
    let Ok(before): Result<Record, _> = parse(before) else {
        return Ok(None);
    };
    let mut walked = Walked::new();
    let first: Record = walked
        .next(path, first)
        .map_err(|error| *error)?
        .record()
        .into();
    walked.last = before.seq;
    walked.head = before.hash;
    let mut found = vec![first];
    for line in rest {
        let record: Record = walked
            .next(path, line)
            .map_err(|error| *error)?
            .record()
            .into();
        walked.head.clone_from(&record.hash);
        found.push(record);
    }
    Ok((found.len() > 1).then_some(found))
}

/// The whole records in the last `window` bytes of a journal, each checked against the one before it if
/// that is among them.
///
/// # Errors
/// Damage in what is read; I/O.
pub fn last_records(path: &Path, window: u64) -> Result<Vec<Record>, Error> {
    let mut file = open_regular(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let from = length.saturating_sub(window);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    // What has no newline is torn, or was not read from its beginning.
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    let mut walked = Walked::new();
    let mut found = Vec::with_capacity(lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        if walked.last == 0 && from > 0 {
            // What it stands on is not here: taken as it is. The first may be cut off.
            match serde_json::from_slice::<Line<'_>>(line) {
                Ok(first) => {
                    walked.last = first.seq;
                    first.hash.as_ref().clone_into(&mut walked.head);
                    found.push(first.record().into());
                }
                Err(_) if at == 0 => {}
                Err(error) => {
                    return Err(Error::Damaged {
                        path: path.to_owned(),
                        line: 0,
                        message: error.to_string(),
                    });
                }
            }
            continue;
        }
        let record: Record = walked
            .next(path, line)
            .map_err(|error| *error)?
            .record()
            .into();
        walked.head.clone_from(&record.hash);
        found.push(record);
    }
    Ok(found)
}

/// Reads and checks a whole journal without changing it.
///
/// # Errors
/// As [`scan`].
pub fn read(path: &Path) -> Result<Recovered, Error> {
    let file = open_regular(path).map_err(Error::io("read", path))?;
    collect(path, BufReader::with_capacity(BUFFER, file))
}

/// Checks the bytes of a journal.
///
/// # Errors
/// As [`scan`].
pub fn verify(path: &Path, bytes: &[u8]) -> Result<Recovered, Error> {
    collect(path, bytes)
}

fn collect(path: &Path, reader: impl BufRead) -> Result<Recovered, Error> {
    let mut records = Vec::new();
    let walked = walk(
        path,
        reader,
        |record| {
            records.push(Record::from(record));
            Ok::<(), Error>(())
        },
        |_| {},
    )?;
    Ok(Recovered {
        records,
        run: walked.run,
        good: walked.good,
        torn: walked.torn,
    })
}

/// Follows a journal that grows: each call reads what has come since the last.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    walked: Walked,
}

impl Tail {
    /// Of a journal, from its beginning.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            walked: Walked::new(),
        }
    }

    /// The next whole records, at most so many; none when there is nothing new.
    ///
    /// # Errors
    /// Damage; newer formats; I/O.
    pub fn more(&mut self, most: usize) -> Result<Vec<Record>, Error> {
        let mut file = open_regular(&self.path).map_err(Error::io("open", &self.path))?;
        file.seek(SeekFrom::Start(self.walked.good))
            .map_err(Error::io("read", &self.path))?;
        let mut reader = BufReader::new(file);
        let (mut line, mut found) = (Vec::new(), Vec::new());
        while found.len() < most {
            line.clear();
            let length = reader
                .read_until(b'\n', &mut line)
                .map_err(Error::io("read", &self.path))?;
            // What has no newline yet is being written.
            let Some((b'\n', raw)) = line.split_last() else {
                break;
            };
            let record: Record = self
                .walked
                .next(&self.path, raw)
                .map_err(|error| *error)?
                .record()
                .into();
            self.walked.good += length as u64;
            self.walked.head.clone_from(&record.hash);
            found.push(record);
        }
        Ok(found)
    }
}

#[derive(Debug)]
struct Walked {
    run: String,
    last: u64,
    head: String,
    good: u64,
    torn: u64,
}

fn walk<E: From<Error>>(
    path: &Path,
    mut reader: impl BufRead,
    mut visit: impl FnMut(RecordRef<'_>) -> Result<(), E>,
    mut note: impl FnMut(usize),
) -> Result<Walked, E> {
    let mut walked = Walked::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader
            .read_until(b'\n', &mut line)
            .map_err(Error::io("read", path))?;
        if length == 0 {
            break;
        }
        let Some((b'\n', raw)) = line.split_last() else {
            walked.torn = length as u64;
            break;
        };
        let record = walked.next(path, raw).map_err(|error| E::from(*error))?;
        note(length);
        visit(record.record())?;
        walked.good += length as u64;
        // The line is read into again.
        let Line { hash, .. } = record;
        walked.head.clear();
        walked.head.push_str(&hash);
    }
    if walked.last == 0 {
        return Err(E::from(Error::Damaged {
            path: path.to_owned(),
            line: 1,
            message: "there is no whole record".to_owned(),
        }));
    }
    Ok(walked)
}

impl Walked {
    /// Before the first line.
    fn new() -> Self {
        Self {
            run: String::new(),
            last: 0,
            head: GENESIS.to_owned(),
            good: 0,
            torn: 0,
        }
    }

    /// Checks the next line, without its newline.
    fn next<'a>(&mut self, path: &Path, raw: &'a [u8]) -> Result<Line<'a>, Box<Error>> {
        let number = self.last + 1;
        let damaged = |message: String| {
            Box::new(Error::Damaged {
                path: path.to_owned(),
                line: usize::try_from(number).unwrap_or(usize::MAX),
                message,
            })
        };
        if let Some(found) = newer_version(raw) {
            return Err(Box::new(Error::NewerFormat {
                path: path.to_owned(),
                found,
            }));
        }
        let line = decode(raw, &self.head).map_err(damaged)?;
        if line.v != FORMAT_VERSION {
            return Err(damaged(format!("it has the format version {}", line.v)));
        }
        if line.seq != number {
            return Err(damaged(format!("it is numbered {}", line.seq)));
        }
        if self.run.is_empty() {
            self.run.push_str(&line.run);
        } else if self.run != line.run {
            return Err(damaged(format!("it belongs to run `{}`", line.run)));
        }
        self.last = number;
        Ok(line)
    }
}

/// The version of a line of a newer format, whose other keys may be anything.
fn newer_version(raw: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u64,
    }
    if raw.starts_with(b"{\"v\":1,") {
        return None;
    }
    serde_json::from_slice::<Version>(raw)
        .ok()
        .map(|version| version.v)
        .filter(|v| *v > FORMAT_VERSION)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Draft, encode};
    use super::*;

    /// A journal of `count` records, and where each line begins.
    fn journal(count: u64) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts, mut head) = (Vec::new(), Vec::new(), GENESIS.to_owned());
        for seq in 1..=count {
            let data = RawValue::from_string(format!("{{\"n\":{seq}}}")).expect("it is JSON");
            let draft = Draft {
                seq,
                ts: Timestamp::UNIX_EPOCH,
                run: "r",
                event: if seq == 1 { "run_started" } else { "x" },
                round: 1,
                data: &data,
            };
            starts.push(bytes.len());
            head = encode(&draft, &head, &mut bytes).expect("it is JSON");
        }
        (bytes, starts)
    }

    #[test]
    fn the_ends_of_a_long_journal_are_its_first_record_and_its_last() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("j");
        let (bytes, starts) = journal(40);
        std::fs::write(&path, &bytes).expect("it is written");
        let seqs = |window| {
            let found: Vec<Record> = ends(&path, window).expect("it is whole")?;
            Some(found.iter().map(|record| record.seq).collect::<Vec<_>>())
        };
        // Whatever the window cuts, there is the first record, and then a row up to the last.
        for window in 0..bytes.len() as u64 {
            let Some(found) = seqs(window) else { continue };
            assert_eq!(found[0], 1);
            let row: Vec<u64> = (found[1]..=40).collect();
            assert_eq!(found[1..], row, "window {window}");
            assert!(2 * window < bytes.len() as u64);
        }
        let three = (bytes.len() - starts[36]) as u64;
        assert_eq!(seqs(three), Some(vec![1, 39, 40]));
        // A torn end does not count, and damage in what is read is seen.
        std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("it is written");
        assert_eq!(seqs(three), Some(vec![1, 38, 39]));
        let mut bad = bytes.clone();
        bad[starts[39] + 20] ^= 1;
        std::fs::write(&path, &bad).expect("it is written");
        assert!(ends(&path, three).is_err());
        // What lies between is not looked at: that is the point.
        let mut bad = bytes;
        bad[starts[10] + 20] ^= 1;
        std::fs::write(&path, &bad).expect("it is written");
        assert_eq!(seqs(three), Some(vec![1, 39, 40]));
        assert!(read(&path).is_err());
    }
}
