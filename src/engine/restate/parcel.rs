//! What is sent along with an attempt, and how it is put together again on the other side.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::attempt::{Report, Success};
use super::super::bench::{Seat, Sight, inputs};
use super::super::driver::Driver;
use super::super::environment::Engine;
use super::super::error::Error;
use super::super::ground::Start;
use super::super::secrets::secret_variable;
use super::message::{Assignment, Done, Failed, Gave, Sent};
use super::objects::{Objects, aside};
use crate::expr::{Binding, EvalError, Head, Scope, Secrets};
use crate::id::NodeName;
use crate::plan::Step;
use crate::port::{Effect, Failure, FailureKind};
use crate::run::{External, InstanceId, StagedFile};
use crate::store::Blobs;
use crate::value::{Digest, Value};

/// Values of more bytes than this, as JSON, are sent by reference.
const LARGEST_HERE: usize = 64 * 1024;

impl Sent {
    /// Sends a value.
    async fn of(value: &Value, objects: &Objects) -> Result<Self, Error> {
        let raw = serde_json::value::to_raw_value(value).expect("JSON becomes JSON");
        if raw.get().len() <= LARGEST_HERE {
            return Ok(Self::Here(raw));
        }
        let kept = objects.put(raw.get().as_bytes().to_vec()).await;
        Ok(Self::Object(kept.map_err(away)?))
    }

    /// Takes a value.
    async fn open(self, objects: &Objects) -> Result<Value, Error> {
        let parsed = match self {
            Self::Here(raw) => serde_json::from_str(raw.get()),
            Self::Object(external) => {
                let bytes = objects.get(external.sha256).await.map_err(away)?;
                serde_json::from_slice(&bytes)
            }
        };
        parsed.map_err(|error| Error::Away(format!("what was sent cannot be read: {error}")))
    }
}

pub(super) fn away(error: impl std::fmt::Display) -> Error {
    Error::Away(error.to_string())
}

/// What the expressions of a node have read.
#[derive(Default)]
struct Read {
    heads: BTreeMap<String, Value>,
    inputs: Option<Value>,
    env: Option<Value>,
    given: BTreeSet<NodeName>,
}

/// Notes what the expressions of a node read while they are evaluated.
struct Noting<'a> {
    sight: &'a dyn Sight,
    read: RefCell<Read>,
}

impl Scope for Noting<'_> {
    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
        let value = self.sight.head(head)?;
        // Whoever makes the attempt has the secrets, and they are sent to nobody.
        if !matches!(head, Head::Secret(_)) {
            let mut read = self.read.borrow_mut();
            let note = read.heads.entry(head.to_string());
            note.or_insert_with(|| value.clone().into_owned());
        }
        Ok(value)
    }

    fn inputs(&self) -> Value {
        let inputs = self.sight.inputs();
        self.read.borrow_mut().inputs = Some(inputs.clone());
        inputs
    }

    fn env(&self) -> Value {
        let env = self.sight.env();
        self.read.borrow_mut().env = Some(env.clone());
        env
    }
}

impl Sight for Noting<'_> {
    fn has_output(&self, name: &NodeName) -> bool {
        let has = self.sight.has_output(name);
        if has {
            self.read.borrow_mut().given.insert(name.clone());
        }
        has
    }
}

/// An attempt, packed.
pub(super) struct Parcel {
    assignment: Assignment,
    read: Read,
}

impl Driver {
    /// Packs what a worker needs to make an attempt. What cannot be evaluated fails here already.
    pub(super) fn parcel(&self, start: Start, life: String) -> Result<Parcel, Failure> {
        let Start { id, attempt, key } = start;
        let node = self.state.node(&self.plan, id);
        let scope = self.state.scope_of(id);
        let seat = self.seat(id);
        let sight = seat.sight(Secrets::Name);
        let noting = Noting {
            sight: &*sight,
            read: RefCell::default(),
        };
        let dialect = self.plan.scope(scope).dialect;
        inputs(node, dialect, &noting, Secrets::Name, &|_| false)?;
        if let Step::Process(process) = &node.step {
            let read = |binding: &Binding, what: &str| {
                let read = binding.eval(&noting).map(|_| ());
                read.map_err(|error| Failure::new(format!("its {what}: {error}")))
            };
            for word in &process.command {
                read(word, "command")?;
            }
            if let Some(cwd) = &process.cwd {
                read(cwd, "`cwd`")?;
            }
            for (_, value) in &process.env {
                read(value, "`env`")?;
            }
        }
        let wants_files = match &node.step {
            Step::Tool(tool) => tool.effect == Effect::Effectful,
            _ => self.state.has_files(),
        };
        let staged = if wants_files {
            self.manifest_before(id)?
        } else {
            Vec::new()
        };
        Ok(Parcel {
            assignment: Assignment {
                run: self.dir.id.to_string(),
                life,
                path: self.state.instance(id).path.clone(),
                scope: scope.0,
                node: self.state.instance(id).node.0,
                snapshot: self.compiled.digest,
                attempt,
                key,
                heads: BTreeMap::new(),
                inputs: None,
                env: None,
                given: BTreeSet::new(),
                approval: seat.approval(),
                has_files: self.state.has_files(),
                staged,
                line: seat.line(),
                about: seat.about(),
                again: seat.again(),
                pool: node.worker_pool.clone(),
            },
            read: noting.read.into_inner(),
        })
    }
}

