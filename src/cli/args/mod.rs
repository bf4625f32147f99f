//! The arguments.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

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
pub(super) struct Secrets {
    /// A YAML file of secrets, `NAME: 'value'`, that only you can read; a variable
    /// `FLOWCTL_SECRET_NAME` wins over it.
    #[arg(long, value_name = "FILE", env = "FLOWCTL_SECRETS_FILE")]
    pub(super) secrets_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Drive {
    /// Nodes at the same time [default: 16; of a batch, 8].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) concurrency: Option<u16>,
    #[command(flatten)]
    pub(super) secrets: Secrets,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) signing: Signing,
    #[command(flatten)]
    pub(super) code: Code,
}

/// What code beside flows runs with.
#[derive(Debug, ClapArgs)]
pub(super) struct Code {
    /// The Python that runs Python tools [default: that of the active or nearest virtual
    /// environment, else `python3`].
    #[arg(long, value_name = "PYTHON", env = "FLOWCTL_PYTHON")]
    pub(super) python: Option<PathBuf>,
    /// An environment variable for Python tools; wins over the flow's `environment_variables`.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) env: Vec<(String, String)>,
    /// Connections of models and tools, a YAML file or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub(super) connections: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct Signing {
    /// The ed25519 key that signs the evidence: OpenSSH's format, or PKCS#8 in PEM.
    #[arg(long, value_name = "FILE", env = "FLOWCTL_SIGNING_KEY")]
    pub(super) signing_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Evidence {
    /// Check that not one byte was changed; needs nothing but the folder.
    Verify(Verify),
    /// Make everything in `artifacts/evidence` again; what is damaged is moved aside.
    Rebuild(Rebuild),
    /// Copy evidence to a folder, a bucket or a table; each object is written once.
    Export(Export),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Verify {
    /// The evidence folder, or a bundle [default: `artifacts/evidence` of the workspace].
    pub(super) path: Option<PathBuf>,
    /// Public keys that are trusted: OpenSSH lines, or PEM.
    #[arg(long, value_name = "FILE")]
    pub(super) trusted_keys: Option<PathBuf>,
    /// `json` prints one object on stdout.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) format: ReportFormat,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Rebuild {
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Run {
    /// The flow file.
    pub(super) flow: String,
    /// An input; read as JSON or YAML where the flow declares other than a string.
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub(super) input: Vec<String>,
    /// Inputs from a YAML or JSON file; `-i` wins over it.
    #[arg(long, value_name = "FILE")]
    pub(super) inputs: Option<PathBuf>,
    /// The run's id: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub(super) run_id: Option<String>,
    /// The variant of a node instead of its default (Prompt Flow).
    #[arg(long, value_name = "${NODE.VARIANT}", value_parser = crate::flow::Variant::parse)]
    pub(super) variant: Option<crate::flow::Variant>,
    /// Run this node alone; what it reads is given with `-i`, by the name of its input or as it is
    /// written in the flow: `-i fetch.output=…`.
    #[arg(long, value_name = "NODE")]
    pub(super) node: Option<String>,
    /// Where it runs.
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = On::Local)]
    pub(super) on: On,
    /// Where the Restate server takes requests [default: `http://127.0.0.1:8080`].
    #[arg(long, value_name = "URL")]
    pub(super) restate_url: Option<String>,
    #[command(flatten)]
    pub(super) drive: Drive,
}

/// Where a run runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum On {
    /// On this machine, in this process.
    Local,
    /// On Restate, by the workers that are registered there.
    Restate,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Batch {
    /// The flow file, or the folder of a `flow.dag.yaml`.
    pub(super) flow: String,
    /// The rows: a .jsonl, .json, .csv or .tsv file, or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// An input of each line: `NAME=${data.COLUMN}`, `NAME=${run.inputs.NAME}`,
    /// `NAME=${run.outputs.NAME}`, or `NAME=text`. Inputs that are not mapped are the flow's defaults,
    /// or else the columns of their name.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) map: Vec<String>,
    /// The earlier batch of which `${run.…}` speaks.
    #[arg(long, value_name = "RUN", conflicts_with = "failed_of")]
    pub(super) run: Option<String>,
    /// Run the lines again that failed in this batch, as they were.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "map"])]
    pub(super) failed_of: Option<String>,
    /// The run's id: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub(super) run_id: Option<String>,
    /// The variant of a node instead of its default (Prompt Flow).
    #[arg(long, value_name = "${NODE.VARIANT}", value_parser = crate::flow::Variant::parse)]
    pub(super) variant: Option<crate::flow::Variant>,
    #[command(flatten)]
    pub(super) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Resume {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// Adopt files that were edited since the run began; what they change runs again.
    #[arg(long)]
    pub(super) accept_changes: bool,
    #[command(flatten)]
    pub(super) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SshSigning {
    /// Sign the answer with an SSH key, by `ssh-keygen -Y sign`.
    #[arg(short = 'S', long)]
    pub(super) sign: bool,
    /// The key: a private key file, a `.pub` file or the `SHA256:…` fingerprint of a key in the
    /// agent. Else `FLOWCTL_SSH_KEY`, else the only key of the agent.
    #[arg(long, value_name = "KEY", requires = "sign")]
    pub(super) key: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Approve {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// The gate, when several wait.
    pub(super) node: Option<String>,
    /// What to record with the answer.
    #[arg(long)]
    pub(super) comment: Option<String>,
    /// A field of the gate's form.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) form: Vec<String>,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(super) digest: Option<String>,
    #[command(flatten)]
    pub(super) ssh: SshSigning,
    /// Go on with the run at once.
    #[arg(long)]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SendBack {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// The gate, when several wait.
    pub(super) node: Option<String>,
    /// The node that is to run again, with all that depends on it.
    #[arg(long, value_name = "NODE")]
    pub(super) to: String,
    /// What is to be changed; the nodes that run again read it as `${feedback}`.
    #[arg(long, value_name = "TEXT")]
    pub(super) feedback: String,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(super) digest: Option<String>,
    #[command(flatten)]
    pub(super) ssh: SshSigning,
    /// Go on with the run at once.
    #[arg(long)]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Reject {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    /// The gate, when several wait.
    pub(super) node: Option<String>,
    /// Why; recorded with the answer.
    #[arg(long)]
    pub(super) reason: String,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(super) digest: Option<String>,
    #[command(flatten)]
    pub(super) ssh: SshSigning,
    #[command(flatten)]
    pub(super) secrets: Secrets,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[cfg(feature = "web")]
#[derive(Debug, ClapArgs)]
pub(super) struct Serve {
    /// Where to listen. Elsewhere than on this machine it needs an `approvers.yaml`.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878")]
    pub(super) listen: std::net::SocketAddr,
    /// How people reach it, when a proxy stands in front: `https://flows.example.com`.
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
    /// The header in which a proxy says who somebody is.
    #[arg(long, value_name = "NAME", requires = "proxy_from")]
    pub(super) proxy_header: Option<String>,
    /// The proxy's address, or a range like `10.1.0.0/16`; from others neither that header nor `X-Forwarded-For` is
    /// believed. May be given again.
    #[arg(long, value_name = "ADDRESS", value_parser = crate::web::Proxy::network)]
    pub(super) proxy_from: Vec<ipnet::IpNet>,
    /// Nodes at the same time, over all runs that the server drives.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) concurrency: u16,
    /// Runs at the same time; those that wait for people do not count.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) max_runs: u16,
    #[command(flatten)]
    pub(super) code: Code,
    #[command(flatten)]
    pub(super) secrets: Secrets,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[cfg(feature = "restate")]
#[derive(Debug, ClapArgs)]
pub(super) struct Worker {
    /// Where to listen. Elsewhere than on this machine it needs an identity key.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9080")]
    pub(super) listen: std::net::SocketAddr,
    /// Run only nodes with this `worker_pool`; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub(super) pool: Vec<String>,
    /// Nodes at the same time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
    /// The key of a server that may call: `publickeyv1_…`.
    #[arg(
        long,
        value_name = "KEY",
        env = "FLOWCTL_IDENTITY_KEY",
        value_delimiter = ','
    )]
    pub(super) identity_key: Vec<String>,
    /// Where workers and commands keep what is too large for a message: a folder, `s3://`, `az://`,
    /// `gs://` [default: artifacts/objects].
    #[arg(long, value_name = "PLACE", env = "FLOWCTL_OBJECT_STORE")]
    pub(super) object_store: Option<String>,
    /// Register with the server, under the address at which it reaches this worker.
    #[arg(long, value_name = "URL")]
    pub(super) advertise: Option<String>,
    /// Where the server takes requests [default: `http://127.0.0.1:8080`].
    #[arg(long, value_name = "URL", env = "FLOWCTL_RESTATE_URL")]
    pub(super) restate_url: Option<String>,
    /// Where the server is administered.
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWCTL_RESTATE_ADMIN_URL",
        default_value = "http://127.0.0.1:9070"
    )]
    pub(super) restate_admin_url: String,
    /// Look at what has to work for runs on Restate, say what to do, and end.
    #[arg(long)]
    pub(super) doctor: bool,
    #[command(flatten)]
    pub(super) code: Code,
    #[command(flatten)]
    pub(super) secrets: Secrets,
    #[command(flatten)]
    pub(super) signing: Signing,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Cancel {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(super) run: String,
    #[command(flatten)]
    pub(super) signing: Signing,
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
pub(super) struct Export {
    /// A folder, `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `adx://HOST/DATABASE/TABLE`. Credentials come from the environment.
    #[arg(long, value_name = "DESTINATION")]
    pub(super) to: String,
    /// Only say what would be exported.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Read back what is there already, instead of believing the digest that it carries.
    #[arg(long)]
    pub(super) read_back: bool,
    /// Objects at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) concurrency: u16,
    /// `json` prints one object on stdout.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) format: ReportFormat,
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

#[derive(Debug, Subcommand)]
pub(super) enum Approvers {
    /// List users, groups, keys and tokens; never a hash.
    List(ApproversList),
    /// Check the file.
    Check,
    /// Write a file with you in it.
    Init,
    /// Add a user, or something by which a user is known.
    Add(ApproversAdd),
    /// Make a token with which a user signs in on the web; it is shown once.
    Token(ApproversToken),
    /// Take a token or a key away from a user; also from runs that have begun.
    Revoke(ApproversRevoke),
    /// Take the word of this workspace's server for what happens on the web.
    Trust,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ApproversList {
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ApproversAdd {
    /// The user, as flows are to name them.
    pub(super) user: String,
    /// What people call them.
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,
    /// A `.pub` file.
    #[arg(long, value_name = "FILE")]
    pub(super) ssh_key: Vec<PathBuf>,
    /// An account of the operating system, or a name that a proxy gives.
    #[arg(long, value_name = "NAME")]
    pub(super) account: Vec<String>,
    /// A group to be in.
    #[arg(long, value_name = "NAME")]
    pub(super) group: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ApproversToken {
    /// The user.
    pub(super) user: String,
    /// How long it is taken (`90d`); for ever when left out.
    #[arg(long, value_name = "DURATION")]
    pub(super) expires: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ApproversRevoke {
    /// The user.
    pub(super) user: String,
    /// The id of a token, or a unique beginning of it.
    #[arg(
        value_name = "TOKEN-ID",
        required_unless_present = "key",
        conflicts_with = "key"
    )]
    pub(super) token: Option<String>,
    /// The `SHA256:…` fingerprint of a key.
    #[arg(long, value_name = "FINGERPRINT")]
    pub(super) key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Connection {
    /// List all that are found, and where.
    List(ConnectionList),
    /// Show one; secrets are never shown.
    Show(ConnectionShow),
    /// Make one of your own, or change it. Secrets are asked for; they are never arguments.
    Set(ConnectionSet),
    /// Ask the server whether the key is right.
    Test(ConnectionTest),
    /// Remove one of your own.
    Delete(ConnectionDelete),
    /// Take over connections of Prompt Flow: its YAML files, or JSON.
    Import(ConnectionImport),
}

/// Where connections are looked for.
#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionPlaces {
    /// A YAML file of connections, or a folder of them; wins over every other place.
    #[arg(long, value_name = "PATH")]
    pub(super) connections: Vec<PathBuf>,
    /// Look beside this flow, too.
    #[arg(long, value_name = "FLOW")]
    pub(super) flow: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionList {
    #[command(flatten)]
    pub(super) places: ConnectionPlaces,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionShow {
    /// The connection.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) places: ConnectionPlaces,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionSet {
    /// The connection.
    pub(super) name: String,
    /// What it is: `open_ai`, `azure_open_ai`, `anthropic`, `openai_compatible`, `custom`, …
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kind: Option<String>,
    /// Fields that everybody may see, for example `api_base=https://…`.
    #[arg(value_name = "FIELD=VALUE")]
    pub(super) fields: Vec<String>,
    /// Ask for this field, which is a secret (of a custom connection).
    #[arg(long, value_name = "FIELD")]
    pub(super) secret: Vec<String>,
    /// Read this secret from standard input.
    #[arg(long, value_name = "FIELD")]
    pub(super) stdin: Option<String>,
    /// Leave this field to an environment variable, which is read when the connection is used.
    #[arg(long, value_name = "FIELD=VARIABLE")]
    pub(super) from_env: Vec<String>,
    #[command(flatten)]
    pub(super) places: ConnectionPlaces,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionTest {
    /// The connection.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) places: ConnectionPlaces,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionDelete {
    /// The connection.
    pub(super) name: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionImport {
    /// Files; `-` is standard input. Without one, it says how to get at the connections of `pf`.
    pub(super) files: Vec<PathBuf>,
    /// Replace connections of the same name.
    #[arg(long)]
    pub(super) replace: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}
