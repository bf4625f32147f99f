//! The pipes of a worker: frames of a line of JSON, and bytes behind it if the line says so.

use std::collections::VecDeque;
use std::io::{BufRead, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex};

use rustix::event::{PollFd, PollFlags, poll};
use serde::Deserialize;

use crate::value::{Object, Value};

/// No header of a worker is longer: what is, did not come from it.
const LONGEST_HEADER: u64 = 16 * 1024 * 1024;

/// The first line of a frame.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Header {
    /// The call that is answered.
    #[serde(default)]
    pub(super) id: Option<u64>,
    /// `output`, `error` or `cancelled`.
    #[serde(default)]
    pub(super) done: Option<String>,
    /// How many bytes follow.
    #[serde(default)]
    pub(super) bytes: Option<u64>,
    /// Seconds that the call took.
    #[serde(default)]
    pub(super) seconds: f64,
    /// What `log_metric` was told.
    #[serde(default)]
    pub(super) metrics: Option<Object>,
    /// Who printed what follows.
    #[serde(default, deserialize_with = "printer")]
    pub(super) log: Option<Printer>,
    /// The version of Python, when the worker is ready.
    #[serde(default)]
    pub(super) ready: Option<String>,
    /// The interpreter itself, behind any shim.
    #[serde(default)]
    pub(super) executable: Option<String>,
    /// The version of a Python that is too old.
    #[serde(default)]
    pub(super) too_old: Option<String>,
}

/// Who printed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printer {
    /// A call.
    Call(u64),
    /// No call in particular.
    Nobody,
}

/// `null` is nobody, which is not the same as no key.
fn printer<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Printer>, D::Error> {
    let call: Option<u64> = Deserialize::deserialize(from)?;
    Ok(Some(call.map_or(Printer::Nobody, Printer::Call)))
}

/// Reads a frame; none at the end.
///
/// # Errors
/// What came instead of a frame.
pub(super) fn receive(from: &mut impl BufRead) -> Result<Option<(Header, Vec<u8>)>, String> {
    let mut line = Vec::new();
    let read = (&mut *from)
        .take(LONGEST_HEADER)
        .read_until(b'\n', &mut line);
    if read.map_err(|error| error.to_string())? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && (line.len() as u64) < LONGEST_HEADER {
        // Cut off in the middle: the process ended.
        return Ok(None);
    }
    // Metrics may hold what JSON has no form for.
    let header = super::json::read(&line)
        .ok()
        .and_then(|value| serde_json::from_value::<Header>(value).ok())
        .ok_or_else(|| {
            let shown = String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned();
            format!("`{}`", shown.trim_end().escape_debug())
        })?;
    let mut payload = Vec::new();
    if let Some(bytes) = header.bytes {
        let read = (&mut *from).take(bytes).read_to_end(&mut payload);
        if read.map_err(|error| error.to_string())? as u64 != bytes {
            return Ok(None);
        }
        let mut end = [0];
        match from.read(&mut end) {
            Ok(0) => return Ok(None),
            Ok(_) if end == *b"\n" => {}
            _ => return Err("bytes between two messages".to_owned()),
        }
    }
    Ok(Some((header, payload)))
}

