//! `FlowRun`: one life of a run as a workflow. Asks the state what is to be done, and does it, as the local
//! driver does; only that it waits for Restate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use restate_sdk::context::RequestTarget;
use restate_sdk::prelude::*;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::super::attempt::Report;
use super::super::away::{Away, Life};
use super::super::driver::Driver;
use super::super::environment::{Engine, in_millis};
use super::super::error::Error;
use super::super::ground::Ground as _;
use super::super::inbox::{Judge, Request, judge};
use super::super::notify::tell;
use super::super::observer::{Notice, Observer};
use super::super::resolve::with_bases;
use super::INBOX;
use super::ground::{Distant, Input, Names, promise};
use super::message::{Body, Message};
use super::objects::Objects;
use super::parcel::{accept, away};
use crate::id::RunId;
use crate::plan::Plan;
use crate::port::Failure;
use crate::run::{Event, Payload, RunResumed, RunState, Status};
use crate::store::{self, RunDir};

/// How long the lock of a run is waited for: a worker that has just lost the run lets go of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The workflow; its key is that of a life.
pub(super) struct FlowRun {
    pub(super) engine: Engine,
    pub(super) objects: Objects,
}

#[restate_sdk::workflow(name = "FlowRun", client_visibility = "pub(super)")]
impl FlowRun {
    /// Drives the run until it ends or is to be given back; gives its status.
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>, Json(life): Json<Life>) -> HandlerResult<String> {
        let names = Names::default();
        let mut ground = Distant::new(&ctx, &names, self.objects.clone(), life.clone());
        let lived = live(&self.engine, &mut ground, &ctx, &life).await;
        match (lived, ground.ended) {
            (Ok(status), _) => Ok(status),
            // Cancelled from outside: the run stays as it is, for whoever resumes it.
            (Err(_), Some(ended)) => Err(ended.into()),
            (Err(error), None) => {
                tracing::warn!(run = life.run, "{error}; Restate tries again");
                Err(error.into())
            }
        }
    }

    /// Hands the workflow a message.
    #[expect(clippy::unused_async, reason = "handlers are")]
    #[handler]
    async fn tell(
        &self,
        ctx: SharedWorkflowContext<'_>,
        Json((number, message)): Json<(u64, Message)>,
    ) -> HandlerResult<()> {
        ctx.resolve_promise(&promise(number), Json(message));
        Ok(())
    }
}

/// Nobody looks on: whoever wants to reads the journal.
struct Quiet;

impl Observer for Quiet {
    fn event(&mut self, _plan: &Plan, _state: &RunState, _event: &Event) {}

    fn notice(&mut self, _notice: &Notice) {}
}

async fn live(
    engine: &Engine,
    ground: &mut Distant<'_>,
    ctx: &WorkflowContext<'_>,
    life: &Life,
) -> Result<String, Error> {
    let clock = engine.clock;
    let began = ground
        .step("look at the clock", move || Ok(clock()))
        .await?;
    let mut driver = taken(engine, life).await?;
    driver.clock = Some(in_millis(began));
    // The secrets of nodes are with the workers that run them.
    driver.missing_secrets = None;
    let quiet = &mut Quiet;
    let left = driver.state.running().next().is_some() || driver.state.publishing().is_some();
    if left || driver.state.status() == Status::Failed {
        let by = life.by.clone();
        driver.emit(RunResumed { by }, true, quiet)?;
    }
    let mut leaving = false;
    let mut stopping = false;
    let mut told = 0;
    while !(driver.state.status().ended() && driver.state.sealed()) {
        driver.state.set_durable(&driver.plan, u64::MAX);
        let durable = driver.journal.durable();
        if driver.values.get_mut().shrink(durable) {
            driver.journal.request_sync()?;
        }
        let slots = if leaving {
            0
        } else {
            life.jobs.max(1).saturating_sub(driver.in_flight.len())
        };
        let next = driver.state.next(&driver.plan, driver.now(), slots);
        let mut acted = false;
        for action in next.actions {
            if driver.state.is_due(&driver.plan, &action) {
                acted = true;
                driver.carry_out(ground, action, quiet).await?;
            }
        }
        if acted {
            continue;
        }
        if driver.state.cancelling().is_some() && !driver.in_flight.is_empty() && !stopping {
            stopping = true;
            ground.objects.stop(&life.key()).await.map_err(away)?;
        }
        if driver.state.status() == Status::Paused && told != driver.state.last_seq() {
            told = driver.state.last_seq();
            Told::of(&driver).tell(ground).await?;
        }
        if leaving && driver.in_flight.is_empty() {
            break;
        }
        driver.journal.flush()?;
        if let Some(at) = next.wake_at {
            ground.wake(driver.now(), at);
        }
        let input = ground.next().await?;
        leaving |= take(&mut driver, ground, input).await?;
    }
    close(driver, ground, ctx, life).await
}

