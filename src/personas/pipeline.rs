//! The eight personas in the flagship's order, with the real skills and real files.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::skills::SkillHost;
use super::testing;
use crate::contracts::Cloud;
use crate::port::{Command, Completed, Failure, File, Host, Outcome};
use crate::value::{Object, Value};

/// A host with folders and processes of its own.
struct FullHost {
    root: tempfile::TempDir,
    scratches: AtomicU32,
    terraform: bool,
}

impl FullHost {
    fn new(terraform: bool) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            scratches: AtomicU32::new(0),
            terraform,
        }
    }

    fn staged(&self) -> PathBuf {
        self.root.path().join("staged")
    }

    fn stage(&self, files: &[File]) {
        write(&self.staged(), files);
    }
}

fn write(folder: &Path, files: &[File]) {
    std::fs::create_dir_all(folder).unwrap();
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.content).unwrap();
    }
}

impl Host for FullHost {
    fn render(&self, skill: &str, inputs: &Object) -> Result<Outcome, Failure> {
        SkillHost.render(skill, inputs)
    }

    fn staged_paths(&self) -> Result<Vec<String>, Failure> {
        let (mut paths, mut folders) = (Vec::new(), vec![self.staged()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let inside = path.strip_prefix(self.staged()).unwrap();
                    paths.push(inside.to_str().unwrap().to_owned());
                }
            }
        }
        Ok(paths)
    }

    fn staged_file(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(std::fs::read(self.staged().join(path)).ok())
    }

    fn scratch(&self) -> Result<PathBuf, Failure> {
        let number = self.scratches.fetch_add(1, Ordering::Relaxed);
        let folder = self.root.path().join(format!("scratch{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        Ok(folder)
    }

    fn run(&self, command: &Command) -> Result<Completed, Failure> {
        if !self.terraform {
            return testing::NoHost.run(command);
        }
        let done = process::Command::new(&command.argv[0])
            .args(&command.argv[1..])
            .current_dir(&command.cwd)
            .envs(command.env.iter().cloned())
            .output()
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Completed {
            exit_code: done.status.code(),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            timed_out: false,
        })
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> String {
        testing::NoHost.now()
    }
}

/// What a whole run gave.
#[derive(Debug, PartialEq)]
struct Run {
    given: Value,
    files: Vec<File>,
    evidence: Vec<File>,
}

fn inputs(name: &str, clouds: &[Cloud], level: &str) -> Value {
    json!({
        "product_name": name, "target_clouds": clouds, "data_classification": level,
        "rto_target": "4h", "rpo_target": 15, "qa_checks": "fast",
    })
}

/// The same, with every check; terraform is not asked unless the host has it.
fn all_checks(mut inputs: Value) -> Value {
    inputs["qa_checks"] = json!("full");
    inputs
}

/// Runs the personas; `tamper` may change what is staged before each.
fn run(
    mut given: Value,
    host: &FullHost,
    tamper: &dyn Fn(&str, &mut Vec<File>),
) -> Result<Run, Failure> {
    let (mut files, mut evidence) = (Vec::new(), Vec::new());
    host.stage(&[]);
    for persona in super::all() {
        let decision = (persona.name == "Approvals").then(testing::decision);
        let signature = (persona.signature)();
        let inputs: Object = given
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| signature.input(name).is_some())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let inputs = Value::Object(inputs);
        let outcome = testing::call_with(persona, &inputs, decision.as_ref(), host)?;
        for (port, value) in outcome.output.as_object().unwrap() {
            given[port] = value.clone();
        }
        files.extend(outcome.files);
        evidence.extend(outcome.evidence);
        let mut staged = files.clone();
        tamper(persona.name, &mut staged);
        host.stage(&staged);
    }
    Ok(Run {
        given,
        files,
        evidence,
    })
}

fn untouched(_: &str, _: &mut Vec<File>) {}

fn status<'a>(run: &'a Run, prefix: &str) -> Vec<&'a str> {
    let cases = run.given["qa_summary"]["test_cases"].as_array().unwrap();
    let cases = cases
        .iter()
        .filter(|case| case["id"].as_str().unwrap().starts_with(prefix));
    cases.map(|case| case["status"].as_str().unwrap()).collect()
}

