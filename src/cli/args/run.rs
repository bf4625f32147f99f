//! The arguments of what starts runs and drives them.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Drive {
    /// Nodes at the same time [default: 16; of a batch, 8].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) concurrency: Option<u16>,
    #[command(flatten)]
    pub(in crate::cli) secrets: Secrets,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
    #[command(flatten)]
    pub(in crate::cli) code: Code,
}

/// What code beside flows runs with.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Code {
    /// The Python that runs Python tools [default: that of the active or nearest virtual
    /// environment, else `python3`].
    #[arg(long, value_name = "PYTHON", env = "FLOWCTL_PYTHON")]
    pub(in crate::cli) python: Option<PathBuf>,
    /// An environment variable for Python tools; wins over the flow's `environment_variables`.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) env: Vec<(String, String)>,
    /// Connections of models and tools, a YAML file or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) connections: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Secrets {
    /// A YAML file of secrets, `NAME: 'value'`, that only you can read; a variable
    /// `FLOWCTL_SECRET_NAME` wins over it.
    #[arg(long, value_name = "FILE", env = "FLOWCTL_SECRETS_FILE")]
    pub(in crate::cli) secrets_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Signing {
    /// The ed25519 key that signs the evidence: OpenSSH's format, or PKCS#8 in PEM.
    #[arg(long, value_name = "FILE", env = "FLOWCTL_SIGNING_KEY")]
    pub(in crate::cli) signing_key: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Run {
    /// The flow file.
    pub(in crate::cli) flow: String,
    /// An input; read as JSON or YAML where the flow declares other than a string.
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub(in crate::cli) input: Vec<String>,
    /// Inputs from a YAML or JSON file; `-i` wins over it.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) inputs: Option<PathBuf>,
    /// The run's id: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) run_id: Option<String>,
    /// The variant of a node instead of its default (Prompt Flow).
    #[arg(long, value_name = "${NODE.VARIANT}", value_parser = crate::flow::Variant::parse)]
    pub(in crate::cli) variant: Option<crate::flow::Variant>,
    /// Run this node alone; what it reads is given with `-i`, by the name of its input or as it is
    /// written in the flow: `-i fetch.output=…`.
    #[arg(long, value_name = "NODE")]
    pub(in crate::cli) node: Option<String>,
    /// Where it runs.
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = On::Local)]
    pub(in crate::cli) on: On,
    /// Where the Restate server takes requests [default: `http://127.0.0.1:8080`].
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) restate_url: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) drive: Drive,
}

/// Where a run runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum On {
    /// On this machine, in this process.
    Local,
    /// On Restate, by the workers that are registered there.
    Restate,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Batch {
    /// The flow file, or the folder of a `flow.dag.yaml`.
    pub(in crate::cli) flow: String,
    /// The rows: a .jsonl, .json, .csv or .tsv file, or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// An input of each line: `NAME=${data.COLUMN}`, `NAME=${run.inputs.NAME}`,
    /// `NAME=${run.outputs.NAME}`, or `NAME=text`. Inputs that are not mapped are the flow's defaults,
    /// or else the columns of their name.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) map: Vec<String>,
    /// The earlier batch of which `${run.…}` speaks.
    #[arg(long, value_name = "RUN", conflicts_with = "failed_of")]
    pub(in crate::cli) run: Option<String>,
    /// Run the lines again that failed in this batch, as they were.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "map"])]
    pub(in crate::cli) failed_of: Option<String>,
    /// The run's id: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) run_id: Option<String>,
    /// The variant of a node instead of its default (Prompt Flow).
    #[arg(long, value_name = "${NODE.VARIANT}", value_parser = crate::flow::Variant::parse)]
    pub(in crate::cli) variant: Option<crate::flow::Variant>,
    #[command(flatten)]
    pub(in crate::cli) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Resume {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(in crate::cli) run: String,
    /// Adopt files that were edited since the run began; what they change runs again.
    #[arg(long)]
    pub(in crate::cli) accept_changes: bool,
    #[command(flatten)]
    pub(in crate::cli) drive: Drive,
}
