//! One run.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::{Problem, layout, page};
use crate::web::auth::Person;
use crate::web::state::App;

pub(in crate::web) async fn show(
    State(app): State<App>,
    person: Person,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    let open = app.blocking(move |engine| {
        let dir = engine.layout.find(&run)?;
        engine.read_run(&dir).map_err(Problem::from)
    });
    let run = open.await?;
    let title = format!("Run {}", run.id());
    let body = html! { h1 { (title) } };
    Ok(page(
        StatusCode::OK,
        layout::whole(&app, &person, &title, &body),
    ))
}
