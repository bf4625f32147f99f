//! [`OpenRun`]: a run read back from its folder. Of its journal only that stays in memory which says
//! where the run is; outputs are read when somebody asks for one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::away::is_driven;
use super::compiled::Compiled;
use super::environment::Engine;
use super::error::Error;
use super::inbox::Verdict;
use super::kept::Kept;
use crate::evidence::TestCase;
use crate::id::{NodePath, RunId};
use crate::run::{
    Adoption, ApprovalRequested, Event, FlowChanged, InstanceId, NodeFailed, Payload, RunStarted,
    RunState, Status,
};
use crate::store::{Blobs, Places, RecordRef, RunDir, Scanned, scan};
use crate::value::{Digest, Object, Value};

/// A run, replayed.
pub struct OpenRun {
    /// Its folder.
    pub dir: RunDir,
    /// What it runs.
    pub compiled: Compiled,
    /// Where it is.
    pub state: RunState,
    /// What it was started with.
    pub started: RunStarted,
    /// What people are told besides.
    pub told: Told,
    pub(super) places: Places,
}

/// What people are told of a run besides where it is.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// When the run was started.
    pub started_at: Timestamp,
    /// Answers, refused ones too, requests to cancel, and closings, in order.
    pub events: Vec<Event>,
    /// The accounts that asked for the run, and those that edited its flow.
    pub hands: Vec<String>,
    /// The last failure of each node that had one.
    failures: HashMap<NodePath, u64>,
    /// Every time that a gate asked, oldest first.
    asked: HashMap<NodePath, Vec<u64>>,
}

impl Told {
    /// Takes the next event.
    pub(super) fn add(&mut self, event: &Event) {
        match &event.payload {
            Payload::RunStarted(data) => {
                self.started_at = event.ts;
                self.hands.push(data.by.clone());
            }
            Payload::FlowChanged(data) if !self.hands.contains(&data.by) => {
                self.hands.push(data.by.clone());
            }
            Payload::ApprovalDecided(_)
            | Payload::DecisionRefused(_)
            | Payload::CancelRequested(_)
            | Payload::Rewound(_)
            | Payload::RunSealed(_) => self.events.push(event.clone()),
            Payload::NodeFailed(data) => {
                self.failures.insert(data.node.clone(), event.seq);
            }
            Payload::ApprovalRequested(data) => {
                self.asked
                    .entry(data.node.clone())
                    .or_default()
                    .push(event.seq);
            }
            _ => {}
        }
    }

    /// What became of a request, as the journal says.
    #[must_use]
    pub fn verdict(&self, id: &str) -> Option<Verdict> {
        self.events.iter().find_map(|event| match &event.payload {
            Payload::ApprovalDecided(data) if data.id == id => Some(Verdict::Accepted),
            Payload::CancelRequested(data) if data.id == id => Some(Verdict::Accepted),
            Payload::DecisionRefused(data) if data.decision.id == id => {
                Some(Verdict::Refused(data.reason.clone()))
            }
            _ => None,
        })
    }
}

/// What a replay comes to.
pub(super) struct Replayed {
    pub(super) compiled: Compiled,
    pub(super) state: RunState,
    pub(super) started: RunStarted,
    pub(super) told: Told,
}

/// A replay under way: takes records one by one and keeps none.
pub(super) struct Replay<'a> {
    engine: &'a Engine,
    dir: &'a RunDir,
    /// Later records do not count.
    upto: u64,
    started: Option<RunStarted>,
    /// The run on the plan that it was started with, or why it cannot be on that: no matter, if an
    /// edit was adopted later.
    folded: Option<Result<(Compiled, RunState), Error>>,
    /// The last adoption of an edit.
    changed: Option<(u64, FlowChanged)>,
    told: Told,
}

impl<'a> Replay<'a> {
    pub(super) fn new(engine: &'a Engine, dir: &'a RunDir, upto: u64) -> Self {
        Self {
            engine,
            dir,
            upto,
            started: None,
            folded: None,
            changed: None,
            told: Told::default(),
        }
    }

