//! [`Compiled`]: a plan with its tools and the files that it was made from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

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

/// Compiled output schemas, by tool and port: a contract's schema is compiled once a run.
#[derive(Default)]
pub(super) struct OutputSchemas(Mutex<HashMap<(String, String), Arc<Schema>>>);

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
        for port in &tool.signature.outputs {
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
            let key = (tool.name.to_string(), port.name.clone());
            let cached = self.0.lock().expect("no holder panics").get(&key).cloned();
            let schema = if let Some(schema) = cached {
                schema
            } else {
                let Ok(schema) = Schema::compile(&port.schema) else {
                    continue;
                };
                let schema = Arc::new(schema);
                self.0
                    .lock()
                    .expect("no holder panics")
                    .insert(key, Arc::clone(&schema));
                schema
            };
            if let Some(violation) = schema.check(value).into_iter().next() {
                return Some((port.name.clone(), violation));
            }
        }
        None
    }
}
