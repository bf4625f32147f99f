//! Giving a run to Restate, asking something of it there, and taking it back.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;

use super::super::away::{Away, Life};
use super::super::driver::{Driver, Ended};
use super::super::environment::Engine;
use super::super::error::Error;
use super::super::inbox::{Request, Verdict};
use super::super::observer::Observer;
use super::client::Client;
use super::message::Body;
use super::objects::Objects;
use super::parcel::away;
use super::{INBOX, RUN};
use crate::run::{Event, Payload, Status};
use crate::store::{RunDir, Tail};

/// How long the answer of a worker is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether something has happened.
const POLL: Duration = Duration::from_millis(50);

/// How a run is given to Restate.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Where the server takes requests.
    pub ingress: String,
    /// Attempts at the same time.
    pub jobs: usize,
}

impl Engine {
    /// The store that workers share.
    ///
    /// # Errors
    /// A place that takes no objects.
    pub fn objects(&self) -> Result<Objects, Error> {
        match &self.distance.object_store {
            Some(place) => Objects::open(place).map_err(away),
            None => Ok(Objects::folder(&self.layout.objects())),
        }
    }

    fn ingress(&self, note: &Away) -> Result<Client, Error> {
        let url = self.distance.ingress.as_ref().unwrap_or(&note.ingress);
        Client::new(url, self.distance.token.clone()).map_err(away)
    }

    /// Gives a run to Restate.
    ///
    /// # Errors
    /// A server or object store that does not do what is asked of it; I/O. The run is then noted as
    /// Restate's, and giving it once more changes nothing.
    pub async fn give_away(&self, mut driver: Driver, submit: &Submit) -> Result<(), Error> {
        driver.journal.sync().await?;
        let dir = driver.dir.clone();
        let objects = self.objects()?;
        let (bytes, snapshot) = driver.compiled.snapshot.encode();
        objects.put(bytes).await.map_err(away)?;
        let first = driver.journal.places().load(1)?.hash;
        let before = Away::of(&dir)?.map_or(0, |note| note.life.number);
        let note = Away {
            ingress: submit.ingress.clone(),
            open: true,
            life: Life {
                run: dir.id.to_string(),
                name: format!("{}.{}", dir.id, first.get(..8).unwrap_or_default()),
                number: before + 1,
                after: driver.journal.last_seq(),
                head: driver.journal.head().to_owned(),
                snapshot,
                flow: driver.plan.root().name.clone(),
                jobs: submit.jobs,
                by: self.who.user.clone(),
            },
        };
        // Before it is asked for: from here on nobody on this machine takes the run up.
        note.note(&dir)?;
        driver.close()?;
        self.begin(&note).await
    }

    /// Asks for a life to begin, which it does once.
    ///
    /// # Errors
    /// A server that does not do what is asked of it.
    pub async fn begin(&self, note: &Away) -> Result<(), Error> {
        let client = self.ingress(note)?;
        let path = format!("/{INBOX}/{}/begin/send", note.life.name);
        let sent: Result<Value, _> = client.ask(Method::POST, &path, Some(&note.life)).await;
        sent.map(|_| ()).map_err(|error| {
            Error::Away(format!(
                "{error}; the run is kept, and `flowctl resume {}` gives it to Restate once more",
                note.life.run
            ))
        })
    }

