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
    assert_snapshot!(test.run(["connection", "list"]), @"");
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
    assert_snapshot!(test.scrub(&set.stderr), @"");
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
    assert_snapshot!(test.run(["connection", "list"]), @"");
    assert_snapshot!(test.run(["connection", "show", "azure"]), @"");
    assert_snapshot!(test.run(["connection", "show", "other"]), @"");
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
    assert_snapshot!(test.run(["connection", "delete", "azure"]), @"");
    assert_snapshot!(test.run(["connection", "show", "azur"]), @"");
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
    assert_snapshot!(said(&["--type", "open_ai", "api_key=hush"]), @"");
    assert_snapshot!(said(&["--type", "custom", "MyPassword=hush"]), @"");
    assert_snapshot!(said(&["--type", "open_ai", "hush"]), @"");
    assert_snapshot!(said(&["--type", "open_ai"]), @"");
    assert_snapshot!(said(&["--type", "openai"]), @"");
    assert_snapshot!(said(&["--type", "azure_open_ai", "api_bas=x"]), @"");
    assert_snapshot!(said(&["--type", "azure_open_ai"]), @"");
    assert_snapshot!(said(&[]), @"");
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
    assert_snapshot!(test.run(["connection", "import", "pf.json", "c.yaml"]), @"");
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
    assert_snapshot!(test.run(["connection", "import", "home/pf.sqlite"]), @"");
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
        assert_snapshot!(run("good"), @"");
        assert_snapshot!(run("bad"), @"");
        assert_snapshot!(run("azure"), @"");
        assert_snapshot!(run("claude"), @"");
        assert_snapshot!(run("search"), @"");
        assert_snapshot!(run("entra"), @"");
        assert_snapshot!(run("nowhere"), @"");
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
