//! The commands, one file each.

mod answer;
mod approvers;
#[cfg(feature = "web")]
mod approvers_token;
#[cfg_attr(not(feature = "restate"), path = "not_away.rs")]
mod away;
mod batch;
mod cache;
mod completions;
mod connection;
#[cfg(feature = "llm")]
mod connection_test;
mod drive;
mod evidence;
mod export;
mod graph;
mod init;
mod logs;
mod prune;
mod review;
mod run;
mod runs;
mod schema;
#[cfg(feature = "web")]
mod serve;
mod show;
mod tools;
mod validate;
#[cfg(feature = "restate")]
mod worker;

use super::args::{Command, Evidence};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use crate::engine::Engine;

type Result = std::result::Result<Exit, Failure>;

/// Runs a command.
pub(super) fn run(engine: &Engine, command: Command, output: &mut Output) -> Result {
    match command {
        Command::Run(args) => run::run(engine, &args, output),
        Command::Batch(args) => batch::batch(engine, &args, output),
        Command::Resume(args) => run::resume(engine, &args, output),
        Command::Approve(args) => answer::approve(engine, &args, output),
        Command::SendBack(args) => answer::send_back(engine, &args, output),
        Command::Reject(args) => answer::reject(engine, &args, output),
        Command::Cancel(args) => answer::cancel(engine, &args, output),
        Command::Runs(args) => runs::runs(engine, &args, output),
        Command::Show(args) => show::show(engine, &args, output),
        Command::Logs(args) => logs::logs(engine, &args, output),
        Command::Review(args) => review::review(engine, &args, output),
        #[cfg(feature = "restate")]
        Command::Worker(args) => worker::worker(engine, &args, output),
        #[cfg(feature = "web")]
        Command::Serve(args) => serve::serve(engine, &args, output),
        Command::Validate(args) => validate::validate(engine, &args, output),
        Command::Graph(args) => graph::graph(engine, &args, output),
        Command::Tools(args) => tools::tools(engine, &args, output),
        Command::Schema(args) => schema::schema(&args, output),
        Command::Init(args) => init::init(&args, output),
        Command::Cache(args) => cache::cache(engine, &args, output),
        Command::Prune(args) => prune::prune(engine, &args, output),
        Command::Evidence(Evidence::Export(args)) => export::export(engine, &args, output),
        Command::Evidence(Evidence::Verify(args)) => evidence::verify(engine, &args, output),
        Command::Evidence(Evidence::Rebuild(_)) => evidence::rebuild(engine, output),
        Command::Approvers(args) => approvers::approvers(engine, &args, output),
        Command::Connection(args) => connection::connection(engine, &args, output),
        Command::Completions(args) => completions::completions(&args, output),
    }
}
