//! [`Crew`]: the threads that tools run on, beside the driver. It does not know what a tool is.
//!
//! To wake a thread takes longer than many a tool does. So of all threads no more than one is ever on its way:
//! when it arrives and finds more to do than its own job, it calls the next. Short jobs are done by the few that
//! are awake, and jobs that wait for something still get a thread each, one after the other.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

/// Something to do on a thread of its own. Does not panic.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A thread with nothing to do ends after this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// More threads than this are never there; further jobs wait.
const MOST: usize = 512;

/// Threads for jobs. When it is dropped, what is being done is done to its end, and what nobody has begun is not.
#[derive(Default)]
pub(super) struct Crew(Arc<Room>);

#[derive(Default)]
struct Room {
    board: Mutex<Board>,
    called: Condvar,
}

#[derive(Default)]
struct Board {
    jobs: VecDeque<Job>,
    /// Threads that wait to be called.
    idle: usize,
    /// All of them.
    threads: usize,
    /// One that waited was called and has not come yet.
    called: bool,
    /// A new one was begun and has not come yet.
    begun: bool,
    closed: bool,
}

impl Crew {
    /// Gives it jobs, which it begins in this order, in the runtime that this is called in.
    ///
    /// # Errors
    /// When there is no thread, and none can be begun: then nothing of it is done.
    pub(super) fn give(&self, jobs: impl IntoIterator<Item = Job>) -> io::Result<()> {
        let runtime = Handle::current();
        let mut board = self.0.board();
        board.jobs.extend(jobs);
        self.0.call(board, &runtime).or_else(|error| {
            let mut board = self.0.board();
            if board.threads > 0 {
                return Ok(());
            }
            board.jobs.clear();
            Err(error)
        })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let mut board = self.0.board();
        board.closed = true;
        let left = std::mem::take(&mut board.jobs);
        drop(board);
        self.0.called.notify_all();
        drop(left);
    }
}

impl Room {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("no holder panics")
    }

    /// Calls one more thread if there is something to do and none is on its way.
    fn call(
        self: &Arc<Self>,
        mut board: MutexGuard<'_, Board>,
        runtime: &Handle,
    ) -> io::Result<()> {
        if board.jobs.is_empty() || board.called || board.begun {
            return Ok(());
        }
        if board.idle > 0 {
            board.called = true;
            drop(board);
            self.called.notify_one();
            return Ok(());
        }
        if board.threads >= MOST {
            return Ok(());
        }
        board.begun = true;
        board.threads += 1;
        drop(board);
        let (room, runtime) = (Arc::clone(self), runtime.clone());
        let thread = std::thread::Builder::new().name("tool".to_owned());
        let begun = thread.spawn(move || room.serve(&runtime));
        begun.map(drop).inspect_err(|_| {
            let mut board = self.board();
            board.begun = false;
            board.threads -= 1;
        })
    }

    /// What a thread does.
    fn serve(self: &Arc<Self>, runtime: &Handle) {
        let _inside = runtime.enter();
        let mut board = self.board();
        board.begun = false;
        loop {
            while let Some(job) = board.jobs.pop_front() {
                // Where no further thread can be begun, those that are there do everything.
                self.call(board, runtime).ok();
                job();
                board = self.board();
            }
            if board.closed {
                break;
            }
            board.idle += 1;
            let waited = self
                .called
                .wait_timeout_while(board, PATIENCE, |board| !board.called && !board.closed);
            board = waited.expect("no holder panics").0;
            board.idle -= 1;
            // Whoever comes first has been called.
            if !board.called {
                break;
            }
            board.called = false;
        }
        board.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn jobs_that_wait_for_each_other_all_have_a_thread() {
        let crew = Crew::default();
        for count in [1, 2, 33] {
            // Nobody goes on before all are there.
            let barrier = Arc::new(Barrier::new(count));
            let (said, heard) = mpsc::channel();
            let jobs = (0..count).map(|number| -> Job {
                let (barrier, said) = (Arc::clone(&barrier), said.clone());
                Box::new(move || {
                    barrier.wait();
                    said.send(number).ok();
                })
            });
            crew.give(jobs).expect("there are threads");
            let mut all: Vec<usize> = (0..count)
                .map(|_| heard.recv_timeout(LONG).expect("it is done"))
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn every_job_is_done_once_whoever_sleeps_when_it_comes() {
        let crew = Crew::default();
        let done = Arc::new(AtomicUsize::new(0));
        let (said, heard) = mpsc::channel();
        for round in 0..2_000 {
            let (done, said) = (Arc::clone(&done), said.clone());
            let job: Job = Box::new(move || {
                done.fetch_add(1, Ordering::SeqCst);
                said.send(()).ok();
            });
            crew.give([job]).expect("there are threads");
            // Every second time the threads have gone to sleep, or are about to.
            if round % 2 == 0 {
                heard.recv_timeout(LONG).expect("it is done");
            }
        }
        for _ in 0..1_000 {
            heard.recv_timeout(LONG).expect("it is done");
        }
        assert_eq!(done.load(Ordering::SeqCst), 2_000);
    }

    #[tokio::test]
    async fn without_a_crew_its_threads_end_and_what_was_not_begun_is_not_done() {
        let crew = Crew::default();
        let room = Arc::clone(&crew.0);
        let (go, wait) = mpsc::channel::<()>();
        let (said, heard) = mpsc::channel();
        let first: Job = Box::new(move || {
            said.send("begun").ok();
            wait.recv_timeout(LONG).ok();
            said.send("ended").ok();
        });
        crew.give([first]).expect("there are threads");
        assert_eq!(heard.recv_timeout(LONG), Ok("begun"));
        // As many as could ever be there: the next job cannot have a thread of its own.
        room.board().threads += MOST;
        let never: Job = Box::new(|| panic!("nobody does it"));
        crew.give([never]).expect("it waits");
        drop(crew);
        assert!(room.board().jobs.is_empty());
        go.send(()).expect("it waits for this");
        assert_eq!(heard.recv_timeout(LONG), Ok("ended"));
        let begun = std::time::Instant::now();
        while room.board().threads > MOST {
            assert!(begun.elapsed() < LONG, "the thread does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
