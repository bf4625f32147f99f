//! [`Token`]: who we are to Azure, from the environment or the chain that Azure's own tools use.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde_json::Value;

use super::Error;
use super::cloud::told;

/// Reads an environment variable.
pub(super) type Variable = fn(&str) -> Option<String>;

const HELP: &str = "set FLOWCTL_ADX_TOKEN to a ready token; or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_FEDERATED_TOKEN_FILE); or run `az login`; or run where a managed identity is given to the machine";

/// A bearer token; never shown.
#[derive(Clone)]
pub(super) struct Token(HeaderValue);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl Token {
    fn new(text: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| refused("what came is no token"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Gets one for a resource, from the first place that has any.
    pub(super) async fn get(resource: &str, variable: Variable) -> Result<Self, Error> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(token) = set("FLOWCTL_ADX_TOKEN") {
            return Self::new(&token);
        }
        let client = client(|builder| builder)?;
        if let (Some(tenant), Some(id)) = (set("AZURE_TENANT_ID"), set("AZURE_CLIENT_ID")) {
            if let Some(secret) = set("AZURE_CLIENT_SECRET") {
                let proof = [("client_secret", secret)];
                return from_login(&client, resource, variable, &tenant, &id, &proof).await;
            }
            if let Some(file) = set("AZURE_FEDERATED_TOKEN_FILE") {
                let assertion = std::fs::read_to_string(&file)
                    .map_err(crate::store::Error::io("read", std::path::Path::new(&file)))?;
                let proof = [
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                    ),
                    ("client_assertion", assertion.trim().to_owned()),
                ];
                return from_login(&client, resource, variable, &tenant, &id, &proof).await;
            }
        }
        // What the machine says of itself goes through nobody else's hands.
        let client = self::client(reqwest::ClientBuilder::no_proxy)?;
        if let (Some(endpoint), Some(header)) = (set("IDENTITY_ENDPOINT"), set("IDENTITY_HEADER")) {
            let mut query = vec![("api-version", "2019-08-01"), ("resource", resource)];
            let id = set("AZURE_CLIENT_ID");
            query.extend(id.as_deref().map(|id| ("client_id", id)));
            let url = Url::parse_with_params(&endpoint, query)
                .map_err(|_| refused("IDENTITY_ENDPOINT is no address"))?;
            return answer(client.get(url).header("X-IDENTITY-HEADER", header)).await;
        }
        if let Some(token) = from_az(resource).await? {
            return Ok(token);
        }
        let host = set("AZURE_POD_IDENTITY_AUTHORITY_HOST")
            .unwrap_or_else(|| "http://169.254.169.254".to_owned());
        let mut query = vec![("api-version", "2018-02-01"), ("resource", resource)];
        let id = set("AZURE_CLIENT_ID");
        query.extend(id.as_deref().map(|id| ("client_id", id)));
        let address = format!(
            "{}/metadata/identity/oauth2/token",
            host.trim_end_matches('/')
        );
        let url = Url::parse_with_params(&address, query)
            .map_err(|_| refused("AZURE_POD_IDENTITY_AUTHORITY_HOST is no address"))?;
        answer(client.get(url).header("Metadata", "true")).await
    }
}

/// A client that goes nowhere but where it is sent: a secret never follows a redirect.
fn client(
    with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, Error> {
    super::cloud::choose_tls();
    with(reqwest::Client::builder())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| refused(&told(&error)))
}

async fn from_login(
    client: &reqwest::Client,
    resource: &str,
    variable: Variable,
    tenant: &str,
    id: &str,
    proof: &[(&str, String)],
) -> Result<Token, Error> {
    let authority = variable("AZURE_AUTHORITY_HOST")
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "https://login.microsoftonline.com".to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !tenant.chars().all(plain) {
        return Err(refused("AZURE_TENANT_ID is no tenant"));
    }
    let address = format!(
        "{}/{tenant}/oauth2/v2.0/token",
        authority.trim_end_matches('/')
    );
    let url = Url::parse(&address).map_err(|_| refused("AZURE_AUTHORITY_HOST is no address"))?;
    if url.scheme() != "https" && !url.host_str().is_some_and(is_loopback) {
        return Err(refused("AZURE_AUTHORITY_HOST is not `https://`"));
    }
    let scope = format!("{resource}/.default");
    let mut form = Url::parse("form:").expect("a constant");
    form.query_pairs_mut()
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id)
        .append_pair("scope", &scope)
        .extend_pairs(proof);
    let request = client
        .post(url)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned());
    answer(request).await
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Token, Error> {
    let response = request
        .send()
        .await
        .map_err(|error| refused(&told(&error.without_url())))?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|error| refused(&told(&error.without_url())))?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(token) = body["access_token"]
        .as_str()
        .filter(|_| status.is_success())
    {
        return Token::new(token);
    }
    let said = body["error_description"]
        .as_str()
        .or(body["error"].as_str())
        .unwrap_or_default();
    let line: String = said
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    Err(refused(&format!("the answer is {status} {line}")))
}

/// Asks Azure's command line; nothing when it is not there or nobody is logged in.
async fn from_az(resource: &str) -> Result<Option<Token>, Error> {
    let mut command = tokio::process::Command::new("az");
    command
        .args([
            "account",
            "get-access-token",
            "--output",
            "json",
            "--resource",
        ])
        .arg(resource)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    for name in crate::tool::secret_variables() {
        command.env_remove(name);
    }
    let Ok(Ok(output)) = tokio::time::timeout(Duration::from_secs(30), command.output()).await
    else {
        return Ok(None);
    };
    if !output.status.success() {
        tracing::info!("`az account get-access-token` gives no token");
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    body["accessToken"].as_str().map(Token::new).transpose()
}

/// Whether a host is this machine, where nobody listens on the way.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.trim_matches(['[', ']']);
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn refused(message: &str) -> Error {
    Error::Remote {
        action: "get",
        place: "a token for Azure Data Explorer".to_owned(),
        message: message.to_owned(),
        help: Some(HELP.to_owned()),
    }
}
