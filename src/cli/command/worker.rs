//! `flowctl worker`.

use super::Result;
use super::away::INGRESS;
use super::drive::{runtime, with_code, with_secrets};
use crate::cli::args::Worker as Args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::engine::restate::{Checked, Client, Faces, Worker, WorkerError, WorkerOptions};

pub(super) fn worker(engine: &Engine, args: &Args, output: &mut Output) -> Result {
    let mut engine = with_code(&with_secrets(engine, &args.secrets)?, &args.code);
    if args.object_store.is_some() {
        engine.distance.object_store.clone_from(&args.object_store);
    }
    let engine = &engine;
    if args.doctor {
        return doctor(engine, args, output);
    }
    let objects = engine.objects()?;
    let options = WorkerOptions {
        listen: args.listen,
        pools: args.pool.clone(),
        jobs: usize::from(args.jobs),
        identity_keys: args.identity_key.clone(),
    };
    runtime()?.block_on(async {
        let stop = crate::cli::signals::stop();
        let worker = Worker::listen(engine, objects, &options)
            .await
            .map_err(|error| failure(&error))?;
        output.say(&format!("worker: http://{}", worker.address));
        output.say(&format!("  serves {}", worker.services.join(", ")));
        let serving = worker.serve(stop);
        let registering = async {
            let Some(address) = &args.advertise else {
                return Ok::<(), Failure>(());
            };
            register(engine, args, address).await?;
            output.say(&format!(
                "  registered as {address} at {}",
                args.restate_admin_url
            ));
            Ok(())
        };
        // The server asks the worker what it serves while it is registered.
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => {}
            registered = registering => {
                registered?;
                serving.await;
            }
        }
        Ok(Exit::SUCCESS)
    })
}

/// Registers the worker. A server that starts beside it may take its time.
async fn register(engine: &Engine, args: &Args, address: &str) -> std::result::Result<(), Failure> {
    let token = engine.distance.token.clone();
    let refused = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::UNEXPECTED,
            format!("the worker is not registered: {error}"),
        )
        .help("`flowctl worker --doctor` tells what to look at")
    };
    let admin = Client::new(&args.restate_admin_url, token).map_err(|error| refused(&error))?;
    let mut tries = 0;
    loop {
        match admin.register(address).await {
            Ok(_) => return Ok(()),
            Err(error) if tries >= 60 => return Err(refused(&error)),
            Err(error) => {
                tries += 1;
                tracing::info!("not registered yet: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }
}

fn doctor(engine: &Engine, args: &Args, output: &mut Output) -> Result {
    let faces = Faces {
        ingress: args
            .restate_url
            .clone()
            .unwrap_or_else(|| INGRESS.to_owned()),
        admin: args.restate_admin_url.clone(),
    };
    let checked = runtime()?.block_on(engine.doctor(&faces));
    let mut wrong = 0;
    for Checked { name, found, help } in &checked {
        match found {
            Ok(found) => output.say(&format!("ok     {name}: {found}")),
            Err(why) => {
                wrong += 1;
                output.say(&format!("wrong  {name}: {why}"));
                if let Some(help) = help {
                    output.say(&format!("       help: {help}"));
                }
            }
        }
    }
    if wrong == 0 {
        return Ok(Exit::SUCCESS);
    }
    Err(Failure::new(
        Exit::UNEXPECTED,
        format!(
            "{wrong} of {} things are not as they should be",
            checked.len()
        ),
    ))
}

fn failure(error: &WorkerError) -> Failure {
    match error {
        WorkerError::Unsafe(_) => Failure::usage(error.to_string()).help(
            "give `--identity-key`, which the server prints when it starts with `request-identity-private-key-pem-file`; or listen on 127.0.0.1",
        ),
        WorkerError::Key { .. } | WorkerError::Pool { .. } => Failure::usage(error.to_string()),
        WorkerError::Listen { .. } => Failure::new(Exit::UNEXPECTED, error.to_string()),
    }
}
