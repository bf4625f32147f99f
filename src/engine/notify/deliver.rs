//! [`Delivery`]: one notification on its way, to a program or a server.

use std::borrow::Cow;
use std::time::Duration;

use tokio::sync::watch;

use super::Delivered;
use crate::engine::environment::Engine;
use crate::engine::open::OpenRun;
use crate::expr::{Binding, EvalError, Head, Scope, Secrets};
use crate::flow::{NotifyDecl, NotifyTarget};
use crate::tool::http::{self, Web};
use crate::tool::{LogFile, ProcessSpec, Redactor, run_process};
use crate::value::{Value, to_text};

/// How often it is tried.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// How long one attempt of a program, or all attempts to reach a server, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A notification with everything that is needed to deliver it.
pub(super) struct Delivery {
    id: String,
    to: String,
    redactor: Redactor,
    way: Way,
}

enum Way {
    Run(Box<ProcessSpec>),
    Post(Box<http::Request>),
}

/// What a notification may name.
struct Told<'a> {
    engine: &'a Engine,
    run: &'a OpenRun,
    secrets: Secrets,
}

impl Scope for Told<'_> {
    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
        let missing = |message: &str| EvalError::Missing {
            head: head.to_string(),
            message: message.to_owned(),
        };
        let value = match head {
            Head::RunId => Value::String(self.run.id().to_string()),
            Head::Env(name) => {
                let value = self.run.started.env.get(name).cloned();
                value.ok_or_else(|| missing("it was not set when the run began"))?
            }
            Head::Secret(name) => match self.secrets {
                Secrets::Name => Value::String(format!("${{{head}}}")),
                Secrets::Reveal => {
                    let value = self.engine.secret(name);
                    Value::String(value.ok_or_else(|| missing("the secret is not there"))?)
                }
            },
            _ => return Err(missing("a notification does not name it")),
        };
        Ok(Cow::Owned(value))
    }

    fn inputs(&self) -> Value {
        Value::Null
    }

    fn env(&self) -> Value {
        Value::Object(self.run.started.env.clone())
    }
}

/// Puts a notification together, or says why it cannot be.
pub(super) fn prepare(
    engine: &Engine,
    run: &OpenRun,
    wanted: &NotifyDecl,
    id: String,
    document: &Value,
) -> Result<Delivery, Delivered> {
    let redactor = engine.redactor(&run.compiled.plan);
    let text = |binding: &Binding, secrets| {
        let scope = Told {
            engine,
            run,
            secrets,
        };
        binding.eval(&scope).map(|value| to_text(&value))
    };
    let first = match &wanted.to {
        NotifyTarget::Command(words) => words.first(),
        NotifyTarget::Post { url, .. } => Some(url),
    };
    let shown = first.and_then(|first| text(first, Secrets::Name).ok());
    let to = redactor.text(&match &wanted.to {
        NotifyTarget::Command(_) => format!("the program `{}`", shown.unwrap_or_default()),
        NotifyTarget::Post { .. } => format!("`{}`", server(&shown.unwrap_or_default())),
    });
    let put_together = || -> Result<Way, EvalError> {
        Ok(match &wanted.to {
            NotifyTarget::Command(words) => {
                let words = words.iter().map(|word| text(word, Secrets::Reveal));
                Way::Run(Box::new(ProcessSpec {
                    argv: words.collect::<Result<_, _>>()?,
                    cwd: engine.layout.workspace().to_owned(),
                    env: vec![("FLOWCTL_NOTIFICATION_ID".to_owned(), id.clone())],
                    stdin: format!("{document}\n").into_bytes(),
                    timeout: Some(LIMIT),
                    log: Some(LogFile::lazy(run.dir.path.join("notify.log"))),
                    redactor: redactor.clone(),
                }))
            }
            NotifyTarget::Post { url, headers } => {
                let mut request = http::Request::new("POST", text(url, Secrets::Reveal)?);
                for (name, value) in headers {
                    request = request.header(name, text(value, Secrets::Reveal)?);
                }
                let mut request = if request.has_header("content-type") {
                    request.body = Some(document.to_string().into_bytes());
                    request
                } else {
                    request.json(document)
                };
                request.idempotency_key = Some(id.clone());
                request.redactor = redactor.clone();
                request.retry = http::Retry {
                    attempts: ATTEMPTS,
                    first: FIRST,
                    longest: LIMIT,
                };
                Way::Post(Box::new(request))
            }
        })
    };
    match put_together() {
        Ok(way) => Ok(Delivery {
            id,
            to,
            redactor,
            way,
        }),
        Err(error) => Err(Delivered {
            error: Some(redactor.text(&error.to_string())),
            id,
            to,
            attempts: 0,
        }),
    }
}

