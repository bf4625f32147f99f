//! [`Worker`]: serves what Restate calls.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use reqwest::Method;
use restate_sdk::endpoint::{Endpoint, ServiceOptions};
use restate_sdk::hyper::HyperEndpoint;
use restate_sdk::service::IntoServiceDefinition as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::super::environment::Engine;
use super::client::{Client, ClientError};
use super::inbox::FlowInbox;
use super::node::{Hands, named};
use super::node_service;
use super::objects::Objects;
use super::run::FlowRun;

/// How long calls have to end when the worker does.
const GRACE: Duration = Duration::from_secs(10);
/// Longer than any node should take: Restate cuts a call off that says nothing for so long.
const LONGEST_NODE: Duration = Duration::from_hours(30 * 24);
/// The longest that a step of a run may take: evidence of a large run, files into a slow workspace.
const LONGEST_STEP: Duration = Duration::from_hours(1);
/// A worker that is away for a weekend is nothing to give a run up for.
const ATTEMPTS: u64 = 1_000_000;

/// How a worker serves.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The pools whose nodes it runs. Without any it runs common nodes, and drives runs.
    pub pools: Vec<String>,
    /// Attempts at the same time.
    pub jobs: usize,
    /// The keys of the servers that may call it; whoever can reach it, without any.
    pub identity_keys: Vec<String>,
}

/// Why a worker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Anybody could have it run anything.
    #[error("{0} can be reached from other machines, and no key says which server may call")]
    Unsafe(SocketAddr),
    /// An identity key that is none.
    #[error("`{key}` is no identity key: {message}")]
    Key {
        /// What was given.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A pool whose name Restate does not take.
    #[error("`{pool}` cannot name a pool: {message}")]
    Pool {
        /// Its service.
        pool: String,
        /// Why not.
        message: String,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// A worker that listens.
pub struct Worker {
    listener: TcpListener,
    endpoint: HyperEndpoint,
    /// Where.
    pub address: SocketAddr,
    /// The services that it serves.
    pub services: Vec<String>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("address", &self.address)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// Listens, if that is safe.
    ///
    /// # Errors
    /// An address beyond this machine without a key; a key that is none; an address that cannot be had.
    pub async fn listen(
        engine: &Engine,
        objects: Objects,
        options: &WorkerOptions,
    ) -> Result<Self, WorkerError> {
        if !options.listen.ip().is_loopback() && options.identity_keys.is_empty() {
            return Err(WorkerError::Unsafe(options.listen));
        }
        let hands = Hands {
            engine: engine.clone(),
            objects: objects.clone(),
            slots: Arc::new(Semaphore::new(
                options.jobs.clamp(1, Semaphore::MAX_PERMITS),
            )),
            flows: Arc::new(Mutex::new(VecDeque::new())),
        };
        let mut services = Vec::new();
        let mut builder = Endpoint::builder();
        for key in &options.identity_keys {
            builder = builder
                .identity_key(key)
                .map_err(|error| WorkerError::Key {
                    key: key.clone(),
                    message: error.to_string(),
                })?;
        }
        let mut nodes: Vec<String> = options
            .pools
            .iter()
            .map(|pool| node_service(Some(pool)))
            .collect();
        if nodes.is_empty() {
            nodes.push(node_service(None));
        }
        for name in nodes {
            let service = named(hands.clone(), &name).map_err(|error| WorkerError::Pool {
                pool: name.clone(),
                message: error.to_string(),
            })?;
            let options = patient()
                .inactivity_timeout(LONGEST_NODE)
                .abort_timeout(LONGEST_NODE)
                .ingress_private(true);
            builder = builder.bind(service.options(options));
            services.push(name);
        }
        if options.pools.is_empty() {
            let run = FlowRun {
                engine: engine.clone(),
                objects,
            };
            let inbox = FlowInbox {
                clock: engine.clock,
            };
            let long = || patient().abort_timeout(LONGEST_STEP);
            builder = builder
                .bind(
                    run.into_service_definition()
                        .options(long().ingress_private(true)),
                )
                .bind(inbox.into_service_definition().options(long()));
            services.extend([super::RUN, super::INBOX].map(str::to_owned));
        }
        let refused = |error| WorkerError::Listen {
            address: options.listen,
            error,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            endpoint: HyperEndpoint::new(builder.build()),
            address,
            services,
        })
    }

    /// Serves until `stop` turns true; calls under way then have some seconds to end. What is cut off,
    /// Restate calls again.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Of one connection, or of too many files: the next one may do.
                        tracing::warn!("a connection could not be taken: {error}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                _ = stop.wait_for(|stop| *stop) => break,
            };
            // Messages are small, and each is waited for: without this every step takes 40 ms.
            stream.set_nodelay(true).ok();
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_secs(20))
                .serve_connection(TokioIo::new(stream), self.endpoint.clone());
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = watched.await {
                    tracing::debug!("a connection broke: {error}");
                }
            });
        }
        tokio::time::timeout(GRACE, graceful.shutdown()).await.ok();
    }
}

/// Options under which Restate does not give up.
fn patient() -> ServiceOptions {
    ServiceOptions::new()
        .retry_policy_initial_interval(Duration::from_millis(50))
        .retry_policy_exponentiation_factor(2.0)
        .retry_policy_max_interval(Duration::from_secs(10))
        .retry_policy_max_attempts(ATTEMPTS)
        .retry_policy_pause_on_max_attempts()
}

impl Client {
    /// Makes a worker known to the server that this client administers; its services then take it for
    /// the latest.
    ///
    /// # Errors
    /// A server that cannot be reached, or cannot reach the worker.
    pub async fn register(&self, worker: &str) -> Result<Value, ClientError> {
        let body = json!({ "uri": worker, "force": true });
        self.ask(Method::POST, "/deployments", Some(&body)).await
    }
}
