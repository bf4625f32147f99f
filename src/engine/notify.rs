//! `notify:`: tells others that a run has paused or ended.
//!
//! It happens after the pause or the end is on disk and the run is let go of. What was told is noted in
//! the run's `notified.jsonl`, one line for each pause and end. A process that dies before that leaves
//! the line out, and whoever has the run next tells it again with the same ids: at least once. A pause
//! or end that the run has left behind is told no more. Nothing of this changes the run.

mod deliver;
mod standing;

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use super::environment::Engine;
use super::error::Error;
use super::open::OpenRun;
use crate::flow::{Moment, NotifyDecl};
use crate::run::{RunState, Status};
use crate::store::{self, Holder, RunDir, RunLock, open_regular_with};
use crate::value::Value;

pub(super) use standing::{Standing, standing};

/// One line of `notified.jsonl`: everything that was told of a pause or end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// The record of the pause or end.
    pub seq: u64,
    /// Its kind: `paused`, `succeeded`, …
    pub event: String,
    /// When it was told.
    pub at: Timestamp,
    /// To whom.
    pub told: Vec<Delivered>,
}

/// What became of one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Its id, the same each time it is tried.
    pub id: String,
    /// The program or the server, without secrets.
    pub to: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not delivered, if it was not.
    pub error: Option<String>,
}

/// Gives a new run the file in which it is noted what was told: it says that there is something to tell.
pub(super) fn prepare(run: &RunDir, notify: &[NotifyDecl]) -> Result<(), store::Error> {
    if notify.is_empty() {
        return Ok(());
    }
    store::create_new(&run.notified(), b"").map(|_| ())
}

