//! `flowctl connection` over the real program.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Ran, Test};

/// Runs with something on standard input.
#[track_caller]
fn fed(test: &Test, args: &[&str], input: &str) -> Ran {
    let mut child = test.command(args).stdin(Stdio::piped()).spawn().unwrap();
    // Who does not read it hangs up.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn own(test: &Test) -> std::path::PathBuf {
    test.home().join(".config/flowctl/connections.yaml")
}

#[test]
fn a_connection_is_set_listed_shown_and_deleted() {
    let test = Test::new();
    assert_snapshot!(test.run(["connection", "list"]), @r#"
    exit 0
    --- stderr
    there are no connections
    help: `flowctl connection set NAME --type TYPE` makes one; the types are `azure_open_ai`, `open_ai`, `serverless`, `serp`, `qdrant`, `weaviate`, `cognitive_search`, `azure_ai_services`, `azure_content_safety`, `form_recognizer`, `custom`, `anthropic`, `openai_compatible`
    "#);
    let set = fed(
        &test,
        &[
            "connection",
            "set",
            "azure",
            "--type",
            "azure_open_ai",
            "api_base=https://h",
            "--stdin",
            "api_key",
        ],
        "hush\n",
    )
    .exits(0);
    assert_snapshot!(test.scrub(&set.stderr), @r#"
    `azure` is in <dir>/.config/flowctl/connections.yaml
    "#);
    let file = std::fs::read_to_string(own(&test)).unwrap();
    assert!(file.contains("hush"), "{file}");
    let mode = std::fs::metadata(own(&test)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    test.output([
        "connection",
        "set",
        "other",
        "--type",
        "custom",
        "url=https://u:pw@h/?sig=1",
        "--from-env",
        "token=TOKEN",
    ])
    .exits(0);
    assert_snapshot!(test.run(["connection", "list"]), @r#"
    exit 0
    --- stdout
    azure  azure_open_ai  <dir>/.config/flowctl/connections.yaml
    other  custom         <dir>/.config/flowctl/connections.yaml  (the secret `token` of the connection `other` (<dir>/.config/flowctl/connections.yaml) is in the variable `TOKEN`, which is not set)
    "#);
    assert_snapshot!(test.run(["connection", "show", "azure"]), @r#"
    exit 0
    --- stdout
    azure: azure_open_ai, from <dir>/.config/flowctl/connections.yaml
      api_base: https://h
      api_key: [secret]
      api_type: azure
      api_version: 2024-02-01
      auth_mode: key
      resource_id: not set
    "#);
    assert_snapshot!(test.run(["connection", "show", "other"]), @r#"
    exit 0
    --- stdout
    other: custom, from <dir>/.config/flowctl/connections.yaml
      url: https://…@h/?…
      token: not set  (from `TOKEN`)
    --- stderr
    note: the secret `token` of the connection `other` (<dir>/.config/flowctl/connections.yaml) is in the variable `TOKEN`, which is not set
    help: set `TOKEN`, in the environment or in `.env`
    "#);
    let shown = test.output(["connection", "list", "--json"]).exits(0);
    assert_eq!(
        shown.json()["connections"][0]["fields"]["api_key"],
        json!({ "secret": true, "set": true })
    );
    assert!(!format!("{shown:?}").contains("hush"));
    // A change keeps what is not said.
    test.output(["connection", "set", "azure", "api_version=2025-01-01"])
        .exits(0);
    assert!(
        std::fs::read_to_string(own(&test))
            .unwrap()
            .contains("hush")
    );
    assert_snapshot!(test.run(["connection", "delete", "azure"]), @r#"
    exit 0
    --- stderr
    removed `azure` from <dir>/.config/flowctl/connections.yaml
    "#);
    assert_snapshot!(test.run(["connection", "show", "azur"]), @r#"
    exit 2
    --- stderr
    error: there is no connection `azur`
    help: there are `other`
    help: `flowctl connection set azur --type TYPE` makes it; `flowctl connection import` takes Prompt Flow's files
    help: it was looked for in `.flowctl/connections.yaml`, `connections.yaml`, `<dir>/.config/flowctl/connections.yaml` and the variables `azur` and `AZUR_TYPE`
    "#);
    assert!(
        !std::fs::read_to_string(own(&test))
            .unwrap()
            .contains("hush")
    );
}

#[test]
fn secrets_are_no_arguments() {
    let test = Test::new();
    let said = |args: &[&str]| {
        let mut all = vec!["connection", "set", "c"];
        all.extend(args);
        let ran = test.output(all).exits(2);
        assert!(!format!("{ran:?}").contains("hush"), "{ran:?}");
        ran.stderr
    };
    assert_snapshot!(said(&["--type", "open_ai", "api_key=hush"]), @r#"
    error: `api_key` is a secret, and arguments are seen by everybody on this machine
    help: leave it out and be asked; or `--stdin api_key`, or `--from-env api_key=VARIABLE`; and make a new key, as this one was seen
    "#);
    assert_snapshot!(said(&["--type", "custom", "MyPassword=hush"]), @r#"
    error: `MyPassword` is a secret, and arguments are seen by everybody on this machine
    help: leave it out and be asked; or `--stdin MyPassword`, or `--from-env MyPassword=VARIABLE`; and make a new key, as this one was seen
    "#);
    assert_snapshot!(said(&["--type", "open_ai", "hush"]), @r#"
    error: a field has no value
    help: write FIELD=VALUE
    "#);
    assert_snapshot!(said(&["--type", "open_ai"]), @r#"
    error: the secret `api_key` of `c` is missing, and nobody is there to be asked
    help: `… | flowctl connection set c --stdin api_key`, or `--from-env api_key=C_API_KEY`
    "#);
    assert_snapshot!(said(&["--type", "openai"]), @r#"
    error: there is no connection type `openai`
    help: did you mean `open_ai`?
    "#);
    assert_snapshot!(said(&["--type", "azure_open_ai", "api_bas=x"]), @r#"
    error: a connection of type `azure_open_ai` has no field `api_bas`
    help: did you mean `api_base`?
    "#);
    assert_snapshot!(said(&["--type", "azure_open_ai"]), @r#"
    error: a connection of type `azure_open_ai` needs `api_base`
    help: add `api_base=VALUE`
    "#);
    assert_snapshot!(said(&[]), @r#"
    error: there is no connection `c` yet, so its type must be said
    help: add `--type TYPE`: `azure_open_ai`, `open_ai`, `serverless`, `serp`, `qdrant`, `weaviate`, `cognitive_search`, `azure_ai_services`, `azure_content_safety`, `form_recognizer`, `custom`, `anthropic`, `openai_compatible`
    "#);
    assert!(!own(&test).exists());
}

#[test]
fn a_template_of_the_workspace_is_filled_in_by_the_users_own() {
    let test = Test::new().file(
        "connections/azure.yaml",
        "name: azure\ntype: azure_open_ai\napi_key: <user-input>\napi_base: https://h\n",
    );
    test.output(["connection", "show", "azure"])
        .exits(0)
        .says("has no value for its secret `api_key`");
    let set = fed(
        &test,
        &["connection", "set", "azure", "--stdin", "api_key"],
        "hush",
    )
    .exits(0);
    assert!(
        set.stderr.contains("yours fills in what is open there"),
        "{set:?}"
    );
    let shown = test
        .output(["connection", "show", "azure", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["usable"], true, "{shown}");
}

#[test]
fn prompt_flows_connections_are_taken_over() {
    let test = Test::new()
        .file(
            "pf.json",
            r#"[{"name": "open_ai_connection", "module": "promptflow.connections", "type": "open_ai", "api_key": "******", "created_date": "2026-01-01"}]"#,
        )
        .file("c.yaml", "$schema: x\nname: mine\ntype: custom\nconfigs: {a: 1}\nsecrets: {s: hush2}\n");
    assert_snapshot!(test.run(["connection", "import", "pf.json", "c.yaml"]), @r#"
    exit 0
    --- stderr
    took over `open_ai_connection` (open_ai), without its api_key: `flowctl connection set open_ai_connection` asks
    took over `mine` (custom)
    they are in <dir>/.config/flowctl/connections.yaml
    "#);
    test.output(["connection", "import", "c.yaml"])
        .exits(2)
        .says("`mine` is in");
    test.output(["connection", "import", "c.yaml", "--replace"])
        .exits(0);
    let printed = r#"[{"name": "n", "type": "AzureOpenAIConnection", "module": "promptflow.connections", "value": {"api_key": "hush", "api_base": "https://h", "api_type": "azure"}, "secret_keys": ["api_key"]}]"#;
    fed(&test, &["connection", "import", "-"], printed).exits(0);
    let shown = test
        .output(["connection", "show", "n", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&shown["type"], &shown["usable"]),
        (&json!("azure_open_ai"), &json!(true))
    );
    assert_snapshot!(test.run(["connection", "import", "home/pf.sqlite"]), @r#"
    exit 2
    --- stderr
    error: the secrets in `home/pf.sqlite` are encrypted with a key in the keyring, which Prompt Flow has
    help: let Prompt Flow print its connections into flowctl, where it is installed:
      python -c 'import json; from promptflow.client import PFClient; c = PFClient().connections; print(json.dumps([c.get(x.name, with_secrets=True)._to_execution_connection_dict() for x in c.list()]))' | flowctl connection import -
    "#);
    fed(
        &test,
        &["connection", "import", "-"],
        "[{\"name\": \"n\", \"type\": \"open_ai\", \"api_key\": hush: x}]",
    )
    .exits(3);
}

#[test]
fn the_users_file_is_refused_when_others_may_read_it() {
    let test = Test::new();
    fed(
        &test,
        &[
            "connection",
            "set",
            "a",
            "--type",
            "serp",
            "--stdin",
            "api_key",
        ],
        "hush",
    )
    .exits(0);
    std::fs::set_permissions(own(&test), std::fs::Permissions::from_mode(0o644)).unwrap();
    for args in [
        &["connection", "list"][..],
        &["connection", "delete", "a"],
        &["connection", "set", "a", "x=y"],
    ] {
        let ran = test.output(args).exits(3);
        assert!(ran.stderr.contains("chmod 600"), "{ran:?}");
        assert!(!format!("{ran:?}").contains("hush"));
    }
    // A link is followed, and stays one.
    std::fs::set_permissions(own(&test), std::fs::Permissions::from_mode(0o600)).unwrap();
    let real = test.home().join("dotfiles.yaml");
    std::fs::rename(own(&test), &real).unwrap();
    std::os::unix::fs::symlink(&real, own(&test)).unwrap();
    fed(
        &test,
        &[
            "connection",
            "set",
            "b",
            "--type",
            "serp",
            "--stdin",
            "api_key",
        ],
        "hush",
    )
    .exits(0);
    assert!(own(&test).is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("b:"));
}

#[cfg(feature = "llm")]
mod tested {
    use super::*;
    use crate::server::{Server, reply};

    #[test]
    fn the_server_is_asked() {
        let server = Server::start(|asked, _, stream| {
            let json = "content-type: application/json\r\n";
            let key = asked
                .header("authorization")
                .or(asked.header("x-api-key"))
                .or(asked.header("api-key"));
            match key {
                Some("Bearer right" | "right") => reply(
                    stream,
                    "200 OK",
                    json,
                    b"{\"data\": [{\"id\": \"a\"}, {\"id\": \"b\"}]}",
                ),
                Some(wrong) => reply(
                    stream,
                    "401 Unauthorized",
                    json,
                    format!(
                        "{{\"error\": {{\"message\": \"Incorrect API key provided: {wrong}\"}}}}"
                    )
                    .as_bytes(),
                ),
                None => reply(stream, "404 Not Found", "", b""),
            }
        });
        let url = server.url("");
        let test = Test::new().file(
            "connections.yaml",
            format!(
                "good: {{type: open_ai, api_key: right, base_url: {url}/v1}}\nbad: {{type: openai_compatible, api_key: wr0ng-hush, base_url: '{url}/v1/'}}\nazure: {{type: azure_open_ai, api_key: right, api_base: {url}/}}\nclaude: {{type: anthropic, api_key: right, base_url: {url}}}\nsearch: {{type: cognitive_search, api_key: right, api_base: {url}/s}}\nentra: {{type: azure_open_ai, api_base: {url}, auth_mode: meid_token}}\nnowhere: {{type: serp, api_key: right}}\n"
            ),
        );
        std::fs::set_permissions(
            test.path("connections.yaml"),
            std::fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        let run = |name: &str| {
            let ran = test.output(["connection", "test", name]);
            assert!(!format!("{ran:?}").contains("hush"), "{ran:?}");
            let text = format!("exit {}\n{}", ran.code, ran.stderr);
            text.replace(&url, "http://<server>")
        };
        assert_snapshot!(run("good"), @r#"
        exit 0
        `good` works: GET http://<server>/v1/models answers: 2 models
        "#);
        assert_snapshot!(run("bad"), @r#"
        exit 4
        error: `bad` does not work: `GET http://<server>/v1/models` answered 401 Unauthorized: Incorrect API key provided: Bearer [secret]
        help: the key is missing, wrong or no longer valid
        "#);
        assert_snapshot!(run("azure"), @r#"
        exit 0
        `azure` works: GET http://<server>/openai/models?… answers: 2 models
        "#);
        assert_snapshot!(run("claude"), @r#"
        exit 0
        `claude` works: GET http://<server>/v1/models answers: 2 models
        "#);
        assert_snapshot!(run("search"), @r#"
        exit 0
        `search` works: HEAD http://<server>/s answers 404; the key was not tried
        "#);
        assert_snapshot!(run("entra"), @r#"
        exit 2
        error: `entra` uses a token of Microsoft Entra ID, which `test` does not get
        help: run a flow that uses it
        "#);
        assert_snapshot!(run("nowhere"), @r#"
        exit 2
        error: `nowhere` says of no server where it is
        help: run a flow that uses it
        "#);
        let targets: Vec<String> = server
            .received()
            .into_iter()
            .map(|asked| asked.target)
            .collect();
        assert_eq!(
            targets,
            [
                "/v1/models",
                "/v1/models",
                "/openai/models?api-version=2024-02-01",
                "/v1/models",
                "/s"
            ]
        );
    }
}
