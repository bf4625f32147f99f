//! Whether the contracts fit their schemas, and the policy documents are well-formed and complete.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::case::Case;
use super::tree::Tree;
use crate::contracts::{self, Mechanism, SecurityProfile, TestCase};
use crate::port::Call;
use crate::value::Value;

/// The contracts that QA takes in.
const CONTRACTS: [(&str, &str); 3] = [
    ("product_spec", "ProductRequest"),
    ("security_profile", "SecurityProfile"),
    ("iac_plan", "IaCPlan"),
];

/// What checks them, by contract: the schemas are part of the program.
static VALIDATORS: LazyLock<BTreeMap<&str, Result<jsonschema::Validator, String>>> =
    LazyLock::new(|| {
        let compiled = CONTRACTS.iter().filter_map(|(_, contract)| {
            let validator = jsonschema::validator_for(&contracts::schema(contract)?);
            Some((*contract, validator.map_err(|error| error.to_string())))
        });
        compiled.collect()
    });

/// The document cases.
pub(super) fn cases(call: &Call<'_>, profile: &SecurityProfile, tree: &Tree<'_>) -> Vec<TestCase> {
    let mut cases: Vec<TestCase> = CONTRACTS
        .iter()
        .enumerate()
        .map(|(at, (input, contract))| contract_case(call, at + 1, input, contract))
        .collect();
    cases.push(policy_syntax_case(profile, tree));
    cases.push(policy_coverage_case(profile, tree));
    cases
}

fn contract_case(call: &Call<'_>, number: usize, input: &str, contract: &str) -> TestCase {
    let case = Case::new(
        format!("QA-CT-{number:02}"),
        &format!("{input} satisfies the schema of {contract}"),
        input,
    )
    .controls(&["cm-6"])
    .tool("jsonschema");
    let compiled = VALIDATORS.get(contract);
    let (Some(value), Some(compiled)) = (call.inputs.get(input), compiled) else {
        return case.not_run(format!("there is no `{input}` or no schema of it"));
    };
    match compiled {
        Err(error) => case.not_run(format!(
            "the schema of {contract} cannot be compiled: {error}"
        )),
        Ok(validator) => {
            let errors = validator.iter_errors(value);
            let findings = errors
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            case.of(
                findings,
                format!("schemas/contracts/{contract}.schema.json"),
            )
        }
    }
}

/// JSON and YAML documents of the pack can be read; duplicate keys are refused by the readers.
fn policy_syntax_case(profile: &SecurityProfile, tree: &Tree<'_>) -> TestCase {
    let mut findings = Vec::new();
    let mut read = 0;
    for file in &profile.policy_files {
        let Ok(text) = tree.text(&file.path) else {
            continue;
        };
        let problem = match extension(&file.path) {
            "json" => serde_json::from_str::<Value>(&text)
                .err()
                .map(|error| error.to_string()),
            "yaml" => serde_yaml::from_str::<serde_yaml::Value>(&text)
                .err()
                .map(|e| e.to_string()),
            _ => continue,
        };
        read += 1;
        findings.extend(problem.map(|problem| format!("{}: {problem}", file.path)));
    }
    Case::new(
        "QA-PL-01",
        "Policy documents are well-formed JSON and YAML",
        "policy",
    )
    .controls(&["cm-6"])
    .of(findings, format!("{read} documents"))
}

/// Every enforcement point that the profile claims can be found, by its name, in its file.
fn policy_coverage_case(profile: &SecurityProfile, tree: &Tree<'_>) -> TestCase {
    let mut findings = Vec::new();
    let mut points = 0;
    let mandatory: Vec<&str> = profile
        .guardrails
        .iter()
        .filter(|guardrail| guardrail.mandatory)
        .map(|guardrail| guardrail.id.as_str())
        .collect();
    for guardrail in profile
        .guardrails
        .iter()
        .filter(|guardrail| guardrail.mandatory)
    {
        for point in &guardrail.enforcement {
            let Some(path) = &point.path else { continue };
            points += 1;
            // A Rego rule stands in its file as its own name; so do the others, as a word.
            let found = tree
                .text(path)
                .is_ok_and(|text| contains_word(&text, &point.policy));
            if !found {
                let kind = match point.mechanism {
                    Mechanism::Rego => "rule",
                    _ => "policy",
                };
                findings.push(format!(
                    "{}: no {kind} `{}` in {}",
                    guardrail.id, point.policy, path
                ));
            }
        }
    }
    Case::new(
        "QA-PL-02",
        "Every mandatory guardrail is enforced where the profile says",
        "policy",
    )
    .guardrails(&mandatory, profile)
    .of(
        findings,
        format!(
            "{points} enforcement points of {} guardrails",
            mandatory.len()
        ),
    )
}

fn contains_word(text: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(part_of_word) && !text[at + word.len()..].starts_with(part_of_word)
    })
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}
