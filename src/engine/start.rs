//! Beginning a run, and taking one up that is there: both give its [`Driver`].

use std::sync::Arc;

use super::away::Away;
use super::compiled::Compiled;
use super::driver::Driver;
use super::environment::Engine;
use super::error::Error;
use super::open::{Replay, Replayed, Told};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::expr::{Head, Use};
use crate::id::RunId;
use crate::plan::Plan;
use crate::run::{Event, Payload, RunStarted, RunState};
use crate::store::{self, Blobs, Holder, Journal, RunDir, RunLock};
use crate::value::{Object, Value};

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
        if let Some(missing) = self.missing_secrets(&compiled.plan) {
            return Err(Error::Secrets(missing));
        }
        let approvers = self.pin(&compiled.plan)?;
        let dir = self.layout.run(&id.unwrap_or_else(|| self.new_id()));
        let exists = || store::Error::Exists(dir.id.to_string());
        // Whoever drives it now, it is there.
        if dir.journal().exists() {
            return Err(exists().into());
        }
        let lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &self.holder("run"))?;
        if dir.journal().exists() {
            return Err(exists().into());
        }
        super::notify::prepare(&dir, &compiled.plan.root().notify)?;
        let blobs = Arc::new(Blobs::new(dir.files()));
        let started = RunStarted {
            flow: compiled.plan.root().name.clone(),
            path: compiled.snapshot.root.clone(),
            snapshot: compiled.snapshot.save(&dir)?,
            inputs,
            env,
            by: self.who.user.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            approvers,
        };
        let payload = Payload::from(started.clone());
        let ts = self.now();
        let journal = Journal::create(
            &dir.journal(),
            dir.id.as_str(),
            payload.word(),
            ts,
            &payload,
            &blobs,
        )?;
        let mut state = RunState::new(&compiled.plan);
        let event = Event {
            seq: 1,
            ts,
            round: 1,
            payload,
        };
        state.apply(&compiled.plan, &event)?;
        let mut told = Told::default();
        told.add(&event);
        let replayed = Replayed {
            compiled,
            state,
            started,
            told,
        };
        Ok(Driver::new(self, dir, replayed, journal, blobs, lock))
    }

    /// Takes up a run that is there already.
    ///
    /// # Errors
    /// Another driver; a damaged run; I/O.
    pub fn take_up(&self, dir: &RunDir, command: &str) -> Result<Driver, Error> {
        if let Some(note) = Away::has(dir)? {
            return Err(store::Error::Locked {
                run: dir.id.to_string(),
                holder: format!("Restate at {}", note.ingress),
            }
            .into());
        }
        let lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &self.holder(command))?;
        let blobs = Arc::new(Blobs::new(dir.files()));
        let mut replay = Replay::new(self, dir, u64::MAX);
        let (journal, torn) = Journal::open(&dir.journal(), &blobs, |record| replay.add(record))?;
        let replayed = replay.end(journal.last_seq())?;
        let mut driver = Driver::new(self, dir.clone(), replayed, journal, blobs, lock);
        driver.torn = torn;
        Ok(driver)
    }

    /// Takes a run up again after a record of its journal, to come to all that is behind it once more.
    ///
    /// # Errors
    /// As [`Engine::take_up`]; a journal without that record.
    #[cfg(feature = "restate")]
    pub(super) fn retrace(
        &self,
        dir: &RunDir,
        (after, head): (u64, &str),
        command: &str,
    ) -> Result<Driver, Error> {
        let lock = RunLock::acquire(&dir.lock(), dir.id.as_str(), &self.holder(command))?;
        let blobs = Arc::new(Blobs::new(dir.files()));
        let mut replay = Replay::new(self, dir, after);
        let journal = Journal::retrace(&dir.journal(), &blobs, (after, head), |record| {
            replay.add(record)
        })?;
        let replayed = replay.end(after)?;
        Ok(Driver::new(
            self,
            dir.clone(),
            replayed,
            journal,
            blobs,
            lock,
        ))
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
                    if let Some(secret) = name.strip_prefix(super::secrets::PREFIX) {
                        problems.push(
                            Diagnostic::error(
                                Code::NotAvailable,
                                format!("the environment variable `{name}` holds a secret, and what `env` reads is written down"),
                                &scope.source,
                                span,
                            )
                            .help(format!("write `${{secrets.{secret}}}` in the node that needs it")),
                        );
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
            let of_nodes = scope.nodes.iter().flat_map(|node| {
                let conditions = node
                    .foreach
                    .iter()
                    .chain(node.activate.as_ref().map(|activate| &activate.when));
                node.bindings()
                    .into_iter()
                    .chain(conditions)
                    .map(|binding| (binding, node.span))
            });
            let of_outputs = scope
                .outputs
                .iter()
                .map(|(_, output)| (output, Span::default()));
            let of_notify = scope
                .notify
                .iter()
                .filter(|_| std::ptr::eq(scope, plan.root()))
                .flat_map(|told| {
                    told.bindings()
                        .into_iter()
                        .map(|binding| (binding, told.span))
                });
            for (binding, span) in of_nodes.chain(of_outputs).chain(of_notify) {
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
        if let Some(kind) = input.kind {
            match kind.coerce(&value) {
                Ok(value) => {
                    inputs.insert(name.clone(), value);
                }
                Err(reason) => problems.push(
                    Diagnostic::error(
                        Code::BadInput,
                        format!("`{name}` cannot be {}", short(&value)),
                        &scope.source,
                        input.key_span,
                    )
                    .label(reason)
                    .help(format!("give {}", kind.expects())),
                ),
            }
            continue;
        }
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
            .map_or_else(Span::default, |input| input.key_span);
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
