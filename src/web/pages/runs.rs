//! All runs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::{Problem, layout, page};
use crate::web::auth::Person;
use crate::web::state::App;

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
) -> Result<Response, Problem> {
    let body = html! { h1 { "Runs" } };
    Ok(page(
        StatusCode::OK,
        layout::whole(&app, &person, "Runs", &body),
    ))
}