/// Scheme and host: the rest of an address is often a key.
fn server(url: &str) -> String {
    let host = url
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.split(['/', '?', '#']).next()));
    match host {
        Some((scheme, Some(host))) => {
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}")
        }
        _ => "a server".to_owned(),
    }
}

impl Delivery {
    /// Tries until it is delivered, as often as it is worth, or until `end` turns true.
    pub(super) async fn carry_out(self, engine: Engine, end: watch::Receiver<bool>) -> Delivered {
        let Self {
            id,
            to,
            redactor,
            way,
        } = self;
        let mut stop = end.clone();
        let (attempts, error) = match way {
            Way::Run(spec) => run(&spec, &end).await,
            Way::Post(request) => {
                let web = Web::new(engine.variable, engine.clock);
                tokio::select! {
                    posted = tokio::time::timeout(LIMIT, post(&web, &request)) => match posted {
                        Ok(posted) => posted,
                        Err(_) => (1, Some("it took longer than 30 s".to_owned())),
                    },
                    Ok(_) = stop.wait_for(|stop| *stop) => (1, Some("it was broken off".to_owned())),
                }
            }
        };
        Delivered {
            id,
            to,
            attempts,
            error: error.map(|error| redactor.text(&error)),
        }
    }
}

async fn run(spec: &ProcessSpec, end: &watch::Receiver<bool>) -> (u32, Option<String>) {
    let mut attempt = 1;
    loop {
        let error = match run_process(spec, end.clone()).await {
            Ok(finished) if finished.cancelled => {
                return (attempt, Some("it was broken off".to_owned()));
            }
            Ok(finished) if finished.timed_out => "it took longer than 30 s".to_owned(),
            Ok(finished) if finished.exit_code == Some(0) => return (attempt, None),
            Ok(finished) => {
                let how = finished.exit_code.map_or_else(
                    || "it was ended by a signal".to_owned(),
                    |code| format!("it ended with exit code {code}"),
                );
                let said = String::from_utf8_lossy(&finished.stderr);
                match said.lines().rev().find(|line| !line.trim().is_empty()) {
                    Some(line) => format!("{how}: {}", line.trim()),
                    None => how,
                }
            }
            // Tried again, it would not be there either.
            Err(error) => return (attempt, Some(format!("it cannot be started: {error}"))),
        };
        if attempt >= ATTEMPTS {
            return (attempt, Some(error));
        }
        tracing::info!(attempt, "a notification was not delivered: {error}");
        let mut stop = end.clone();
        tokio::select! {
            () = tokio::time::sleep(FIRST * 2_u32.pow(attempt - 1)) => {}
            Ok(_) = stop.wait_for(|stop| *stop) => return (attempt, Some(error)),
        }
        attempt += 1;
    }
}

#[cfg(feature = "llm")]
async fn post(web: &Web, request: &http::Request) -> (u32, Option<String>) {
    match web.client().send(request).await {
        Ok(response) => (response.attempts, None),
        Err(error) => (error.attempts, Some(error.message)),
    }
}

#[cfg(not(feature = "llm"))]
#[expect(clippy::unused_async, reason = "the same as with the feature")]
async fn post(_: &Web, _: &http::Request) -> (u32, Option<String>) {
    let why = "this flowctl was built without HTTP; build it with `--features llm`";
    (0, Some(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_server_is_told() {
        for (url, shown) in [
            (
                "https://hooks.example.org/T0/B1/secret",
                "https://hooks.example.org",
            ),
            ("https://ada:pw@h:8443?x", "https://h:8443"),
            ("${secrets.HOOK}", "a server"),
        ] {
            assert_eq!(server(url), shown);
        }
    }
}
