//! The Rego rules of the pack, evaluated over every stack: as it is, and with faults made on purpose.
//!
//! A stack is planned without Terraform ([`crate::terraform::Plan`]), so that the rules hold on any
//! machine. A rule that passes proves little if it cannot fail: the pack lists faults
//! (`faults.yaml`); each is put into the rendered modules, and its rule has to find it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::case::Case;
use super::evaluator::{Breach, Evaluator, Refusal};
use super::tree::Tree;
use crate::contracts::{Cloud, IaCPlan, QAMode, SecurityProfile, TestCase};
use crate::terraform::{Configuration, Fault, Plan};
use crate::value::Value;

/// What the pack's `faults.yaml` holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<Listed>,
}

/// One fault of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// The rule that has to find it.
    rule: String,
    /// What is made wrong, all of it at once.
    make: Vec<Fault>,
}

/// The pack, as the profile tells of it.
struct Pack<'a> {
    folder: &'a str,
    rules: BTreeSet<&'a str>,
}

/// A stack and its plan.
struct Stack<'a> {
    cloud: Cloud,
    path: &'a str,
    plan: Plan,
}

/// What was seen of one rule.
#[derive(Debug, Default)]
struct Seen {
    /// Breaches of the stacks as they are.
    breaches: Vec<String>,
    /// How many faults were made, by cloud.
    faults: BTreeMap<Cloud, usize>,
    /// The faults that it did not find.
    missed: Vec<String>,
}

/// The Rego cases.
pub(super) fn cases(
    plan: &IaCPlan,
    profile: &SecurityProfile,
    mode: QAMode,
    configuration: &Configuration,
    tree: &Tree,
) -> Vec<TestCase> {
    let pack = Pack::of(profile);
    let own_tests = Case::new(
        "QA-RG-01",
        "The pack's Rego compiles and passes its own tests",
        pack.folder,
    )
    .controls(&["cm-6"])
    .tool("regorus");
    let compiled = pack
        .sources(tree)
        .map_err(Refusal::Broken)
        .and_then(|sources| Evaluator::compile(&sources));
    let mut evaluator = match compiled {
        Ok(evaluator) => evaluator,
        Err(refusal) => {
            let reason = refusal.text().to_owned();
            let first = match refusal {
                Refusal::NoEvaluator(reason) => own_tests.not_run(reason),
                Refusal::Broken(reason) => own_tests.failed(reason.clone(), vec![reason]),
            };
            let rules = pack.cases(profile).map(|(_, case)| case.not_run(&*reason));
            return std::iter::once(first).chain(rules).collect();
        }
    };
    let own_tests = match evaluator.own_tests() {
        Err(reason) => own_tests.failed(reason.clone(), vec![reason]),
        Ok((passed, failed)) => own_tests.of(failed, format!("{passed} tests")),
    };
    let stacks: Vec<Stack<'_>> = plan
        .stacks
        .iter()
        .map(|unit| Stack {
            cloud: unit.cloud,
            path: &unit.path,
            plan: Plan::of(configuration, &unit.path),
        })
        .collect();
    let judged = judge(&stacks, &mut evaluator).and_then(|mut seen| {
        if mode == QAMode::Full {
            break_on_purpose(
                &pack.faults(tree)?,
                &stacks,
                configuration,
                &mut evaluator,
                &mut seen,
            )?;
        }
        Ok(seen)
    });
    let rules: Vec<TestCase> = match judged {
        Err(reason) => pack
            .cases(profile)
            .map(|(_, case)| case.failed(reason.clone(), vec![reason.clone()]))
            .collect(),
        Ok(mut seen) => pack
            .cases(profile)
            .map(|(rule, case)| sum_up(case, seen.remove(rule).unwrap_or_default(), &stacks, mode))
            .collect(),
    };
    std::iter::once(own_tests).chain(rules).collect()
}

impl<'a> Pack<'a> {
    fn of(profile: &'a SecurityProfile) -> Self {
        let mut files = profile.policy_files.iter();
        let rego = files.find(|file| file.format == "rego");
        let guardrails = profile.guardrails.iter();
        Self {
            folder: rego
                .and_then(|file| file.path.rsplit_once('/'))
                .map_or("policy", |(folder, _)| folder),
            rules: guardrails
                .filter_map(|guardrail| guardrail.rego_rule.as_deref())
                .collect(),
        }
    }

    /// The `.rego` files, by path.
    fn sources(&self, tree: &Tree) -> Result<Vec<(String, String)>, String> {
        let paths = tree.list(self.folder).into_iter();
        let rego = paths.filter(|path| path.ends_with(".rego"));
        rego.map(|path| {
            let text = tree.text(&path)?;
            Ok((path, text))
        })
        .collect()
    }

