//! The arguments; those of large commands are in files of their own.

mod approvers;
mod connection;
mod decision;
mod evidence;
mod run;
#[cfg(feature = "web")]
mod serve;
#[cfg(feature = "restate")]
mod worker;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

#[cfg(feature = "web")]
pub(super) use approvers::ApproversToken;
pub(super) use approvers::{Approvers, ApproversAdd, ApproversList, ApproversRevoke};
#[cfg(feature = "llm")]
pub(super) use connection::ConnectionTest;
pub(super) use connection::{
    Connection, ConnectionDelete, ConnectionImport, ConnectionList, ConnectionPlaces,
    ConnectionSet, ConnectionShow,
};
pub(super) use decision::{Approve, Cancel, Reject, SendBack, SshSigning};
pub(super) use evidence::{Evidence, Export, Verify};
pub(super) use run::{Batch, Code, On, Resume, Run, Secrets};
#[cfg(feature = "web")]
pub(super) use serve::Serve;
#[cfg(feature = "restate")]
pub(super) use worker::Worker;

const EXIT_CODES: &str = "Exit codes: 0 succeeded, 1 unexpected, 2 usage or unknown run, 3 invalid flow or inputs, \
4 a node or publishing failed, 5 paused for approval, 6 rejected, 7 locked by another process, 8 cancelled, \
9 decision refused, 10 evidence not intact, 130 interrupted.";

/// Runs flows in which personas, skills and humans who must say yes work together.
#[derive(Debug, Parser)]
#[command(name = "flowctl", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Args {
    /// Where `artifacts/` and published files go, and where process nodes run.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(super) workspace: PathBuf,
    /// More log lines on stderr; `RUST_LOG` says it in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// The form of log lines.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    Mermaid,
    Dot,
    Text,
}

impl Command {
    /// The key that the command is to sign with.
    pub(super) fn signing_key(&self) -> Option<&std::path::Path> {
        let signing = match self {
            Self::Run(args) => &args.drive.signing,
            Self::Batch(args) => &args.drive.signing,
            Self::Resume(args) => &args.drive.signing,
            Self::Approve(args) => &args.drive.signing,
            Self::SendBack(args) => &args.drive.signing,
            Self::Reject(args) => &args.signing,
            Self::Cancel(args) => &args.signing,
            #[cfg(feature = "web")]
            Self::Serve(args) => &args.signing,
            #[cfg(feature = "restate")]
            Self::Worker(args) => &args.signing,
            Self::Evidence(Evidence::Rebuild(args)) => &args.signing,
            _ => return None,
        };
        signing.signing_key.as_deref()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a run of a flow.
    Run(Run),
    /// Run a flow once for each row of a file.
    Batch(Batch),
    /// Go on with a run: after an approval, a failure or an interruption.
    Resume(Resume),
    /// Say yes to a gate that waits.
    Approve(Approve),
    /// Say no to a gate that waits.
    Reject(Reject),
    /// Send work back: a node before a gate runs again, with what is to be changed.
    SendBack(SendBack),
    /// Stop a run for good.
    Cancel(Cancel),
    /// Serve what Restate calls: drive runs there, and make attempts of their nodes.
    #[cfg(feature = "restate")]
    Worker(Worker),
    /// Serve the pages on which runs are looked at and decided.
    #[cfg(feature = "web")]
    Serve(Serve),
    /// List the runs of the workspace.
    Runs(Runs),
    /// Show a run, or one of its nodes.
    Show(Show),
    /// Print what nodes printed.
    Logs(Logs),
    /// Show what a run would publish, as a diff against the workspace.
    Review(Review),
    /// Check flow files.
    Validate(Validate),
    /// Draw a flow with every wire and why it is there.
    Graph(Graph),
    /// List personas and skills with their ports.
    Tools(Tools),
    /// Print the JSON Schema of flow files, of `approvers.yaml`, or of a contract.
    Schema(Schema),
    /// Write the flagship flow and the skills out.
    Init(Init),
    /// Remove old ended runs; says what it would do unless told `--yes`.
    Prune(Prune),
    /// Say what is in the cache (`cache: true`), or clear it.
    Cache(CacheArgs),
    /// Who may approve, and by what they prove it: `approvers.yaml`.
    #[command(subcommand)]
    Approvers(Approvers),
    /// Connections to models and services: where they are and the keys to them.
    #[command(subcommand)]
    Connection(Connection),
    /// Verify evidence, make it again from the journals, or copy it elsewhere.
    #[command(subcommand)]
    Evidence(Evidence),
    /// Print a completion script for a shell.
    Completions(Completions),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Runs {
    /// Only runs that wait for an answer.
    #[arg(long)]
    pub(super) waiting: bool,
    /// Print JSON Lines.
    #[arg(long)]
    pub(super) json: bool,
    /// At most this many, newest first.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Show {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// A node: `QA`, `Build/QA`, `Scan[2]`.
    pub(super) node: Option<String>,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
    /// Exit as `run` would have.
    #[arg(long)]
    pub(super) exit_status: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Logs {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// A node: `QA`, `Build/QA`, `Scan[2]`.
    pub(super) node: Option<String>,
    /// Go on until the run ends or pauses.
    #[arg(short, long)]
    pub(super) follow: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Review {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// Only list the files.
    #[arg(long)]
    pub(super) stat: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Validate {
    /// Flow files.
    #[arg(required = true)]
    pub(super) files: Vec<String>,
    #[command(flatten)]
    pub(super) code: Code,
    /// `json` prints one object on stdout.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) format: ReportFormat,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Graph {
    /// The flow file.
    pub(super) flow: String,
    #[command(flatten)]
    pub(super) code: Code,
    /// How to draw it.
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(super) format: GraphFormat,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Tools {
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Schema {
    /// `flow`, `approvers`, or the name of a contract.
    #[arg(default_value = "flow")]
    pub(super) name: String,
    /// List what there is.
    #[arg(long)]
    pub(super) list: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Init {
    /// Where to.
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,
    /// Overwrite files that were edited.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Prune {
    /// Keep this many of the newest.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) keep: usize,
    /// Only runs that are older than this (`30d`).
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    pub(super) older_than: String,
    /// Really remove them.
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    pub(super) action: Option<CacheAction>,
    /// Print one JSON object on stdout.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheAction {
    /// Remove entries; what they held is made again when it is needed.
    Clear(CacheClear),
}

#[derive(Debug, ClapArgs)]
pub(super) struct CacheClear {
    /// Only entries that are older than this (`30d`).
    #[arg(long, value_name = "DURATION")]
    pub(super) older_than: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}
