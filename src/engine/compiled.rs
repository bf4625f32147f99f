//! [`Compiled`]: a plan with its tools and the files that it was made from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::id::ToolName;
use crate::plan::{Plan, ToolInfo};
use crate::port::{Schema, Violation};
use crate::store::Snapshot;
use crate::value::{Digest, Value};

/// A plan, ready to run.
pub struct Compiled {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its tools.
    pub registry: Arc<crate::tool::Registry>,
    /// What it was made from.
    pub snapshot: Snapshot,
    /// Of the snapshot.
    pub digest: Digest,
    outputs: Arc<OutputSchemas>,
}

/// Compiled output schemas, by tool and in the order of its ports: a contract's schema is compiled
/// once a run. A port whose schema is none is not checked.
#[derive(Default)]
pub(super) struct OutputSchemas(Mutex<HashMap<ToolName, Arc<[Option<Schema>]>>>);

impl Compiled {
    pub(super) fn new(plan: Plan, registry: crate::tool::Registry, snapshot: Snapshot) -> Self {
        let (_, digest) = snapshot.encode();
        Self {
            plan: Arc::new(plan),
            registry: Arc::new(registry),
            snapshot,
            digest,
            outputs: Arc::default(),
        }
    }

    pub(super) fn output_schemas(&self) -> Arc<OutputSchemas> {
        Arc::clone(&self.outputs)
    }
}

impl OutputSchemas {
    /// The first thing in which an output breaks its tool's contract.
    pub(super) fn check(&self, tool: &ToolInfo, output: &Value) -> Option<(String, Violation)> {
        let schemas = self.of(tool);
        for (port, schema) in tool.signature.outputs.iter().zip(&*schemas) {
            let Some(value) = output.get(&port.name) else {
                if port.required {
                    let message = "it is missing from the output".to_owned();
                    return Some((
                        port.name.clone(),
                        Violation {
                            path: Vec::new(),
                            message,
                        },
                    ));
                }
                continue;
            };
            let violations = schema.iter().flat_map(|schema| schema.check(value));
            if let Some(violation) = violations.into_iter().next() {
                return Some((port.name.clone(), violation));
            }
        }
        None
    }

    fn of(&self, tool: &ToolInfo) -> Arc<[Option<Schema>]> {
        let known = || self.0.lock().expect("no holder panics");
        if let Some(found) = known().get(&tool.name) {
            return Arc::clone(found);
        }
        let outputs = tool.signature.outputs.iter();
        let compiled: Arc<[Option<Schema>]> = outputs
            .map(|port| Schema::compile(&port.schema).ok())
            .collect();
        known().insert(tool.name.clone(), Arc::clone(&compiled));
        compiled
    }
}
