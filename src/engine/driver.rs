//! [`Driver`]: owns a run. Asks the state what is to be done, does it, journals what happened.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::attempt::Report;
use super::compiled::Compiled;
use super::environment::Engine;
use super::error::Error;
use super::inbox::{Request, Verdict, judge};
use super::observer::{Notice, Observer};
use super::scope::Values;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::expr::{Binding, Head, Use};
use crate::id::RunId;
use crate::plan::{Plan, PlanNode, Step};
use crate::run::{Event, InstanceId, NodeState, Payload, RunResumed, RunStarted, RunState, Status};
use crate::store::{self, Blobs, Holder, Inbox, Journal, RunDir, RunLock};
use crate::value::{Object, Value};

/// How often the inbox is looked at; there is no portable way to be told.
const INBOX_POLL: Duration = Duration::from_millis(200);
/// Sleeps no longer than this, so that a clock that jumps is noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What a driver may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts at the same time.
    pub concurrency: usize,
}

/// How a driver's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The run succeeded.
    Succeeded,
    /// A node or publishing failed.
    Failed,
    /// Gates wait for humans.
    Paused,
    /// A human said no.
    Rejected,
    /// The run was cancelled.
    Cancelled,
    /// The driver was told to stop; the run can be resumed.
    Interrupted,
}

/// The driver of one run, which it has locked.
pub struct Driver {
    pub(super) engine: Engine,
    pub(super) dir: RunDir,
    pub(super) compiled: Compiled,
    pub(super) plan: Arc<Plan>,
    pub(super) state: RunState,
    pub(super) started: RunStarted,
    pub(super) journal: Journal,
    pub(super) blobs: Arc<Blobs>,
    pub(super) values: RefCell<Values>,
    pub(super) inbox: Inbox,
    pub(super) reports: (
        mpsc::UnboundedSender<Report>,
        mpsc::UnboundedReceiver<Report>,
    ),
    pub(super) cancel: (watch::Sender<bool>, watch::Receiver<bool>),
    /// Attempts that were begun and have not reported.
    pub(super) in_flight: BTreeSet<InstanceId>,
    pub(super) torn: u64,
    _lock: RunLock,
}

impl Engine {
    fn holder(&self, command: &str) -> Holder {
        Holder {
            pid: std::process::id(),
            host: self.who.host.clone(),
            since: self.now().to_string(),
            command: command.to_owned(),
        }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// Wrong inputs; an id that is taken; I/O.
    pub fn start(
        &self,
        compiled: Compiled,
        given: &Object,
        id: Option<RunId>,
    ) -> Result<Driver, Error> {
        let inputs = resolve_inputs(&compiled.plan, given).map_err(Error::Invalid)?;
        let env = self.record_env(&compiled.plan).map_err(Error::Invalid)?;
        let dir = self.layout.run(&id.unwrap_or_else(|| self.new_id()));
        let lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &self.holder("run"))?;
        if dir.journal().exists() {
            return Err(store::Error::Exists(dir.id.to_string()).into());
        }
        let blobs = Arc::new(Blobs::new(dir.files()));
        let started = RunStarted {
            flow: compiled.plan.root().name.clone(),
            path: compiled.snapshot.root.clone(),
            snapshot: compiled.snapshot.save(&dir)?,
            inputs,
            env,
            by: self.who.user.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let payload = Payload::from(started.clone());
        let data = raw(&payload)?;
        let ts = self.now();
        let journal = Journal::create(
            &dir.journal(),
            dir.id.as_str(),
            payload.word(),
            ts,
            &data,
            &blobs,
        )?;
        let mut state = RunState::new(&compiled.plan);
        state.apply(
            &compiled.plan,
            &Event {
                seq: 1,
                ts,
                round: 1,
                payload,
            },
        )?;
        Ok(Driver::new(
            self, dir, compiled, state, started, journal, blobs, lock,
        ))
    }

    /// Takes up a run that is there already.
    ///
    /// # Errors
    /// Another driver; a damaged run; I/O.
    pub fn take_up(&self, dir: &RunDir, command: &str) -> Result<Driver, Error> {
        let lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &self.holder(command))?;
        let blobs = Arc::new(Blobs::new(dir.files()));
        let (journal, recovered) = Journal::open(&dir.journal(), &blobs)?;
        let open = self.replay(dir, &recovered)?;
        let mut driver = Driver::new(
            self,
            dir.clone(),
            open.compiled,
            open.state,
            open.started,
            journal,
            blobs,
            lock,
        );
        driver.torn = open.torn;
        Ok(driver)
    }

