//! Hosts and calls for the personas' tests.

use std::path::PathBuf;

use super::Persona;
use crate::contracts::{Cloud, DataClassification, ProductRequest, Slug};
use crate::port::{Call, Command, Completed, Failure, Host, Outcome};
use crate::value::{Object, Value};

/// A host that can do nothing: for personas that ask for nothing.
pub(super) struct NoHost;

impl Host for NoHost {
    fn render(&self, skill: &str, _: &Object) -> Result<Outcome, Failure> {
        Err(Failure::new(format!("no skill `{skill}` here")))
    }

    fn staged_paths(&self) -> Result<Vec<String>, Failure> {
        Err(Failure::new("nothing is staged"))
    }

    fn staged_file(&self, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Err(Failure::new("nothing is staged"))
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        Err(Failure::new("no scratch folder"))
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        Err(Failure::new(format!(
            "`{}` is not installed",
            command.argv[0]
        )))
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> String {
        "2026-01-02T03:04:05Z".to_owned()
    }
}

/// Calls a persona, and checks what it gives against its ports.
pub(super) fn call(persona: &Persona, inputs: &Value, host: &dyn Host) -> Result<Outcome, Failure> {
    call_with(persona, inputs, None, host)
}

/// Calls a persona whose node has a gate.
pub(super) fn call_with(
    persona: &Persona,
    inputs: &Value,
    approval: Option<&Value>,
    host: &dyn Host,
) -> Result<Outcome, Failure> {
    let inputs = inputs.as_object().unwrap();
    let call = Call {
        inputs,
        approval,
        idempotency_key: "test",
    };
    let outcome = (persona.function)(&call, host)?;
    for port in (persona.signature)().outputs {
        let value = outcome.output.get(&port.name);
        if let Some(value) = value {
            let validator = jsonschema::validator_for(&port.schema).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(value)
                .map(|e| e.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", port.name);
        } else {
            assert!(!port.required, "{} gives no {}", persona.name, port.name);
        }
    }
    Ok(outcome)
}

/// A request for all four clouds.
pub(super) fn product(name: &str) -> ProductRequest {
    ProductRequest {
        product_name: name.to_owned(),
        slug: Slug::of(name),
        description: format!("Secure object storage for {name}."),
        owner: "group:default/platform-team".to_owned(),
        target_clouds: Cloud::ALL.to_vec().try_into().unwrap(),
        data_classification: DataClassification::Sensitive,
        rto_target: 240,
        rpo_target: 15,
    }
}

/// What the first three personas give for a name, as the inputs of those after them.
pub(super) fn designed(name: &str) -> Value {
    designed_for(&product(name))
}

/// What the first three personas give for a request.
pub(super) fn designed_for(product: &ProductRequest) -> Value {
    let mut given = serde_json::json!({ "product_spec": product });
    for persona in &super::all()[1..3] {
        let outcome = call(persona, &given, &BlankHost).unwrap();
        for (port, value) in outcome.output.as_object().unwrap() {
            given[port] = value.clone();
        }
    }
    given
}

/// A summary that waits for approval, with one case of each good ending.
pub(super) fn summary() -> Value {
    let case = |id: &str, status: &str, reason: &str| {
        serde_json::json!({
            "id": id, "title": "t", "mandatory": true, "status": status, "reason": reason,
            "controls": ["cm-2"], "guardrails": ["GR-AC-01"], "tool": "flowctl", "subject": "iac",
            "details": [],
        })
    };
    serde_json::json!({
        "product_slug": "secure-storage",
        "status": "pending_approval",
        "mode": "full",
        "executed_at": "2026-01-02T03:04:05Z",
        "iac_tree_sha256": "0".repeat(64),
        "tools": [{ "name": "flowctl", "version": "0" }],
        "counts": { "total": 2, "passed": 1, "failed": 0, "not_run": 1, "mandatory_failed": 0 },
        "test_cases": [
            case("QA-DG-01", "passed", ""),
            case("QA-TF-02-azure-stack", "not-run", "no provider"),
        ],
    })
}

/// A gate's yes.
pub(super) fn decision() -> Value {
    serde_json::json!({
        "decision": "approved", "by": "jane", "at": "2026-01-02T04:00:00Z",
        "comment": "looks \"good\"", "identity": "unverified", "digest": "sha256:00", "round": 1,
    })
}

/// Renders nothing, and accepts everything: for tests of what a persona decides.
pub(super) struct BlankHost;

impl Host for BlankHost {
    fn render(&self, _: &str, _: &Object) -> Result<Outcome, Failure> {
        Ok(Outcome::default())
    }

    fn staged_paths(&self) -> Result<Vec<String>, Failure> {
        NoHost.staged_paths()
    }

    fn staged_file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        NoHost.staged_file(path)
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        NoHost.scratch()
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        NoHost.run(command)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> String {
        NoHost.now()
    }
}

mod examples {
    use super::*;
    use crate::value::to_text;

    /// The examples that the templates are written against, in step with what the personas give.
    #[test]
    fn example_contracts_are_what_the_personas_give() {
        let persona = |name: &str| super::super::all().iter().find(|p| p.name == name).unwrap();
        let mut given = serde_json::json!({
            "product_name": "Secure Storage", "target_clouds": ["azure", "aws", "gcp", "oci"],
            "data_classification": "sensitive", "rto_target": "4h", "rpo_target": 15,
        });
        for name in ["ProductManager", "CloudArchitect", "SecurityCompliance"] {
            let outcome = call(persona(name), &given, &BlankHost).unwrap();
            for (port, value) in outcome.output.as_object().unwrap() {
                given[port] = value.clone();
                let path = format!(
                    "{}/schemas/contracts/examples/{port}.json",
                    env!("CARGO_MANIFEST_DIR")
                );
                let fresh = serde_json::to_string_pretty(value).unwrap() + "\n";
                if std::env::vars_os().any(|(name, _)| name == "UPDATE_SCHEMAS") {
                    std::fs::write(&path, &fresh).unwrap();
                }
                let stored = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(
                    stored == fresh,
                    "{path} is stale: run with UPDATE_SCHEMAS=1"
                );
            }
        }
        assert_eq!(to_text(&given["product_spec"]["slug"]), "secure-storage");
    }
}

/// Compares the text between the markers `<!-- generated: NAME -->` and `<!-- /generated -->` of a
/// document with `fresh`; rewrites it when `UPDATE_SCHEMAS` is set.
pub(super) fn in_step(document: &str, name: &str, fresh: &str) {
    let path = format!("{}/docs/{document}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- generated: {name} -->\n");
    let from = text.find(&begin).unwrap() + begin.len();
    let to = from + text[from..].find("<!-- /generated -->").unwrap();
    if std::env::vars_os().any(|(name, _)| name == "UPDATE_SCHEMAS") {
        let text = format!("{}\n{fresh}\n{}", &text[..from], &text[to..]);
        std::fs::write(&path, text).unwrap();
    } else {
        assert_eq!(
            text[from..to].trim(),
            fresh.trim(),
            "{path}: run with UPDATE_SCHEMAS=1"
        );
    }
}

/// A Markdown table.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!(
        "| {} |\n|{}\n",
        header.join(" | "),
        " --- |".repeat(header.len())
    );
    for row in rows {
        text.extend(["| ", row.join(" | ").as_str(), " |\n"]);
    }
    text
}

/// Notes a test that cannot run on this machine; `scripts/test` shows the list.
pub(super) fn not_run(test: &str, reason: &str) {
    use std::io::Write as _;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let notes = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("not-run"));
    writeln!(notes.unwrap(), "{test}: {reason}").unwrap();
}
