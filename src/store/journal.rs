//! [`Journal`]: the append-only truth of a run, written by one thread with group commit.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::blobs::Blobs;
use super::error::Error;
use super::line::{Draft, GENESIS, encode};
use super::retrace::Ahead;
use super::scan::{Places, RecordRef, Scanned, scan};
use super::{atomic, open_regular_with, sync_dir};

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
    next_seq: u64,
    hash: String,
    places: Places,
    /// Lines that nobody waits for and that the writer has not been given yet.
    unsent: Vec<u8>,
    /// Lines that are expected once more.
    ahead: Ahead,
    /// The last record that the writer was asked to sync.
    asked: u64,
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
        let mut places = Places::new(path)?;
        places.push(bytes.len());
        Self::start(path, run, 1, hash, places, blobs)
    }

    /// Opens a journal to go on with it; a torn last line is cut off. Every record is handed to
    /// `visit`, in order. Gives the bytes that were cut off, too.
    ///
    /// # Errors
    /// Damage and newer formats are refused and left as they are; I/O; what `visit` says.
    pub fn open<E: From<Error>>(
        path: &Path,
        blobs: &Arc<Blobs>,
        visit: impl FnMut(RecordRef<'_>) -> Result<(), E>,
    ) -> Result<(Self, u64), E> {
        let Scanned {
            run,
            last,
            head,
            good,
            torn,
            places,
        } = scan(path, visit)?;
        if torn > 0 {
            let file = open_regular_with(OpenOptions::new().write(true), path)
                .map_err(Error::io("open", path))?;
            file.set_len(good)
                .and_then(|()| file.sync_all())
                .map_err(Error::io("cut the torn end of", path))?;
        }
        let journal = Self::start(path, &run, last, head, places, blobs)?;
        Ok((journal, torn))
    }

    /// Opens a journal to go through a run again from after a record on. What is in the file behind
    /// that one is expected once more, to the byte; only what goes beyond it is written. The records up
    /// to it are handed to `visit`.
    ///
    /// # Errors
    /// As [`Journal::open`]; a record whose hash is not `head`, or that is not there.
    pub fn retrace<E: From<Error>>(
        path: &Path,
        blobs: &Arc<Blobs>,
        (after, head): (u64, &str),
        mut visit: impl FnMut(RecordRef<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut found = None;
        let Scanned {
            run,
            good,
            torn,
            mut places,
            ..
        } = scan(path, |record| {
            if record.seq == after {
                found = Some(record.hash.to_owned());
            }
            if record.seq > after {
                return Ok(());
            }
            visit(record)
        })?;
        if found.as_deref() != Some(head) {
            return Err(Error::Damaged {
                path: path.to_owned(),
                line: usize::try_from(after).unwrap_or(usize::MAX),
                message: "it is not the record after which the run was given away".to_owned(),
            }
            .into());
        }
        let begin = places.cut(after);
        let file = open_regular_with(OpenOptions::new().read(true).write(true), path)
            .map_err(Error::io("open", path))?;
        if torn > 0 {
            file.set_len(good)
                .map_err(Error::io("cut the torn end of", path))?;
        }
        let mut ahead = Vec::new();
        let mut rest = &file;
        rest.seek(SeekFrom::Start(begin))
            .and_then(|_| rest.read_to_end(&mut ahead))
            .map_err(Error::io("read", path))?;
        let mut journal = Self::start(path, &run, after, head.to_owned(), places, blobs)?;
        journal.ahead = Ahead::new(ahead);
        Ok(journal)
    }

    /// Bytes in the file that are expected once more and have not come yet.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.ahead.left()
    }

    fn start(
        path: &Path,
        run: &str,
        seq: u64,
        hash: String,
        places: Places,
        blobs: &Arc<Blobs>,
    ) -> Result<Self, Error> {
        let file = open_regular_with(OpenOptions::new().append(true), path)
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
            next_seq: seq + 1,
            hash,
            places,
            unsent: Vec::new(),
            ahead: Ahead::default(),
            asked: seq,
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
        self.places.push(bytes.len());
        if self.ahead.meets(self.places.path(), seq, &bytes)? {
            return Ok(seq);
        }
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
        if sync {
            self.asked = self.last_seq();
        }
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
        // What was asked for already is not asked for again: the disk would be waited for twice.
        if self.asked == self.last_seq() {
            return self.check();
        }
        self.hand_over(true)
    }

    /// Makes everything appended so far durable, with the files that it names.
    ///
    /// # Errors
    /// [`Error::Writer`].
    pub async fn sync(&mut self) -> Result<(), Error> {
        let last = self.last_seq();
        self.request_sync()?;
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

    /// Where the records are; those that are durable can be read back.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Writes what is queued, and closes the file.
    ///
    /// # Errors
    /// [`Error::Writer`].
    pub fn close(mut self) -> Result<Places, Error> {
        self.stop();
        self.check()?;
        let path = self.places.path().to_owned();
        Ok(std::mem::replace(&mut self.places, Places::new(&path)?))
    }

    fn stop(&mut self) {
        // A writer that has failed has said so to everybody who asked.
        self.flush().ok();
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // The writer never panics; and if it did, there is nothing left to save here.
            writer.join().ok();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
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
        // A record must never be on disk before the files that it names: the system may write the
        // record out at any time, asked or not.
        let result = blobs
            .sync()
            .and_then(|()| file.write_all(&batch).map_err(Error::io("write", path)))
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::scan::{read, verify};
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
        let mut seen = Vec::new();
        let (mut journal, torn) = Journal::open(&path, &blobs, |record| {
            seen.push((record.seq, record.event.to_owned()));
            Ok::<(), Error>(())
        })
        .expect("it is whole");
        assert_eq!((seen.len(), torn), (6, 0));
        assert_eq!(seen[5], (6, "node_started".to_owned()));
        // Single records are found again, those from before and new ones.
        let third = journal.places().load(3).expect("it is there");
        assert_eq!((third.seq, third.data.get()), (3, "{\"n\":1}"));
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
            journal.places().load(seq).expect("it is there").data.get(),
            "{\"x\":1}"
        );
        assert!(journal.places().load(8).is_err());
        assert!(journal.places().load(0).is_err());
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

    #[tokio::test]
    async fn a_record_is_not_written_when_a_file_that_it_names_is_lost() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = sample(dir.path());
        let before = fs::read(&path).expect("it is there");
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let (mut journal, _) =
            Journal::open(&path, &blobs, |_| Ok::<(), Error>(())).expect("it is whole");
        let digest = blobs.put(b"large").expect("it is kept");
        fs::remove_file(blobs.path(digest)).expect("it was there");
        // Nobody asks for a sync, and still the record has to wait for its file.
        journal
            .append("x", Timestamp::UNIX_EPOCH, 1, &raw("{}"), false)
            .expect("it is queued");
        let error = journal.sync().await.expect_err("the file cannot be synced");
        assert!(error.to_string().contains(&digest.hex()), "{error}");
        drop(journal);
        assert_eq!(fs::read(&path).expect("it is there"), before);
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
