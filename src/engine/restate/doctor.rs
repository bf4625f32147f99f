//! What is wrong between a worker, a server and whoever asks: `flowctl worker --doctor`.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::environment::Engine;
use super::client::Client;
use super::message::{Body, Put};
use super::{INBOX, NODE, RUN};

/// The server that this was tried with.
const TRIED: &str = "1.7.12";

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What.
    pub name: String,
    /// What was found, or why not.
    pub found: Result<String, String>,
    /// What to do, if it is not as it should be.
    pub help: Option<String>,
}

/// Where the server's two faces are.
#[derive(Clone, Debug)]
pub struct Faces {
    /// Where it takes requests.
    pub ingress: String,
    /// Where it is administered.
    pub admin: String,
}

impl Engine {
    /// Looks at everything that has to work for runs on Restate, in the order in which one thing needs
    /// the other.
    pub async fn doctor(&self, faces: &Faces) -> Vec<Checked> {
        let mut checked = Vec::new();
        let mut note = |name: &str, found: Result<String, String>, help: &str| {
            let help = found.is_err().then(|| help.to_owned());
            checked.push(Checked {
                name: name.to_owned(),
                found,
                help,
            });
        };
        let objects = match self.objects() {
            Ok(objects) => match objects.try_out().await {
                Ok(()) => Ok(format!("`{objects}` keeps and gives")),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        note(
            "object store",
            objects,
            "give `--object-store`, the same for all workers and commands, and the credentials that it needs",
        );
        let token = self.distance.token.clone();
        let client = |url: &str| Client::new(url, token.clone()).map_err(|error| error.to_string());
        let ingress = client(&faces.ingress);
        let admin = client(&faces.admin);
        let health = ask(&ingress, "/restate/health").await;
        note(
            "requests",
            health.map(|_| format!("{} answers", faces.ingress)),
            "start the server, or say with `--restate-url` where it takes requests (port 8080 unless told otherwise)",
        );
        let version = ask(&admin, "/version").await;
        note(
            "administration",
            version.map(|found| {
                let version = found.get("version").and_then(Value::as_str);
                let version = version.unwrap_or("without a version");
                if version == TRIED {
                    format!("{} answers: server {version}", faces.admin)
                } else {
                    format!(
                        "{} answers: server {version}; flowctl was tried with {TRIED}",
                        faces.admin
                    )
                }
            }),
            "say with `--restate-admin-url` where the server is administered (port 9070 unless told otherwise)",
        );
        let services = ask(&admin, "/services").await;
        for wanted in [RUN, INBOX, NODE] {
            let found = services
                .clone()
                .and_then(|services| registered(&services, wanted));
            note(
                &format!("service {wanted}"),
                found,
                "start a worker with `flowctl worker --advertise URL`, where URL is how the server reaches it",
            );
        }
        let deployments = ask(&admin, "/deployments").await;
        for (uri, names) in deployments.as_ref().map(ours).unwrap_or_default() {
            let body = json!({ "uri": uri, "force": true, "dry_run": true });
            let reached = match &admin {
                Ok(admin) => {
                    let asked = admin.ask::<Value>(Method::POST, "/deployments", Some(&body));
                    asked.await.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.clone()),
            };
            note(
                &format!("worker {uri}"),
                reached.map(|_| format!("the server reaches it: {}", names.join(", "))),
                "the server must reach the worker at this address, over HTTP/2 without TLS; a worker that is gone for good is removed with `curl -X DELETE ADMIN/deployments/ID?force=true`",
            );
        }
        let through = match &ingress {
            Ok(ingress) => {
                let path = format!("/{INBOX}/flowctl-doctor/put");
                let asked = ingress.ask::<Put>(Method::POST, &path, Some(&Body::GiveBack));
                asked.await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.clone()),
        };
        note(
            "from here to a worker and back",
            through.map(|_| "a request came through".to_owned()),
            "if all above is well, look at the worker's own messages, and at the invocation in the server's page",
        );
        checked
    }
}

async fn ask(client: &Result<Client, String>, path: &str) -> Result<Value, String> {
    let client = client.as_ref().map_err(Clone::clone)?;
    let asked = client.ask::<Value>(Method::GET, path, None::<&Value>);
    asked.await.map_err(|error| error.to_string())
}

/// Whether the server knows a service.
fn registered(services: &Value, wanted: &str) -> Result<String, String> {
    let services = services.get("services").and_then(Value::as_array);
    let named = |service: &&Value| service.get("name").and_then(Value::as_str) == Some(wanted);
    let found = services.into_iter().flatten().find(named);
    let found = found.ok_or_else(|| "no worker has registered it".to_owned())?;
    let revision = found.get("revision").and_then(Value::as_u64).unwrap_or(0);
    Ok(format!("revision {revision}"))
}

/// The deployments that serve something of ours, with what they serve.
fn ours(deployments: &Value) -> Vec<(String, Vec<String>)> {
    let all = deployments.get("deployments").and_then(Value::as_array);
    let served = |deployment: &Value| {
        let uri = deployment.get("uri").and_then(Value::as_str)?;
        let services = deployment.get("services").and_then(Value::as_array)?;
        let names: Vec<String> = services
            .iter()
            .filter_map(|service| service.get("name").and_then(Value::as_str))
            .filter(|name| [RUN, INBOX].contains(name) || name.starts_with(NODE))
            .map(str::to_owned)
            .collect();
        (!names.is_empty()).then(|| (uri.to_owned(), names))
    };
    all.into_iter().flatten().filter_map(served).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_has_of_us_is_told_from_the_rest() {
        let deployments = json!({ "deployments": [
            { "uri": "http://one/", "services": [{ "name": RUN }, { "name": "FlowNode_gpu" }, { "name": "Other" }] },
            { "uri": "http://two/", "services": [{ "name": "Other" }] },
            { "arn": "a function", "services": [{ "name": RUN }] },
        ] });
        assert_eq!(
            ours(&deployments),
            [(
                "http://one/".to_owned(),
                vec![RUN.to_owned(), "FlowNode_gpu".to_owned()]
            )]
        );
        let services = json!({ "services": [{ "name": INBOX, "revision": 3 }] });
        assert_eq!(registered(&services, INBOX), Ok("revision 3".to_owned()));
        assert!(registered(&services, RUN).is_err());
        assert_eq!(ours(&Value::Null), []);
    }
}
