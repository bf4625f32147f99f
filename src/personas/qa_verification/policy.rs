//! The Rego cases: the pack's own tests, and each rule over every stack, as it is and broken on purpose.

use std::collections::BTreeSet;

use super::case::Case;
use super::evaluator::Refusal;
use super::tree::Tree;
use super::verdict::{Question, Rules, Seen};
use crate::contracts::{IaCPlan, QAMode, SecurityProfile, TestCase};
use crate::terraform::Configuration;
use crate::value::Digest;

/// The pack, as the profile tells of it.
struct Pack<'a> {
    folder: &'a str,
    rules: BTreeSet<&'a str>,
}

/// The Rego cases; `read` is of the files that the configuration was read from.
pub(super) fn cases(
    plan: &IaCPlan,
    profile: &SecurityProfile,
    mode: QAMode,
    (configuration, read): (&Configuration, Digest),
    tree: &Tree<'_>,
) -> Vec<TestCase> {
    let pack = Pack::of(profile);
    let own_tests = Case::new(
        "QA-RG-01",
        "The pack's Rego compiles and passes its own tests",
        pack.folder,
    )
    .controls(&["cm-6"])
    .tool("regorus");
    let verdict = pack
        .sources(tree)
        .map_err(Refusal::Broken)
        .and_then(|sources| {
            let faults = match mode {
                QAMode::Full => pack.faults(tree),
                QAMode::Fast => Ok(None),
            };
            let stacks = plan.stacks.iter();
            let question = Question {
                sources,
                faults,
                stacks: stacks
                    .map(|unit| (unit.cloud, unit.path.as_str()))
                    .collect(),
                configuration,
                read,
            };
            question.verdict()
        });
    let verdict = match verdict {
        Ok(verdict) => verdict,
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
    let own_tests = match &verdict.own_tests {
        Err(reason) => own_tests.failed(reason.clone(), vec![reason.clone()]),
        Ok((passed, failed)) => own_tests.of(failed.clone(), format!("{passed} tests")),
    };
    let rules: Vec<TestCase> = match &verdict.rules {
        Err(reason) => pack
            .cases(profile)
            .map(|(_, case)| case.failed(reason.clone(), vec![reason.clone()]))
            .collect(),
        Ok(rules) => pack
            .cases(profile)
            .map(|(rule, case)| sum_up(case, rule, rules, mode))
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
    fn sources(&self, tree: &Tree<'_>) -> Result<Vec<(String, String)>, String> {
        let paths = tree.list(self.folder).into_iter();
        let rego = paths.filter(|path| path.ends_with(".rego"));
        rego.map(|path| {
            let text = tree.text(&path)?;
            Ok((path, text))
        })
        .collect()
    }

    /// The text of the list of faults, with its path; `None` when the pack has none.
    fn faults(&self, tree: &Tree<'_>) -> Result<Option<(String, String)>, String> {
        let path = format!("{}/faults.yaml", self.folder);
        if !tree.list(self.folder).contains(&path) {
            return Ok(None);
        }
        let text = tree.text(&path)?;
        Ok(Some((path, text)))
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

fn sum_up(case: Case, rule: &str, rules: &Rules, mode: QAMode) -> TestCase {
    let none = Seen::default();
    let seen = rules.seen.get(rule).unwrap_or(&none);
    let findings: Vec<String> = seen.breaches.iter().chain(&seen.missed).cloned().collect();
    if !findings.is_empty() {
        return case.of(findings, String::new());
    }
    // What is not planned is not judged: the rest holding proves nothing of it.
    let open: Vec<String> = rules
        .stacks
        .iter()
        .filter_map(|stack| {
            let open = stack.open.as_ref()?;
            Some(format!("{}: {open}", stack.path))
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
    let figures = rules.stacks.iter().map(|stack| {
        let resources = stack.resources;
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
