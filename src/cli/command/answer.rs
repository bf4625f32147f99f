//! `flowctl approve`, `flowctl reject`, `flowctl send-back` and `flowctl cancel`.

use super::drive::{CONCURRENCY, Manner, drive, runtime, with_code, with_secrets};
use super::{Result, away};
use crate::cli::args::{Approve, Cancel, Reject, SendBack, SshSigning};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::{Answer, Away, Driver, Engine, OpenRun, Request, Verdict, gate, new_id};
use crate::id::NodePath;
use crate::run::{Decision, NodeState, Status};
use crate::value::{Digest, Object};

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
    let answer = Answer {
        decision: Decision::Approved,
        digest: digest(args.digest.as_deref())?,
        comment: args.comment.clone(),
        form: form(&run, &node, &args.form)?,
        target: None,
        by: answerer(engine, &run),
        via: None,
        node: node.clone(),
    };
    let (verdict, driver) = send(engine, &run, answer, &args.ssh, "approve", output)?;
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
        (Verdict::Accepted, None) if args.resume && Away::of(&dir)?.is_some() => {
            away::follow(engine, &dir, run.state.last_seq(), manner, output)
        }
        (Verdict::Accepted, driver) => {
            let held = driver.is_none();
            let run = after(engine, run, driver)?;
            let missing = missing(&run, &node);
            if args.drive.json {
                let report = crate::cli::report::json(&run, run.status_word())?;
                output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
                return Ok(Exit::SUCCESS);
            }
            output.say(&format!("approved: `{node}` of run {}", dir.id));
            if let Some(missing) = missing {
                output.say(&format!("  waits for {missing} more to say yes"));
            } else if !held {
                output.say(&format!(
                    "  resume   {}",
                    output.next(&format!("resume {}", dir.id))
                ));
            }
            Ok(Exit::SUCCESS)
        }
    }
}

/// How many more must say yes at a gate that still waits.
fn missing(run: &OpenRun, node: &NodePath) -> Option<usize> {
    let id = run.state.find(node)?;
    let instance = run.state.instance(id);
    let yeses = instance.request.as_ref()?.yeses.len();
    let quorum = run.state.quorum(&run.compiled.plan, id);
    (instance.state == NodeState::Waiting).then(|| quorum.saturating_sub(yeses))
}

