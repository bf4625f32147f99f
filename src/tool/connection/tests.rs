//! Connections over real files, as hostile as they come.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::diagnostic::{Code, Diagnostics};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn with(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.with_mode(path, text, 0o600)
    }

    fn with_mode(self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn from(&self) -> LoadFrom {
        LoadFrom {
            given: Vec::new(),
            workspace: self.path("ws"),
            flow: Some(self.path("flow")),
            user: Some(self.path("user/connections.yaml")),
            variable: |_| None,
        }
    }

    fn load(&self) -> Connections {
        Connections::load(&self.from()).unwrap_or_else(|problems| panic!("{}", told(&problems)))
    }

    fn wrong(&self) -> Diagnostics {
        Connections::load(&self.from()).unwrap_err()
    }
}

/// Everything that a person could be shown of it.
fn told(problems: &Diagnostics) -> String {
    crate::cli::render::text(problems)
}

fn codes(problems: &Diagnostics) -> Vec<Code> {
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn prompt_flows_file_is_a_connection() {
    let place = Place::new().with(
        "ws/connections/a.yaml",
        "$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json\nname: azure_conn\ntype: azure_open_ai\napi_key: \"abc\"\napi_base: 'https://x.openai.azure.com'\napi_type: azure\n",
    ).with(
        "ws/connections/b.yml",
        "type: custom\nname: mine\nmodule: my_tools.conns\ncustom_type: MyConnection\npackage: p\npackage_version: 1.0\nconfigs:\n  n: 0123\n  yes: on\nsecrets:  # must-have\n  s: 0o17\n",
    );
    let all = place.load();
    let azure = all.get("azure_conn").unwrap();
    assert_eq!(azure.class(), "AzureOpenAIConnection");
    assert_eq!(azure.field("api_key"), Some("abc"));
    assert_eq!(azure.field("api_version"), Some("2024-02-01"));
    assert_eq!(azure.address(), Some("https://x.openai.azure.com"));
    let mine = all.get("mine").unwrap();
    assert_eq!(
        mine.configs,
        [
            ("n".to_owned(), "0123".to_owned()),
            ("yes".to_owned(), "on".to_owned())
        ]
    );
    assert_eq!(mine.field("s"), Some("0o17"));
    assert_eq!(
        mine.custom,
        Some(("MyConnection".to_owned(), "my_tools.conns".to_owned()))
    );
}

#[test]
fn the_first_place_wins_and_later_ones_fill_in_what_is_open() {
    let place = Place::new()
        .with("given.yaml", "g: {type: serp, api_key: given}\n")
        .with("ws/.flowctl/connections.yaml", "g: {type: serp, api_key: ws}\na: {type: azure_open_ai, api_key: <user-input>, api_base: https://h}\n")
        .with("flow/connections.yaml", "f: {type: serp, api_key: flow}\n")
        .with("user/connections.yaml", "a: {type: azure_open_ai, api_key: users, api_base: https://h}\nf: {type: serp, api_key: users}\n");
    let from = LoadFrom {
        given: vec![place.path("given.yaml")],
        ..place.from()
    };
    let all = Connections::load(&from).unwrap();
    let key = |name: &str| all.get(name).unwrap().field("api_key").unwrap().to_owned();
    assert_eq!([key("g"), key("a"), key("f")], ["given", "users", "flow"]);
    assert_eq!(all.names().collect::<Vec<_>>(), ["g", "a", "f"]);
    let shown = all.show("a").unwrap();
    assert_eq!(shown.hidden.len(), 1);
    assert!(!format!("{shown:?} {} {all:?}", shown.to_json()).contains("users\""));
}

#[test]
fn a_secret_goes_to_the_address_it_was_saved_for_only() {
    let place = Place::new()
        .with(
            "flow/connections.yaml",
            "a: {type: openai_compatible, api_key: <user-input>, base_url: https://evil}\nb: {type: open_ai, api_key: '******', base_url: https://evil}\n",
        )
        .with(
            "user/connections.yaml",
            "a: {type: openai_compatible, api_key: users, base_url: https://good}\nb: {type: open_ai, api_key: users}\n",
        );
    let all = place.load();
    assert_eq!(all.get("a").unwrap().field("api_key"), None);
    let problem = all.get("b").unwrap_err();
    assert!(
        problem
            .message
            .contains("has no value for its secret `api_key`")
    );
}

#[test]
fn variables_are_read_where_a_file_names_them_and_win_over_it() {
    let mut from = Place::new()
        .with("ws/connections.yaml", "a: {type: open_ai, api_key: '${env:KEY}'}\nb: {type: open_ai, api_key: file}\nc: {type: open_ai, api_key: ' ${{ env.NOT_THERE }} '}\nd: {type: open_ai, api_key: 'x${env:KEY}'}\n")
        .with("ws/.env", "KEY=workspace\nOTHER=dotenv\n")
        .with("flow/.env", "KEY=flow\n");
    let all = from.load();
    assert_eq!(all.get("a").unwrap().field("api_key"), Some("flow"));
    assert_eq!(all.variable("OTHER").as_deref(), Some("dotenv"));
    assert_eq!(all.get("d").unwrap().field("api_key"), Some("x${env:KEY}"));
    let missing = all.get("c").unwrap_err();
    assert!(
        missing
            .message
            .ends_with("is in the variable `NOT_THERE`, which is not set"),
        "{missing}"
    );
    from = from.with("ws/.env", "B_API_KEY=override\n");
    assert_eq!(
        from.load().get("b").unwrap().field("api_key"),
        Some("override")
    );
    let set = LoadFrom {
        variable: |name| (name == "KEY").then(|| "environment".to_owned()),
        ..from.from()
    };
    let all = Connections::load(&set).unwrap();
    assert_eq!(all.get("a").unwrap().field("api_key"), Some("environment"));
}

#[test]
fn a_connection_may_be_in_the_environment_alone() {
    let from = LoadFrom {
        variable: |name| {
            Some(match name {
                "MY_CONN_TYPE" => "azure_open_ai".to_owned(),
                "MY_CONN_API_KEY" => "k".to_owned(),
                "MY_CONN_API_BASE" => "https://h".to_owned(),
                "whole" => r#"{"type": "CustomConnection", "value": {"a": "1", "b": "2"}, "secret_keys": ["b"]}"#.to_owned(),
                "BAD_TYPE" => "openai".to_owned(),
                "CUSTOM_TYPE" => "custom".to_owned(),
                "path" => "/usr/bin".to_owned(),
                "broken" => "{hush".to_owned(),
                "worse" => r#"{"type": "open_ai", "api_key": ["hush"]}"#.to_owned(),
                _ => return None,
            })
        },
        ..Place::new().from()
    };
    let all = Connections::load(&from).unwrap();
    let mine = all.get("my conn").unwrap();
    assert_eq!(mine.field("api_key"), Some("k"));
    assert_eq!(mine.origin, "the environment");
    let whole = all.get("whole").unwrap();
    assert_eq!(whole.configs, [("a".to_owned(), "1".to_owned())]);
    assert_eq!(whole.secrets, [("b".to_owned(), "2".to_owned())]);
    let said = |name: &str| {
        let problem = all.get(name).unwrap_err();
        assert!(!format!("{problem:?}").contains("hush"), "{problem:?}");
        problem.message
    };
    assert_eq!(
        said("bad"),
        "the variable `BAD_TYPE` names no type of connection"
    );
    assert_eq!(
        said("custom"),
        "the fields of the custom connection `custom` are not known"
    );
    assert_eq!(said("path"), "there is no connection `path`");
    assert_eq!(
        said("broken"),
        "the connection in the variable `broken` cannot be read as JSON"
    );
    assert_eq!(
        said("worse"),
        "the connection in the variable `worse` is wrong: `api_key` must be a string"
    );
}

#[test]
fn an_unknown_name_says_where_it_was_looked_for() {
    let all = Place::new()
        .with(
            "ws/connections.yaml",
            "open_ai_connection: {type: open_ai, api_key: k}\n",
        )
        .load();
    let problem = all.get("open_ai_conection").unwrap_err();
    assert_eq!(
        problem.message,
        "there is no connection `open_ai_conection`"
    );
    assert_eq!(problem.help[0], "did you mean `open_ai_connection`?");
    assert!(problem.help[2].contains("ws/connections.yaml`"));
    assert!(problem.help[2].contains("`OPEN_AI_CONECTION_TYPE`"));
}

#[test]
fn the_users_file_is_nobody_elses_business() {
    let text = "a: {type: serp, api_key: hush}\n";
    for mode in [0o644, 0o640, 0o606, 0o620] {
        let problems = Place::new()
            .with_mode("user/connections.yaml", text, mode)
            .wrong();
        assert_eq!(codes(&problems), [Code::ExposedConnections]);
        assert!(told(&problems).contains("chmod 600"));
    }
    // A link is fine; what counts is what it leads to.
    let place = Place::new().with("elsewhere/c.yaml", text);
    fs::create_dir_all(place.path("user")).unwrap();
    symlink(
        place.path("elsewhere/c.yaml"),
        place.path("user/connections.yaml"),
    )
    .unwrap();
    assert_eq!(
        place.load().get("a").unwrap().field("api_key"),
        Some("hush")
    );
    fs::set_permissions(
        place.path("elsewhere/c.yaml"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    assert_eq!(codes(&place.wrong()), [Code::ExposedConnections]);
    // A link to nowhere is no file.
    fs::remove_file(place.path("elsewhere/c.yaml")).unwrap();
    assert_eq!(place.load().names().count(), 0);
    // Elsewhere it is a warning, and only when a secret is in it.
    let place = Place::new()
        .with_mode("ws/connections.yaml", text, 0o644)
        .with_mode(
            "flow/connections.yaml",
            "b: {type: serp, api_key: '${env:B}'}\n",
            0o644,
        );
    assert_eq!(codes(place.load().warnings()), [Code::ExposedConnections]);
}

#[test]
fn strange_files_are_refused_or_left_alone() {
    let place = Place::new().with("ws/connections.yaml", vec![b'#'; 10 << 20]);
    assert_eq!(codes(&place.wrong()), [Code::FileTooLarge]);
    let place = Place::new().with("ws/connections.yaml", b"a: hush\xff\n");
    assert_eq!(codes(&place.wrong()), [Code::FileNotUtf8]);
    assert!(!told(&place.wrong()).contains("hush"));
    let place = Place::new()
        .with("ws/.env/pyvenv.cfg", "")
        .with("ws/connections.yaml/x", "");
    assert_eq!(place.load().names().count(), 0);
    // A named pipe that nobody writes to holds nobody up.
    let place = Place::new().with("ws/x", "");
    let made = std::process::Command::new("mkfifo")
        .arg(place.path("ws/.env"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(place.load().names().count(), 0);
    }
    let given = LoadFrom {
        given: vec![place.path("nowhere.yaml")],
        ..place.from()
    };
    assert_eq!(
        codes(&Connections::load(&given).unwrap_err()),
        [Code::FileUnreadable]
    );
}

#[test]
fn duplicates_are_refused() {
    let place = Place::new()
        .with(
            "ws/connections/a.yaml",
            "name: c\ntype: serp\napi_key: hush1\n",
        )
        .with(
            "ws/connections/b.yaml",
            "name: c\ntype: serp\napi_key: hush2\n",
        );
    assert_eq!(codes(&place.wrong()), [Code::DuplicateConnection]);
    let place = Place::new().with(
        "ws/connections.yaml",
        "- {name: c, type: serp}\n- {name: c, type: serp}\n",
    );
    assert_eq!(codes(&place.wrong()), [Code::DuplicateConnection]);
    let place = Place::new().with("ws/connections.yaml", "c: {type: serp}\nc: {type: serp}\n");
    assert_eq!(codes(&place.wrong()), [Code::YamlDuplicateKey]);
    let place = Place::new().with(
        "ws/connections.yaml",
        "c: {type: serp, api_key: hush, api_key: hush2}\n",
    );
    assert_eq!(codes(&place.wrong()), [Code::YamlDuplicateKey]);
    assert!(!told(&place.wrong()).contains("hush"));
}

#[test]
fn what_is_wrong_shows_no_secret() {
    for text in [
        "hush",
        "- hush",
        "a: hush",
        "a: {type: open_ai, api_key: [hush]}",
        "a: {type: open_ai, api_key: {hush: hush}}",
        "a: {type: open_ai, api_key: *hush}",
        "a: {type: open_ai, api_key: !hush x}",
        "a: {type: open_ai, api_key: \"hush}",
        "a:\n  type: open_ai\n  api_key: hush: hush\n",
        "a:\n  type: open_ai\n  api_key: |\n    hush\n   hush\n",
        "a: {type: custom, secrets: [hush]}",
        "a: {type: custom, secrets: hush}",
        "a: {type: custom, hush1: hush}",
        "a: {type: open_ai, api_bass: hush}",
        "a: {type: open_ai, api_key: hush, name: b}",
        "a: {type: azure_open_ai, auth_mode: hush}",
        "{\"type\": \"open_ai\", \"api_key\": \"hush\"}",
        "api_key: hush",
        "type: open_ai\napi_key: hush\n",
        "--- {a: hush}\n--- hush\n",
        "a: %hush\n\tb: hush",
        "a: {type: open_ai, api_key: hush\n",
    ] {
        let problems = Place::new().with("ws/connections.yaml", text);
        let problems = match Connections::load(&problems.from()) {
            Ok(all) => all.warnings().clone(),
            Err(problems) => problems,
        };
        assert!(!problems.is_empty(), "{text}");
        let told = told(&problems).replace("hush1", "");
        assert!(!told.contains("hush"), "{text}\n{told}");
    }
}

#[test]
fn a_secret_of_many_lines_stays_whole() {
    let place = Place::new().with(
        "ws/connections.yaml",
        "a:\n  type: custom\n  secrets:\n    pem: |\n      -----BEGIN\n      x\n      -----END\n    empty: ''\n",
    );
    let all = place.load();
    let problem = all.get("a").unwrap_err();
    assert!(problem.message.contains("`empty`"), "{problem}");
    let shown = all.show("a").unwrap();
    assert_eq!(shown.fields[0].name, "pem");
    assert!(shown.fields[0].set && shown.fields[0].value.is_none());
}

#[test]
fn a_token_needs_no_key() {
    let place = Place::new().with(
        "ws/connections.yaml",
        "a: {type: azure_open_ai, api_base: https://h, auth_mode: meid_token}\n",
    );
    let connection = place.load().get("a").unwrap();
    assert_eq!(connection.secrets, []);
    assert_eq!(connection.field("auth_mode"), Some("meid_token"));
}

#[test]
fn the_users_file_is_where_such_files_are() {
    let home: fn(&str) -> Option<String> = |name| (name == "HOME").then(|| "/h".to_owned());
    assert_eq!(
        LoadFrom::user_file(home).as_deref(),
        Some(Path::new("/h/.config/flowctl/connections.yaml"))
    );
    let both: fn(&str) -> Option<String> = |name| Some(format!("/{name}"));
    assert_eq!(
        LoadFrom::user_file(both).as_deref(),
        Some(Path::new("/XDG_CONFIG_HOME/flowctl/connections.yaml"))
    );
    assert_eq!(LoadFrom::user_file(|_| None), None);
}
