//! [`Distant`]: the ground under a driver whose steps Restate remembers and whose attempts it hands out.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use restate_sdk::context::{
    DurableFuture, DurableFuturesUnordered, RequestTarget, RunFuture as _, RunRetryPolicy,
};
use restate_sdk::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::away::Life;
use super::super::driver::Driver;
use super::super::error::Error;
use super::super::ground::{Ground, Start};
use super::super::observer::Observer;
use super::message::{Done, Message};
use super::node_service;
use super::objects::Objects;
use super::parcel::away;
use crate::run::InstanceId;

/// Something that came in: the driver is told one at a time, in the order that Restate has journaled.
pub(super) enum Input {
    /// An attempt came back, or its call was ended from outside.
    Done {
        id: InstanceId,
        attempt: u32,
        result: Result<Box<Done>, TerminalError>,
    },
    /// Something was asked of the run.
    Message(Box<Message>),
    /// It is so late now.
    Time(Timestamp),
}

type Incoming<'a> = Pin<Box<dyn DurableFuture<Output = Result<Input, TerminalError>> + Send + 'a>>;

/// The names of promises, which must live as long as what waits for them.
#[derive(Default)]
pub(super) struct Names(OnceLock<Box<Name>>);

struct Name {
    text: String,
    next: OnceLock<Box<Self>>,
}

impl Drop for Names {
    fn drop(&mut self) {
        // One by one: a long list would take the stack down with it.
        let mut next = self.0.take();
        while let Some(mut name) = next {
            next = name.next.take();
        }
    }
}

/// The promise of a message.
pub(super) fn promise(number: u64) -> String {
    format!("decision:{number}")
}

/// The ground under the driver of one life of a run.
pub(super) struct Distant<'a> {
    ctx: &'a WorkflowContext<'a>,
    pub(super) objects: Objects,
    life: Life,
    incoming: DurableFuturesUnordered<Incoming<'a>>,
    timers: BTreeSet<Timestamp>,
    /// Where the name of the next promise goes.
    free: &'a OnceLock<Box<Name>>,
    /// Messages that came in.
    pub(super) taken: u64,
    /// How Restate ended the invocation, if it did.
    pub(super) ended: Option<TerminalError>,
}

impl<'a> Distant<'a> {
    pub(super) fn new(
        ctx: &'a WorkflowContext<'a>,
        names: &'a Names,
        objects: Objects,
        life: Life,
    ) -> Self {
        let mut ground = Self {
            ctx,
            objects,
            life,
            incoming: DurableFuturesUnordered::new(),
            timers: BTreeSet::new(),
            free: &names.0,
            taken: 0,
            ended: None,
        };
        ground.listen();
        ground
    }

    /// Waits for the next message beside everything else.
    fn listen(&mut self) {
        let name = self.free.get_or_init(|| {
            Box::new(Name {
                text: promise(self.taken + 1),
                next: OnceLock::new(),
            })
        });
        self.free = &name.next;
        let message = self.ctx.promise::<Json<Message>>(&name.text);
        self.incoming.push(Box::pin(
            message.map_ok(|Json(message)| Input::Message(Box::new(message))),
        ));
    }

    /// Waits until then beside everything else, unless something wakes the driver before.
    pub(super) fn wake(&mut self, now: Timestamp, at: Timestamp) {
        if self.timers.first().is_some_and(|first| *first <= at) {
            return;
        }
        self.timers.insert(at);
        let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let sleep = self.ctx.sleep(wait);
        self.incoming
            .push(Box::pin(sleep.map_ok(move |()| Input::Time(at))));
    }

    /// The next thing that comes in.
    pub(super) async fn next(&mut self) -> Result<Input, Error> {
        let next = self.incoming.next().await;
        let input = match next {
            Ok(Some((_, Ok(input)))) => input,
            Ok(None) => return Err(Error::Stuck),
            Ok(Some((_, Err(error)))) | Err(error) => return Err(self.ended(error)),
        };
        match &input {
            Input::Message(_) => {
                self.taken += 1;
                self.listen();
            }
            Input::Time(at) => {
                self.timers.remove(at);
            }
            Input::Done { .. } => {}
        }
        Ok(input)
    }

    /// What Restate's own end of the invocation is to the driver.
    pub(super) fn ended(&mut self, error: TerminalError) -> Error {
        let message = error.message().to_owned();
        self.ended = Some(error);
        Error::Away(format!("Restate has ended the workflow: {message}"))
    }
}

/// A step is tried for as long as it takes: what keeps it from succeeding is the machine's trouble.
pub(super) fn for_ever() -> RunRetryPolicy {
    RunRetryPolicy::new()
        .exponentiation_factor(2.0)
        .max_delay(Duration::from_secs(10))
}

impl Ground for Distant<'_> {
    const REPEATS: bool = true;

    async fn step<T, W>(&mut self, name: &'static str, work: W) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        W: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        let run = self.life.run.clone();
        let step = self.ctx.run(move || async move {
            let done = tokio::task::spawn_blocking(work).await.map_err(away);
            let done = done.and_then(|done| done).inspect_err(|error| {
                tracing::warn!(run, step = name, "{error}; Restate tries again");
            });
            Ok(Json(done?))
        });
        match step.name(name).retry_policy(for_ever()).await {
            Ok(Json(done)) => Ok(done),
            Err(error) => Err(self.ended(error)),
        }
    }

    async fn begin(
        &mut self,
        driver: &mut Driver,
        start: Start,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let (id, attempt) = (start.id, start.attempt);
        let parcel = match driver.parcel(start, self.life.key()) {
            Ok(parcel) => parcel,
            Err(failure) => return driver.node_failed(id, &failure, observer),
        };
        let assignment = parcel.send(&self.objects).await?;
        driver.in_flight.insert(id, None);
        let target = RequestTarget::service(node_service(assignment.pool.as_deref()), "exec");
        let call = self
            .ctx
            .request::<_, Json<Done>>(target, Json(assignment))
            .call();
        self.incoming.push(Box::pin(call.map(move |result| {
            let result = result.map(|Json(done)| Box::new(done));
            Ok(Input::Done {
                id,
                attempt,
                result,
            })
        })));
        Ok(())
    }
}
