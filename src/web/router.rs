//! Which address is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::api::{self, Api};
use super::state::App;
use super::{answer, guard, pages};

/// The most that a form or document may hold.
const MAX_BODY: usize = 1024 * 1024;

pub(super) fn router(app: App) -> Router {
    let api = Api::new(app.engine.clone(), app.fleet.clone(), Arc::new(app.clone()));
    Router::new()
        .merge(api::router(api))
        .route("/", get(pages::runs::show))
        .route("/runs", get(pages::runs::show))
        .route("/runs/{run}", get(pages::run::show))
        .route(
            "/runs/{run}/review/{*node}",
            get(pages::review::show).post(answer::decide),
        )
        .route("/runs/{run}/nodes/{*node}", get(pages::node::show))
        .route("/runs/{run}/files/{*path}", get(pages::file::show))
        .route("/runs/{run}/do/{what}", post(answer::act))
        .route("/start", get(pages::start::show).post(pages::start::start))
        .route("/login", get(pages::login::show).post(pages::login::log_in))
        .route("/logout", post(pages::login::log_out))
        .route("/assets/{name}", get(pages::asset))
        .fallback(pages::nothing_here)
        .method_not_allowed_fallback(pages::not_so)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}
