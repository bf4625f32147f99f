//! `flowctl connection test`: asks the server.

use serde_json::Value;

use super::Result;
use super::connection::load;
use crate::cli::args::ConnectionTest;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::engine::Engine;
use crate::flow::Expect;
use crate::tool::Redactor;
use crate::tool::connection::Connection;
use crate::tool::http::{Client, Error, Request, Response, Retry};

/// A list of models is not longer.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What can be asked.
enum Question {
    /// What needs the key, and lists something.
    List(Request),
    /// Whether anybody is there.
    Reach(Request),
}

pub(super) fn test(engine: &Engine, args: &ConnectionTest, output: &mut Output) -> Result {
    let connection = load(engine, &args.places, output)?.get(&args.name)?;
    let question = question(&connection)?;
    let client = Client::new(engine.variable, engine.clock);
    let runtime = super::drive::runtime()?;
    let told = runtime.block_on(async {
        let (mut request, lists) = match question {
            Question::List(request) => (request, true),
            Question::Reach(request) => (request, false),
        };
        request.redactor = Redactor::new(connection.hidden().map(str::to_owned));
        request.retry = Retry {
            attempts: 2,
            ..Retry::default()
        };
        let response = client.send(&request).await?;
        let shown = response.shown().to_owned();
        if !lists {
            return Ok(format!(
                "{shown} answers {}; the key was not tried",
                response.status
            ));
        }
        let count = models(response).await?;
        Ok::<_, Error>(format!("{shown} answers: {count}"))
    });
    match told {
        Ok(told) => {
            output.say(&format!("`{}` works: {told}", connection.name));
            Ok(Exit::SUCCESS)
        }
        Err(error) => {
            let failure = Failure::new(
                Exit::FAILED,
                format!("`{}` does not work: {error}", connection.name),
            );
            Err(match error.help {
                Some(help) => failure.help(help),
                None => failure,
            })
        }
    }
}

async fn models(response: Response) -> std::result::Result<String, Error> {
    let answer = response.json(MAX_BODY).await?;
    let list = answer
        .get("data")
        .or_else(|| answer.get("value"))
        .and_then(Value::as_array);
    Ok(match list.map(Vec::len) {
        Some(1) => "1 model".to_owned(),
        Some(count) => format!("{count} models"),
        None => "what it has is no list of models".to_owned(),
    })
}

fn question(connection: &Connection) -> std::result::Result<Question, Failure> {
    let field = |name: &str| connection.field(name).unwrap_or_default();
    let key = field("api_key");
    let at = |base: &str, path: &str| format!("{}{path}", base.trim_end_matches('/'));
    if field("auth_mode").eq_ignore_ascii_case("meid_token") {
        return Err(Failure::usage(format!(
            "`{}` uses a token of Microsoft Entra ID, which `test` does not get",
            connection.name
        ))
        .help("run a flow that uses it"));
    }
    Ok(match connection.kind.word {
        "open_ai" | "openai_compatible" => {
            let base = match field("base_url") {
                "" => "https://api.openai.com/v1",
                base => base,
            };
            let mut request = Request::new("GET", at(base, "/models"));
            if !key.is_empty() {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            if !field("organization").is_empty() {
                request = request.header("openai-organization", field("organization"));
            }
            Question::List(request)
        }
        "azure_open_ai" => {
            let version = field("api_version");
            let url = at(
                field("api_base"),
                &format!("/openai/models?api-version={version}"),
            );
            Question::List(Request::new("GET", url).header("api-key", key))
        }
        "anthropic" => Question::List(
            Request::new("GET", at(field("base_url"), "/v1/models"))
                .header("x-api-key", key)
                .header("anthropic-version", field("api_version")),
        ),
        _ => {
            let address = connection.address().or_else(|| {
                let mut configs = connection.configs.iter().map(|(_, value)| value.as_str());
                configs.find(|value| value.starts_with("http://") || value.starts_with("https://"))
            });
            let Some(address) = address else {
                return Err(Failure::usage(format!(
                    "`{}` says of no server where it is",
                    connection.name
                ))
                .help("run a flow that uses it"));
            };
            let mut request = Request::new("HEAD", address);
            // Anything but a broken server: without the key it may well say no.
            request.expect = Expect::parse(["1xx", "2xx", "3xx", "4xx"]).expect("statuses");
            Question::Reach(request)
        }
    })
}