    fn new_id(&self) -> RunId {
        let random = uuid::Uuid::now_v7().simple().to_string();
        let time = self.now().strftime("%Y%m%d-%H%M%S").to_string();
        RunId::from(format!("{time}-{}", &random[26..]))
    }

    fn record_env(&self, plan: &Plan) -> Result<Object, Diagnostics> {
        let mut env = Object::new();
        let mut problems = Diagnostics::default();
        for scope in plan.scopes() {
            let mut look = |names: Vec<String>, span| {
                for name in names {
                    if env.contains_key(&name) {
                        continue;
                    }
                    match (self.variable)(&name) {
                        Some(value) => {
                            env.insert(name, Value::String(value));
                        }
                        None => problems.push(
                            Diagnostic::error(
                                Code::NotAvailable,
                                format!("the environment variable `{name}` is not set"),
                                &scope.source,
                                span,
                            )
                            .help(format!("set it: `export {name}=…`")),
                        ),
                    }
                }
            };
            for (binding, span) in scope.nodes.iter().flat_map(bindings).chain(
                scope
                    .outputs
                    .iter()
                    .map(|(_, output)| (output, crate::diagnostic::Span::default())),
            ) {
                let place = binding.uses().iter().find(|used| matches!(used, Use::Reference(reference) if matches!(reference.head, Head::Env(_)))).map_or(span, Use::span);
                look(binding.env_names(), place);
            }
            for node in &scope.nodes {
                if let Some(when) = &node.when {
                    look(when.env_names().map(str::to_owned).collect(), when.span());
                }
            }
        }
        if problems.has_errors() {
            Err(problems)
        } else {
            Ok(env)
        }
    }
}

/// Every binding of a node, with the node's place.
fn bindings(node: &PlanNode) -> impl Iterator<Item = (&Binding, crate::diagnostic::Span)> {
    let process: Vec<&Binding> = match &node.step {
        Step::Process(process) => process
            .command
            .iter()
            .chain(&process.cwd)
            .chain(process.env.values())
            .collect(),
        _ => Vec::new(),
    };
    node.inputs
        .iter()
        .map(|wire| &wire.binding)
        .chain(process)
        .chain(&node.foreach)
        .chain(node.activate.as_ref().map(|activate| &activate.when))
        .map(|binding| (binding, node.span))
}

