//! The arguments of `serve`.

use clap::Args as ClapArgs;

use super::run::{Code, Secrets, Signing};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Serve {
    /// Where to listen. Elsewhere than on this machine it needs an `approvers.yaml`.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// How people reach it, when a proxy stands in front: `https://flows.example.com`.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) public_url: Option<String>,
    /// The header in which a proxy says who somebody is.
    #[arg(long, value_name = "NAME", requires = "proxy_from")]
    pub(in crate::cli) proxy_header: Option<String>,
    /// The proxy's address, or a range like `10.1.0.0/16`; from others neither that header nor `X-Forwarded-For` is
    /// believed. May be given again.
    #[arg(long, value_name = "ADDRESS", value_parser = crate::web::Proxy::network)]
    pub(in crate::cli) proxy_from: Vec<ipnet::IpNet>,
    /// Nodes at the same time, over all runs that the server drives.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) concurrency: u16,
    /// Runs at the same time; those that wait for people do not count.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) max_runs: u16,
    #[command(flatten)]
    pub(in crate::cli) code: Code,
    #[command(flatten)]
    pub(in crate::cli) secrets: Secrets,
    #[command(flatten)]
    pub(in crate::cli) signing: Signing,
}
