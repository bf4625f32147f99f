//! The arguments of `approvers`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Approvers {
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
pub(in crate::cli) struct ApproversList {
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ApproversAdd {
    /// The user, as flows are to name them.
    pub(in crate::cli) user: String,
    /// What people call them.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) name: Option<String>,
    /// A `.pub` file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ssh_key: Vec<PathBuf>,
    /// An account of the operating system, or a name that a proxy gives.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Vec<String>,
    /// A group to be in.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) group: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ApproversToken {
    /// The user.
    pub(in crate::cli) user: String,
    /// How long it is taken (`90d`); for ever when left out.
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) expires: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ApproversRevoke {
    /// The user.
    pub(in crate::cli) user: String,
    /// The id of a token, or a unique beginning of it.
    #[arg(
        value_name = "TOKEN-ID",
        required_unless_present = "key",
        conflicts_with = "key"
    )]
    pub(in crate::cli) token: Option<String>,
    /// The `SHA256:…` fingerprint of a key.
    #[arg(long, value_name = "FINGERPRINT")]
    pub(in crate::cli) key: Option<String>,
}
