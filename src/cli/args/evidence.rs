//! The arguments of `evidence`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::ReportFormat;
use super::run::Signing;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Evidence {
    /// Check that not one byte was changed; needs nothing but the folder.
    Verify(Verify),
    /// Make everything in `artifacts/evidence` again; what is damaged is moved aside.
    Rebuild(Rebuild),
    /// Copy evidence to a folder, a bucket or a table; each object is written once.
    Export(Export),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Verify {
    /// The evidence folder, or a bundle [default: `artifacts/evidence` of the workspace].
    pub(in crate::cli) path: Option<PathBuf>,
    /// Public keys that are trusted: OpenSSH lines, or PEM.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) trusted_keys: Option<PathBuf>,
    /// `json` prints one object on stdout.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(in crate::cli) format: ReportFormat,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Rebuild {
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Export {
    /// A folder, `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `adx://HOST/DATABASE/TABLE`. Credentials come from the environment.
    #[arg(long, value_name = "DESTINATION")]
    pub(in crate::cli) to: String,
    /// Only say what would be exported.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Read back what is there already, instead of believing the digest that it carries.
    #[arg(long)]
    pub(in crate::cli) read_back: bool,
    /// Objects at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(in crate::cli) concurrency: u16,
    /// `json` prints one object on stdout.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(in crate::cli) format: ReportFormat,
}