/// The cases that failed; below the strictest classification without what is only recommended.
fn failed(run: &Run, level: &str) -> Vec<String> {
    let cases = run.given["qa_summary"]["test_cases"].as_array().unwrap();
    let failed = cases.iter().filter(|case| {
        case["status"] == "failed" && (level == "restricted" || case["mandatory"] == true)
    });
    failed.map(ToString::to_string).collect()
}

#[test]
fn every_classification_and_every_name_passes_its_own_checks() {
    let long = "z".repeat(200);
    let hostile = "x\"y: <script> ${z} ${{ q }} %{if} \\ 🚀";
    for (name, level, clouds) in [
        ("Secure Storage", "public", &Cloud::ALL[..]),
        (hostile, "internal", &Cloud::ALL[..]),
        ("倉庫製品", "sensitive", &[Cloud::Gcp, Cloud::Oci][..]),
        (&long, "restricted", &Cloud::ALL[..]),
        ("abc", "restricted", &[Cloud::Aws][..]),
    ] {
        let host = FullHost::new(false);
        let run = run(all_checks(inputs(name, clouds, level)), &host, &untouched).unwrap();
        assert_eq!(run.given["qa_summary"]["status"], "approved", "{name}");
        assert_eq!(failed(&run, level), Vec::<String>::new(), "{name}");
        assert!(
            status(&run, "QA-TF")
                .iter()
                .all(|status| *status == "not-run")
        );
        assert_eq!(run.evidence.len(), 3);
        keep(&run);
    }
}

