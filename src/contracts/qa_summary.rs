//! [`QASummary`]: what QA executed and what came of it, case by case.

use serde::{Deserialize, Serialize};

use super::Slug;

/// The result of the quality checks, later also of their approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QASummary {
    /// The product that was checked.
    pub product_slug: Slug,
    /// Where the product stands.
    pub status: QAStatus,
    /// Which checks were asked for.
    pub mode: QAMode,
    /// When the checks ran, RFC 3339, UTC.
    pub executed_at: String,
    /// The tree that was checked: the plan's `tree_sha256`.
    pub iac_tree_sha256: String,
    /// The programs that took part, with the versions they reported.
    pub tools: Vec<ToolVersion>,
    /// How many cases ended how.
    pub counts: QACounts,
    /// The cases, in the order in which they ran.
    pub test_cases: Vec<TestCase>,
    /// Who approved; absent before approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When it was approved; absent before approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<String>,
}

/// Where a checked product stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum QAStatus {
    /// No mandatory case failed; a human has the word.
    PendingApproval,
    /// A mandatory case failed.
    Failed,
    /// A human approved.
    Approved,
    /// A human rejected.
    Rejected,
}

/// Which checks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum QAMode {
    /// All of them.
    #[default]
    Full,
    /// All but `terraform init` and `terraform validate`, and the faults that Rego rules have to find.
    Fast,
}

/// A program that took part in the checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ToolVersion {
    /// The program.
    pub name: String,
    /// The version that it reported.
    pub version: String,
}

/// How many cases ended how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QACounts {
    /// All cases.
    pub total: u32,
    /// Executed, and held.
    pub passed: u32,
    /// Executed, and did not hold.
    pub failed: u32,
    /// Not executed; each says why.
    pub not_run: u32,
    /// Mandatory cases that failed.
    pub mandatory_failed: u32,
}

impl QACounts {
    /// Counts cases.
    #[must_use]
    pub fn of(cases: &[TestCase]) -> Self {
        let mut counts = Self::default();
        for case in cases {
            counts.total += 1;
            match case.status {
                TestStatus::Passed => counts.passed += 1,
                TestStatus::Failed => counts.failed += 1,
                TestStatus::NotRun => counts.not_run += 1,
            }
            counts.mandatory_failed +=
                u32::from(case.mandatory && case.status == TestStatus::Failed);
        }
        counts
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// The id, for example `QA-TF-01-azure-stack`.
    pub id: String,
    /// What is checked.
    pub title: String,
    /// Whether a failure fails the run.
    pub mandatory: bool,
    /// How it ended.
    pub status: TestStatus,
    /// Why it failed or was not run; empty when it passed.
    pub reason: String,
    /// OSCAL ids of the controls that it bears on.
    pub controls: Vec<String>,
    /// The guardrails that it bears on.
    pub guardrails: Vec<String>,
    /// What executed it: `flowctl` or a program.
    pub tool: String,
    /// The folder or document that was checked.
    pub subject: String,
    /// What was seen: findings when it failed, figures when it passed.
    pub details: Vec<String>,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TestStatus {
    /// Executed, and held.
    Passed,
    /// Executed, and did not hold.
    Failed,
    /// Not executed.
    NotRun,
}
