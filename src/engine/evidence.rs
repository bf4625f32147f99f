//! What evidence needs of the engine: what the flow of a run says, at any of its records.

use super::ending::subject;
use super::environment::Engine;
use super::error::Error;
use crate::evidence::{self, Derived, Rebuilt};
use crate::store::RunDir;

impl Engine {
    /// Makes the evidence of the workspace again, from the journals.
    ///
    /// # Errors
    /// A journal that is damaged; I/O.
    pub fn rebuild_evidence(&self) -> Result<Rebuilt, Error> {
        let derive = |run: &RunDir, upto: u64| {
            self.derive(run, upto)
                .map_err(|error| evidence::Error::Run {
                    run: run.id.to_string(),
                    message: error.to_string(),
                })
        };
        Ok(evidence::rebuild(
            &self.layout,
            self.signer.as_deref(),
            self.now(),
            &derive,
        )?)
    }

    fn derive(&self, run: &RunDir, upto: u64) -> Result<Derived, Error> {
        let open = self.read_run_upto(run, upto)?;
        let subject = subject(&open.state, &open.started);
        let graph = open.compiled.plan.show(crate::plan::Format::Mermaid);
        let wanted = move |path: &crate::id::NodePath| {
            let found = open.state.find(path);
            found.is_some_and(|id| open.state.node(&open.compiled.plan, id).evidence)
        };
        Ok(Derived {
            wanted: Box::new(wanted),
            subject,
            graph,
        })
    }
}
