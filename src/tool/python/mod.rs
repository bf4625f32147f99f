//! Python tools: functions of the author's, run in Python processes that stay.
//!
//! [`Python`] starts processes when they are needed, asks one what tools there are
//! ([`Python::describe`]) and calls them ([`Python::call`]). What runs in a process is in `worker/`,
//! Python's standard library and nothing else; it and this side exchange frames of JSON over the
//! pipes that were its standard input and output. Knows nothing of nodes, or of Prompt Flow's files.

mod death;
mod interpreter;
mod json;
mod process;
mod request;
mod wire;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

pub use interpreter::Search;
pub use request::{Answer, CallRequest, Description, Kind, Parameter, Raised, Reference};

use crate::port::Failure;
use crate::tool::{LogFile, Redactor};
use process::{Log, Reply, Worker};

/// How long the modules of a flow may take to load.
const LOADING: Duration = Duration::from_mins(10);

/// The modules of the worker, as its first lines take them.
static SOURCES: LazyLock<String> = LazyLock::new(|| {
    const MODULES: [(&str, &str); 14] = [
        ("flowctl_worker", ""),
        ("flowctl_worker.calls", include_str!("worker/calls.py")),
        (
            "flowctl_worker.connections",
            include_str!("worker/connections.py"),
        ),
        (
            "flowctl_worker.describe",
            include_str!("worker/describe.py"),
        ),
        ("flowctl_worker.errors", include_str!("worker/errors.py")),
        ("flowctl_worker.images", include_str!("worker/images.py")),
        ("flowctl_worker.load", include_str!("worker/load.py")),
        ("flowctl_worker.loop", include_str!("worker/loop.py")),
        ("flowctl_worker.main", include_str!("worker/main.py")),
        ("flowctl_worker.ports", include_str!("worker/ports.py")),
        ("flowctl_worker.prints", include_str!("worker/prints.py")),
        (
            "flowctl_worker.promptflow",
            include_str!("worker/promptflow.py"),
        ),
        ("flowctl_worker.shim", include_str!("worker/shim.py")),
        ("flowctl_worker.values", include_str!("worker/values.py")),
    ];
    let mut text = format!("{}\n", MODULES.len());
    for (name, source) in MODULES {
        writeln!(text, "{name} {}", source.len()).expect("writing to a String cannot fail");
        text.push_str(source);
    }
    text
});

/// Who answers `import promptflow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promptflow {
    /// flowctl, as long as it has what is imported; then the installed one.
    #[default]
    Auto,
    /// flowctl only.
    Shim,
    /// The installed one only.
    Installed,
}

impl Promptflow {
    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Shim => "shim",
            Self::Installed => "installed",
        }
    }
}

/// How tools are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which interpreter.
    pub search: Search,
    /// Working directory, and the first place where modules are looked for: the flow's folder.
    pub folder: PathBuf,
    /// Set in the environment of every process.
    pub env: Vec<(String, String)>,
    /// How many processes the lines of a batch are spread over.
    pub processes: usize,
    /// Who answers `import promptflow`.
    pub promptflow: Promptflow,
    /// The most address space of a process, in bytes; beyond it a tool sees `MemoryError`.
    pub memory: Option<u64>,
    /// What is printed while no call, or more than one, runs.
    pub log: Option<LogFile>,
    /// What must not get there.
    pub redactor: Redactor,
}

impl Settings {
    /// One process in this folder, with the interpreter that is found.
    #[must_use]
    pub fn new(folder: PathBuf, search: Search) -> Self {
        Self {
            search,
            folder,
            env: Vec::new(),
            processes: 1,
            promptflow: Promptflow::Auto,
            memory: None,
            log: None,
            redactor: Redactor::default(),
        }
    }
}

