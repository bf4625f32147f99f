//! [`Cached`]: where the outcome of one pure node may lie, from this run or another.

use std::sync::Arc;

use serde_json::json;

use super::bench::{Bench, Seat};
use crate::expr::Secrets;
use crate::plan::{PlanNode, Step};
use crate::port::{Effect, Failure, Outcome};
use crate::store::Cache;
use crate::tool::Redactor;
use crate::value::{Digest, Object};

/// The place of an outcome in the cache.
pub(super) struct Cached {
    cache: Arc<Cache>,
    pub(super) key: Digest,
    tool: String,
    now: jiff::Timestamp,
}

impl Cached {
    /// The outcome that was kept. What cannot be read is made again.
    pub(super) fn load(&self) -> Option<Outcome> {
        match self.cache.load(self.key) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("the cache cannot give an output, which is made again: {error}");
                None
            }
        }
    }

    /// Keeps an outcome that was made; the run goes on if that fails.
    pub(super) fn keep(&self, outcome: &Outcome) {
        if let Err(error) = self.cache.keep(self.key, &self.tool, self.now, outcome) {
            tracing::warn!("an output could not be kept in the cache: {error}");
        }
    }
}

impl Bench<'_> {
    /// Where the outcome of a node is kept, if it may be: it is a function of its tool and inputs
    /// alone, and knows no secret.
    pub(super) fn cached(
        &self,
        seat: &dyn Seat,
        inputs: &Object,
    ) -> Result<Option<Cached>, Failure> {
        let node = self.node;
        let Step::Tool(tool) = &node.step else {
            return Ok(None);
        };
        let pure = tool.effect == Effect::Pure;
        // Work that was sent back is done again, whatever was kept of it.
        let again = seat.again();
        if !node.cache || !pure || again || reads_secret(node) {
            return Ok(None);
        }
        // Inputs of a sub-flow may have come from a secret outside of it.
        if *inputs != self.inputs(seat, Secrets::Name)? {
            return Ok(None);
        }
        let key = Digest::of_json(&json!({
            "flowctl": env!("CARGO_PKG_VERSION"),
            "tool": tool.name,
            "content": tool.digest.to_string(),
            "inputs": inputs,
            "approval": seat.approval(),
        }));
        Ok(Some(Cached {
            cache: Arc::new(Cache::new(self.engine.layout.cache())),
            key,
            tool: tool.name.to_string(),
            now: self.engine.now(),
        }))
    }
}

fn reads_secret(node: &PlanNode) -> bool {
    let mut bindings = node.bindings().into_iter();
    bindings.any(crate::expr::Binding::reads_secret)
}

/// Whether nothing in an outcome has to be taken out of it.
pub(super) fn is_clean(outcome: &Outcome, redactor: &Redactor) -> bool {
    redactor.is_empty()
        || (redactor.value(outcome.output.clone()) == outcome.output
            && outcome
                .subject
                .as_ref()
                .is_none_or(|subject| redactor.text(subject) == *subject))
}
