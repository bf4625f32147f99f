//! The persona itself: ports, and the assembly of the [`ArchitectureSpec`].

use super::{aws, azure, baseline, gcp, oci};
use crate::contracts::{ArchitectureSpec, Cloud, CloudDesigns, DecisionEntry, ProductRequest};
use crate::personas::input::{contract_port, output, required, to_value};
use crate::personas::persona::Persona;
use crate::port::{Call, Effect, Failure, Host, Outcome, Signature};
use crate::value::{Value, to_text};

/// The registration.
pub(crate) const PERSONA: Persona = Persona {
    name: "CloudArchitect",
    tool: "cloud_architect.run",
    summary: "Decides regions, replication, keys, names and retention per cloud, with reasons.",
    effect: Effect::Pure,
    skills: &[],
    signature,
    function: run,
};

fn signature() -> Signature {
    Signature {
        inputs: vec![contract_port(
            "product_spec",
            "ProductRequest",
            "The checked request.",
        )],
        outputs: vec![contract_port(
            "architecture_spec",
            "ArchitectureSpec",
            "The design per cloud, every decision with an id and a reason.",
        )],
        open: false,
    }
}

fn run(call: &Call<'_>, _: &dyn Host) -> Result<Outcome, Failure> {
    let product = required::<ProductRequest>(call, "product_spec")?;
    let spec = design(&product);
    Ok(Outcome {
        output: output([("architecture_spec", to_value(&spec))]),
        ..Outcome::default()
    })
}

fn design(product: &ProductRequest) -> ArchitectureSpec {
    let baseline = baseline::design(product);
    let tier = baseline.resilience_tier.value;
    let mut clouds = CloudDesigns::default();
    let mut residual_risks = Vec::new();
    for cloud in product.target_clouds.iter() {
        match cloud {
            Cloud::Azure => clouds.azure = Some(azure::design(product, &baseline)),
            Cloud::Aws => clouds.aws = Some(aws::design(product, &baseline)),
            Cloud::Gcp => clouds.gcp = Some(gcp::design(product, &baseline)),
            Cloud::Oci => clouds.oci = Some(oci::design(product, &baseline)),
        }
        residual_risks.extend(match cloud {
            Cloud::Azure => azure::residual_risks(product),
            Cloud::Aws => aws::residual_risks(product),
            Cloud::Gcp => gcp::residual_risks(product, tier),
            Cloud::Oci => oci::residual_risks(product, tier),
        });
    }
    let mut decisions = Vec::new();
    collect(&to_value(&baseline), "all", &mut decisions);
    for cloud in product.target_clouds.iter() {
        collect(
            &to_value(&clouds)[cloud.as_str()],
            cloud.as_str(),
            &mut decisions,
        );
    }
    ArchitectureSpec {
        product_slug: product.slug.clone(),
        data_classification: product.data_classification,
        target_clouds: product.target_clouds.clone(),
        rto_minutes: product.rto_target,
        rpo_minutes: product.rpo_target,
        baseline,
        clouds,
        residual_risks,
        decisions,
    }
}