/// Reads a limit of memory: bytes, or a number with `K`, `M` or `G`.
#[must_use]
pub fn memory_limit(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = match text.strip_suffix(['K', 'k', 'M', 'm', 'G', 'g']) {
        Some(digits) => (digits, text.as_bytes()[text.len() - 1].to_ascii_uppercase()),
        None => (text, b'B'),
    };
    let shift = match unit {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        _ => 0,
    };
    let number: u64 = digits.trim_end().parse().ok()?;
    let bytes = number.checked_mul(1 << shift)?;
    (bytes > 0).then_some(bytes)
}

/// The Python processes of a run; none runs before it is needed.
pub struct Python {
    settings: Settings,
    /// The interpreter, once it is known.
    interpreter: Mutex<Option<PathBuf>>,
    slots: Vec<Mutex<Option<Arc<Worker>>>>,
}

impl Python {
    /// Starts nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let slots = (0..settings.processes.max(1)).map(|_| Mutex::default());
        Self {
            slots: slots.collect(),
            interpreter: Mutex::default(),
            settings,
        }
    }

    /// The open process of a line.
    fn worker(&self, line: u64) -> Result<Arc<Worker>, Failure> {
        let count = self.slots.len() as u64;
        let slot = usize::try_from(line % count).unwrap_or(0);
        let mut slot = self.slots[slot].lock().expect("no holder panics");
        if let Some(worker) = slot.as_ref().filter(|worker| worker.is_open()) {
            return Ok(Arc::clone(worker));
        }
        let interpreter = self.interpreter(slot.as_deref())?;
        let worker = Worker::start(&interpreter, &self.settings)?;
        *slot = Some(Arc::clone(&worker));
        Ok(worker)
    }

    fn interpreter(&self, before: Option<&Worker>) -> Result<PathBuf, Failure> {
        let mut known = self.interpreter.lock().expect("no holder panics");
        // What a first process found itself to be is behind any script that starts it.
        if let Some(found) = before
            .and_then(Worker::executable)
            .filter(|found| !found.is_empty())
        {
            *known = Some(found.into());
        }
        match &*known {
            Some(found) => Ok(found.clone()),
            None => Ok(known.insert(self.settings.search.find()?).clone()),
        }
    }

    /// What tools are: their ports and files. Loads their modules, in the process that the calls of
    /// line 0 use later; blocks meanwhile.
    ///
    /// # Errors
    /// When Python cannot be started, or ends. What is wrong with a single tool is in its place.
    pub fn describe(
        &self,
        references: &[Reference],
    ) -> Result<Vec<Result<Description, Box<Raised>>>, Failure> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        let worker = self.worker(0)?;
        let header = json!({ "op": "describe", "references": references });
        let (id, receiver) = ask(&worker, header, None, None)?;
        let payload = wait(receiver).unwrap_or_else(|| {
            worker.cancel(id);
            Err(Failure::new(format!(
                "the Python files of the flow were not loaded within {} minutes",
                LOADING.as_secs() / 60
            ))
            .help(
                "what takes so long should happen in the functions, not while a file is imported",
            ))
        })?;
        read_descriptions(&payload.1)
    }

    /// Calls a tool. Dropping the future stops the call: its thread sees an exception, and if it does
    /// not end of it within two seconds, no other call goes to its process, which ends with the last.
    ///
    /// # Errors
    /// When Python cannot be started, or ends while the call runs. What the tool raises is in the
    /// answer.
    pub async fn call(&self, request: CallRequest) -> Result<Answer, Failure> {
        let worker = self.worker(request.line)?;
        let inputs = serde_json::to_vec(&request.inputs)
            .map_err(|error| Failure::new(format!("its inputs cannot be sent: {error}")))?;
        let env: serde_json::Map<_, _> = request
            .env
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        let mut header = json!({
            "op": "call",
            "tool": request.reference,
            "line": request.line,
            "aggregation": request.aggregation,
        });
        if !env.is_empty() {
            header["env"] = env.into();
        }
        if !request.connections.is_empty() {
            header["connections"] = request.connections.into();
        }
        let log = request
            .log
            .clone()
            .map(|log| Log::new(log, &request.redactor));
        let (id, receiver) = ask(&worker, header, Some(&inputs), log)?;
        let mut unfinished = Unfinished {
            worker: Some((Arc::clone(&worker), id)),
        };
        let reply = receiver.await;
        unfinished.worker = None;
        let (header, payload) =
            reply.map_err(|_| Failure::new("its Python process ended without a word"))??;
        answer(&header, &payload, request.log.as_ref(), &request.redactor)
    }

    /// Lets go of the live objects that the calls of a line made.
    pub fn forget(&self, line: u64) {
        let count = self.slots.len() as u64;
        let slot = usize::try_from(line % count).unwrap_or(0);
        let worker = self.slots[slot].lock().expect("no holder panics").clone();
        if let Some(worker) = worker.filter(|worker| worker.is_open()) {
            worker.tell(&json!({ "op": "forget", "line": line }));
        }
    }
}

