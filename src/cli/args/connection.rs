//! The arguments of `connection`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Connection {
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
pub(in crate::cli) struct ConnectionPlaces {
    /// A YAML file of connections, or a folder of them; wins over every other place.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) connections: Vec<PathBuf>,
    /// Look beside this flow, too.
    #[arg(long, value_name = "FLOW")]
    pub(in crate::cli) flow: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionList {
    #[command(flatten)]
    pub(in crate::cli) places: ConnectionPlaces,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionShow {
    /// The connection.
    pub(in crate::cli) name: String,
    #[command(flatten)]
    pub(in crate::cli) places: ConnectionPlaces,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionSet {
    /// The connection.
    pub(in crate::cli) name: String,
    /// What it is: `open_ai`, `azure_open_ai`, `anthropic`, `openai_compatible`, `custom`, …
    #[arg(long = "type", value_name = "TYPE")]
    pub(in crate::cli) kind: Option<String>,
    /// Fields that everybody may see, for example `api_base=https://…`.
    #[arg(value_name = "FIELD=VALUE")]
    pub(in crate::cli) fields: Vec<String>,
    /// Ask for this field, which is a secret (of a custom connection).
    #[arg(long, value_name = "FIELD")]
    pub(in crate::cli) secret: Vec<String>,
    /// Read this secret from standard input.
    #[arg(long, value_name = "FIELD")]
    pub(in crate::cli) stdin: Option<String>,
    /// Leave this field to an environment variable, which is read when the connection is used.
    #[arg(long, value_name = "FIELD=VARIABLE")]
    pub(in crate::cli) from_env: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) places: ConnectionPlaces,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionTest {
    /// The connection.
    pub(in crate::cli) name: String,
    #[command(flatten)]
    pub(in crate::cli) places: ConnectionPlaces,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionDelete {
    /// The connection.
    pub(in crate::cli) name: String,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConnectionImport {
    /// Files; `-` is standard input. Without one, it says how to get at the connections of `pf`.
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Replace connections of the same name.
    #[arg(long)]
    pub(in crate::cli) replace: bool,
}