/// Everything that was told of a run. A line that a crash cut off was not told.
///
/// # Errors
/// I/O.
pub fn notified(run: &RunDir) -> Result<Vec<Notified>, store::Error> {
    let path = run.notified();
    let mut text = Vec::new();
    match store::open_regular(&path).and_then(|mut file| file.read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(store::Error::io("read", &path)(error)),
    }
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// Whether nothing is left to tell of a pause or end.
pub(super) fn is_told(run: &RunDir, seq: u64) -> bool {
    !run.notified().exists()
        || notified(run).is_ok_and(|lines| lines.iter().any(|line| line.seq == seq))
}

fn note(run: &RunDir, line: &Notified) -> Result<(), store::Error> {
    let path = run.notified();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let written = open_regular_with(&mut options, &path).and_then(|mut file| {
        let mut before = Vec::new();
        file.read_to_end(&mut before)?;
        let mut bytes = Vec::new();
        // What a crash has cut off stays alone on its line.
        if before.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.map_err(store::Error::io("write", &path))
}

/// Tells of the pause or end at which a run stands, if that was not done. `link` is where the pages of
/// runs begin; it stops when `end` turns true, and the rest is told another time. Gives a sentence for
/// each that could not be delivered.
///
/// # Errors
/// I/O of the run's folder.
pub async fn tell(
    engine: &Engine,
    run: &OpenRun,
    link: Option<&str>,
    mut end: watch::Receiver<bool>,
) -> Result<Vec<String>, Error> {
    let plan = &run.compiled.plan;
    let notify = &plan.root().notify;
    let path = run.dir.notified();
    if notify.is_empty() && !path.exists() {
        return Ok(Vec::new());
    }
    let Some(moment) = moment(&run.state) else {
        return Ok(Vec::new());
    };
    let holder = Holder {
        pid: std::process::id(),
        host: engine.who.host.clone(),
        since: engine.now().to_string(),
        command: "notify".to_owned(),
    };
    let lock = run.dir.path.join("notified.lock");
    let _lock = match RunLock::acquire(&lock, run.id().as_str(), &holder) {
        Ok(lock) => lock,
        // Whoever has it tells it.
        Err(store::Error::Locked { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let Standing {
        closed, seq, at, ..
    } = standing(&run.dir)?;
    // Somebody has taken the run further, and tells of that.
    if !closed || seq > run.state.last_seq() || (path.exists() && is_told(&run.dir, seq)) {
        return Ok(Vec::new());
    }
    let mut deliveries = tokio::task::JoinSet::new();
    let mut told = Vec::new();
    for (index, wanted) in notify.iter().enumerate() {
        if !wanted.on.contains(&moment) {
            continue;
        }
        let id = format!("{}:{seq}:{index}", run.id());
        let document = document(run, moment, at, &id, link);
        match deliver::prepare(engine, run, wanted, id, &document) {
            Ok(delivery) => {
                deliveries.spawn(delivery.carry_out(engine.clone(), end.clone()));
            }
            Err(failed) => told.push(failed),
        }
    }
    while let Some(joined) = deliveries.join_next().await {
        told.extend(joined.ok());
    }
    // What was broken off is told another time.
    if *end.borrow_and_update() && told.iter().any(|told| told.error.is_some()) {
        return Ok(Vec::new());
    }
    told.sort_by(|a, b| a.id.cmp(&b.id));
    let failures = told
        .iter()
        .filter_map(|told| {
            let error = told.error.as_ref()?;
            Some(format!("{} was not told: {error}", told.to))
        })
        .collect();
    let line = Notified {
        seq,
        event: moment.word().to_owned(),
        at: engine.now(),
        told,
    };
    note(&run.dir, &line)?;
    Ok(failures)
}

fn moment(state: &RunState) -> Option<Moment> {
    match state.status() {
        Status::Running => None,
        Status::Paused => Some(Moment::Paused),
        Status::Succeeded => Some(Moment::Succeeded),
        Status::Failed => Some(Moment::Failed),
        Status::Rejected => Some(Moment::Rejected),
        Status::Cancelled => Some(Moment::Cancelled),
    }
}

/// What is told. No inputs, no outputs and no messages: what nodes say may hold what others should not
/// read, and where this goes nobody here knows.
fn document(run: &OpenRun, moment: Moment, at: Timestamp, id: &str, link: Option<&str>) -> Value {
    let (state, plan) = (&run.state, &run.compiled.plan);
    let waiting: Vec<Value> = state
        .waiting()
        .map(|gate| {
            let instance = state.instance(gate);
            let request = instance.request.as_ref();
            json!({
                "node": instance.path,
                "round": state.round(),
                "digest": request.map(|request| request.digest),
                "deadline": request.and_then(|request| request.deadline).map(|at| at.to_string()),
                "approvers": approvers(state.node(plan, gate)),
            })
        })
        .collect();
    let node = match moment {
        Moment::Failed => state.failure().and_then(|(node, ..)| node.clone()),
        Moment::Rejected => state.rejection().map(|(node, ..)| node.clone()),
        _ => None,
    };
    let page = link.map(|link| {
        let page = format!("{}/runs/{}", link.trim_end_matches('/'), run.id());
        match (moment, waiting.as_slice()) {
            (Moment::Paused, [gate]) => {
                let node = gate["node"].as_str().unwrap_or_default();
                format!("{page}/review/{}", in_path(node))
            }
            _ => page,
        }
    });
    let command = match moment {
        Moment::Paused => format!("flowctl review {}", run.id()),
        _ => format!("flowctl show {}", run.id()),
    };
    json!({
        "v": 1,
        "id": id,
        "event": moment.word(),
        "at": at.to_string(),
        "run": run.id(),
        "flow": run.started.flow,
        "status": state.status().word(),
        "node": node,
        "waiting": waiting,
        "link": page,
        "command": command,
    })
}

/// Who may answer at a gate, as the flow says it.
fn approvers(node: &crate::plan::PlanNode) -> Vec<String> {
    let gate = node.gate.as_ref();
    gate.map(|gate| gate.approvers.clone()).unwrap_or_default()
}

/// A text as one part of the path of an address.
fn in_path(text: &str) -> String {
    use std::fmt::Write as _;
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            // Into a `String` it never fails.
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    fn run() -> (tempfile::TempDir, RunDir) {
        let dir = tempfile::tempdir().expect("a folder");
        let run = RunDir {
            id: RunId::from("r".to_owned()),
            path: dir.path().to_owned(),
        };
        (dir, run)
    }

    #[test]
    fn a_line_that_was_cut_off_was_not_told() {
        let (_dir, run) = run();
        assert!(is_told(&run, 3), "a flow that tells nobody");
        std::fs::write(run.notified(), b"").expect("it is written");
        assert!(!is_told(&run, 3));
        std::fs::write(run.notified(), b"{\"seq\":3,\"event\":\"pau").expect("it is written");
        assert!(!is_told(&run, 3));
        let line = Notified {
            seq: 3,
            event: "paused".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            told: Vec::new(),
        };
        note(&run, &line).expect("it is noted");
        note(
            &run,
            &Notified {
                seq: 9,
                ..line.clone()
            },
        )
        .expect("it is noted");
        assert!(is_told(&run, 3) && is_told(&run, 9) && !is_told(&run, 4));
        assert_eq!(notified(&run).expect("it is read")[0], line);
    }

    #[test]
    fn names_of_items_can_stand_in_an_address() {
        assert_eq!(in_path("Scan[2]/Fix"), "Scan%5B2%5D/Fix");
    }
}
