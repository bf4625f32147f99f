//! [`Journal`]: the append-only truth of a run, written by one thread with group commit.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::blobs::Blobs;
use super::error::Error;
use super::line::{Draft, FORMAT_VERSION, GENESIS, decode, encode};
use super::{atomic, sync_dir};

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

/// What was found in a journal.
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
    /// Per record: where its line begins, and its length without the newline.
    places: Vec<(u64, usize)>,
}

/// How far the writer is; all numbers are `seq`s.
#[derive(Clone, Debug, Default)]
struct Progress {
    durable: u64,
    failure: Option<String>,
}

/// Whole lines to write, none when there is only something to sync.
struct Job {
    /// Of the last line.
    seq: u64,
    bytes: Vec<u8>,
    sync: bool,
}

/// An open journal: the only way to write records.
#[derive(Debug)]
pub struct Journal {
    run: String,
    path: PathBuf,
    next_seq: u64,
    hash: String,
    places: Vec<(u64, usize)>,
    end: u64,
    /// Lines that nobody waits for and that the writer has not been given yet.
    unsent: Vec<u8>,
    jobs: Option<mpsc::Sender<Job>>,
    progress: watch::Receiver<Progress>,
    writer: Option<JoinHandle<()>>,
}

/// The writer is woken at the latest for so many bytes.
const MOST_UNSENT: usize = 64 * 1024;

impl Journal {
    /// Begins a journal. The file appears by rename, with its first record complete and durable.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one; I/O.
    pub fn create(
        path: &Path,
        run: &str,
        event: &str,
        ts: Timestamp,
        data: &RawValue,
        blobs: &Arc<Blobs>,
    ) -> Result<Self, Error> {
        let (bytes, hash) = encode(
            &Draft {
                seq: 1,
                ts,
                run,
                event,
                round: 1,
                data,
            },
            GENESIS,
        );
        if !atomic::create_new(path, &bytes)? {
            return Err(Error::Exists(run.to_owned()));
        }
        if let Some(runs) = path.parent().and_then(Path::parent) {
            sync_dir(runs)?;
        }
        let places = vec![(0, bytes.len() - 1)];
        Self::start(path, run, 1, hash, places, bytes.len() as u64, blobs)
    }

    /// Opens a journal to go on with it; a torn last line is cut off.
    ///
    /// # Errors
    /// Damage and newer formats are refused and left as they are; I/O.
    pub fn open(path: &Path, blobs: &Arc<Blobs>) -> Result<(Self, Recovered), Error> {
        let recovered = read(path)?;
        if recovered.torn > 0 {
            let file = OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(Error::io("open", path))?;
            file.set_len(recovered.good)
                .and_then(|()| file.sync_all())
                .map_err(Error::io("cut the torn end of", path))?;
        }
        let last = recovered.records.last();
        let seq = last.map_or(0, |record| record.seq);
        let hash = last.map_or_else(|| GENESIS.to_owned(), |record| record.hash.clone());
        let journal = Self::start(
            path,
            &recovered.run,
            seq,
            hash,
            recovered.places.clone(),
            recovered.good,
            blobs,
        )?;
        Ok((journal, recovered))
    }

