//! `flowctl approve`, `flowctl reject` and `flowctl cancel`.

use std::time::{Duration, Instant};

use super::Result;
use super::drive::{CONCURRENCY, Manner, drive, runtime, with_code, with_secrets};
use crate::cli::args::{Approve, Cancel, Reject, SshSigning};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::{Driver, Engine, OpenRun, Request, Verdict, gate};
use crate::id::NodePath;
use crate::run::{ApprovalDecided, Decision, Status};
use crate::store::{Error, Inbox, RunDir};
use crate::value::Digest;

/// How long the answer of a living driver is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn approve(engine: &Engine, args: &Approve, output: &mut Output) -> Result {
    // Before the answer: what keeps the run from going on should not be found after it.
    let engine = &with_code(
        &with_secrets(engine, &args.drive.secrets)?,
        &args.drive.code,
    );
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    let node = gate(&run.state, args.node.as_deref())
        .map_err(|message| Failure::new(Exit::REFUSED, message))?;
    let request = decision(
        engine,
        &run,
        &node,
        args.digest.as_deref(),
        Decision::Approved,
        args.comment.clone(),
        &args.ssh,
    )?;
    let (verdict, driver) = send(engine, &dir, &request, "approve", output)?;
    let manner = Manner {
        concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
        json: args.drive.json,
        outputs: true,
    };
    match (verdict, driver) {
        (Verdict::Refused(reason), _) => {
            Err(Failure::new(Exit::REFUSED, format!("refused: {reason}")))
        }
        (Verdict::Queued, _) => {
            output.say("queued: another process drives the run and will take the answer");
            Ok(Exit::SUCCESS)
        }
        (Verdict::Accepted, Some(driver)) if args.resume => drive(driver, None, manner, output),
        (Verdict::Accepted, driver) => {
            let held = driver.is_none();
            drop(driver);
            if args.drive.json {
                let run = engine.read_run(&dir)?;
                let report = crate::cli::report::json(&run, run.status_word())?;
                output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
                return Ok(Exit::SUCCESS);
            }
            output.say(&format!("approved: `{node}` of run {}", dir.id));
            if !held {
                output.say(&format!(
                    "  resume   {}",
                    output.next(&format!("resume {}", dir.id))
                ));
            }
            Ok(Exit::SUCCESS)
        }
    }
}

pub(super) fn reject(engine: &Engine, args: &Reject, output: &mut Output) -> Result {
    if args.reason.trim().is_empty() {
        return Err(
            Failure::usage("`--reason` is empty").help("say why, for whoever reads the record")
        );
    }
    let engine = &with_secrets(engine, &args.secrets)?;
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    let node = gate(&run.state, args.node.as_deref())
        .map_err(|message| Failure::new(Exit::REFUSED, message))?;
    let request = decision(
        engine,
        &run,
        &node,
        args.digest.as_deref(),
        Decision::Rejected,
        Some(args.reason.clone()),
        &args.ssh,
    )?;
    let (verdict, driver) = send(engine, &dir, &request, "reject", output)?;
    match (verdict, driver) {
        (Verdict::Refused(reason), _) => {
            Err(Failure::new(Exit::REFUSED, format!("refused: {reason}")))
        }
        (Verdict::Queued, _) => {
            output.say("queued: another process drives the run and will take the answer");
            Ok(Exit::SUCCESS)
        }
        // A no ends the run: what is left to do is to close it.
        (Verdict::Accepted, Some(driver)) => {
            drive(
                driver,
                None,
                Manner {
                    concurrency: 1,
                    json: args.json,
                    outputs: false,
                },
                output,
            )?;
            Ok(Exit::SUCCESS)
        }
        (Verdict::Accepted, None) => {
            output.say(&format!("rejected: `{node}` of run {}", dir.id));
            Ok(Exit::SUCCESS)
        }
    }
}

