//! The arguments of answers to gates.

use clap::Args as ClapArgs;

use super::run::{Drive, Secrets, Signing};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct SshSigning {
    /// Sign the answer with an SSH key, by `ssh-keygen -Y sign`.
    #[arg(short = 'S', long)]
    pub(in crate::cli) sign: bool,
    /// The key: a private key file, a `.pub` file or the `SHA256:…` fingerprint of a key in the
    /// agent. Else `FLOWCTL_SSH_KEY`, else the only key of the agent.
    #[arg(long, value_name = "KEY", requires = "sign")]
    pub(in crate::cli) key: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Approve {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(in crate::cli) run: String,
    /// The gate, when several wait.
    pub(in crate::cli) node: Option<String>,
    /// What to record with the answer.
    #[arg(long)]
    pub(in crate::cli) comment: Option<String>,
    /// A field of the gate's form.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) form: Vec<String>,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(in crate::cli) digest: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) ssh: SshSigning,
    /// Go on with the run at once.
    #[arg(long)]
    pub(in crate::cli) resume: bool,
    #[command(flatten)]
    pub(in crate::cli) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct SendBack {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(in crate::cli) run: String,
    /// The gate, when several wait.
    pub(in crate::cli) node: Option<String>,
    /// The node that is to run again, with all that depends on it.
    #[arg(long, value_name = "NODE")]
    pub(in crate::cli) to: String,
    /// What is to be changed; the nodes that run again read it as `${feedback}`.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) feedback: String,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(in crate::cli) digest: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) ssh: SshSigning,
    /// Go on with the run at once.
    #[arg(long)]
    pub(in crate::cli) resume: bool,
    #[command(flatten)]
    pub(in crate::cli) drive: Drive,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Reject {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(in crate::cli) run: String,
    /// The gate, when several wait.
    pub(in crate::cli) node: Option<String>,
    /// Why; recorded with the answer.
    #[arg(long)]
    pub(in crate::cli) reason: String,
    /// The digest that was reviewed; refused when something else waits by now.
    #[arg(long, value_name = "SHA256")]
    pub(in crate::cli) digest: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) ssh: SshSigning,
    #[command(flatten)]
    pub(in crate::cli) secrets: Secrets,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Cancel {
    /// The run: its id, a unique beginning of it, or `latest`.
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
}
