//! The files of the policy pack: which mechanism writes where.

use crate::contracts::{Cloud, Guardrail, Mechanism, PolicyFile, ProductRequest};

/// The file in which a mechanism keeps its policies; the platform itself has none.
pub(super) fn path(slug: &str, mechanism: Mechanism, policy: &str) -> Option<String> {
    let folder = format!("policy/{slug}");
    Some(match mechanism {
        Mechanism::Platform => return None,
        Mechanism::AzurePolicy => format!("{folder}/azure/initiative.json"),
        Mechanism::AwsConfig => format!("{folder}/aws/conformance-pack.yaml"),
        // One document per constraint: the v2 API takes them one by one.
        Mechanism::GcpOrgPolicy => format!("{folder}/gcp/{policy}.yaml"),
        Mechanism::OciCloudGuard => format!("{folder}/oci/cloud-guard-detector-recipe.json"),
        Mechanism::Rego => format!("{folder}/opa/secure_storage.rego"),
    })
}

/// Lists the files that carry the policies of these guardrails, in the order of first use.
pub(super) fn files(product: &ProductRequest, guardrails: &[Guardrail]) -> Vec<PolicyFile> {
    let mut files: Vec<PolicyFile> = Vec::new();
    let mut add = |path: &str, cloud: Option<Cloud>, format: &str, guardrail: &str| {
        let at = files
            .iter()
            .position(|file| file.path == path)
            .unwrap_or_else(|| {
                files.push(PolicyFile {
                    path: path.to_owned(),
                    cloud,
                    format: format.to_owned(),
                    guardrails: Vec::new(),
                });
                files.len() - 1
            });
        let list = &mut files[at].guardrails;
        if !list.iter().any(|id| id == guardrail) {
            list.push(guardrail.to_owned());
        }
    };
    for cloud in product.target_clouds.iter() {
        for guardrail in guardrails {
            let points = guardrail.enforcement.iter();
            for point in points.filter(|p| p.cloud == cloud && p.mechanism != Mechanism::Rego) {
                if let Some(path) = &point.path {
                    add(path, Some(cloud), format(point.mechanism), &guardrail.id);
                }
            }
        }
    }
    for guardrail in guardrails
        .iter()
        .filter(|guardrail| guardrail.rego_rule.is_some())
    {
        if let Some(path) = path(product.slug.as_str(), Mechanism::Rego, "") {
            add(&path, None, format(Mechanism::Rego), &guardrail.id);
        }
    }
    files
}

fn format(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::AzurePolicy => "azure-policy-initiative",
        Mechanism::AwsConfig => "aws-conformance-pack",
        Mechanism::GcpOrgPolicy => "gcp-org-policy",
        Mechanism::OciCloudGuard => "oci-detector-recipe",
        Mechanism::Rego => "rego",
        Mechanism::Platform => "platform",
    }
}