impl Parcel {
    /// Puts what is large where the worker will find it.
    pub(super) async fn send(self, objects: &Objects) -> Result<Assignment, Error> {
        let Self {
            mut assignment,
            read,
        } = self;
        for (head, value) in &read.heads {
            let sent = Sent::of(value, objects).await?;
            assignment.heads.insert(head.clone(), sent);
        }
        if let Some(inputs) = &read.inputs {
            assignment.inputs = Some(Sent::of(inputs, objects).await?);
        }
        if let Some(env) = &read.env {
            assignment.env = Some(Sent::of(env, objects).await?);
        }
        assignment.given = read.given;
        Ok(assignment)
    }
}

/// A node away from the state of its run.
pub(super) struct Opened<'a> {
    pub(super) engine: &'a Engine,
    pub(super) assignment: &'a Assignment,
    heads: BTreeMap<String, Value>,
    inputs: Value,
    env: Value,
}

impl<'a> Opened<'a> {
    /// Opens what was sent.
    pub(super) async fn open(
        engine: &'a Engine,
        assignment: &'a Assignment,
        objects: &Objects,
    ) -> Result<Self, Error> {
        let mut heads = BTreeMap::new();
        for (head, sent) in &assignment.heads {
            heads.insert(head.clone(), sent.clone().open(objects).await?);
        }
        let whole = async |sent: &Option<Sent>| match sent {
            Some(sent) => sent.clone().open(objects).await,
            None => Ok(Value::Object(crate::value::Object::new())),
        };
        Ok(Self {
            engine,
            assignment,
            heads,
            inputs: whole(&assignment.inputs).await?,
            env: whole(&assignment.env).await?,
        })
    }
}

/// What the node's expressions see: what they saw when they were evaluated before they were sent.
struct Remembering<'a> {
    opened: &'a Opened<'a>,
    secrets: Secrets,
}

impl Scope for Remembering<'_> {
    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
        let missing = |message: String| EvalError::Missing {
            head: head.to_string(),
            message,
        };
        if let Head::Secret(name) = head {
            let value = match self.secrets {
                Secrets::Name => format!("${{{head}}}"),
                Secrets::Reveal => self.opened.engine.secret(name).ok_or_else(|| {
                    let variable = secret_variable(name);
                    missing(format!(
                        "set the environment variable `{variable}` of the worker"
                    ))
                })?,
            };
            return Ok(Cow::Owned(Value::String(value)));
        }
        let sent = self.opened.heads.get(&head.to_string());
        sent.map(Cow::Borrowed).ok_or_else(|| {
            missing("it was not sent along; this is a mistake in flowctl".to_owned())
        })
    }

    fn inputs(&self) -> Value {
        self.opened.inputs.clone()
    }

    fn env(&self) -> Value {
        self.opened.env.clone()
    }
}

impl Sight for Remembering<'_> {
    fn has_output(&self, name: &NodeName) -> bool {
        self.opened.assignment.given.contains(name)
    }
}

impl Seat for Opened<'_> {
    fn sight(&self, secrets: Secrets) -> Box<dyn Sight + '_> {
        Box::new(Remembering {
            opened: self,
            secrets,
        })
    }

    fn approval(&self) -> Option<Value> {
        self.assignment.approval.clone()
    }

    fn staged(&self) -> Result<Vec<StagedFile>, Failure> {
        Ok(self.assignment.staged.clone())
    }

    fn has_files(&self) -> bool {
        self.assignment.has_files
    }

    fn line(&self) -> u64 {
        self.assignment.line
    }

    fn about(&self) -> BTreeMap<String, Value> {
        self.assignment.about.clone()
    }

    fn again(&self) -> bool {
        self.assignment.again
    }
}

