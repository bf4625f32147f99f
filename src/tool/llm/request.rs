//! [`LlmRequest`] and [`LlmAnswer`]: what is asked of whom, and what came back.

use crate::port::Failure;
use crate::tool::Redactor;
use crate::tool::connection::Connection;
use crate::value::{Digest, Object, Value};

use super::parameters::Api;
use super::{anthropic, openai};

/// One call of a model.
#[derive(Clone, Debug)]
pub struct LlmRequest<'a> {
    /// Whom to ask.
    pub connection: &'a Connection,
    /// Which call.
    pub api: Api,
    /// The rendered prompt: what a completion sends.
    pub prompt: &'a str,
    /// Its messages: what a chat sends.
    pub messages: &'a [Value],
    /// The parameters of the call, by Prompt Flow's names.
    pub parameters: &'a Object,
    /// Whether the answer comes piece by piece.
    pub stream: bool,
    /// The same for every attempt of the node.
    pub key: &'a str,
    /// Takes secrets out of what goes wrong.
    pub redactor: &'a Redactor,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmAnswer {
    /// The text; with `tools` or `functions` the message.
    pub output: Value,
    /// How many tokens were used, as `prompt_tokens`, `completion_tokens`, `total_tokens`.
    pub usage: Option<Value>,
    /// The model that answered, as the server calls it.
    pub model: String,
    /// What was sent, by its digest: address and body.
    pub request_digest: String,
    /// How often it was sent.
    pub attempts: u32,
}

/// Which dialect a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    OpenAi,
    Anthropic,
}

/// What goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) provider: Provider,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Outgoing {
    /// What was asked, by its digest. Holds nothing of the headers, where the keys are.
    pub(super) fn digest(&self) -> String {
        Digest::of_json(&serde_json::json!({ "url": self.url, "body": self.body })).to_string()
    }
}

/// The types of connections that models are asked through.
#[must_use]
pub fn providers() -> &'static [&'static str] {
    &[
        "azure_open_ai",
        "open_ai",
        "serverless",
        "openai_compatible",
        "anthropic",
    ]
}

fn field<'c>(connection: &'c Connection, name: &str) -> Option<&'c str> {
    connection
        .field(name)
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

fn needed<'c>(connection: &'c Connection, name: &str) -> Result<&'c str, Failure> {
    field(connection, name).ok_or_else(|| {
        let own = &connection.name;
        Failure::new(format!("the connection `{own}` has no `{name}`"))
            .help(format!("`flowctl connection set {own}` sets it"))
    })
}

/// What to send, and where to.
pub(super) fn outgoing(request: &LlmRequest<'_>) -> Result<Outgoing, Failure> {
    let connection = request.connection;
    let call = match request.api {
        Api::Chat => "chat/completions",
        Api::Completion => "completions",
    };
    let bearer = |key: &str| ("authorization", format!("Bearer {key}"));
    let base = |address: &str| address.trim_end_matches('/').to_owned();
    let mut headers = Vec::new();
    let url = match connection.kind.word {
        "azure_open_ai" => {
            let mode = field(connection, "auth_mode").unwrap_or("key");
            if mode != "key" {
                return Err(Failure::new(format!(
                    "the connection `{}` has the `auth_mode: {mode}`, and flowctl asks models with a key only",
                    connection.name
                ))
                .help("set `api_key` and `auth_mode: key`"));
            }
            headers.push(("api-key", needed(connection, "api_key")?.to_owned()));
            let deployment = segment(&super::body::model(request.parameters)?);
            let version = segment(field(connection, "api_version").unwrap_or("2024-02-01"));
            let base = base(needed(connection, "api_base")?);
            format!("{base}/openai/deployments/{deployment}/{call}?api-version={version}")
        }
        "open_ai" => {
            headers.push(bearer(needed(connection, "api_key")?));
            if let Some(organization) = field(connection, "organization") {
                headers.push(("openai-organization", organization.to_owned()));
            }
            let address = field(connection, "base_url").unwrap_or("https://api.openai.com/v1");
            format!("{}/{call}", base(address))
        }
        "serverless" => {
            headers.push(bearer(needed(connection, "api_key")?));
            let mut address = base(needed(connection, "api_base")?);
            if !address.ends_with("/v1") {
                address.push_str("/v1");
            }
            format!("{address}/{call}")
        }
        "openai_compatible" => {
            headers.extend(field(connection, "api_key").map(bearer));
            if let Some(organization) = field(connection, "organization") {
                headers.push(("openai-organization", organization.to_owned()));
            }
            format!("{}/{call}", base(needed(connection, "base_url")?))
        }
        "anthropic" => {
            headers.push(("x-api-key", needed(connection, "api_key")?.to_owned()));
            let version = field(connection, "api_version").unwrap_or("2023-06-01");
            headers.push(("anthropic-version", version.to_owned()));
            let address = field(connection, "base_url").unwrap_or("https://api.anthropic.com");
            let address = base(address);
            let address = address.strip_suffix("/v1").unwrap_or(&address);
            return Ok(Outgoing {
                provider: Provider::Anthropic,
                url: format!("{address}/v1/messages"),
                headers,
                body: anthropic::body(request)?,
            });
        }
        other => {
            return Err(Failure::new(format!(
                "the connection `{}` is of the type `{other}`, which is no language model",
                connection.name
            ))
            .help(format!("name one of the types {}", providers().join(", "))));
        }
    };
    Ok(Outgoing {
        provider: Provider::OpenAi,
        url,
        headers,
        body: openai::body(request)?,
    })
}

