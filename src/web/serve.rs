//! Listening: connections, their limits, and their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use super::router::router;
use super::state::{App, Config, WebError};
use crate::engine::Engine;

/// Connections at the same time.
const CONNECTIONS: usize = 512;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long somebody may take to take in what the system holds for them. Each such wait counts anew.
const WRITE: Duration = Duration::from_secs(20);
/// How long requests have to end when the server does.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Listening {
    listener: TcpListener,
    app: App,
    /// Where.
    pub address: SocketAddr,
    /// What lets whoever works on this machine in; none when people are told apart.
    pub link: Option<String>,
}

/// Listens, if that is safe.
///
/// # Errors
/// An address that is not this machine's alone while nobody is told apart; one that cannot be had.
pub async fn listen(engine: Engine, config: Config) -> Result<Listening, WebError> {
    let knows_people = engine.approvers()?.is_some();
    if !config.listen.ip().is_loopback() && !knows_people {
        return Err(WebError::Unsafe(format!(
            "{} can be reached from other machines, and nobody is told apart",
            config.listen
        )));
    }
    if config.proxy.header.is_some() && !knows_people {
        return Err(WebError::Unsafe(
            "a proxy says who people are, and there is no `approvers.yaml` that knows them"
                .to_owned(),
        ));
    }
    let error = |error| WebError::Listen {
        address: config.listen,
        error,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    let config = Config {
        listen: address,
        ..config
    };
    let app = App::new(engine, config)?;
    let link = (!knows_people).then(|| format!("{}/login?key={}", app.base(), app.local_key));
    Ok(Listening {
        listener,
        app,
        address,
        link,
    })
}

impl Listening {
    /// Serves, and drives runs, until `stop` turns true; requests that are under way come to an end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let driving = tokio::spawn({
            let (fleet, stop) = (self.app.fleet.clone(), stop.clone());
            async move { fleet.run(stop).await }
        });
        let router = router(self.app);
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // Whoever comes when all are taken waits in the system's queue.
            let Ok(turn) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.changed() => break,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of file descriptors, or gone before it came.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let service = router.clone();
            let service = hyper::service::service_fn(
                move |request: hyper::Request<hyper::body::Incoming>| {
                    let mut request = request.map(axum::body::Body::new);
                    request.extensions_mut().insert(ConnectInfo(peer));
                    service.clone().oneshot(request)
                },
            );
            let mut ending = stop.clone();
            tokio::spawn(async move {
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD);
                let mut stream = TimeoutStream::new(stream);
                stream.set_write_timeout(Some(WRITE));
                let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
                tokio::pin!(connection);
                tokio::select! {
                    _ = connection.as_mut() => {}
                    _ = ending.changed() => {
                        connection.as_mut().graceful_shutdown();
                        // Whoever follows events never ends by themselves.
                        tokio::time::timeout(GRACE, connection).await.ok();
                    }
                }
                drop(turn);
            });
        }
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        tokio::time::timeout(GRACE, free.acquire_many(all))
            .await
            .ok();
        // The runs that it drives are left as Ctrl-C leaves them.
        driving.await.ok();
    }
}
