//! `FlowNode`: makes one attempt of one node, with what was sent along and nothing else.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};

use super::super::attempt::{Attempt, Report, Work, at_once, redacted};
use super::super::bench::Bench;
use super::super::compiled::Compiled;
use super::super::environment::Engine;
use super::super::error::Error;
use super::message::{Assignment, Done};
use super::objects::Objects;
use super::parcel::{Opened, away, fetch, give};
use crate::id::RunId;
use crate::plan::{NodeId, ScopeId};
use crate::run::InstanceId;
use crate::store::{Blobs, Snapshot};
use crate::value::Digest;

/// Compiled flows that are kept in memory.
const FLOWS: usize = 16;

/// Compiled flows, oldest first.
pub(super) type Flows = Arc<Mutex<VecDeque<(Digest, Arc<Compiled>)>>>;

/// What makes attempts.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) engine: Engine,
    pub(super) objects: Objects,
    /// Attempts at the same time in this process.
    pub(super) slots: Arc<Semaphore>,
    pub(super) flows: Flows,
}

/// The service. Declared as a trait because only that gives a dispatcher that has a name, for [`named`].
#[expect(
    deprecated,
    reason = "the other form cannot be served under several names"
)]
mod service {
    use restate_sdk::context::RunFuture as _;
    use restate_sdk::prelude::*;

    use super::super::ground::for_ever;
    use super::{Assignment, Done, Hands};

    #[restate_sdk::service]
    #[name = "FlowNode"]
    pub(in super::super) trait FlowNode {
        async fn exec(assignment: Json<Assignment>) -> HandlerResult<Json<Done>>;
    }

    impl FlowNode for Hands {
        /// Makes an attempt. A failure of the node is an answer; whatever else goes wrong, Restate
        /// tries again, on this worker or another.
        async fn exec(
            &self,
            ctx: Context<'_>,
            Json(assignment): Json<Assignment>,
        ) -> HandlerResult<Json<Done>> {
            let hands = self.clone();
            // As a step, and not as the handler itself: a handler whose answer was kept while the server
            // died is gone through again, and must then come to the same answer without doing it again.
            let attempt = ctx.run(move || async move {
                let (run, node) = (assignment.run.clone(), assignment.path.clone());
                let done = Box::pin(hands.attempt(assignment)).await;
                let done = done.inspect_err(|error| {
                    tracing::warn!(run, node = node.as_str(), "{error}; Restate tries again");
                });
                Ok(Json(done?))
            });
            Ok(attempt.name("attempt").retry_policy(for_ever()).await?)
        }
    }

    /// The service under the name of a pool's.
    pub(in super::super) fn named(
        hands: Hands,
        name: &str,
    ) -> Result<ServiceDefinition, ConversionError> {
        let serve = hands.serve();
        let mut discovery = discover(&serve);
        discovery.name = name.parse()?;
        Ok(service_definition(serve, discovery))
    }

    fn discover<S: Discoverable>(_of: &S) -> restate_sdk::discovery::Service {
        S::discover()
    }

    use restate_sdk::discovery::error::ConversionError;
    use restate_sdk::service::macro_support::service_definition;
    use restate_sdk::service::{Discoverable, ServiceDefinition};
}

pub(super) use service::named;

impl Hands {
    async fn attempt(self, assignment: Assignment) -> Result<Done, Error> {
        let _slot = self.slots.acquire().await.map_err(away)?;
        let compiled = self.compiled(assignment.snapshot).await?;
        let run_id = RunId::parse(&assignment.run).map_err(away)?;
        let dir = self.engine.layout.run(&run_id);
        // New each time: what lies there may be somebody else's by now.
        let blobs = Arc::new(Blobs::new(dir.files()));
        let staged: BTreeSet<_> = assignment.staged.iter().map(|file| file.sha256).collect();
        fetch(staged, &self.objects, &blobs).await?;
        let plan = &compiled.plan;
        let scope = plan.scope(ScopeId(assignment.scope));
        let node = scope.node(NodeId(assignment.node));
        let redactor = self.engine.redactor(plan);
        let (told, cancel) = watch::channel(false);
        let asking = tokio::spawn(ask(self.objects.clone(), assignment.life.clone(), told));
        // However this ends, nobody asks on.
        let _asking = Ending(asking);
        let work = {
            let seat = Opened::open(&self.engine, &assignment, &self.objects).await?;
            let bench = Bench {
                engine: &self.engine,
                compiled: &compiled,
                dir: &dir,
                blobs: &blobs,
                cancel: &cancel,
                redactor: &redactor,
                node,
                path: &assignment.path,
                dialect: scope.dialect,
                key: &assignment.key,
            };
            bench.work(&seat)
        };
        let (id, attempt) = (InstanceId::of(0), assignment.attempt);
        let report = match work {
            Err(failure) => Report {
                id,
                attempt,
                result: Err(redacted(failure, &redactor)),
                stopped: false,
            },
            Ok(Work::Light(call)) => Report {
                id,
                attempt,
                result: at_once(
                    &call,
                    &compiled.registry,
                    &compiled.output_schemas(),
                    &redactor,
                    &blobs,
                ),
                stopped: false,
            },
            Ok(Work::Beside(work)) => {
                let workspace = self.engine.layout.workspace().to_owned();
                let attempt = Attempt {
                    id,
                    attempt,
                    work,
                    redactor,
                    timeout: node.timeout,
                    blobs: Arc::clone(&blobs),
                    workspace,
                    cancel,
                };
                attempt.run().await
            }
        };
        give(report, self.engine.now(), &self.objects, &blobs).await
    }

    /// The compiled flow of a snapshot.
    async fn compiled(&self, digest: Digest) -> Result<Arc<Compiled>, Error> {
        let known = || self.flows.lock().expect("no holder panics");
        if let Some((_, found)) = known().iter().find(|(known, _)| *known == digest) {
            return Ok(Arc::clone(found));
        }
        let bytes = self.objects.get(digest).await.map_err(away)?;
        let engine = self.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || {
            let snapshot = Snapshot::decode(&bytes).map_err(away)?;
            engine.compile_snapshot(snapshot)
        });
        let compiled = Arc::new(compiled.await.map_err(away)??);
        let mut known = known();
        if known.len() >= FLOWS {
            known.pop_front();
        }
        known.push_back((digest, Arc::clone(&compiled)));
        Ok(compiled)
    }
}

/// Asks whether a life of a run is to be stopped, until it is.
async fn ask(objects: Objects, life: String, told: watch::Sender<bool>) {
    loop {
        tokio::time::sleep(objects.patience()).await;
        if objects.is_stopped(&life).await {
            told.send_replace(true);
            return;
        }
    }
}

/// A task that ends with whoever holds it.
struct Ending(tokio::task::JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}