/// A part of a path or query.
fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut segment, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            write!(segment, "%{byte:02X}").expect("writing to a String cannot fail");
        }
        segment
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{connection, request};
    use super::*;

    #[test]
    fn every_provider_is_asked_in_its_way() {
        let parameters = json!({"deployment_name": "gpt 4/x"});
        for (kind, fields, url, header) in [
            (
                "azure_open_ai",
                vec![
                    ("api_key", "k"),
                    ("api_base", "https://r.openai.azure.com/"),
                ],
                "https://r.openai.azure.com/openai/deployments/gpt%204%2Fx/chat/completions?api-version=2024-02-01",
                ("api-key", "k"),
            ),
            (
                "open_ai",
                vec![("api_key", "k")],
                "https://api.openai.com/v1/chat/completions",
                ("authorization", "Bearer k"),
            ),
            (
                "serverless",
                vec![
                    ("api_key", "k"),
                    ("api_base", "https://s.models.ai.azure.com"),
                ],
                "https://s.models.ai.azure.com/v1/chat/completions",
                ("authorization", "Bearer k"),
            ),
            (
                "anthropic",
                vec![("api_key", "k")],
                "https://api.anthropic.com/v1/messages",
                ("x-api-key", "k"),
            ),
        ] {
            let connection = connection(kind, &fields);
            let parameters = parameters.as_object().unwrap();
            let sent = outgoing(&request(&connection, parameters)).unwrap();
            assert_eq!(sent.url, url);
            assert_eq!(sent.headers[0], (header.0, header.1.to_owned()));
            assert!(!sent.body.to_string().contains("\"k\""));
        }
        let local = connection(
            "openai_compatible",
            &[("base_url", "http://localhost:11434/v1")],
        );
        let sent = outgoing(&request(&local, parameters.as_object().unwrap())).unwrap();
        assert_eq!(sent.url, "http://localhost:11434/v1/chat/completions");
        assert!(sent.headers.is_empty(), "a key is not needed");
    }

    #[test]
    fn connections_that_cannot_be_asked_say_why() {
        let parameters = json!({"model": "m"});
        let parameters = parameters.as_object().unwrap();
        for (kind, fields, message) in [
            ("open_ai", vec![], "the connection `c` has no `api_key`"),
            (
                "custom",
                vec![("x", "y")],
                "the connection `c` is of the type `custom`, which is no language model",
            ),
            (
                "azure_open_ai",
                vec![("api_base", "https://x"), ("auth_mode", "meid_token")],
                "the connection `c` has the `auth_mode: meid_token`, and flowctl asks models with a key only",
            ),
        ] {
            let connection = connection(kind, &fields);
            let failure = outgoing(&request(&connection, parameters)).unwrap_err();
            assert_eq!(failure.message, message);
            assert!(failure.help.is_some());
        }
    }
}