/// Lists the decisions of a design; its fields are decisions and nothing else.
fn collect(design: &Value, scope: &str, list: &mut Vec<DecisionEntry>) {
    let fields = design.as_object().into_iter().flatten();
    list.extend(fields.map(|(_, decision)| DecisionEntry {
        id: to_text(&decision["id"]),
        scope: scope.to_owned(),
        title: to_text(&decision["title"]),
        value: to_text(&decision["value"]),
        reason: to_text(&decision["reason"]),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{DataClassification, ResilienceTier, Slug};
    use std::collections::HashSet;

    fn product(classification: DataClassification, rto: u32, rpo: u32) -> ProductRequest {
        ProductRequest {
            product_name: "Secure Storage".to_owned(),
            slug: Slug::of("Secure Storage"),
            description: "x".to_owned(),
            owner: "group:default/Team <A>".to_owned(),
            target_clouds: Cloud::ALL.to_vec().try_into().unwrap(),
            data_classification: classification,
            rto_target: rto,
            rpo_target: rpo,
        }
    }

    #[test]
    fn every_step_of_classification_changes_the_design() {
        let specs = DataClassification::ALL.map(|level| design(&product(level, 240, 60)));
        for pair in specs.windows(2) {
            assert!(pair[0].baseline.retention_days.value < pair[1].baseline.retention_days.value);
            assert!(
                pair[0].baseline.soft_delete_days.value < pair[1].baseline.soft_delete_days.value
            );
            assert!(
                pair[0].baseline.log_retention_days.value
                    < pair[1].baseline.log_retention_days.value
            );
            for cloud in ["azure", "aws", "gcp", "oci"] {
                let key = |spec| to_value(spec)["clouds"][cloud]["key"]["value"].clone();
                assert_ne!(key(&pair[0]), key(&pair[1]), "{cloud}");
            }
        }
        let restricted = &specs[3].clouds;
        assert!(
            restricted
                .azure
                .as_ref()
                .unwrap()
                .immutability
                .value
                .enabled
        );
        assert!(
            !specs[2]
                .clouds
                .aws
                .as_ref()
                .unwrap()
                .immutability
                .value
                .enabled
        );
        // A retention policy and versioning exclude one another on these two.
        assert!(!restricted.gcp.as_ref().unwrap().versioning.value);
        assert!(!restricted.oci.as_ref().unwrap().versioning.value);
        assert!(restricted.aws.as_ref().unwrap().versioning.value);
    }

    #[test]
    fn objectives_choose_replication() {
        let at = |rto, rpo| design(&product(DataClassification::Internal, rto, rpo));
        let azure = |spec: &ArchitectureSpec| {
            spec.clouds
                .azure
                .as_ref()
                .unwrap()
                .replication
                .value
                .clone()
        };
        assert_eq!(azure(&at(30, 15)), "RAGZRS");
        assert_eq!(azure(&at(240, 60)), "GZRS");
        assert_eq!(azure(&at(1440, 720)), "RAGRS");
        assert_eq!(azure(&at(10080, 4320)), "GRS");
        let (tight, loose) = (at(1440, 15), at(10080, 4320));
        assert!(
            tight
                .clouds
                .aws
                .as_ref()
                .unwrap()
                .replication
                .value
                .time_control
        );
        assert!(
            !loose
                .clouds
                .aws
                .as_ref()
                .unwrap()
                .replication
                .value
                .time_control
        );
        let gcp =
            |spec: &ArchitectureSpec| spec.clouds.gcp.as_ref().unwrap().replication.value.clone();
        assert_eq!(gcp(&tight).rpo.as_deref(), Some("ASYNC_TURBO"));
        assert!(!gcp(&loose).dual_region);
        assert!(tight.clouds.oci.as_ref().unwrap().replication.value);
        assert!(!loose.clouds.oci.as_ref().unwrap().replication.value);
        assert_eq!(
            tight.baseline.resilience_tier.value,
            ResilienceTier::MissionCritical
        );
        assert!(
            tight
                .residual_risks
                .iter()
                .any(|risk| risk.cloud == Cloud::Oci)
        );
        let ids: Vec<&str> = loose
            .residual_risks
            .iter()
            .map(|risk| risk.id.as_str())
            .collect();
        assert_eq!(ids, ["RISK-GC-002", "RISK-OC-002", "RISK-OC-003"]);
        assert!(
            at(240, 720)
                .residual_risks
                .iter()
                .all(|risk| risk.id.starts_with("RISK-OC"))
        );
    }

    #[test]
    fn ids_are_unique_and_reasons_are_sentences() {
        let spec = design(&product(DataClassification::Restricted, 0, 0));
        let ids: HashSet<&str> = spec
            .decisions
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        assert_eq!(ids.len(), spec.decisions.len());
        for entry in &spec.decisions {
            assert!(
                entry.reason.ends_with('.'),
                "{}: {}",
                entry.id,
                entry.reason
            );
            assert!(!entry.reason.contains('\n'));
        }
    }

    #[test]
    fn only_the_target_clouds_are_designed_and_always_alike() {
        let mut request = product(DataClassification::Public, 60, 60);
        request.target_clouds = vec![Cloud::Oci].try_into().unwrap();
        let spec = design(&request);
        assert!(spec.clouds.azure.is_none() && spec.clouds.oci.is_some());
        assert_eq!(spec, design(&request));
        assert!(
            spec.decisions
                .iter()
                .all(|entry| entry.scope == "all" || entry.scope == "oci")
        );
    }
}