pub(super) fn send_back(engine: &Engine, args: &SendBack, output: &mut Output) -> Result {
    if args.feedback.trim().is_empty() {
        return Err(Failure::usage("`--feedback` is empty")
            .help("say what is to be changed, for whoever does the work again"));
    }
    let engine = &with_code(
        &with_secrets(engine, &args.drive.secrets)?,
        &args.drive.code,
    );
    let dir = engine.layout.find(&args.run)?;
    let run = engine.read_run(&dir)?;
    let node = gate(&run.state, args.node.as_deref())
        .map_err(|message| Failure::new(Exit::REFUSED, message))?;
    let answer = Answer {
        decision: Decision::SentBack,
        digest: digest(args.digest.as_deref())?,
        comment: Some(args.feedback.clone()),
        form: None,
        target: Some(NodePath::from(args.to.as_str())),
        by: answerer(engine, &run),
        via: None,
        node: node.clone(),
    };
    match send(engine, &run, answer, &args.ssh, "send-back", output)? {
        (Verdict::Refused(reason), _) => {
            Err(Failure::new(Exit::REFUSED, format!("refused: {reason}")))
        }
        (Verdict::Queued, _) => {
            output.say("queued: another process drives the run and will take the answer");
            Ok(Exit::SUCCESS)
        }
        (Verdict::Accepted, Some(driver)) if args.resume => {
            let manner = Manner {
                concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
                json: args.drive.json,
                outputs: true,
            };
            drive(driver, None, manner, output)
        }
        (Verdict::Accepted, None) if args.resume && Away::of(&dir)?.is_some() => {
            let manner = Manner {
                concurrency: args.drive.concurrency.unwrap_or(CONCURRENCY),
                json: args.drive.json,
                outputs: true,
            };
            away::follow(engine, &dir, run.state.last_seq(), manner, output)
        }
        (Verdict::Accepted, driver) => {
            let held = driver.is_none();
            let run = after(engine, run, driver)?;
            if args.drive.json {
                let report = crate::cli::report::json(&run, run.status_word())?;
                output.json(&serde_json::to_string_pretty(&report).expect("JSON becomes text"))?;
                return Ok(Exit::SUCCESS);
            }
            output.say(&format!(
                "sent back: `{node}` of run {} to `{}`",
                dir.id, args.to
            ));
            if !held {
                let command = output.next(&format!("resume {}", dir.id));
                output.say(&format!("  resume   {command}"));
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
    let answer = Answer {
        decision: Decision::Rejected,
        digest: digest(args.digest.as_deref())?,
        comment: Some(args.reason.clone()),
        form: None,
        target: None,
        by: answerer(engine, &run),
        via: None,
        node: node.clone(),
    };
    let (verdict, driver) = send(engine, &run, answer, &args.ssh, "reject", output)?;
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
    match deliver(engine, &run, &request, "cancel", output)? {
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

/// Sends an answer, signed if that is wanted.
fn send(
    engine: &Engine,
    run: &OpenRun,
    answer: Answer,
    ssh: &SshSigning,
    command: &str,
    output: &mut Output,
) -> std::result::Result<(Verdict, Option<Driver>), Failure> {
    // An answer to nothing is refused when it is judged; nobody's key is asked for that.
    let sign = ssh.sign && answer.is_about_something(run);
    let mut decision = Box::new(answer.decide(engine, run));
    if sign {
        let key = ssh
            .key
            .clone()
            .or_else(|| (engine.variable)("FLOWCTL_SSH_KEY"))
            .filter(|key| !key.is_empty());
        let pinned = run.started.approvers.as_deref();
        crate::cli::ssh::sign(&mut decision, &run.dir.id, key.as_deref(), |fingerprint| {
            pinned?.user_of_key(fingerprint).map(str::to_owned)
        })?;
    }
    deliver(
        engine,
        run,
        &Request::Decision { decision },
        command,
        output,
    )
}

fn deliver(
    engine: &Engine,
    run: &OpenRun,
    request: &Request,
    command: &str,
    output: &mut Output,
) -> std::result::Result<(Verdict, Option<Driver>), Failure> {
    let mut progress = Progress::new(output, &run.compiled.plan, true);
    let delivered = engine.deliver(&run.dir, request, command, &mut progress);
    Ok(runtime()?.block_on(delivered)?)
}

/// The run as it stands after an answer: who has judged it here need not read it again.
fn after(
    engine: &Engine,
    before: OpenRun,
    driver: Option<Driver>,
) -> std::result::Result<OpenRun, Failure> {
    let dir = before.dir.clone();
    drop(before);
    Ok(match driver {
        Some(driver) => driver.close()?,
        None => engine.read_run(&dir)?,
    })
}

/// Who answers: by `approvers.yaml`, if the run has one and the account is somebody's there.
fn answerer(engine: &Engine, run: &OpenRun) -> String {
    let account = &engine.who.user;
    let pinned = run.started.approvers.as_ref();
    let user = pinned.and_then(|pinned| pinned.user_of_account(account));
    user.unwrap_or(account).to_owned()
}

fn digest(text: Option<&str>) -> std::result::Result<Option<Digest>, Failure> {
    text.map(|text| {
        Digest::parse(text)
            .ok_or_else(|| Failure::usage(format!("`{text}` is not a sha256 digest")))
    })
    .transpose()
}

/// `--form NAME=VALUE`, each read as its field takes it.
fn form(
    run: &OpenRun,
    node: &NodePath,
    given: &[String],
) -> std::result::Result<Option<Object>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    let gate = run.state.find(node);
    let gate = gate.and_then(|id| run.state.node(&run.compiled.plan, id).gate.as_ref());
    let Some(gate) = gate.filter(|gate| !gate.form.is_empty()) else {
        return Err(Failure::usage(format!("`{node}` has no form to fill in")));
    };
    let mut form = Object::new();
    for pair in given {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`--form {pair}` is not NAME=VALUE")))?;
        let field = gate.form.get(name).ok_or_else(|| {
            let names = crate::diagnostic::or_list(gate.form.keys().map(String::as_str));
            Failure::usage(format!("the form has no field `{name}`"))
                .help(format!("it has {names}"))
        })?;
        let value = field
            .read(text)
            .map_err(|why| Failure::usage(format!("`{name}` cannot be `{text}`: {why}")))?;
        form.insert(name.to_owned(), value);
    }
    Ok(Some(form))
}