/// Takes the run up where it was given away, and goes through it again from there.
async fn taken(engine: &Engine, life: &Life) -> Result<Driver, Error> {
    let dir = dir_of(engine, life)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let (engine, dir, life) = (engine.clone(), dir.clone(), life.clone());
        let taken = tokio::task::spawn_blocking(move || {
            engine.retrace(&dir, (life.after, &life.head), "worker")
        });
        match taken.await.map_err(away)? {
            Err(Error::Store(store::Error::Locked { .. })) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            taken => return taken,
        }
    }
}

fn dir_of(engine: &Engine, life: &Life) -> Result<RunDir, Error> {
    let run = RunId::parse(&life.run).map_err(away)?;
    Ok(engine.layout.run(&run))
}

/// Takes what came in; says whether the run is to be given back.
async fn take(driver: &mut Driver, ground: &mut Distant<'_>, input: Input) -> Result<bool, Error> {
    let quiet = &mut Quiet;
    match input {
        Input::Time(at) => later(driver, at),
        Input::Done {
            id,
            attempt,
            result,
        } => match result {
            Ok(done) => {
                later(driver, done.at);
                let blobs = Arc::clone(&driver.blobs);
                let mut report = accept(id, attempt, *done, &ground.objects, &blobs).await?;
                if driver.state.node(&driver.plan, id).worker_pool.is_some() {
                    // Its worker has looked at a workspace of its own.
                    let workspace = driver.engine.layout.workspace().to_owned();
                    based(ground, &mut report, workspace).await?;
                }
                driver.report(report, quiet)?;
            }
            Err(ended) => {
                let failure = Failure::new(format!(
                    "Restate has ended the call of it: {}",
                    ended.message()
                ))
                .help("somebody cancelled or killed it there; resume the run");
                let report = Report {
                    id,
                    attempt,
                    result: Err(failure),
                    stopped: false,
                };
                driver.report(report, quiet)?;
            }
        },
        Input::Message(message) => {
            later(driver, message.at);
            match message.body {
                Body::GiveBack => return Ok(true),
                Body::Request(request) => answer(driver, ground, request).await?,
            }
        }
    }
    Ok(false)
}

/// Gives files the bases that they have in the workspace.
async fn based(
    ground: &mut Distant<'_>,
    report: &mut Report,
    workspace: PathBuf,
) -> Result<(), Error> {
    let Ok(success) = &mut report.result else {
        return Ok(());
    };
    if success.files.is_empty() {
        return Ok(());
    }
    let files = success.files.to_vec();
    let looked = ground.step("look at the workspace", move || {
        Ok(with_bases(files, &workspace))
    });
    match looked.await? {
        Ok(files) => success.files = files.into(),
        Err(message) => report.result = Err(Failure::new(message)),
    }
    Ok(())
}

fn later(driver: &mut Driver, at: jiff::Timestamp) {
    let at = in_millis(at);
    driver.clock = driver.clock.max(Some(at));
}

