//! Builds test cases: a case starts from what is checked and ends as passed, failed or not run.

use crate::contracts::{Guardrail, SecurityProfile, TestCase, TestStatus};

/// What is checked, before it is known how it ends.
pub(super) struct Case {
    case: TestCase,
}

impl Case {
    /// A mandatory case, executed by flowctl itself.
    pub(super) fn new(id: impl Into<String>, title: &str, subject: impl Into<String>) -> Self {
        Self {
            case: TestCase {
                id: id.into(),
                title: title.to_owned(),
                mandatory: true,
                status: TestStatus::NotRun,
                reason: String::new(),
                controls: Vec::new(),
                guardrails: Vec::new(),
                tool: "flowctl".to_owned(),
                subject: subject.into(),
                details: Vec::new(),
            },
        }
    }

    /// The controls that the case bears on.
    pub(super) fn controls(mut self, controls: &[&str]) -> Self {
        self.case.controls = controls
            .iter()
            .map(|control| (*control).to_owned())
            .collect();
        self
    }

    /// The guardrails that the case bears on, and with them their controls.
    pub(super) fn guardrails(mut self, ids: &[&str], profile: &SecurityProfile) -> Self {
        for id in ids {
            if let Some(Guardrail { controls, .. }) = profile
                .guardrails
                .iter()
                .find(|guardrail| guardrail.id == *id)
            {
                self.case.guardrails.push((*id).to_owned());
                for control in controls {
                    if !self.case.controls.contains(control) {
                        self.case.controls.push(control.clone());
                    }
                }
            }
        }
        self
    }

    /// A failure of it is shown, and fails nothing.
    pub(super) fn optional(mut self) -> Self {
        self.case.mandatory = false;
        self
    }

    /// Whether a failure of it fails everything.
    pub(super) fn is_mandatory(&self) -> bool {
        self.case.mandatory
    }

    /// The program that executes it.
    pub(super) fn tool(mut self, tool: &str) -> Self {
        tool.clone_into(&mut self.case.tool);
        self
    }

    /// It was executed and held; `details` are figures.
    pub(super) fn passed(mut self, details: Vec<String>) -> TestCase {
        self.case.status = TestStatus::Passed;
        self.case.details = details;
        self.case
    }

    /// It was executed and did not hold.
    pub(super) fn failed(mut self, reason: impl Into<String>, findings: Vec<String>) -> TestCase {
        self.case.status = TestStatus::Failed;
        self.case.reason = reason.into();
        self.case.details = findings;
        self.case
    }

    /// It was not executed.
    pub(super) fn not_run(mut self, reason: impl Into<String>) -> TestCase {
        self.case.reason = reason.into();
        self.case
    }

    /// Failed when there are findings, else passed with a figure.
    pub(super) fn of(self, findings: Vec<String>, figure: String) -> TestCase {
        match findings.len() {
            0 => self.passed(vec![figure]),
            1 => {
                let reason = findings[0].clone();
                self.failed(reason, findings)
            }
            count => self.failed(
                format!("{count} findings, the first: {}", findings[0]),
                findings,
            ),
        }
    }
}