    /// Takes the next record.
    pub(super) fn add(&mut self, record: RecordRef<'_>) -> Result<(), Error> {
        if record.seq > self.upto {
            return Ok(());
        }
        let Some(event) = event_of(record)? else {
            return Ok(());
        };
        self.told.add(&event);
        match &event.payload {
            Payload::RunStarted(data) if self.started.is_none() => {
                self.started = Some(data.clone());
                let compiled = self.engine.compile_kept(self.dir, data.snapshot);
                self.folded = Some(compiled.map(|compiled| {
                    let state = RunState::new(&compiled.plan);
                    (compiled, state)
                }));
            }
            Payload::FlowChanged(data) => {
                self.changed = Some((event.seq, data.clone()));
                self.folded = None;
            }
            _ => {}
        }
        if let Some(Ok((compiled, state))) = &mut self.folded
            && let Err(error) = fold(compiled, state, &event)
        {
            self.folded = Some(Err(error));
        }
        Ok(())
    }

    /// Comes to an end. After an adopted edit the journal is read once more, now that it is known
    /// what of it counts; `last` is the last record that there was.
    pub(super) fn end(mut self, last: u64) -> Result<Replayed, Error> {
        let Some(started) = self.started.take() else {
            return Err(Error::Record {
                seq: 1,
                event: "run_started".to_owned(),
                message: "the journal does not begin with it".to_owned(),
            });
        };
        let (compiled, state) = match (self.changed.take(), self.folded.take()) {
            (Some((at, change)), _) => self.adopted(at, &change, last.min(self.upto))?,
            (None, Some(folded)) => folded?,
            // It was set with `started`.
            (None, None) => return Err(Error::Stuck),
        };
        Ok(Replayed {
            compiled,
            state,
            started,
            told: self.told,
        })
    }

    fn adopted(
        &self,
        at: u64,
        change: &FlowChanged,
        last: u64,
    ) -> Result<(Compiled, RunState), Error> {
        let compiled = self.engine.compile_kept(self.dir, change.snapshot)?;
        let plan = Arc::clone(&compiled.plan);
        let mut adoption = Some(Adoption::new(&plan, change));
        let mut state = None;
        scan(&self.dir.journal(), |record| {
            let Some(event) = event_of(record)?.filter(|event| event.seq <= last) else {
                return Ok(());
            };
            if event.seq == at {
                state = adoption.take().map(|adoption| adoption.done(at));
            } else if let Some(adoption) = &mut adoption {
                adoption.before(&plan, &event)?;
            } else if let Some(state) = &mut state {
                fold(&compiled, state, &event)?;
            }
            Ok::<(), Error>(())
        })?;
        let state = state.ok_or(Error::Stuck)?;
        Ok((compiled, state))
    }
}

fn fold(compiled: &Compiled, state: &mut RunState, event: &Event) -> Result<(), Error> {
    state.apply(&compiled.plan, event)?;
    // What is in the file is on disk, as far as a reader can tell.
    state.set_durable(&compiled.plan, event.seq);
    Ok(())
}

fn event_of(record: RecordRef<'_>) -> Result<Option<Event>, Error> {
    let bad = |message: String| Error::Record {
        seq: record.seq,
        event: record.event.to_owned(),
        message,
    };
    let payload =
        Payload::parse(record.event, record.data).map_err(|error| bad(error.to_string()))?;
    // Kinds that a later minor version adds change nothing for an older reader.
    Ok(payload.map(|payload| Event {
        seq: record.seq,
        ts: record.ts,
        round: record.round,
        payload,
    }))
}

impl Engine {
    /// Replays a run without touching it.
    ///
    /// # Errors
    /// A journal or snapshot that is damaged, newer, or gone.
    pub fn read_run(&self, dir: &RunDir) -> Result<OpenRun, Error> {
        self.read_run_upto(dir, u64::MAX)
    }

