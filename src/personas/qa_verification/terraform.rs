//! What terraform itself says: formatting, and validation where the providers are there offline.
//!
//! Works on a private copy. `terraform init` gets a CLI configuration whose only source of providers
//! are local folders, so that it cannot reach the network; a provider that lies in none of them makes
//! the case `not-run` with that reason.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::case::Case;
use super::mirror::Mirrors;
use super::tree::Tree;
use crate::contracts::{IaCPlan, IaCUnit, QAMode, TestCase, ToolVersion};
use crate::port::{Command, Completed, Failure, Host};
use crate::value::Value;

const FAST: &str = "qa_checks is fast";

/// Runs terraform's checks; also gives the version that ran, if any.
pub(super) fn cases(
    plan: &IaCPlan,
    mode: QAMode,
    tree: &Tree<'_>,
    host: &dyn Host,
) -> Result<(Vec<TestCase>, Option<ToolVersion>), Failure> {
    let units: Vec<(&IaCUnit, &str)> = plan
        .modules
        .iter()
        .map(|unit| (unit, "module"))
        .chain(plan.stacks.iter().map(|unit| (unit, "stack")))
        .collect();
    let scratch = host.scratch()?;
    let copy = scratch.join("tree");
    let mut terraform = Terraform {
        host,
        copy,
        config: scratch.join("terraform.rc"),
        mirrors: Mirrors::find(host),
    };
    let version = terraform.version();
    // Nothing is copied for a terraform that is not there.
    if version.is_ok() {
        tree.copy("iac", &terraform.copy)?;
    }
    let mut cases = Vec::new();
    for (unit, kind) in &units {
        let case = format_case(unit, kind);
        cases.push(match &version {
            Err(reason) => case.not_run(reason.clone()),
            Ok(_) => terraform.format(unit, case),
        });
    }
    for (unit, kind) in &units {
        let case = validate_case(unit, kind);
        cases.push(match &version {
            _ if mode == QAMode::Fast => case.not_run(FAST),
            Err(reason) => case.not_run(reason.clone()),
            Ok(_) => terraform.validate(unit, case),
        });
    }
    let version = version.ok().map(|version| ToolVersion {
        name: "terraform".to_owned(),
        version,
    });
    Ok((cases, version))
}

fn format_case(unit: &IaCUnit, kind: &str) -> Case {
    Case::new(
        format!("QA-TF-01-{}-{kind}", unit.cloud),
        "terraform fmt -check finds nothing to change",
        &unit.path,
    )
    .controls(&["cm-6"])
    .tool("terraform fmt")
}

fn validate_case(unit: &IaCUnit, kind: &str) -> Case {
    Case::new(
        format!("QA-TF-02-{}-{kind}", unit.cloud),
        "terraform validate accepts the configuration",
        &unit.path,
    )
    .controls(&["cm-2", "cm-6"])
    .tool("terraform validate")
}

struct Terraform<'a> {
    host: &'a dyn Host,
    copy: PathBuf,
    config: PathBuf,
    mirrors: Mirrors,
}