/// Judges what was asked, once: who may answer is read from a file that may change.
async fn answer(
    driver: &mut Driver,
    ground: &mut Distant<'_>,
    request: Request,
) -> Result<(), Error> {
    if driver.state.knows_decision(request.id()) {
        return Ok(());
    }
    let plan = Arc::clone(&driver.plan);
    let (state, now) = (driver.state.clone(), driver.now());
    let (run, redactor) = (driver.dir.id.clone(), driver.redactor.clone());
    let people = {
        let (engine, started, told) = (
            driver.engine.clone(),
            driver.started.clone(),
            driver.told.clone(),
        );
        move || engine.people(&started, &told)
    };
    let step = ground.step("judge what was asked", move || {
        let by = Judge {
            plan: &plan,
            state: &state,
            run: &run,
            redactor: &redactor,
            people: &people(),
        };
        let judged = judge(&by, &request, now);
        let written = judged.into_iter().map(|payload| {
            let data = serde_json::value::to_raw_value(&payload).map_err(away)?;
            Ok((payload.word().to_owned(), data))
        });
        written.collect::<Result<Vec<(String, Box<RawValue>)>, Error>>()
    });
    for (word, data) in step.await? {
        let payload = Payload::parse(&word, &data).map_err(away)?;
        let payload =
            payload.ok_or_else(|| away(format!("another version of flowctl wrote `{word}`")))?;
        driver.emit(payload, true, &mut Quiet)?;
    }
    Ok(())
}

/// The end of a life: what came too late is answered, and the run is given back.
async fn close(
    mut driver: Driver,
    ground: &mut Distant<'_>,
    ctx: &WorkflowContext<'_>,
    life: &Life,
) -> Result<String, Error> {
    driver.journal.sync().await?;
    let target = RequestTarget::object(INBOX, life.name.clone(), "over");
    let told = ctx.request::<_, u64>(target, life.number).call().await;
    let told = told.map_err(|error| ground.ended(error))?;
    let before = driver.state.last_seq();
    while ground.taken < told {
        let input = ground.next().await?;
        take(&mut driver, ground, input).await?;
    }
    if driver.state.last_seq() != before {
        driver.journal.sync().await?;
        if driver.state.sealed() {
            driver.written(ground, None).await?;
        }
    }
    let status = driver.state.status().word().to_owned();
    let (told, dir) = (Told::of(&driver), driver.dir.clone());
    // Whoever reads that it is given back finds nobody at it.
    drop(driver);
    let number = life.number;
    let step = ground.step("give the run back", move || {
        if let Some(note) = Away::has(&dir)?.filter(|note| note.life.number == number) {
            Away {
                open: false,
                ..note
            }
            .note(&dir)?;
        }
        Ok(())
    });
    step.await?;
    told.tell(ground).await?;
    Ok(status)
}

/// What telling of a run needs.
struct Told {
    engine: Engine,
    dir: RunDir,
    /// Whether the flow says that anybody is to be told.
    anybody: bool,
}

impl Told {
    fn of(driver: &Driver) -> Self {
        Self {
            engine: driver.engine.clone(),
            dir: driver.dir.clone(),
            anybody: !driver.plan.root().notify.is_empty(),
        }
    }

    /// Tells whom the flow says that the run stands where it stands.
    async fn tell(self, ground: &mut Distant<'_>) -> Result<(), Error> {
        let Self {
            engine,
            dir,
            anybody,
        } = self;
        if !anybody {
            return Ok(());
        }
        let run = dir.id.clone();
        let step = ground.step("tell of it", move || {
            let run = engine.read_run(&dir)?;
            let (_never, stop) = watch::channel(false);
            let told = tell(&engine, &run, None, stop);
            tokio::runtime::Handle::current().block_on(told)
        });
        for failure in step.await? {
            tracing::warn!(run = run.as_str(), "{failure}");
        }
        Ok(())
    }
}