/// What an attempt came to, on its way back: the files that it names are in the object store.
pub(super) async fn give(
    report: Report,
    at: jiff::Timestamp,
    objects: &Objects,
    blobs: &Arc<Blobs>,
) -> Result<Done, Error> {
    let result = match report.result {
        Ok(success) => {
            let staged = success.files.iter().chain(success.evidence.iter());
            let kept: BTreeSet<_> = staged.map(|file| file.sha256).collect();
            for digest in kept {
                let bytes = read(digest, blobs).await?;
                objects.put(bytes).await.map_err(away)?;
            }
            let output = match success.external {
                Some(external) => {
                    let bytes = read(external.sha256, blobs).await?;
                    Sent::Object(objects.put(bytes).await.map_err(away)?)
                }
                None => Sent::Here(success.raw),
            };
            Ok(Gave {
                digest: success.digest,
                size: success.size,
                files: success.files,
                evidence: success.evidence,
                subject: success.subject,
                about: success.about,
                cached: success.cached,
                output,
            })
        }
        Err(failure) => Err(Failed {
            timeout: failure.kind == FailureKind::Timeout,
            message: failure.message,
            help: failure.help,
            findings: failure.findings.map(|found| *found),
        }),
    };
    Ok(Done {
        at,
        stopped: report.stopped,
        result,
    })
}

/// What an attempt somewhere else came to, as the driver knows it. What it names is with the run afterwards.
pub(super) async fn accept(
    id: InstanceId,
    attempt: u32,
    done: Done,
    objects: &Objects,
    blobs: &Arc<Blobs>,
) -> Result<Report, Error> {
    let result = match done.result {
        Ok(gave) => Ok(accepted(gave, objects, blobs).await?),
        Err(failed) => Err(Failure {
            kind: if failed.timeout {
                FailureKind::Timeout
            } else {
                FailureKind::Error
            },
            message: failed.message,
            help: failed.help,
            findings: failed.findings.map(Box::new),
        }),
    };
    Ok(Report {
        id,
        attempt,
        result,
        stopped: done.stopped,
    })
}

async fn accepted(gave: Gave, objects: &Objects, blobs: &Arc<Blobs>) -> Result<Success, Error> {
    let staged = gave.files.iter().chain(gave.evidence.iter());
    let named: BTreeSet<_> = staged.map(|file| file.sha256).collect();
    fetch(named, objects, blobs).await?;
    let (external, raw) = match gave.output {
        Sent::Here(raw) => (None, raw),
        Sent::Object(external) => {
            fetch(BTreeSet::from([external.sha256]), objects, blobs).await?;
            (Some(external), serde_json::value::RawValue::NULL.to_owned())
        }
    };
    let output = match external {
        Some(External { sha256, .. }) => serde_json::from_slice(&read(sha256, blobs).await?),
        None => serde_json::from_str(raw.get()),
    };
    let output = output
        .map_err(|error| Error::Away(format!("an output that was sent cannot be read: {error}")))?;
    Ok(Success {
        output: Arc::new(output),
        size: gave.size,
        external,
        raw,
        digest: gave.digest,
        files: gave.files,
        evidence: gave.evidence,
        subject: gave.subject,
        about: gave.about,
        cached: gave.cached,
    })
}

/// Has files of a run here that are in the object store.
pub(super) async fn fetch(
    named: BTreeSet<Digest>,
    objects: &Objects,
    blobs: &Arc<Blobs>,
) -> Result<(), Error> {
    for digest in named {
        let known = Arc::clone(blobs);
        let there = aside(move || Ok(known.check(digest).is_ok())).await?;
        if there {
            // So that it is synced before a record names it, whoever has written it.
            blobs.adopt(digest);
        } else {
            let bytes = objects.get(digest).await.map_err(away)?;
            let blobs = Arc::clone(blobs);
            aside(move || blobs.put(&bytes)).await?;
        }
    }
    Ok(())
}

async fn read(digest: Digest, blobs: &Arc<Blobs>) -> Result<Vec<u8>, Error> {
    let blobs = Arc::clone(blobs);
    Ok(aside(move || blobs.get(digest)).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_value_travels_itself_or_by_reference() {
        let dir = tempfile::tempdir().expect("a folder");
        let objects = Objects::folder(dir.path());
        let small = json!({ "few": [1, 2] });
        let sent = Sent::of(&small, &objects).await.expect("it is sent");
        assert!(matches!(sent, Sent::Here(_)));
        assert_eq!(sent.open(&objects).await.expect("it is opened"), small);
        // With its two quotes one byte more than what is sent itself.
        let large = Value::String("x".repeat(LARGEST_HERE - 1));
        let sent = Sent::of(&large, &objects).await.expect("it is sent");
        assert!(matches!(sent, Sent::Object(_)));
        assert_eq!(
            sent.clone().open(&objects).await.expect("it is opened"),
            large
        );
        let elsewhere = Objects::folder(&dir.path().join("elsewhere"));
        assert!(matches!(sent.open(&elsewhere).await, Err(Error::Away(_))));
    }
}