impl Terraform<'_> {
    fn run(&self, folder: &Path, arguments: &[&str], seconds: u64) -> Result<Completed, String> {
        let argv = std::iter::once("terraform").chain(arguments.iter().copied());
        let variables = [
            ("CHECKPOINT_DISABLE", "1"),
            ("TF_IN_AUTOMATION", "1"),
            ("TF_INPUT", "0"),
            // What the caller's environment says of terraform would make the result depend on it.
            ("TF_CLI_ARGS", ""),
            ("TF_CLI_ARGS_init", ""),
            ("TF_CLI_ARGS_validate", ""),
            ("TF_CLI_ARGS_fmt", ""),
            ("TF_DATA_DIR", ""),
            ("TF_LOG", ""),
            ("TF_PLUGIN_CACHE_DIR", ""),
            ("TF_REATTACH_PROVIDERS", ""),
            ("TF_WORKSPACE", "default"),
        ];
        let mut env: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        env.push((
            "TF_CLI_CONFIG_FILE".to_owned(),
            self.config.display().to_string(),
        ));
        let command = Command {
            argv: argv.map(str::to_owned).collect(),
            cwd: folder.to_owned(),
            env,
            timeout: Duration::from_secs(seconds),
        };
        let done = self.host.run(&command).map_err(|failure| failure.message)?;
        if done.timed_out {
            return Err(format!(
                "`terraform {}` took longer than {seconds} s",
                arguments[0]
            ));
        }
        Ok(done)
    }

    /// The version, or why there is none.
    fn version(&mut self) -> Result<String, String> {
        std::fs::create_dir_all(&self.copy)
            .map_err(|error| format!("no scratch folder: {error}"))?;
        std::fs::write(&self.config, self.mirrors.config())
            .map_err(|error| format!("cannot write the CLI configuration: {error}"))?;
        let done = self
            .run(&self.copy, &["version", "-json"], 60)
            .map_err(|reason| format!("terraform is not available: {reason}"))?;
        if done.exit_code != Some(0) {
            return Err(format!("terraform is not available: {}", first_line(&done)));
        }
        let version: Option<Value> = serde_json::from_str(&done.stdout).ok();
        let version = version
            .as_ref()
            .and_then(|value| value["terraform_version"].as_str());
        Ok(version.unwrap_or("unknown").to_owned())
    }

    fn format(&self, unit: &IaCUnit, case: Case) -> TestCase {
        let arguments = ["fmt", "-check", "-recursive", "-no-color", "-list=true"];
        match self.run(&self.copy.join(&unit.path), &arguments, 120) {
            Err(reason) => case.not_run(reason),
            Ok(done) if done.exit_code == Some(0) => {
                case.passed(vec![format!("{} files", unit.files.len())])
            }
            Ok(done) => {
                let files = done
                    .stdout
                    .lines()
                    .map(|file| format!("{}/{file}", unit.path))
                    .collect();
                let reason = match done.exit_code {
                    Some(3) => "terraform fmt would change files".to_owned(),
                    _ => first_line(&done),
                };
                case.failed(reason, files)
            }
        }
    }

    fn validate(&self, unit: &IaCUnit, case: Case) -> TestCase {
        let folder = self.copy.join(&unit.path);
        if let Some(reason) = needs_a_caller(&folder) {
            return case.not_run(reason);
        }
        if let Some(missing) = self.mirrors.missing(&self.copy, &folder) {
            return case.not_run(missing);
        }
        let arguments = ["init", "-backend=false", "-input=false", "-no-color"];
        match self.run(&folder, &arguments, 300) {
            Err(reason) => return case.not_run(reason),
            Ok(done) if done.exit_code == Some(0) => {}
            Ok(done) if is_about_providers(&done) => {
                return case.not_run(format!("terraform init: {}", first_error(&done.stderr)));
            }
            Ok(done) => {
                let finding = format!("terraform init: {}", first_error(&done.stderr));
                return case.failed(finding.clone(), vec![finding]);
            }
        }
        match self.run(&folder, &["validate", "-json", "-no-color"], 300) {
            Err(reason) => case.not_run(reason),
            Ok(done) => match serde_json::from_str::<Value>(&done.stdout) {
                Err(_) => case.not_run(format!(
                    "terraform validate gave no result: {}",
                    first_line(&done)
                )),
                Ok(result) => case.of(errors(&result), warnings(&result)),
            },
        }
    }
}

/// A module that takes provider aliases can only be validated through a stack that passes them.
fn needs_a_caller(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?;
    let paths = files.flatten().map(|entry| entry.path());
    let mut sources =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "tf"));
    let takes_aliases = sources.any(|path| {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains("configuration_aliases"))
    });
    takes_aliases.then(|| {
        "the module takes provider aliases, so terraform can validate it only through the stack that calls it"
            .to_owned()
    })
}

/// The errors of `validate -json`.
fn errors(result: &Value) -> Vec<String> {
    let diagnostics = result["diagnostics"].as_array().into_iter().flatten();
    let errors = diagnostics.filter(|diagnostic| diagnostic["severity"] == "error");
    errors
        .map(|error| {
            let file = error["range"]["filename"].as_str().unwrap_or("?");
            let line = &error["range"]["start"]["line"];
            let summary = error["summary"].as_str().unwrap_or_default();
            let detail = error["detail"].as_str().unwrap_or_default();
            format!("{file}:{line}: {summary}: {detail}")
        })
        .collect()
}

fn warnings(result: &Value) -> String {
    format!(
        "valid, {} warnings",
        result["warning_count"].as_u64().unwrap_or(0)
    )
}

fn is_about_providers(done: &Completed) -> bool {
    [
        "Failed to query available provider packages",
        "Failed to install provider",
        "Could not retrieve the list of available versions",
    ]
    .iter()
    .any(|message| done.stderr.contains(message))
}

/// The first error of terraform's boxed output, on one line.
fn first_error(stderr: &str) -> String {
    let from = stderr.find("Error: ").unwrap_or(0);
    let text: String = stderr[from..]
        .chars()
        .filter(|c| !matches!(c, '│' | '╷' | '╵'))
        .collect();
    let words: Vec<&str> = text.split_whitespace().take(60).collect();
    words.join(" ")
}

fn first_line(done: &Completed) -> String {
    let lines = done.stderr.lines().chain(done.stdout.lines());
    let line = lines.map(str::trim).find(|line| !line.is_empty());
    match line {
        Some(line) => line.to_owned(),
        None => format!(
            "exit code {}",
            done.exit_code
                .map_or("none".to_owned(), |code| code.to_string())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_file_and_line() {
        let result = json!({ "diagnostics": [
            { "severity": "warning", "summary": "w" },
            { "severity": "error", "summary": "Unsupported argument", "detail": "x",
              "range": { "filename": "main.tf", "start": { "line": 7 } } },
        ]});
        assert_eq!(errors(&result), ["main.tf:7: Unsupported argument: x"]);
    }

    #[test]
    fn boxed_errors_become_one_line() {
        let stderr = "╷\n│ Error: Failed to install provider\n│ \n│ Could not\n╵\n";
        assert_eq!(
            first_error(stderr),
            "Error: Failed to install provider Could not"
        );
    }
}