/// All fifteen sets of clouds, each with two classifications; with all four in `scripts/test-all`,
/// which sets `FLOWCTL_TEST_MATRIX`.
#[test]
fn the_whole_matrix_passes_its_own_checks() {
    let schema = include_str!("../../schemas/oscal_complete_schema-1.1.3.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let oscal = jsonschema::validator_for(&schema).unwrap();
    let host = FullHost::new(false);
    let whole = std::env::vars_os().any(|(name, _)| name == "FLOWCTL_TEST_MATRIX");
    for set in 1..16_u8 {
        let chosen = Cloud::ALL
            .iter()
            .enumerate()
            .filter(|(at, _)| set & (1 << at) != 0);
        let clouds: Vec<Cloud> = chosen.map(|(_, cloud)| *cloud).collect();
        let levels = ["public", "restricted", "internal", "sensitive"];
        let first = usize::from(set) % 2 * 2;
        let levels = if whole {
            &levels[..]
        } else {
            &levels[first..first + 2]
        };
        for &level in levels {
            let name = format!("matrix {set} {level}");
            let given = inputs(&name, &clouds, level);
            // Faults are made once a cloud here; in test-all everywhere.
            let given = if whole || clouds.len() == 1 {
                all_checks(given)
            } else {
                given
            };
            let run = run(given, &host, &untouched).unwrap();
            assert_eq!(failed(&run, level), Vec::<String>::new(), "{name}");
            for file in &run.evidence {
                let document: Value = serde_json::from_slice(&file.content).unwrap();
                assert!(oscal.is_valid(&document), "{}", file.path);
            }
            keep(&run);
        }
    }
}

/// Writes what a run gave to the folder that `FLOWCTL_TEST_ARTIFACTS` names, for other validators.
fn keep(run: &Run) {
    if let Some(folder) = std::env::vars_os()
        .find(|(name, _)| name == "FLOWCTL_TEST_ARTIFACTS")
        .map(|(_, value)| value)
    {
        let folder =
            PathBuf::from(folder).join(run.given["product_spec"]["slug"].as_str().unwrap());
        write(&folder, &run.files);
        write(&folder.join("artifacts/evidence"), &run.evidence);
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let host = FullHost::new(false);
    let given = inputs("Secure Storage", &[Cloud::Azure, Cloud::Aws], "sensitive");
    let first = run(given.clone(), &host, &untouched).unwrap();
    assert_eq!(
        first,
        run(given, &FullHost::new(false), &untouched).unwrap()
    );
}

#[test]
fn a_changed_file_fails_the_run_by_name() {
    let host = FullHost::new(false);
    let given = inputs("Secure Storage", &[Cloud::Azure], "public");
    let failure = run(given, &host, &|_, files| {
        for file in files
            .iter_mut()
            .filter(|f| f.path == "iac/modules/secure-storage/azure/main.tf")
        {
            let text = String::from_utf8_lossy(&file.content);
            file.content = text
                .replace(
                    "allow_nested_items_to_be_public = false",
                    "allow_nested_items_to_be_public = true",
                )
                .into_bytes();
        }
    })
    .unwrap_err();
    assert!(failure.message.contains("QA-DG-01"), "{}", failure.message);
    #[cfg(feature = "rego")]
    assert!(
        failure.message.contains("QA-RG-public-access")
            && failure
                .message
                .contains("module.storage.azurerm_storage_account.this: blobs may be made public"),
        "{}",
        failure.message
    );
}

#[test]
fn a_missing_policy_fails_the_run_by_name() {
    let host = FullHost::new(false);
    let given = inputs("Secure Storage", &[Cloud::Aws], "internal");
    let failure = run(given, &host, &|persona, files| {
        if persona == "IaCEngineer" {
            files.retain(|file| !file.path.ends_with("conformance-pack.yaml"));
            std::fs::remove_file(
                host.staged()
                    .join("policy/secure-storage/aws/conformance-pack.yaml"),
            )
            .unwrap();
        }
    })
    .unwrap_err();
    assert!(failure.message.contains("QA-DG-02") && failure.message.contains("QA-PL-02"));
}

#[test]
fn terraform_judges_where_it_is_installed() {
    if process::Command::new("terraform")
        .arg("version")
        .output()
        .is_err()
    {
        return testing::not_run("terraform_judges_where_it_is_installed", "no terraform");
    }
    let host = FullHost::new(true);
    let given = inputs("Secure Storage", &Cloud::ALL, "restricted");
    let run = run(given, &host, &untouched).unwrap();
    assert!(
        status(&run, "QA-TF-01")
            .iter()
            .all(|status| *status == "passed")
    );
    assert!(
        status(&run, "QA-TF-02")
            .iter()
            .all(|status| *status == "not-run")
    );
    assert_eq!(run.given["qa_summary"]["tools"][1]["name"], "terraform");
}

#[test]
fn the_checks_are_documented() {
    let host = FullHost::new(false);
    let given = inputs("Secure Storage", &Cloud::ALL, "restricted");
    let run = run(given, &host, &untouched).unwrap();
    let labels = run.given["security_profile"]["controls"]
        .as_array()
        .unwrap();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for case in run.given["qa_summary"]["test_cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        // Rules have a case each, folders share the number of theirs.
        let id = match id.strip_prefix("QA-RG-") {
            Some(_) => id.to_owned(),
            None => id.splitn(4, '-').take(3).collect::<Vec<_>>().join("-"),
        };
        if rows.iter().any(|row| row[0] == id) {
            continue;
        }
        let words = |key: &str| {
            let list = case[key].as_array().unwrap().iter();
            list.map(|word| word.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let controls = words("controls").into_iter().map(|id| {
            let known = labels.iter().find(|control| control["id"] == id.as_str());
            known.map_or(id.to_uppercase(), |control| {
                control["label"].as_str().unwrap().to_owned()
            })
        });
        let guardrails = words("guardrails");
        rows.push(vec![
            id,
            case["title"].as_str().unwrap().to_owned(),
            if guardrails.len() > 6 {
                "every mandatory one".to_owned()
            } else {
                guardrails.join(", ")
            },
            if guardrails.len() > 6 {
                "those of its guardrails".to_owned()
            } else {
                controls.collect::<Vec<_>>().join(", ")
            },
            case["tool"].as_str().unwrap().to_owned(),
        ]);
    }
    let header = ["Check", "What holds", "Guardrails", "Controls", "Tool"];
    testing::in_step("controls.md", "checks", &testing::table(&header, &rows));
}