    fn start(
        path: &Path,
        run: &str,
        seq: u64,
        hash: String,
        places: Vec<(u64, usize)>,
        end: u64,
        blobs: &Arc<Blobs>,
    ) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let (jobs, queue) = mpsc::channel();
        let (report, progress) = watch::channel(Progress {
            durable: seq,
            failure: None,
        });
        let writer_path = path.to_owned();
        let blobs = Arc::clone(blobs);
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(file, &writer_path, &queue, &report, &blobs))
            .map_err(Error::io("start the writer of", path))?;
        Ok(Self {
            run: run.to_owned(),
            path: path.to_owned(),
            next_seq: seq + 1,
            hash,
            places,
            end,
            unsent: Vec::new(),
            jobs: Some(jobs),
            progress,
            writer: Some(writer),
        })
    }

    /// Appends a record and gives its `seq`. With `sync`, it and all before it become durable as
    /// soon as the disk allows; [`Journal::durable`] tells when. Without, it is written when there
    /// is more to write, or with the next [`Journal::flush`].
    ///
    /// # Errors
    /// [`Error::Writer`] when an earlier write failed.
    pub fn append(
        &mut self,
        event: &str,
        ts: Timestamp,
        round: u32,
        data: &RawValue,
        sync: bool,
    ) -> Result<u64, Error> {
        self.check()?;
        let seq = self.next_seq;
        let (bytes, hash) = encode(
            &Draft {
                seq,
                ts,
                run: &self.run,
                event,
                round,
                data,
            },
            &self.hash,
        );
        self.hash = hash;
        self.next_seq += 1;
        self.places.push((self.end, bytes.len() - 1));
        self.end += bytes.len() as u64;
        self.unsent.extend_from_slice(&bytes);
        if sync || self.unsent.len() >= MOST_UNSENT {
            self.hand_over(sync)?;
        }
        Ok(seq)
    }

    /// Has everything appended so far written, without waiting, and without making it durable.
    ///
    /// # Errors
    /// [`Error::Writer`] when an earlier write failed.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        self.hand_over(false)
    }

    fn hand_over(&mut self, sync: bool) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.unsent);
        self.send(Job {
            seq: self.last_seq(),
            bytes,
            sync,
        })
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        let jobs = self.jobs.as_ref().expect("only `drop` takes it");
        jobs.send(job).map_err(|_| {
            self.check()
                .err()
                .unwrap_or_else(|| Error::Writer("the writer has stopped".to_owned()))
        })
    }

    /// Whether the writer is alive.
    ///
    /// # Errors
    /// [`Error::Writer`] with what it stumbled over.
    pub fn check(&self) -> Result<(), Error> {
        match &self.progress.borrow().failure {
            Some(failure) => Err(Error::Writer(failure.clone())),
            None => Ok(()),
        }
    }

    /// The last record that is known to be on disk.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.progress.borrow().durable
    }

    /// The last record.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// The hash of the last record.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.hash
    }

    /// Waits until more is durable, or writing has failed.
    pub async fn advanced(&self) {
        let mut progress = self.progress.clone();
        progress.mark_unchanged();
        let before = self.durable();
        if progress.borrow().failure.is_none() && progress.borrow().durable == before {
            progress.changed().await.ok();
        }
    }

    /// Asks for everything appended so far to become durable, without waiting.
    ///
    /// # Errors
    /// [`Error::Writer`].
    pub fn request_sync(&mut self) -> Result<(), Error> {
        self.hand_over(true)
    }

    /// Makes everything appended so far durable, staged files included.
    ///
    /// # Errors
    /// [`Error::Writer`].
    pub async fn sync(&mut self) -> Result<(), Error> {
        let last = self.last_seq();
        self.hand_over(true)?;
        let mut progress = self.progress.clone();
        let waited = progress
            .wait_for(|progress| progress.failure.is_some() || progress.durable >= last)
            .await;
        let failed = waited
            .map_err(|_| Error::Writer("the writer has stopped".to_owned()))?
            .failure
            .clone();
        failed.map_or(Ok(()), |failure| Err(Error::Writer(failure)))
    }

    /// Reads a durable record back, for example for the output in it.
    ///
    /// # Errors
    /// I/O and damage.
    pub fn load(&self, seq: u64) -> Result<Record, Error> {
        let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
        let (start, length) = *self.places.get(index).ok_or_else(|| Error::Damaged {
            path: self.path.clone(),
            line: index,
            message: "there is no such record".to_owned(),
        })?;
        let mut file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io("read", &self.path))?;
        let line: super::line::Line<'_> =
            serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
                path: self.path.clone(),
                line: index + 1,
                message: error.to_string(),
            })?;
        Ok(own(&line))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A writer that has failed has said so to everybody who asked.
        self.flush().ok();
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // The writer never panics; and if it did, there is nothing left to save here.
            writer.join().ok();
        }
    }
}

/// The writer: takes all that is queued, writes it in one call, syncs if anything asks for it.
fn write_all(
    mut file: File,
    path: &Path,
    queue: &mpsc::Receiver<Job>,
    report: &watch::Sender<Progress>,
    blobs: &Blobs,
) {
    let mut batch = Vec::new();
    let mut written = report.borrow().durable;
    while let Ok(first) = queue.recv() {
        batch.clear();
        let mut sync = false;
        for job in std::iter::once(first).chain(queue.try_iter()) {
            batch.extend_from_slice(&job.bytes);
            written = job.seq;
            sync |= job.sync;
        }
        let result = file
            .write_all(&batch)
            .map_err(Error::io("write", path))
            .and_then(|()| if sync { blobs.sync() } else { Ok(()) })
            .and_then(|()| {
                if sync {
                    file.sync_data().map_err(Error::io("sync", path))
                } else {
                    Ok(())
                }
            });
        match result {
            Ok(()) if sync => report.send_modify(|progress| progress.durable = written),
            Ok(()) => {}
            Err(error) => {
                report.send_modify(|progress| progress.failure = Some(error.to_string()));
                return;
            }
        }
    }
}

/// Reads and checks a journal without changing it.
///
/// # Errors
/// Damage anywhere but in a torn last line; newer formats; I/O.
pub fn read(path: &Path) -> Result<Recovered, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    verify(path, &bytes)
}

