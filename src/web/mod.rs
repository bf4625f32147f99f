//! The web: pages for those who look at runs and decide, and an API for programs.
//!
//! Every request goes through [`guard`] (host, size, time, headers) and then [`auth`] (who it is). Pages
//! are rendered here, without a script; what they show is read from journals, as every command does, and
//! what is decided goes the way of every command: into the run's inbox. Nothing is acknowledged that is
//! not in the journal.

mod answer;
pub mod api;
mod auth;
mod calling;
mod form;
mod graph;
mod guard;
mod highlight;
mod left;
mod pages;
mod proxy;
mod random;
mod router;
mod serve;
mod session;
mod state;

pub use proxy::Proxy;
pub use serve::{Listening, listen};
pub use state::{Config, WebError};
