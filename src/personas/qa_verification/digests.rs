//! Whether what is staged is what the contracts say.

use super::case::Case;
use super::tree::Tree;
use crate::contracts::{IaCPlan, SecurityProfile, TestCase};
use crate::value::Digest;

/// The digest cases.
pub(super) fn cases(plan: &IaCPlan, profile: &SecurityProfile, tree: &Tree<'_>) -> Vec<TestCase> {
    vec![plan_case(plan, tree), policy_case(profile, tree)]
}

fn plan_case(plan: &IaCPlan, tree: &Tree<'_>) -> TestCase {
    let mut findings = Vec::new();
    let mut files: Vec<_> = plan.files().cloned().collect();
    for file in &files {
        match tree.read(&file.path) {
            Err(finding) => findings.push(finding),
            Ok(bytes) if Digest::of(&bytes).hex() != file.sha256 => {
                findings.push(format!("{} is not the file that was planned", file.path));
            }
            Ok(_) => {}
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if Digest::of_json(&files).hex() != plan.tree_sha256 {
        findings.push("the plan's tree digest is not that of its files".to_owned());
    }
    Case::new(
        "QA-DG-01",
        "Every planned file is staged, byte for byte",
        "iac_plan",
    )
    .controls(&["cm-2", "si-7"])
    .of(
        findings,
        format!("{} files, tree sha256:{}", files.len(), plan.tree_sha256),
    )
}

fn policy_case(profile: &SecurityProfile, tree: &Tree<'_>) -> TestCase {
    let findings: Vec<String> = profile
        .policy_files
        .iter()
        .filter_map(|file| tree.read(&file.path).err())
        .collect();
    Case::new(
        "QA-DG-02",
        "Every policy file of the profile is staged",
        "security_profile",
    )
    .controls(&["cm-6"])
    .of(findings, format!("{} files", profile.policy_files.len()))
}