    /// The same, of the records up to and with one.
    pub(super) fn read_run_upto(&self, dir: &RunDir, upto: u64) -> Result<OpenRun, Error> {
        let mut replay = Replay::new(self, dir, upto);
        let Scanned { last, places, .. } = scan(&dir.journal(), |record| replay.add(record))?;
        let Replayed {
            compiled,
            state,
            started,
            told,
        } = replay.end(last)?;
        Ok(OpenRun {
            dir: dir.clone(),
            compiled,
            state,
            started,
            told,
            places,
        })
    }
}

impl OpenRun {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.dir.id
    }

    /// The status as people see it: a run that has not ended and that nobody drives is
    /// `interrupted`, unless it is paused. What Restate has it drives, also while no worker is at it.
    #[must_use]
    pub fn status_word(&self) -> &'static str {
        match self.state.status() {
            Status::Running if !is_driven(&self.dir) => "interrupted",
            status => status.word(),
        }
    }

    /// The output of a node, once it has one.
    ///
    /// # Errors
    /// A record or file that is damaged or gone.
    pub fn output(&self, id: InstanceId) -> Result<Option<Value>, Error> {
        let Some(output) = self.state.instance(id).output else {
            return Ok(None);
        };
        self.kept(|kept| Ok(Some(kept.value(output.seq)?.0)))
    }

    /// What the tool of a node said of its work besides, if it said something.
    #[must_use]
    pub fn about(&self, id: InstanceId) -> Option<Value> {
        let about = self.state.instance(id).about.as_ref()?;
        serde_json::from_str(about.get()).ok()
    }

    /// The flow's outputs, once it has succeeded.
    ///
    /// # Errors
    /// A record or file that is damaged or gone.
    pub fn outputs(&self) -> Result<Option<Object>, Error> {
        let Some(seq) = self.state.outputs_seq() else {
            return Ok(None);
        };
        self.kept(|kept| kept.outputs(seq).map(Some))
    }

    /// The last failure of a node, if it had one.
    ///
    /// # Errors
    /// A record that is damaged.
    pub fn failure(&self, id: InstanceId) -> Result<Option<NodeFailed>, Error> {
        let path = &self.state.instance(id).path;
        let Some(seq) = self.told.failures.get(path) else {
            return Ok(None);
        };
        match self.kept(|kept| kept.payload(*seq))? {
            Payload::NodeFailed(data) => Ok(Some(data)),
            _ => Ok(None),
        }
    }

    /// What a gate asked, each time, oldest first.
    ///
    /// # Errors
    /// A record that is damaged.
    pub fn asked(&self, gate: &NodePath) -> Result<Vec<ApprovalRequested>, Error> {
        let all = self.told.asked.get(gate).map_or(&[][..], Vec::as_slice);
        let mut asked = Vec::with_capacity(all.len());
        for seq in all {
            if let Payload::ApprovalRequested(data) = self.kept(|kept| kept.payload(*seq))? {
                asked.push(data);
            }
        }
        Ok(asked)
    }

    /// The content of a staged file.
    ///
    /// # Errors
    /// One that is damaged or gone.
    pub fn staged(&self, sha256: Digest) -> Result<Vec<u8>, Error> {
        Ok(Blobs::new(self.dir.files()).get(sha256)?)
    }

    /// The last list of tests that a node gave.
    ///
    /// # Errors
    /// A record or file that is damaged or gone.
    pub fn tests(&self) -> Result<Vec<TestCase>, Error> {
        for id in self.state.walk(&self.compiled.plan).into_iter().rev() {
            if let Some(cases) = self.output(id)?.as_ref().and_then(TestCase::of_output) {
                return Ok(cases);
            }
        }
        Ok(Vec::new())
    }

    pub(super) fn kept<T>(
        &self,
        read: impl FnOnce(&Kept<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read(&Kept {
            run: &self.dir.id,
            places: &self.places,
            blobs: &Blobs::new(self.dir.files()),
        })
    }
}
