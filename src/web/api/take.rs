//! Extractors whose refusals are [`Problem`]s: what stands in the path, the query and the body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::{Api, Problem};
use crate::engine::Engine;
use crate::id::RunId;
use crate::store::RunDir;

/// The largest body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// What stands in the path.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let found = Path::<T>::from_request_parts(parts, api).await;
        found
            .map(|Path(found)| Self(found))
            .map_err(|error| Problem::bad("bad-path", error.body_text()))
    }
}

/// What stands behind the `?`.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let found = Query::<T>::from_request_parts(parts, api).await;
        found
            .map(|Query(found)| Self(found))
            .map_err(|error| Problem::bad("bad-query", error.body_text()))
    }
}

/// A body of JSON.
pub(super) struct Said<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Said<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "the body must be JSON",
            )
            .help("send `Content-Type: application/json`"));
        }
        let too_large = || {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("the body has more than {MAX_BODY} bytes"),
            )
        };
        let bytes = Bytes::from_request(request, api).await;
        let bytes = bytes.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => Problem::bad("bad-body", error.body_text()),
        })?;
        if bytes.len() > MAX_BODY {
            return Err(too_large());
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::bad("bad-body", format!("the body cannot be read: {error}")))
    }
}

/// The run of an id; no beginnings of ids here, and no `latest`.
pub(super) fn run(engine: &Engine, id: &str) -> Result<RunDir, Problem> {
    let missing = || {
        let shown: String = id.chars().take(100).collect();
        Problem::missing(format!("there is no run `{shown}`")).help("`GET /api/v1/runs` lists them")
    };
    let id = RunId::parse(id).map_err(|_| missing())?;
    let run = engine.layout.run(&id);
    if run.journal().is_file() {
        Ok(run)
    } else {
        Err(missing())
    }
}