/// Checks the bytes of a journal.
///
/// # Errors
/// As [`read`].
pub fn verify(path: &Path, bytes: &[u8]) -> Result<Recovered, Error> {
    let mut recovered = Recovered {
        records: Vec::new(),
        run: String::new(),
        good: 0,
        torn: 0,
        places: Vec::new(),
    };
    let mut previous = GENESIS.to_owned();
    let mut start = 0;
    let mut number = 0;
    while start < bytes.len() {
        number += 1;
        let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') else {
            recovered.torn = (bytes.len() - start) as u64;
            break;
        };
        let raw = &bytes[start..start + length];
        let damaged = |message: String| Error::Damaged {
            path: path.to_owned(),
            line: number,
            message,
        };
        if let Some(found) = newer_version(raw) {
            return Err(Error::NewerFormat {
                path: path.to_owned(),
                found,
            });
        }
        let line = decode(raw, &previous).map_err(damaged)?;
        if line.v != FORMAT_VERSION {
            return Err(damaged(format!("it has the format version {}", line.v)));
        }
        if line.seq != number as u64 {
            return Err(damaged(format!("it is numbered {}", line.seq)));
        }
        if recovered.run.is_empty() {
            recovered.run = line.run.to_string();
        } else if recovered.run != line.run {
            return Err(damaged(format!("it belongs to run `{}`", line.run)));
        }
        previous = line.hash.to_string();
        recovered.places.push((start as u64, length));
        recovered.records.push(own(&line));
        start += length + 1;
        recovered.good = start as u64;
    }
    if recovered.records.is_empty() {
        return Err(Error::Damaged {
            path: path.to_owned(),
            line: 1,
            message: "there is no whole record".to_owned(),
        });
    }
    Ok(recovered)
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

fn own(line: &super::line::Line<'_>) -> Record {
    Record {
        seq: line.seq,
        ts: line.ts,
        event: line.event.to_string(),
        round: line.round,
        data: line.data.to_owned(),
        hash: line.hash.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("it is JSON")
    }

    fn sample(dir: &Path) -> PathBuf {
        let path = dir.join("r1/journal.jsonl");
        let blobs = Arc::new(Blobs::new(dir.join("r1/files")));
        let ts = Timestamp::UNIX_EPOCH;
        let mut journal =
            Journal::create(&path, "r1", "run_started", ts, &raw("{}"), &blobs).expect("it is new");
        for index in 0..5 {
            journal
                .append(
                    "node_started",
                    ts,
                    1,
                    &raw(&format!("{{\"n\":{index}}}")),
                    index % 2 == 0,
                )
                .expect("it is written");
        }
        drop(journal);
        path
    }

    #[tokio::test]
    async fn records_survive_and_go_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = sample(dir.path());
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let (mut journal, recovered) = Journal::open(&path, &blobs).expect("it is whole");
        assert_eq!(recovered.records.len(), 6);
        let seq = journal
            .append(
                "run_paused",
                Timestamp::UNIX_EPOCH,
                1,
                &raw("{\"x\":1}"),
                true,
            )
            .expect("it is written");
        journal.sync().await.expect("it is durable");
        assert_eq!(journal.durable(), 7);
        assert_eq!(
            journal.load(seq).expect("it is there").data.get(),
            "{\"x\":1}"
        );
        let exists = Journal::create(
            &path,
            "r1",
            "run_started",
            Timestamp::UNIX_EPOCH,
            &raw("{}"),
            &blobs,
        );
        assert!(matches!(exists, Err(Error::Exists(_))));
    }

    #[test]
    fn what_nobody_waits_for_is_written_together() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("r1/journal.jsonl");
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let ts = Timestamp::UNIX_EPOCH;
        let mut journal =
            Journal::create(&path, "r1", "run_started", ts, &raw("{}"), &blobs).expect("it is new");
        let found = || read(&path).expect("it is whole").records.len();
        for _ in 0..3 {
            journal
                .append("node_started", ts, 1, &raw("{}"), false)
                .expect("it is taken");
        }
        assert_eq!(found(), 1, "the writer was not woken for it");
        let large = format!("\"{}\"", "x".repeat(MOST_UNSENT));
        journal
            .append("node_started", ts, 1, &raw(&large), false)
            .expect("it is taken");
        assert!(journal.unsent.is_empty(), "this much is not held back");
        journal
            .append("node_started", ts, 1, &raw("{}"), false)
            .expect("it is taken");
        journal.flush().expect("the writer is there");
        assert!(journal.unsent.is_empty());
        journal
            .append("node_started", ts, 1, &raw("{}"), false)
            .expect("it is taken");
        drop(journal);
        assert_eq!(found(), 7);
    }

    #[test]
    fn every_torn_end_is_cut_and_every_flipped_byte_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = sample(dir.path());
        let bytes = fs::read(&path).expect("it is there");
        let first = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line")
            + 1;
        for cut in first..bytes.len() {
            let recovered = verify(&path, &bytes[..cut]).expect("a torn end is no damage");
            assert_eq!(recovered.good + recovered.torn, cut as u64);
            assert_eq!(
                recovered.records.len(),
                bytes[..cut].split(|byte| *byte == b'\n').count() - 1
            );
        }
        for at in 0..bytes.len() - 1 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let found = verify(&path, &flipped);
            assert!(found.is_err(), "the flip of byte {at} was not seen");
        }
    }

    #[test]
    fn newer_formats_are_refused_as_such() {
        let error =
            verify(Path::new("j"), b"{\"v\":2,\"what\":\"ever\"}\n").expect_err("it is newer");
        assert!(
            matches!(error, Error::NewerFormat { found: 2, .. }),
            "{error}"
        );
    }
}
