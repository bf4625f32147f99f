//! The arguments of `worker`.

use clap::Args as ClapArgs;

use super::run::{Code, Secrets, Signing};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Worker {
    /// Where to listen. Elsewhere than on this machine it needs an identity key.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9080")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// Run only nodes with this `worker_pool`; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) pool: Vec<String>,
    /// Nodes at the same time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) jobs: u16,
    /// The key of a server that may call: `publickeyv1_…`.
    #[arg(
        long,
        value_name = "KEY",
        env = "FLOWCTL_IDENTITY_KEY",
        value_delimiter = ','
    )]
    pub(in crate::cli) identity_key: Vec<String>,
    /// Where workers and commands keep what is too large for a message: a folder, `s3://`, `az://`,
    /// `gs://` [default: artifacts/objects].
    #[arg(long, value_name = "PLACE", env = "FLOWCTL_OBJECT_STORE")]
    pub(in crate::cli) object_store: Option<String>,
    /// Register with the server, under the address at which it reaches this worker.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) advertise: Option<String>,
    /// Where the server takes requests [default: `http://127.0.0.1:8080`].
    #[arg(long, value_name = "URL", env = "FLOWCTL_RESTATE_URL")]
    pub(in crate::cli) restate_url: Option<String>,
    /// Where the server is administered.
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWCTL_RESTATE_ADMIN_URL",
        default_value = "http://127.0.0.1:9070"
    )]
    pub(in crate::cli) restate_admin_url: String,
    /// Look at what has to work for runs on Restate, say what to do, and end.
    #[arg(long)]
    pub(in crate::cli) doctor: bool,
    #[command(flatten)]
    pub(in crate::cli) code: Code,
    #[command(flatten)]
    pub(in crate::cli) secrets: Secrets,
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
}