    fn faults(&self, tree: &Tree) -> Result<Vec<Listed>, String> {
        let path = format!("{}/faults.yaml", self.folder);
        if !tree.list(self.folder).contains(&path) {
            return Ok(Vec::new());
        }
        let told = |error: &dyn std::fmt::Display| format!("{path}: {error}");
        // Through JSON: YAML's own form of an enum is a tag, which nobody expects to write.
        let value: Value =
            serde_yaml::from_str(&tree.text(&path)?).map_err(|error| told(&error))?;
        let faults: Faults = serde_json::from_value(value).map_err(|error| told(&error))?;
        Ok(faults.faults)
    }

    /// The case of each rule, before it is known how it ends.
    fn cases(&self, profile: &'a SecurityProfile) -> impl Iterator<Item = (&'a str, Case)> {
        let folder = self.folder;
        self.rules.clone().into_iter().map(move |rule| {
            let checked: Vec<_> = profile
                .guardrails
                .iter()
                .filter(|guardrail| guardrail.rego_rule.as_deref() == Some(rule))
                .collect();
            let ids: Vec<&str> = checked
                .iter()
                .map(|guardrail| guardrail.id.as_str())
                .collect();
            let titles: Vec<&str> = checked
                .iter()
                .map(|guardrail| guardrail.title.as_str())
                .collect();
            let case = Case::new(
                format!("QA-RG-{}", rule.replace('_', "-")),
                &format!(
                    "Rego rule {rule} holds in every stack: {}",
                    titles.join(", ")
                ),
                folder,
            );
            let case = case.guardrails(&ids, profile).tool("regorus");
            let mandatory = checked.iter().any(|guardrail| guardrail.mandatory);
            (rule, if mandatory { case } else { case.optional() })
        })
    }
}

/// Evaluates every rule over every stack as it is.
fn judge(
    stacks: &[Stack<'_>],
    evaluator: &mut Evaluator,
) -> Result<BTreeMap<String, Seen>, String> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for stack in stacks {
        for Breach { rule, message } in evaluator.breaches(&stack.plan.to_json())? {
            let breaches = &mut seen.entry(rule).or_default().breaches;
            breaches.push(format!("{}: {message}", stack.path));
        }
    }
    Ok(seen)
}

/// Puts every fault into the modules, and evaluates the rules over each stack that it reaches.
fn break_on_purpose(
    faults: &[Listed],
    stacks: &[Stack<'_>],
    configuration: &Configuration,
    evaluator: &mut Evaluator,
    seen: &mut BTreeMap<String, Seen>,
) -> Result<(), String> {
    for listed in faults {
        let Some(broken) = configuration.with(&listed.make) else {
            continue;
        };
        for stack in stacks {
            let Some(plan) = stack.plan.again(configuration, &broken, stack.path) else {
                continue;
            };
            let breaches = evaluator.breaches(&plan.to_json())?;
            let seen = seen.entry(listed.rule.clone()).or_default();
            *seen.faults.entry(stack.cloud).or_default() += 1;
            if !breaches.iter().any(|breach| breach.rule == listed.rule) {
                let made = serde_json::to_string(&listed.make).unwrap_or_default();
                seen.missed.push(format!(
                    "{}: a fault made on purpose was not found: {made}",
                    stack.path
                ));
            }
        }
    }
    Ok(())
}

fn sum_up(case: Case, seen: Seen, stacks: &[Stack<'_>], mode: QAMode) -> TestCase {
    let findings: Vec<String> = seen.breaches.into_iter().chain(seen.missed).collect();
    if !findings.is_empty() {
        return case.of(findings, String::new());
    }
    // What is not planned is not judged: the rest holding proves nothing of it.
    let open: Vec<String> = stacks
        .iter()
        .flat_map(|stack| {
            stack
                .plan
                .open
                .iter()
                .map(move |open| format!("{}: {open}", stack.path))
        })
        .collect();
    if let Some(first) = open.first() {
        let reason = format!("the plan is not whole: {first}");
        // A rule that has to hold and could not be judged has not held.
        return if case.is_mandatory() {
            case.failed(format!("could not be judged: {reason}"), open)
        } else {
            case.not_run(reason)
        };
    }
    let figures = stacks.iter().map(|stack| {
        let resources = stack.plan.resources.len();
        let faults = match (mode, seen.faults.get(&stack.cloud)) {
            (QAMode::Fast, _) => "no faults made, qa_checks is fast".to_owned(),
            (QAMode::Full, None) => "no fault of the pack reaches it".to_owned(),
            (QAMode::Full, Some(1)) => "found the fault made on purpose".to_owned(),
            (QAMode::Full, Some(count)) => format!("found all {count} faults made on purpose"),
        };
        format!("{}: {resources} resources, {faults}", stack.path)
    });
    case.passed(figures.collect())
}
