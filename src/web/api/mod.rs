//! The JSON API under `/api/v1`: runs, their nodes, files and events; starting, cancelling, answering.
//!
//! [`router`] makes it of the table of [`routes`], of which the `OpenAPI` document is made as well. Who calls
//! is found out by a [`Guard`], which whoever serves the API brings along. Everything that reads files or
//! compiles runs beside the server's own threads.

mod act;
mod answer;
mod caller;
mod events;
mod list;
mod openapi;
mod problem;
mod routes;
mod runs;
mod schemas;
mod take;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::sync::Semaphore;

use crate::engine::{Engine, Fleet};

pub use caller::{Caller, Guard};
pub use openapi::document;
pub use problem::Problem;

/// Where the API is.
pub const ROOT: &str = "/api/v1";
/// Who follows events at the same time.
const FOLLOWERS: usize = 256;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    engine: Arc<Engine>,
    fleet: Fleet,
    guard: Arc<dyn Guard>,
    followers: Arc<Semaphore>,
}

impl Api {
    /// An API over a workspace and the fleet that drives its runs.
    #[must_use]
    pub fn new(engine: Engine, fleet: Fleet, guard: Arc<dyn Guard>) -> Self {
        Self {
            engine: Arc::new(engine),
            fleet,
            guard,
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
        }
    }

    /// Does something that reads or computes, beside the threads that serve.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let api = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&api)).await;
        done.unwrap_or_else(|error| Err(Problem::unexpected(&error)))
    }
}

/// The routes of the API, to be nested at [`ROOT`] or merged: they carry it already.
pub fn router<S: Clone + Send + Sync + 'static>(api: Api) -> Router<S> {
    let mut inner = Router::new();
    for route in routes::all() {
        inner = inner.route(route.path, (route.handler)());
    }
    let inner = inner
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::middleware::map_response(sealed))
        .with_state(api);
    Router::new().nest(ROOT, inner)
}

/// What every answer carries: nobody keeps it, and nobody guesses what it is.
async fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
