//! [`Journal`]: the append-only truth of a run, written in batches with group commit.
//!
//! Who owns it writes for itself while it could do nothing but wait for the disk; otherwise a thread of the
//! journal's own does. Never both: whoever writes has everything before it behind it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::blobs::Blobs;
use super::error::Error;
use super::line::{Draft, GENESIS, encode};
use super::retrace::Ahead;
use super::scan::{Places, RecordRef, Scanned, scan};
use super::{atomic, open_regular_with, sync_dir};

/// How far writing is; all numbers are `seq`s.
#[derive(Clone, Debug, Default)]
struct Progress {
    written: u64,
    durable: u64,
    failure: Option<String>,
}

/// Where lines go.
#[derive(Debug)]
struct Sink {
    file: File,
    path: PathBuf,
    blobs: Arc<Blobs>,
    progress: watch::Sender<Progress>,
}

impl Sink {
    /// Writes whole lines, the last of which is `seq`. After a failure nothing may be written any more, and
    /// nothing is told to be durable: what the system has lost it does not tell again.
    fn write(&self, bytes: &[u8], seq: u64, sync: bool) -> Result<(), Error> {
        // A record must never be on disk before the files that it names: the system may write the
        // record out at any time, asked or not.
        let result = self
            .blobs
            .sync()
            .and_then(|()| {
                (&self.file)
                    .write_all(bytes)
                    .map_err(Error::io("write", &self.path))
            })
            .and_then(|()| {
                if sync {
                    self.file.sync_data().map_err(Error::io("sync", &self.path))
                } else {
                    Ok(())
                }
            });
        self.progress.send_if_modified(|progress| {
            match &result {
                Ok(()) => {
                    progress.written = seq;
                    if sync {
                        progress.durable = seq;
                    }
                }
                Err(error) => progress.failure = Some(error.to_string()),
            }
            // Nobody waits for what is only written.
            sync || result.is_err()
        });
        result
    }
}

impl Sink {
    /// Nothing is written any more.
    fn fail(&self, error: &Error) {
        self.progress
            .send_modify(|progress| progress.failure = Some(error.to_string()));
    }
}

/// Whole lines to write, none when there is only something to sync.
struct Job {
    /// Of the last line.
    seq: u64,
    bytes: Vec<u8>,
    sync: bool,
}

/// The thread that writes while its owner does something else.
#[derive(Debug)]
struct Writer {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(sink: &Arc<Sink>) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel();
        let to = Arc::clone(sink);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(&to, &queue))
            .map_err(Error::io("start the writer of", &sink.path))?;
        Ok(Self { jobs, thread })
    }
}

/// An open journal: the only way to write records.
#[derive(Debug)]
pub struct Journal {
    run: String,
    next_seq: u64,
    hash: String,
    places: Places,
    /// Lines that neither were written nor given to the writer yet.
    unsent: Vec<u8>,
    /// Lines that are expected once more.
    ahead: Ahead,
    /// The last record that was to be synced.
    wanted: u64,
    /// The last record that was synced, or that the writer was asked to sync.
    asked: u64,
    /// The last record that was written, or that the writer was given.
    given: u64,
    sink: Arc<Sink>,
    progress: watch::Receiver<Progress>,
    /// Begun when it is needed: many a run does without.
    writer: Option<Writer>,
}

