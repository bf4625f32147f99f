//! `flowctl serve`.

use std::net::SocketAddr;

use super::Result;
use super::drive::{runtime, with_code, with_secrets};
use crate::cli::args::Serve;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::{Engine, FleetLimits};
use crate::web::{Config, Proxy, WebError, listen};

pub(super) fn serve(engine: &Engine, args: &Serve, output: &mut Output) -> Result {
    let engine = with_code(&with_secrets(engine, &args.secrets)?, &args.code);
    let proxy = Proxy {
        header: args
            .proxy_header
            .as_ref()
            .map(|name| name.to_ascii_lowercase()),
        from: args.proxy_from.clone(),
    };
    if let Some(url) = &args.public_url {
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        let host = url
            .split("://")
            .nth(1)
            .unwrap_or_default()
            .trim_end_matches('/');
        if !is_web || host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(
                Failure::usage(format!("`--public-url {url}` is no address of a server"))
                    .help("write it without a path: `https://flows.example.com`"),
            );
        }
    }
    let config = Config {
        listen: args.listen,
        public_url: args.public_url.clone(),
        proxy,
        limits: FleetLimits {
            concurrency: usize::from(args.concurrency),
            runs: usize::from(args.max_runs),
        },
    };
    runtime()?.block_on(async {
        let stop = crate::cli::signals::stop();
        let listening = listen(engine, config).await.map_err(failure)?;
        let address: SocketAddr = listening.address;
        match &listening.link {
            Some(link) => output.say(&format!("serving: {link}")),
            None => output.say(&format!("serving: http://{address}")),
        }
        output.say("  end it with Ctrl-C");
        listening.serve(stop).await;
        Ok(Exit::SUCCESS)
    })
}

fn failure(error: WebError) -> Failure {
    match error {
        WebError::Unsafe(why) => Failure::usage(why).help(
            "begin an `approvers.yaml` with `flowctl approvers init` and give people tokens with `flowctl approvers token`, or listen on 127.0.0.1",
        ),
        WebError::Engine(error) => error.into(),
        WebError::Store(error) => error.into(),
        other @ (WebError::Listen { .. } | WebError::Keys(_)) => {
            Failure::new(Exit::UNEXPECTED, other.to_string())
        }
    }
}
