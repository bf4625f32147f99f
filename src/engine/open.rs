//! [`OpenRun`]: a run read back from its folder.

use std::sync::Arc;

use super::compiled::Compiled;
use super::environment::Engine;
use super::error::Error;
use crate::id::RunId;
use crate::run::{Event, Payload, RunStarted, RunState, Status};
use crate::store::{Record, Recovered, RunDir, RunLock, read};
use crate::value::{Object, Value};

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
    /// Every event, in order.
    pub events: Vec<Event>,
    /// Bytes of a torn last line.
    pub torn: u64,
}

impl Engine {
    /// Replays a run without touching it.
    ///
    /// # Errors
    /// A journal or snapshot that is damaged, newer, or gone.
    pub fn read_run(&self, dir: &RunDir) -> Result<OpenRun, Error> {
        self.replay(dir, &read(&dir.journal())?)
    }

    pub(super) fn replay(&self, dir: &RunDir, recovered: &Recovered) -> Result<OpenRun, Error> {
        let events: Vec<Event> = recovered
            .records
            .iter()
            .map(event_of)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        let Some(Payload::RunStarted(started)) = events.first().map(|event| event.payload.clone())
        else {
            return Err(Error::Record {
                seq: 1,
                event: "run_started".to_owned(),
                message: "the journal does not begin with it".to_owned(),
            });
        };
        let changed = events
            .iter()
            .rposition(|event| matches!(event.payload, Payload::FlowChanged(_)));
        let digest = match changed.map(|at| &events[at].payload) {
            Some(Payload::FlowChanged(changed)) => changed.snapshot,
            _ => started.snapshot,
        };
        let compiled = self.compile_kept(dir, digest)?;
        let plan = Arc::clone(&compiled.plan);
        let (mut state, rest) = match changed {
            Some(at) => (
                RunState::adopt(&plan, &events[at], &events[..at])?,
                &events[at + 1..],
            ),
            None => (RunState::new(&plan), &events[..]),
        };
        for event in rest {
            state.apply(&plan, event)?;
            // What is in the file is on disk, as far as a reader can tell.
            state.set_durable(&plan, event.seq);
        }
        Ok(OpenRun {
            dir: dir.clone(),
            compiled,
            state,
            started,
            events,
            torn: recovered.torn,
        })
    }
}

fn event_of(record: &Record) -> Result<Option<Event>, Error> {
    let bad = |message: String| Error::Record {
        seq: record.seq,
        event: record.event.clone(),
        message,
    };
    let payload =
        Payload::parse(&record.event, &record.data).map_err(|error| bad(error.to_string()))?;
    // Kinds that a later minor version adds change nothing for an older reader.
    Ok(payload.map(|payload| Event {
        seq: record.seq,
        ts: record.ts,
        round: record.round,
        payload,
    }))
}

impl OpenRun {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.dir.id
    }

    /// The status as people see it: a run that has not ended and that nobody drives is
    /// `interrupted`, unless it is paused.
    #[must_use]
    pub fn status_word(&self) -> &'static str {
        match self.state.status() {
            Status::Running if RunLock::holder(&self.dir.lock()).is_none() => "interrupted",
            status => status.word(),
        }
    }

    /// The event of a record.
    #[must_use]
    pub fn event(&self, seq: u64) -> Option<&Event> {
        self.events
            .binary_search_by_key(&seq, |event| event.seq)
            .ok()
            .map(|at| &self.events[at])
    }

    /// The output in a `node_succeeded` record.
    #[must_use]
    pub fn output(&self, seq: u64) -> Option<Value> {
        match &self.event(seq)?.payload {
            Payload::NodeSucceeded(data) => serde_json::from_str(data.output.get()).ok(),
            _ => None,
        }
    }

    /// The flow's outputs, once it has succeeded.
    #[must_use]
    pub fn outputs(&self) -> Option<&Object> {
        match &self.event(self.state.outputs_seq()?)?.payload {
            Payload::RunSucceeded(data) => Some(&data.outputs),
            _ => None,
        }
    }
}