/// Given inputs and defaults, checked against their declarations.
fn resolve_inputs(plan: &Plan, given: &Object) -> Result<Object, Diagnostics> {
    let scope = plan.root();
    let mut problems = Diagnostics::default();
    let mut inputs = Object::new();
    for (name, input) in &scope.inputs {
        let value = match given.get(name) {
            Some(value) => value.clone(),
            None => {
                if let Some(default) = &input.default {
                    default.clone()
                } else {
                    let what = if input.description.is_empty() {
                        input.expects()
                    } else {
                        input.description.clone()
                    };
                    problems.push(
                        Diagnostic::error(
                            Code::MissingInput,
                            format!("the input `{name}` is missing"),
                            &scope.source,
                            input.key_span,
                        )
                        .label(what.trim_end_matches('.').to_owned())
                        .help(format!("give it with `-i {name}=…` ({})", input.expects())),
                    );
                    continue;
                }
            }
        };
        for violation in input.compiled.check(&value) {
            problems.push(
                Diagnostic::error(
                    Code::BadInput,
                    format!("`{name}` cannot be {}", short(&value)),
                    &scope.source,
                    input.key_span,
                )
                .label(violation.to_string())
                .help(format!("give {}", input.expects())),
            );
        }
        inputs.insert(name.clone(), value);
    }
    for name in given
        .keys()
        .filter(|name| !scope.inputs.contains_key(*name))
    {
        // The declarations are where the user looks next.
        let place = scope
            .inputs
            .values()
            .next()
            .map_or_else(crate::diagnostic::Span::default, |input| input.key_span);
        let names = || scope.inputs.keys().map(String::as_str);
        let mut diagnostic = Diagnostic::error(
            Code::UndeclaredInput,
            format!("the flow has no input `{name}`"),
            &scope.source,
            place,
        )
        .did_you_mean(name, names());
        if diagnostic.help.is_empty() {
            diagnostic =
                diagnostic.help(format!("it takes {}", crate::diagnostic::or_list(names())));
        }
        problems.push(diagnostic);
    }
    if problems.has_errors() {
        Err(problems)
    } else {
        Ok(inputs)
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("`{}…`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

pub(super) fn raw(payload: &Payload) -> Result<Box<serde_json::value::RawValue>, Error> {
    payload.to_raw().map_err(|error| Error::Record {
        seq: 0,
        event: payload.word().to_owned(),
        message: error.to_string(),
    })
}

impl Driver {
    #[expect(
        clippy::too_many_arguments,
        reason = "the two ways to get a driver name every part"
    )]
    fn new(
        engine: &Engine,
        dir: RunDir,
        compiled: Compiled,
        mut state: RunState,
        started: RunStarted,
        journal: Journal,
        blobs: Arc<Blobs>,
        lock: RunLock,
    ) -> Self {
        let plan = Arc::clone(&compiled.plan);
        state.set_durable(&plan, journal.durable());
        Self {
            engine: engine.clone(),
            inbox: Inbox::new(dir.inbox()),
            dir,
            plan,
            compiled,
            state,
            started,
            journal,
            blobs,
            values: RefCell::default(),
            reports: mpsc::unbounded_channel(),
            cancel: watch::channel(false),
            in_flight: BTreeSet::new(),
            torn: 0,
            _lock: lock,
        }
    }

    /// The run's folder.
    #[must_use]
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Where the run is.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// What it runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Journals something that happened and folds it in.
    pub(super) fn emit(
        &mut self,
        payload: impl Into<Payload>,
        sync: bool,
        observer: &mut dyn Observer,
    ) -> Result<u64, Error> {
        let payload = payload.into();
        let ts = self.engine.now();
        let data = raw(&payload)?;
        let round = self.state.round();
        let seq = self
            .journal
            .append(payload.word(), ts, round, &data, sync)?;
        let event = Event {
            seq,
            ts,
            round,
            payload,
        };
        self.state.apply(&self.plan, &event)?;
        observer.event(&self.plan, &self.state, &event);
        Ok(seq)
    }

    /// Drives the run until it ends, pauses, or `stop` turns true.
    ///
    /// # Errors
    /// Failures of the engine itself; the run can be resumed after them.
    pub async fn drive(
        &mut self,
        limits: Limits,
        mut stop: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> Result<Ended, Error> {
        if self.torn > 0 {
            observer.notice(&Notice::TornJournal { bytes: self.torn });
            self.torn = 0;
        }
        self.fold_inbox(observer).await?;
        self.take_up_again(observer)?;
        let mut looked = Instant::now();
        loop {
            if *stop.borrow() && !self.state.status().ended() {
                return self.interrupted(observer).await;
            }
            while let Ok(report) = self.reports.1.try_recv() {
                self.report(report, observer)?;
            }
            // By the clock and not by the sleep below: a busy run never sleeps that long.
            if looked.elapsed() >= INBOX_POLL {
                self.fold_inbox(observer).await?;
                looked = Instant::now();
            }
            let durable = self.journal.durable();
            self.state.set_durable(&self.plan, durable);
            if self.values.borrow_mut().shrink(self.journal.durable()) {
                self.journal.request_sync()?;
            }
            let slots = limits
                .concurrency
                .max(1)
                .saturating_sub(self.in_flight.len());
            let next = self.state.next(&self.plan, self.engine.now(), slots);
            let mut acted = false;
            for action in next.actions {
                if self.state.is_due(&self.plan, &action) {
                    acted = true;
                    self.carry_out(action, observer).await?;
                }
            }
            if acted {
                continue;
            }
            if self.state.cancelling().is_some() && !self.in_flight.is_empty() {
                self.cancel.0.send_replace(true);
            }
            if let Some(ended) = self.ended() {
                self.journal.sync().await?;
                return Ok(ended);
            }
            if self.in_flight.is_empty() && next.wake_at.is_none() {
                // Only the disk can be waited for now. A state that asks for nothing after that
                // would wait for ever, which is worse than saying so.
                // What the state was told above, not what may have reached the disk since.
                if durable == self.journal.last_seq() {
                    return Err(Error::Stuck);
                }
                self.journal.sync().await?;
                continue;
            }
            let sleep = next
                .wake_at
                .map_or(INBOX_POLL, |at| until(self.engine.now(), at))
                .min(INBOX_POLL);
            tokio::select! {
                biased;
                Some(report) = self.reports.1.recv() => self.report(report, observer)?,
                () = self.journal.advanced() => {
                    // A failed writer advances nothing: say so instead of spinning.
                    self.journal.check()?;
                }
                _ = stop.changed() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Whether nothing is left to do for a driver.
    fn ended(&self) -> Option<Ended> {
        match self.state.status() {
            Status::Succeeded if self.state.sealed() => Some(Ended::Succeeded),
            Status::Failed if self.state.sealed() => Some(Ended::Failed),
            Status::Rejected if self.state.sealed() => Some(Ended::Rejected),
            Status::Cancelled if self.state.sealed() => Some(Ended::Cancelled),
            // A deadline is judged when a decision is folded; nobody needs to sit and wait for it.
            Status::Paused if self.in_flight.is_empty() => Some(Ended::Paused),
            _ => None,
        }
    }

    /// Says that a run goes on which a driver left in the middle, or which had failed.
    fn take_up_again(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let left = self.state.running().next().is_some() || self.state.publishing().is_some();
        if left {
            crate::tool::end_left_behind(&self.dir.path);
        }
        // Also one that a crash kept from being sealed: its end will be sealed with the next.
        if left || self.state.status() == Status::Failed {
            self.emit(
                RunResumed {
                    by: self.engine.who.user.clone(),
                },
                true,
                observer,
            )?;
        }
        Ok(())
    }

    /// Stops running attempts and leaves the run as it is: their starts have no end, so that
    /// `resume` makes them again.
    async fn interrupted(&mut self, observer: &mut dyn Observer) -> Result<Ended, Error> {
        if !self.in_flight.is_empty() {
            observer.notice(&Notice::Stopping {
                running: self.in_flight.len(),
            });
        }
        self.cancel.0.send_replace(true);
        let deadline = tokio::time::sleep(Duration::from_secs(12));
        tokio::pin!(deadline);
        while !self.in_flight.is_empty() {
            tokio::select! {
                Some(report) = self.reports.1.recv() => {
                    if report.stopped || report.result.is_err() {
                        self.in_flight.remove(&report.id);
                    } else {
                        // What has succeeded is kept, stopping or not.
                        self.report(report, observer)?;
                    }
                }
                // A pure tool cannot be stopped; what it computes is computed again.
                () = &mut deadline => break,
            }
        }
        self.journal.sync().await?;
        Ok(Ended::Interrupted)
    }

    /// Judges and journals everything in the inbox; only then is it removed.
    ///
    /// # Errors
    /// I/O.
    pub async fn fold_inbox(
        &mut self,
        observer: &mut dyn Observer,
    ) -> Result<Vec<(String, Verdict)>, Error> {
        let mut verdicts = Vec::new();
        let requests = self.inbox.list::<Request>()?;
        if requests.is_empty() {
            return Ok(verdicts);
        }
        for (file, request) in requests {
            let request = match request {
                Ok(request) => request,
                Err(message) => {
                    let path = self.inbox.set_aside(&file)?.display().to_string();
                    observer.notice(&Notice::UnreadableRequest { path, message });
                    continue;
                }
            };
            if !self.state.knows_decision(request.id()) {
                let mut verdict = Verdict::Accepted;
                let events = judge(&self.plan, &self.state, &request, self.engine.now());
                if events.is_empty() {
                    let why = if self.state.status().ended() {
                        self.state.status().word()
                    } else {
                        "being cancelled already"
                    };
                    verdict = Verdict::Refused(format!("the run is {why}"));
                }
                for payload in events {
                    if let Payload::DecisionRefused(refused) = &payload {
                        verdict = Verdict::Refused(refused.reason.clone());
                    }
                    self.emit(payload, true, observer)?;
                }
                verdicts.push((request.id().to_owned(), verdict));
            }
            // Only what is on disk is acknowledged.
            self.journal.sync().await?;
            self.inbox.remove(&file)?;
        }
        self.state.set_durable(&self.plan, self.journal.durable());
        Ok(verdicts)
    }

    /// Whether a running instance's report is still wanted.
    pub(super) fn expects(&self, id: InstanceId, attempt: u32) -> bool {
        let instance = self.state.instance(id);
        instance.state == NodeState::Running && instance.attempt == attempt
    }
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now))
        .unwrap_or(Duration::ZERO)
        .min(LONGEST_SLEEP)
}