    /// Asks something of a run that Restate has, and waits for what becomes of it; nothing, of one that
    /// this machine has.
    ///
    /// # Errors
    /// A server that does not do what is asked of it; a run that cannot be read.
    pub async fn deliver_away(
        &self,
        dir: &RunDir,
        request: &Request,
    ) -> Result<Option<Verdict>, Error> {
        let Some(note) = Away::has(dir)? else {
            return Ok(None);
        };
        let body = Body::Request(request.clone());
        self.send(&note, &body).await?;
        let until = Instant::now() + PATIENCE;
        loop {
            // In this order: what ended before it was told of it is this machine's again.
            let (run, id) = (dir.clone(), request.id().to_owned());
            let looked = tokio::task::spawn_blocking(move || {
                let open = Away::has(&run)?.is_some();
                Ok::<_, Error>((open, Verdict::of(&run, &id)?))
            });
            match looked.await.map_err(away)?? {
                (true, None) => {}
                (_, verdict) => return Ok(verdict),
            }
            if Instant::now() > until {
                let lost = matches!(self.is_lost(&note).await, Ok(true));
                if lost && Away::has(dir)?.is_some() {
                    return Err(Error::Away(format!(
                        "somebody has ended run `{0}` on Restate, and nobody takes the answer; `flowctl resume {0}` gives it to Restate once more, then answer again",
                        dir.id
                    )));
                }
                return Ok(Some(Verdict::Queued));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes a run back that somebody has ended on Restate, past its workflow: that cannot give it
    /// back any more. Says whether it was so.
    ///
    /// # Errors
    /// A server that does not do what is asked of it; I/O.
    pub async fn reclaim(&self, dir: &RunDir, note: &Away) -> Result<bool, Error> {
        if !self.is_lost(note).await? {
            return Ok(false);
        }
        // Its last step was to give it back, unless it was ended before that.
        let open = Away::has(dir)?.filter(|now| now.life.number == note.life.number);
        let Some(note) = open else {
            return Ok(false);
        };
        let note = Away {
            open: false,
            ..note
        };
        note.note(dir)?;
        Ok(true)
    }

    async fn is_lost(&self, note: &Away) -> Result<bool, Error> {
        let client = self.ingress(note)?;
        client.has_ended(RUN, &note.life.key()).await.map_err(away)
    }

    /// Has a run given back that is not to go on there.
    ///
    /// # Errors
    /// A server that does not do what is asked of it; workers that do not answer.
    pub async fn take_back(&self, dir: &RunDir, note: &Away) -> Result<(), Error> {
        self.send(note, &Body::GiveBack).await?;
        let until = Instant::now() + Duration::from_mins(1);
        while Away::has(dir)?.is_some() {
            if Instant::now() > until {
                return Err(Error::Away(format!(
                    "no worker has given run `{}` back; is there one, and does a node still run?",
                    dir.id
                )));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn send(&self, note: &Away, body: &Body) -> Result<(), Error> {
        let client = self.ingress(note)?;
        let path = format!("/{INBOX}/{}/put/send", note.life.name);
        let sent: Result<Value, _> = client.ask(Method::POST, &path, Some(body)).await;
        sent.map(|_| ()).map_err(away)
    }

    /// Follows a run that Restate has, until it pauses, ends, is given back, or `stop` turns true.
    ///
    /// # Errors
    /// A run that cannot be read.
    pub async fn follow_away(
        &self,
        dir: &RunDir,
        seen: u64,
        observer: &mut dyn Observer,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Ended, Error> {
        let mut run = self.read_run_upto(dir, seen)?;
        let mut tail = Tail::new(&dir.journal());
        loop {
            let given_back = Away::has(dir)?.is_none();
            let records = tail.more(1_000)?;
            let quiet = records.is_empty();
            for record in records {
                if record.seq <= run.state.last_seq() {
                    continue;
                }
                let payload = Payload::parse(&record.event, &record.data).map_err(away)?;
                let Some(payload) = payload else { continue };
                let event = Event {
                    seq: record.seq,
                    ts: record.ts,
                    round: record.round,
                    payload,
                };
                if matches!(event.payload, Payload::FlowChanged(_)) {
                    // What came before counts anew.
                    run = self.read_run_upto(dir, event.seq)?;
                } else {
                    run.state.apply(&run.compiled.plan, &event)?;
                }
                // What Restate has journaled is durable.
                run.state.set_durable(&run.compiled.plan, u64::MAX);
                observer.event(&run.compiled.plan, &run.state, &event);
            }
            if !quiet {
                continue;
            }
            let fresh = run.state.last_seq() > seen;
            match run.state.status() {
                Status::Paused if fresh || given_back => return Ok(Ended::Paused),
                Status::Succeeded if given_back => return Ok(Ended::Succeeded),
                Status::Failed if given_back => return Ok(Ended::Failed),
                Status::Rejected if given_back => return Ok(Ended::Rejected),
                Status::Cancelled if given_back => return Ok(Ended::Cancelled),
                _ if given_back => return Ok(Ended::Interrupted),
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                Ok(_) = stop.wait_for(|stop| *stop) => return Ok(Ended::Interrupted),
            }
        }
    }
}
