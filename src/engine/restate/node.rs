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
use crate::plan::{Plan, PlanNode, Scope};
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
        let (scope, node) = found(plan, &assignment).ok_or_else(|| {
            away(format!(
                "another version of flowctl has sent `{}`, which is not where it says in the flow as this one reads it; let workers of that version make it",
                assignment.path
            ))
        })?;
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

/// The node of an assignment. By its number, and only if that is its name: another version may number
/// otherwise.
fn found<'a>(plan: &'a Plan, assignment: &Assignment) -> Option<(&'a Scope, &'a PlanNode)> {
    let scope = plan.scopes().nth(assignment.scope as usize)?;
    let node = scope.nodes.get(assignment.node as usize)?;
    let last = assignment.path.as_str().rsplit('/').next()?;
    let name = last.split('[').next()?;
    (node.name.as_str() == name).then_some((scope, node))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use crate::tool::{Library, Registry};

    #[test]
    fn an_assignment_of_another_version_is_not_taken_for_another_node() {
        let flow = "name: f\nnodes:\n  - { name: One, type: process, command: [echo] }\n  - { name: Two, type: process, command: [echo], foreach: [1, 2] }\n";
        let dir = tempfile::tempdir().expect("a folder");
        let registry = Registry::new(Library::live(dir.path()), Vec::new(), |_| None);
        let source = Arc::new(Source::new("f.yaml", flow));
        let plan = Plan::compile(&source, &registry, &mut Diagnostics::default());
        let plan = plan.expect("the flow is valid");
        let sent = |path: &str, scope: u32, node: u32| -> Assignment {
            let digest = Digest::of(b"").to_string();
            let sent = json!({
                "run": "r", "life": "r.0", "path": path, "scope": scope, "node": node, "snapshot": digest, "attempt": 1,
                "key": "k", "heads": {}, "inputs": null, "env": null, "given": [], "approval": null, "staged": [],
                "has_files": false, "line": 0, "about": {}, "again": false, "pool": null,
            });
            serde_json::from_value(sent).expect("it is an assignment")
        };
        let name = |sent: &Assignment| Some(found(&plan, sent)?.1.name.to_string());
        assert_eq!(name(&sent("One", 0, 0)).as_deref(), Some("One"));
        assert_eq!(name(&sent("Two[1]", 0, 1)).as_deref(), Some("Two"));
        assert_eq!(
            name(&sent("Around[0]/Two[1]", 0, 1)).as_deref(),
            Some("Two")
        );
        for other in [sent("One", 0, 1), sent("Two[1]", 0, 2), sent("One", 7, 0)] {
            assert_eq!(name(&other), None, "{}", other.path);
        }
    }
}
