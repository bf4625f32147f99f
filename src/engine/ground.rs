//! [`Ground`]: what a driver stands on. The local driver does at once what it is asked for; another one must be
//! able to go through the same run again, on another machine, and come to the same journal.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt::{self, Attempt, Report, Work};
use super::driver::Driver;
use super::error::Error;
use super::observer::Observer;
use crate::run::InstanceId;

/// An attempt that is to begin: `node_started` is written.
pub(super) struct Start {
    pub(super) id: InstanceId,
    pub(super) attempt: u32,
    /// The idempotency key.
    pub(super) key: String,
}

/// What a driver stands on.
pub(super) trait Ground: Send {
    /// Whether a step may have been cut off and be done again.
    const REPEATS: bool;

    /// Does something that looks at the world, or changes it. Whoever goes through the run again is
    /// given what came of it the first time.
    fn step<T, W>(
        &mut self,
        name: &'static str,
        work: W,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        W: FnOnce() -> Result<T, Error> + Send + 'static;

    /// Has an attempt made; its report comes when it has ended.
    fn begin(
        &mut self,
        driver: &mut Driver,
        start: Start,
        observer: &mut dyn Observer,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// This process, and no other.
pub(super) struct Here;

impl Ground for Here {
    const REPEATS: bool = false;

    async fn step<T, W>(&mut self, _name: &'static str, work: W) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        W: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        work()
    }

    async fn begin(
        &mut self,
        driver: &mut Driver,
        start: Start,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let Start { id, attempt, key } = start;
        let redactor = driver.redactor.clone();
        let mut work = match driver.work(id, &key, &redactor) {
            Ok(work) => work,
            Err(failure) => {
                return driver.node_failed(id, &attempt::redacted(failure, &redactor), observer);
            }
        };
        let timeout = driver.state.node(&driver.plan, id).timeout;
        // The inputs are resolved: whatever is to be known of them is taken now.
        let fingerprint = work
            .inputs()
            .filter(|_| !driver.knows_secrets)
            .map(|inputs| driver.fingerprint_of(id, inputs));
        driver.in_flight.insert(id, fingerprint);
        let work = match work {
            Work::Light(call) => {
                let (registry, schemas) =
                    (&driver.compiled.registry, driver.compiled.output_schemas());
                let result = attempt::at_once(&call, registry, &schemas, &redactor, &driver.blobs);
                let report = Report {
                    id,
                    attempt,
                    result,
                    stopped: false,
                };
                return driver.report(report, observer);
            }
            Work::Beside(work) => work,
        };
        driver.to_begin.push(Attempt {
            id,
            attempt,
            work,
            redactor,
            timeout,
            blobs: Arc::clone(&driver.blobs),
            workspace: driver.engine.layout.workspace().to_owned(),
            cancel: driver.cancel.1.clone(),
        });
        Ok(())
    }
}
