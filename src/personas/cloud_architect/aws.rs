//! Decisions for Amazon Web Services.

use super::baseline::{objectives, tags};
use crate::contracts::{
    AwsDesign, AwsKey, AwsReplication, AwsTier, Baseline, Cloud, DataClassification, Decision,
    Immutability, Network, ProductRequest, RegionPair, ResidualRisk, ResilienceTier,
};
use crate::personas::names;

/// Decides the design on AWS.
pub(super) fn design(product: &ProductRequest, baseline: &Baseline) -> AwsDesign {
    let level = product.data_classification;
    let restricted = level == DataClassification::Restricted;
    let tier = baseline.resilience_tier.value;
    AwsDesign {
        region: Decision::new(
            "ADR-AW-001",
            "Region and replica's region",
            RegionPair {
                primary: "eu-central-1".to_owned(),
                replica: "eu-west-1".to_owned(),
            },
            "Frankfurt serves and Ireland keeps the copy, so that the data stays within the EU.",
        ),
        replication: replication(product, tier),
        names: Decision::new(
            "ADR-AW-003",
            "Names",
            names::aws(&product.slug),
            "Derived from the slug within S3's limits; six digits of its digest keep global names apart.",
        ),
        tags: Decision::new(
            "ADR-AW-004",
            "Tags",
            tags(product),
            "The tagging strategy of ADR-CO-006.",
        ),
        key: Decision::new(
            "ADR-AW-005",
            "Customer-managed key",
            AwsKey {
                rotation_days: level.pick([365, 180, 120, 90]),
                deletion_window_days: level.pick([7, 14, 21, 30]),
            },
            format!(
                "Data classified {level} is encrypted with an own KMS key, rotated this often (SC-12, SC-28)."
            ),
        ),
        tier: {
            let (standard_ia_after_days, glacier_ir_after_days) = match tier {
                ResilienceTier::MissionCritical => (90, 365),
                ResilienceTier::BusinessCritical => (60, 180),
                ResilienceTier::Standard => (30, 120),
                ResilienceTier::Basic => (30, 90),
            };
            Decision::new(
                "ADR-AW-006",
                "Storage classes",
                AwsTier {
                    standard_ia_after_days,
                    glacier_ir_after_days,
                },
                format!(
                    "{} suits these steps; every class among them reads within milliseconds.",
                    objectives(product)
                ),
            )
        },
        versioning: Decision::new(
            "ADR-AW-007",
            "Versioning",
            true,
            "Replication and Object Lock need it, and an overwritten object must be recoverable (CP-9, SI-7).",
        ),
        min_tls: Decision::new(
            "ADR-AW-008",
            "Lowest TLS version",
            if restricted { "1.3" } else { "1.2" }.to_owned(),
            format!("The floor for data classified {level} (SC-8)."),
        ),
        network: Decision::new(
            "ADR-AW-009",
            "Network",
            Network {
                mode: "vpc-endpoint".to_owned(),
                allowed_network_ids: vec!["vpce-00000000000000000".to_owned()],
            },
            "Data of any classification is reached through VPC endpoints only (AC-4, SC-7).",
        ),
        immutability: Decision::new(
            "ADR-AW-010",
            "Immutability",
            Immutability {
                enabled: restricted,
                mode: if restricted { "GOVERNANCE" } else { "NONE" }.to_owned(),
                days: if restricted {
                    baseline.retention_days.value
                } else {
                    0
                },
            },
            if restricted {
                "Restricted records must not be altered before their time; COMPLIANCE mode cannot be undone and is a separate, approved step (AU-9, SI-7)."
            } else {
                "Versioning suffices below restricted."
            },
        ),
    }
}

fn replication(product: &ProductRequest, tier: ResilienceTier) -> Decision<AwsReplication> {
    let time_control = product.rpo_target <= 15;
    let replica_storage_class = match tier {
        ResilienceTier::MissionCritical | ResilienceTier::BusinessCritical => "STANDARD",
        ResilienceTier::Standard => "STANDARD_IA",
        ResilienceTier::Basic => "GLACIER_IR",
    };
    let control = if time_control {
        "with Replication Time Control, which promises 15 minutes"
    } else {
        "without Replication Time Control"
    };
    Decision::new(
        "ADR-AW-002",
        "Replication",
        AwsReplication {
            time_control,
            replica_storage_class: replica_storage_class.to_owned(),
        },
        format!(
            "{} asks for a copy in a second region {control}.",
            objectives(product)
        ),
    )
}

/// What the objectives ask for and AWS does not promise.
pub(super) fn residual_risks(product: &ProductRequest) -> Vec<ResidualRisk> {
    if product.rpo_target >= 15 {
        return Vec::new();
    }
    vec![ResidualRisk {
        id: "RISK-AW-001".to_owned(),
        cloud: Cloud::Aws,
        statement: format!("Replication Time Control promises 15 minutes; RPO {} min is not promised when a whole region is lost.", product.rpo_target),
        mitigation: "Writes are synchronous over three availability zones; alarms watch the replication latency.".to_owned(),
    }]
}