/// Makes a frame.
pub(super) fn frame(header: &Value, payload: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = header.to_string().into_bytes();
    if let Some(payload) = payload {
        bytes.pop();
        bytes.extend_from_slice(format!(",\"bytes\":{}}}\n", payload.len()).as_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes.push(b'\n');
    bytes
}

/// The pipe to a worker. Whoever sends never waits for the worker to read: what does not fit into
/// the pipe is written by a thread.
pub(super) struct Outbox(Arc<(Mutex<Queue>, Condvar)>);

struct Queue {
    pipe: Option<Arc<ChildStdin>>,
    waiting: VecDeque<Vec<u8>>,
    /// Whether the thread is at work, so that all else comes behind it.
    busy: bool,
    has_thread: bool,
}

impl Outbox {
    /// Takes a pipe over.
    ///
    /// # Errors
    /// When it cannot be told not to wait.
    pub(super) fn new(pipe: ChildStdin) -> std::io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&pipe)?;
        rustix::fs::fcntl_setfl(&pipe, flags | rustix::fs::OFlags::NONBLOCK)?;
        let queue = Queue {
            pipe: Some(Arc::new(pipe)),
            waiting: VecDeque::new(),
            busy: false,
            has_thread: false,
        };
        Ok(Self(Arc::new((Mutex::new(queue), Condvar::new()))))
    }

    /// Sends a frame. A worker that is gone reads nothing, which its reader notices.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        let (queue, more) = &*self.0;
        let mut queue = queue.lock().expect("no holder panics");
        let Some(pipe) = queue.pipe.clone() else {
            return;
        };
        let mut sent = 0;
        if !queue.busy {
            while sent < bytes.len() {
                match (&*pipe).write(&bytes[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(_) => return,
                }
            }
        }
        if sent == bytes.len() {
            return;
        }
        queue.waiting.push_back(if sent == 0 {
            bytes
        } else {
            bytes[sent..].to_vec()
        });
        queue.busy = true;
        if queue.has_thread {
            more.notify_one();
        } else {
            let shared = Arc::clone(&self.0);
            let spawned = std::thread::Builder::new()
                .name("python-stdin".to_owned())
                .spawn(move || write_on(&shared));
            match spawned {
                Ok(_) => queue.has_thread = true,
                // Then the worker sees the end of its input, and ends.
                Err(_) => queue.pipe = None,
            }
        }
    }

    /// Closes the pipe, once all that was sent is written.
    pub(super) fn close(&self) {
        let (queue, more) = &*self.0;
        queue.lock().expect("no holder panics").pipe = None;
        more.notify_one();
    }
}

/// Writes what waits, and waits for more.
fn write_on(shared: &(Mutex<Queue>, Condvar)) {
    let (queue, more) = shared;
    let mut held = queue.lock().expect("no holder panics");
    let mut last = held.pipe.clone();
    loop {
        last = held.pipe.clone().or(last);
        let Some(bytes) = held.waiting.pop_front() else {
            held.busy = false;
            if held.pipe.is_none() {
                return;
            }
            // Not kept open by us while nothing is to be written.
            last = None;
            held = more.wait(held).expect("no holder panics");
            continue;
        };
        drop(held);
        let whole = last.as_deref().is_some_and(|pipe| write_all(pipe, &bytes));
        held = queue.lock().expect("no holder panics");
        if !whole {
            held.pipe = None;
            held.waiting.clear();
        }
    }
}

fn write_all(pipe: &ChildStdin, mut bytes: &[u8]) -> bool {
    let mut pipe = pipe;
    while !bytes.is_empty() {
        match pipe.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::OUT)];
                poll(&mut fds, None).ok();
            }
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_are_read_one_by_one() {
        let mut bytes = frame(&json!({"id": 1, "done": "output"}), Some(b"[1]"));
        bytes.extend(frame(&json!({"log": null}), Some(b"x\n")));
        bytes.extend(frame(&json!({"ready": "3.11.7"}), None));
        let mut from = bytes.as_slice();
        let (header, payload) = receive(&mut from).expect("a frame").expect("one");
        assert_eq!(
            (header.id, header.log, payload),
            (Some(1), None, b"[1]".to_vec())
        );
        let (header, _) = receive(&mut from).expect("a frame").expect("one");
        assert_eq!(header.log, Some(Printer::Nobody));
        let (header, payload) = receive(&mut from).expect("a frame").expect("one");
        assert!(header.ready.is_some() && payload.is_empty());
        assert!(receive(&mut from).expect("the end").is_none());
    }

    #[test]
    fn garbage_and_what_is_cut_off() {
        assert!(
            receive(&mut b"hello\n".as_slice())
                .expect_err("garbage")
                .contains("hello")
        );
        assert!(receive(&mut b"\xff\n".as_slice()).is_err());
        assert!(receive(&mut b"{\"id\":1,\"bytes\":3}\nabcd\n".as_slice()).is_err());
        assert!(
            receive(&mut b"{\"id\":1,\"bytes\":30}\nabc".as_slice())
                .expect("the end")
                .is_none()
        );
        assert!(
            receive(&mut b"{\"id\":1".as_slice())
                .expect("the end")
                .is_none()
        );
    }
}