impl Drop for Python {
    /// Ends all processes: in order within a second and a half, with force then.
    fn drop(&mut self) {
        let workers = self
            .slots
            .iter()
            .filter_map(|slot| slot.lock().expect("no holder panics").take());
        let stopping: Vec<_> = workers
            .map(|worker| std::thread::spawn(move || worker.stop()))
            .collect();
        for one in stopping {
            one.join().ok();
        }
    }
}

fn ask(
    worker: &Worker,
    header: serde_json::Value,
    payload: Option<&[u8]>,
    log: Option<Log>,
) -> Result<(u64, oneshot::Receiver<Reply>), Failure> {
    let serde_json::Value::Object(header) = header else {
        return Err(Failure::new("a request is an object"));
    };
    worker
        .ask(header, payload, log)
        .ok_or_else(|| Failure::new("its Python process has just ended"))
}

/// Stops a call that nobody waits for any more.
struct Unfinished {
    worker: Option<(Arc<Worker>, u64)>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((worker, id)) = self.worker.take() {
            worker.cancel(id);
        }
    }
}

/// Waits without a runtime, also within one.
fn wait(mut receiver: oneshot::Receiver<Reply>) -> Option<Reply> {
    let begun = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match receiver.try_recv() {
            Ok(reply) => return Some(reply),
            Err(oneshot::error::TryRecvError::Closed) => {
                return Some(Err(Failure::new("its Python process ended without a word")));
            }
            Err(oneshot::error::TryRecvError::Empty) if begun.elapsed() > LOADING => return None,
            Err(oneshot::error::TryRecvError::Empty) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(1));
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Described {
    Described(Box<Description>),
    Failed(Box<Raised>),
}

fn read_descriptions(payload: &[u8]) -> Result<Vec<Result<Description, Box<Raised>>>, Failure> {
    let read = json::read(payload).and_then(|value| {
        serde_json::from_value::<Vec<Described>>(value).map_err(|error| error.to_string())
    });
    let read = read.map_err(|error| {
        Failure::new(format!(
            "what the Python worker says about the tools {error}"
        ))
    })?;
    let read = read.into_iter().map(|described| match described {
        Described::Described(description) => Ok(*description),
        Described::Failed(raised) => Err(raised),
    });
    Ok(read.collect())
}

fn answer(
    header: &wire::Header,
    payload: &[u8],
    log: Option<&LogFile>,
    redactor: &Redactor,
) -> Result<Answer, Failure> {
    let result = match header.done.as_deref() {
        Some("output") => {
            Ok(json::read(payload).map_err(|error| Failure::new(format!("its output {error}")))?)
        }
        Some("error") => {
            let raised: Raised = serde_json::from_slice(payload).map_err(|error| {
                Failure::new(format!("it failed, and how cannot be read: {error}"))
            })?;
            if let Some(log) = log.filter(|_| !raised.traceback.is_empty()) {
                log.write(redactor.text(&raised.traceback).as_bytes());
            }
            Err(raised)
        }
        _ => return Err(Failure::new("it was stopped")),
    };
    Ok(Answer {
        result,
        metrics: header.metrics.clone().unwrap_or_default(),
        duration: Duration::try_from_secs_f64(header.seconds).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