pub(super) fn cancel(engine: &Engine, args: &Cancel, output: &mut Output) -> Result {
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    if run.state.status().ended() {
        output.say(&format!(
            "run {} is {} already; nothing was done",
            dir.id,
            run.state.status().word()
        ));
        return Ok(if run.state.status() == Status::Cancelled {
            Exit::SUCCESS
        } else {
            Exit::REFUSED
        });
    }
    let request = Request::Cancel {
        id: new_id(),
        by: engine.who.user.clone(),
    };
    match send(engine, &dir, &request, "cancel", output)? {
        (Verdict::Refused(reason), _) => {
            Err(Failure::new(Exit::REFUSED, format!("refused: {reason}")))
        }
        (Verdict::Queued, _) => {
            output.say("queued: another process drives the run and will stop it");
            Ok(Exit::SUCCESS)
        }
        (Verdict::Accepted, Some(driver)) => {
            drive(
                driver,
                None,
                Manner {
                    concurrency: 1,
                    json: false,
                    outputs: false,
                },
                output,
            )?;
            Ok(Exit::SUCCESS)
        }
        (Verdict::Accepted, None) => {
            output.say(&format!(
                "cancelling: run {}; its nodes get ten seconds to end",
                dir.id
            ));
            Ok(Exit::SUCCESS)
        }
    }
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The decision file for a gate; it names the digest of what waits now, or the one that was given.
fn decision(
    engine: &Engine,
    run: &OpenRun,
    node: &NodePath,
    digest: Option<&str>,
    decision: Decision,
    comment: Option<String>,
    ssh: &SshSigning,
) -> std::result::Result<Request, Failure> {
    let waiting = run
        .state
        .find(node)
        .and_then(|id| run.state.instance(id).request.as_ref())
        .map(|request| request.digest);
    let given = digest.is_some();
    let digest = match digest {
        Some(text) => Digest::parse(text)
            .ok_or_else(|| Failure::usage(format!("`{text}` is not a sha256 digest")))?,
        // Without a request the answer is refused when it is judged, with the reason.
        None => waiting.unwrap_or_else(|| Digest::of(b"")),
    };
    // Before anything is signed or written.
    let plan = &run.compiled.plan;
    let comment = comment.map(|comment| engine.without_secrets(plan, &comment));
    let mut decision = ApprovalDecided {
        node: node.clone(),
        id: new_id(),
        digest,
        decision,
        by: engine.who.user.clone(),
        at: engine.now(),
        comment,
        identity: "unverified".to_owned(),
        signature: None,
    };
    // An answer to nothing is refused when it is judged; nobody's key is asked for that.
    if ssh.sign && (waiting.is_some() || given) {
        let key = ssh
            .key
            .clone()
            .or_else(|| (engine.variable)("FLOWCTL_SSH_KEY"))
            .filter(|key| !key.is_empty());
        crate::cli::ssh::sign(&mut decision, &run.dir.id, key.as_deref())?;
    }
    Ok(Request::Decision { decision })
}

/// Puts a request into the inbox, then folds it in under the run's lock, or waits for whoever
/// holds it. Only what is journaled is acknowledged.
fn send(
    engine: &Engine,
    dir: &RunDir,
    request: &Request,
    command: &str,
    output: &mut Output,
) -> std::result::Result<(Verdict, Option<Driver>), Failure> {
    Inbox::new(dir.inbox()).put(request.id(), request)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match engine.take_up(dir, command) {
            Ok(mut driver) => {
                let verdicts = {
                    let mut progress = Progress::new(output, driver.plan(), true);
                    runtime()?.block_on(driver.fold_inbox(&mut progress))?
                };
                let own = verdicts
                    .into_iter()
                    .find(|(id, _)| id == request.id())
                    .map(|(_, verdict)| verdict);
                // A driver that has just ended may have taken it before us.
                let verdict = match own {
                    Some(verdict) => verdict,
                    None => receipt(engine, dir, request)?.unwrap_or(Verdict::Queued),
                };
                return Ok((verdict, Some(driver)));
            }
            Err(crate::engine::Error::Store(Error::Locked { .. })) => {
                if let Some(verdict) = receipt(engine, dir, request)? {
                    return Ok((verdict, None));
                }
                if Instant::now() > deadline {
                    return Ok((Verdict::Queued, None));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the journal says of a request.
fn receipt(
    engine: &Engine,
    dir: &RunDir,
    request: &Request,
) -> std::result::Result<Option<Verdict>, Failure> {
    Ok(engine.read_run(dir)?.told.verdict(request.id()))
}
