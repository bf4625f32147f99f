//! Runs every check and sums up.

use super::case::Case;
use super::tree::Tree;
use super::{digests, documents, policy, structure, terraform};
use crate::contracts::{
    IaCPlan, ProductRequest, QACounts, QAMode, QAStatus, QASummary, SecurityProfile, TestCase,
    TestStatus, ToolVersion,
};
use crate::personas::input::{optional, output, required, to_value};
use crate::port::{Call, Failure, Host, Outcome};
use crate::terraform::Configuration;
use crate::value::Digest;

/// How many findings of a failed case its message shows.
const SHOWN: usize = 3;

/// Checks what was rendered.
pub(super) fn verify(call: &Call<'_>, host: &dyn Host) -> Result<Outcome, Failure> {
    let product = required::<ProductRequest>(call, "product_spec")?;
    let profile = required::<SecurityProfile>(call, "security_profile")?;
    let plan = required::<IaCPlan>(call, "iac_plan")?;
    let mode = optional::<QAMode>(call, "qa_checks")?.unwrap_or_default();
    if plan.product_slug != product.slug || profile.product_slug != product.slug {
        return Err(Failure::new(format!(
            "product_spec is for `{}`, but iac_plan for `{}` and security_profile for `{}`",
            product.slug, plan.product_slug, profile.product_slug
        )));
    }
    let executed_at = host.now();
    let tree = Tree::new(host)?;
    let mut test_cases = digests::cases(&plan, &profile, &tree);
    test_cases.extend(documents::cases(call, &profile, &tree));
    let (parsed, configuration) = parse(&plan, &tree);
    test_cases.push(parsed);
    if let Some((configuration, read)) = configuration {
        test_cases.extend(structure::cases(&plan, &profile, &configuration, &tree));
        let configuration = (&configuration, read);
        test_cases.extend(policy::cases(&plan, &profile, mode, configuration, &tree));
    }
    let (cases, terraform) = terraform::cases(&plan, mode, &tree, host)?;
    test_cases.extend(cases);
    tree.close()?;
    let own = ToolVersion {
        name: "flowctl".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let counts = QACounts::of(&test_cases);
    let failed = (counts.mandatory_failed > 0).then(|| failure(&test_cases));
    let summary = QASummary {
        product_slug: product.slug,
        status: if failed.is_some() {
            QAStatus::Failed
        } else {
            QAStatus::PendingApproval
        },
        mode,
        executed_at,
        iac_tree_sha256: plan.tree_sha256,
        tools: std::iter::once(own).chain(terraform).collect(),
        counts,
        test_cases,
        approved_by: None,
        approved_at: None,
    };
    let output = output([("qa_summary", to_value(&summary))]);
    match failed {
        // The cases are evidence also when the run ends here.
        Some(failure) => Err(failure.findings(output)),
        None => Ok(Outcome {
            output,
            ..Outcome::default()
        }),
    }
}

/// Parses the Terraform, and digests it; without it there is nothing to look into.
fn parse(plan: &IaCPlan, tree: &Tree<'_>) -> (TestCase, Option<(Configuration, Digest)>) {
    let texts: Vec<(&str, String)> = plan
        .files()
        .filter(|file| file.path.ends_with(".tf"))
        // What cannot be read is the digest case's finding.
        .filter_map(|file| Some((file.path.as_str(), tree.text(&file.path).ok()?)))
        .collect();
    let case = Case::new("QA-HC-01", "Every Terraform file is HCL", "iac").controls(&["cm-6"]);
    // Terraform would merge them over what is judged here.
    let unread: Vec<String> = plan
        .files()
        .filter(|file| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            name.ends_with(".tf.json")
                || name == "override.tf"
                || name.ends_with("_override.tf")
                || name.ends_with(".auto.tfvars")
                || name.starts_with("terraform.tfvars")
                || name.ends_with(".auto.tfvars.json")
        })
        .map(|file| {
            let path = &file.path;
            format!("{path}: JSON, override and tfvars files are not judged; write it as a plain .tf file")
        })
        .collect();
    if !unread.is_empty() {
        return (case.of(unread, String::new()), None);
    }
    match Configuration::read(texts.iter().map(|(path, text)| (*path, text.as_str()))) {
        Ok(configuration) => (
            case.passed(vec![format!("{} files", texts.len())]),
            Some((configuration, digest(&texts))),
        ),
        Err(problems) => {
            let findings = problems
                .iter()
                .map(|problem| format!("{}:{}", problem.path, problem.message));
            (case.of(findings.collect(), String::new()), None)
        }
    }
}

fn digest(texts: &[(&str, String)]) -> Digest {
    let parts = texts.iter();
    Digest::of_parts(parts.flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]))
}

/// Names the mandatory cases that failed, with their first findings.
fn failure(cases: &[TestCase]) -> Failure {
    let failed = cases
        .iter()
        .filter(|case| case.mandatory && case.status == TestStatus::Failed);
    let lines: Vec<String> = failed
        .map(|case| {
            let mut line = format!(
                "{} {} ({}): {}",
                case.id, case.title, case.subject, case.reason
            );
            for detail in case
                .details
                .iter()
                .take(SHOWN)
                .filter(|detail| **detail != case.reason)
            {
                line.push_str("\n    ");
                line.push_str(detail);
            }
            line
        })
        .collect();
    let count = match lines.len() {
        1 => "a mandatory case failed".to_owned(),
        count => format!("{count} mandatory cases failed"),
    };
    Failure::new(format!("{count}:\n  {}", lines.join("\n  ")))
        .help("mend the skill's templates, then `flowctl resume RUN --accept-changes`")
}
