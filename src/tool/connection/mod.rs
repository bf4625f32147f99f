//! Connections: where services are and the keys to them, from Prompt Flow's files, flowctl's own, and the
//! environment.
//!
//! Reads files and asks the environment by a function that it is given; knows no network. `docs/connections.md`
//! says in which order places are looked at. Main types: [`Connections`], [`Connection`], [`Kind`].

#[expect(clippy::module_inception, reason = "a file is named for its type")]
mod connection;
mod declared;
mod dotenv;
mod environment;
mod file;
mod found;
mod kind;
mod listed;
mod load;
mod problem;
mod user_file;
mod veil;

pub use connection::{Connection, shown};
pub use dotenv::Dotenv;
pub use environment::variable_of;
pub use found::Connections;
pub use kind::{Field, KINDS, Kind};
pub use listed::{Listed, ListedField};
pub use load::LoadFrom;
pub use problem::ConnectionProblem;
pub use user_file::{Draft, UserFile, import, import_text};

#[cfg(test)]
mod tests;
