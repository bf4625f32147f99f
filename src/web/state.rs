//! [`App`]: what every request may use.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::auth::Attempts;
use super::left::Left;
use super::proxy::Proxy;
use super::random;
use super::session::Keys;
use crate::engine::{Engine, Fleet, FleetLimits, ServerKey};
use crate::store;

/// Passwords that are checked at the same time: each takes 19 MiB.
const HASHES: usize = 2;

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How people reach it, when that is not where it listens: `https://flows.example.com`.
    pub public_url: Option<String>,
    /// What stands in front.
    pub proxy: Proxy,
    /// What the runs that it drives may use.
    pub limits: FleetLimits,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// What it is asked to do would let anybody in.
    #[error("{0}")]
    Unsafe(String),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Its keys cannot be had.
    #[error("cannot make the server's keys: {0}")]
    Keys(String),
    /// Files.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] crate::engine::Error),
}

/// What every request may use.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

/// The same for all requests.
pub(super) struct Shared {
    pub(super) engine: Engine,
    /// Drives the runs of the workspace.
    pub(super) fleet: Fleet,
    pub(super) config: Config,
    /// Sessions, and tokens against forged forms, are signed with these.
    pub(super) keys: Keys,
    pub(super) left: Left,
    /// Lets in whoever works on this machine, when nobody is told apart.
    pub(super) local_key: String,
    /// Signs what is decided here.
    pub(super) server_key: ServerKey,
    pub(super) attempts: Mutex<Attempts>,
    pub(super) hashing: Semaphore,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(super) fn new(engine: Engine, config: Config) -> Result<Self, WebError> {
        let dir = engine.layout.serve();
        let keys = |error: &dyn std::fmt::Display| WebError::Keys(error.to_string());
        let server_key =
            ServerKey::load_or_make(&dir, &engine.who.host).map_err(|error| keys(&error))?;
        let session = random::kept(&dir, "session-key")?;
        let local_key = random::kept(&dir, "local-key")?;
        let link = base(&config);
        Ok(Self(Arc::new(Shared {
            fleet: Fleet::new(engine.clone(), config.limits, Some(link)),
            engine,
            config,
            keys: Keys::new(session.as_bytes()),
            left: Left::load(&dir)?,
            local_key,
            server_key,
            attempts: Mutex::default(),
            hashing: Semaphore::new(HASHES),
        })))
    }

    /// How links begin.
    pub(super) fn base(&self) -> String {
        base(&self.config)
    }

    pub(super) fn is_https(&self) -> bool {
        self.base().starts_with("https://")
    }

    /// Does what touches the disk, away from the threads that serve.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> T {
        let app = self.clone();
        let task = tokio::task::spawn_blocking(move || work(&app.engine));
        match task.await {
            Ok(done) => done,
            // It ends that request and nothing else.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn base(config: &Config) -> String {
    match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", config.listen),
    }
}