/// No more than so many bytes are held back.
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
        data: &(impl Serialize + ?Sized),
        blobs: &Arc<Blobs>,
    ) -> Result<Self, Error> {
        let first = Draft {
            seq: 1,
            ts,
            run,
            event,
            round: 1,
            data,
        };
        let mut bytes = Vec::new();
        let hash = encode(&first, GENESIS, &mut bytes)?;
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
        let (sender, progress) = watch::channel(Progress {
            written: seq,
            durable: seq,
            failure: None,
        });
        Ok(Self {
            run: run.to_owned(),
            next_seq: seq + 1,
            hash,
            places,
            unsent: Vec::new(),
            ahead: Ahead::default(),
            wanted: seq,
            asked: seq,
            given: seq,
            sink: Arc::new(Sink {
                file,
                path: path.to_owned(),
                blobs: Arc::clone(blobs),
                progress: sender,
            }),
            progress,
            writer: None,
        })
    }

    /// Appends a record and gives its `seq`. It is written with the next [`Journal::flush`] or
    /// [`Journal::sync`], or when there is more to write. With `sync`, it and all before it then become durable
    /// as soon as the disk allows; [`Journal::durable`] tells when.
    ///
    /// # Errors
    /// [`Error::Writer`] when an earlier write failed.
    pub fn append(
        &mut self,
        event: &str,
        ts: Timestamp,
        round: u32,
        data: &(impl Serialize + ?Sized),
        sync: bool,
    ) -> Result<u64, Error> {
        self.check()?;
        let seq = self.next_seq;
        let draft = Draft {
            seq,
            ts,
            run: &self.run,
            event,
            round,
            data,
        };
        let before = self.unsent.len();
        self.hash = encode(&draft, &self.hash, &mut self.unsent)?;
        self.next_seq += 1;
        self.places.push(self.unsent.len() - before);
        let line = &self.unsent[before..];
        match self.ahead.meets(self.places.path(), seq, line) {
            Ok(false) => {}
            Ok(true) => {
                self.unsent.truncate(before);
                return Ok(seq);
            }
            Err(error) => {
                // Nothing is written behind a record that is another.
                self.unsent.truncate(before);
                self.sink.fail(&error);
                return Err(error);
            }
        }
        if sync {
            self.wanted = seq;
        }
        if self.unsent.len() >= MOST_UNSENT {
            self.hand_over()?;
        }
        Ok(seq)
    }

    /// Has everything appended so far written, and what is to be durable made so, without waiting for the
    /// disk.
    ///
    /// # Errors
    /// [`Error::Writer`] when an earlier write failed; I/O.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.wants_sync() {
            self.hand_over()
        } else if self.unsent.is_empty() {
            Ok(())
        } else if self.writer_rests() {
            self.write_here(false)
        } else {
            self.hand_over()
        }
    }

    /// Whether a record that is to be durable was neither written nor given to the writer.
    #[must_use]
    pub fn wants_sync(&self) -> bool {
        self.wanted > self.asked
    }

    /// Whether the writer has done all that it was given, and so touches nothing until it is given more: only
    /// who has this journal can do that.
    fn writer_rests(&self) -> bool {
        self.progress.borrow().written == self.given
    }

    /// Writes in this thread. To be called while the writer rests.
    fn write_here(&mut self, sync: bool) -> Result<(), Error> {
        let last = self.last_seq();
        self.sink
            .write(&self.unsent, last, sync)
            .map_err(|error| Error::Writer(error.to_string()))?;
        self.unsent.clear();
        self.given = last;
        if sync {
            self.asked = last;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), Error> {
        self.check()?;
        let (seq, sync) = (self.last_seq(), self.wants_sync());
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::start(&self.sink)?,
        };
        let writer = self.writer.insert(writer);
        let bytes = std::mem::take(&mut self.unsent);
        if writer.jobs.send(Job { seq, bytes, sync }).is_err() {
            self.check()?;
            return Err(Error::Writer("the writer has stopped".to_owned()));
        }
        self.given = seq;
        if sync {
            self.asked = seq;
        }
        Ok(())
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
        self.wanted = self.last_seq();
        self.flush()
    }

    /// Makes everything appended so far durable, with the files that it names. Waits for the disk in this
    /// thread if it can.
    ///
    /// # Errors
    /// [`Error::Writer`]; I/O.
    pub async fn sync(&mut self) -> Result<(), Error> {
        self.check()?;
        let last = self.last_seq();
        if self.writer_rests() {
            self.wanted = last;
            return if self.durable() < last {
                self.write_here(true)
            } else {
                Ok(())
            };
        }
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
        // Whoever asked was told of a failure, and after one nothing is written.
        self.flush().ok();
        if let Some(Writer { jobs, thread }) = self.writer.take() {
            drop(jobs);
            // The writer never panics; and if it did, there is nothing left to save here.
            thread.join().ok();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The writer: takes all that is queued, writes it in one call, syncs if anything asks for it.
fn write_all(sink: &Sink, queue: &mpsc::Receiver<Job>) {
    while let Ok(Job {
        mut seq,
        mut bytes,
        mut sync,
    }) = queue.recv()
    {
        for job in queue.try_iter() {
            bytes.extend_from_slice(&job.bytes);
            seq = job.seq;
            sync |= job.sync;
        }
        if sink.write(&bytes, seq, sync).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use serde_json::value::RawValue;

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

    #[tokio::test]
    async fn after_a_failure_nothing_is_written_and_nothing_is_told_to_be_durable() {
        // Whoever writes: the one who waits, or the thread for the one who does not.
        for waits in [true, false] {
            let dir = tempfile::tempdir().expect("a folder");
            let path = sample(dir.path());
            let before = fs::read(&path).expect("it is there");
            let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
            let (mut journal, _) =
                Journal::open(&path, &blobs, |_| Ok::<(), Error>(())).expect("it is whole");
            let digest = blobs.put(b"large").expect("it is kept");
            fs::remove_file(blobs.path(digest)).expect("it was there");
            let append = |journal: &mut Journal| {
                let data = raw("{}");
                journal.append("x", Timestamp::UNIX_EPOCH, 1, &data, true)
            };
            append(&mut journal).expect("it is taken");
            assert!(journal.wants_sync());
            let durable = journal.durable();
            if waits {
                journal.sync().await.expect_err("the file is lost");
            } else {
                journal.flush().expect("the writer will try");
                journal.advanced().await;
            }
            assert!(matches!(append(&mut journal), Err(Error::Writer(_))));
            assert!(journal.flush().is_err() && journal.sync().await.is_err());
            assert!(journal.request_sync().is_err() && journal.check().is_err());
            assert_eq!(journal.durable(), durable);
            assert!(journal.close().is_err());
            assert_eq!(fs::read(&path).expect("it is there"), before);
        }
    }

    #[tokio::test]
    async fn who_waits_and_the_thread_write_in_turn() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("r1/journal.jsonl");
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let ts = Timestamp::UNIX_EPOCH;
        let mut journal =
            Journal::create(&path, "r1", "run_started", ts, &raw("{}"), &blobs).expect("it is new");
        for turn in 0..200_u64 {
            // In every order: with and without a sync, waited for and not.
            let data = raw(&format!("{{\"turn\":{turn}}}"));
            let seq = journal
                .append("x", ts, 1, &data, turn % 3 == 0)
                .expect("it is taken");
            match turn % 4 {
                0 | 1 => journal.flush().expect("it is written"),
                2 => {
                    journal.sync().await.expect("it is durable");
                    assert_eq!(journal.durable(), seq);
                    assert_eq!(read(&path).expect("whole").records.len() as u64, seq);
                }
                _ => {}
            }
        }
        drop(journal);
        // Read and verified: no line is torn, lost, doubled or out of its order.
        assert_eq!(read(&path).expect("it is whole").records.len(), 201);
    }

    /// Appends what [`sample`] has behind its second record, and one more.
    fn go_again(journal: &mut Journal) -> Result<u64, Error> {
        let ts = Timestamp::UNIX_EPOCH;
        for index in 1..5 {
            let data = raw(&format!("{{\"n\":{index}}}"));
            journal.append("node_started", ts, 1, &data, index % 2 == 0)?;
        }
        journal.append("run_paused", ts, 1, &raw("{}"), true)
    }

    #[tokio::test]
    async fn whoever_goes_through_a_run_again_writes_only_what_is_not_there() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = sample(dir.path());
        let whole = fs::read(&path).expect("it is there");
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let head = read(&path).expect("it is whole").records[1].hash.clone();
        let second: Vec<usize> = whole
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1)
            .collect();
        // Also of a file that a crash has cut off anywhere behind that record.
        for cut in second[1]..=whole.len() {
            fs::write(&path, &whole[..cut]).expect("it can be written");
            let mut seen = Vec::new();
            let mut journal = Journal::retrace(&path, &blobs, (2, &head), |record| {
                seen.push(record.seq);
                Ok::<(), Error>(())
            })
            .expect("it is whole up to there");
            assert_eq!(seen, [1, 2]);
            assert_eq!(go_again(&mut journal).expect("nothing is otherwise"), 7);
            assert_eq!(journal.ahead.left(), 0);
            journal.sync().await.expect("it is durable");
            assert_eq!(journal.durable(), 7);
            assert_eq!(journal.places().load(5).expect("it is there").seq, 5);
            drop(journal);
            let now = fs::read(&path).expect("it is there");
            assert!(now.starts_with(&whole), "cut at {cut}");
            assert_eq!(read(&path).expect("it is whole").records.len(), 7);
        }
    }

    #[test]
    fn whoever_comes_to_something_else_is_refused_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = sample(dir.path());
        let whole = fs::read(&path).expect("it is there");
        let blobs = Arc::new(Blobs::new(dir.path().join("r1/files")));
        let records = read(&path).expect("it is whole").records;
        let again = |after: u64, head: &str| {
            Journal::retrace(&path, &blobs, (after, head), |_| Ok::<(), Error>(()))
        };
        let mut journal = again(2, &records[1].hash).expect("it is there");
        let ts = Timestamp::UNIX_EPOCH;
        let error = journal
            .append("node_started", ts, 1, &raw("{\"n\":9}"), false)
            .expect_err("the third record is another");
        assert!(matches!(error, Error::Diverged { seq: 3, .. }), "{error}");
        assert!(error.to_string().contains("\"n\":9"), "{error}");
        drop(journal);
        let wrong = again(2, &records[2].hash).expect_err("that is the third one's");
        assert!(matches!(wrong, Error::Damaged { line: 2, .. }), "{wrong}");
        assert!(again(9, &records[1].hash).is_err(), "there are six");
        assert_eq!(fs::read(&path).expect("it is there"), whole);
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
