//! Decisions for Google Cloud.

use super::baseline::{labels, objectives};
use crate::contracts::{
    Baseline, Cloud, DataClassification, Decision, GcpDesign, GcpKey, GcpReplication, Immutability,
    Network, ProductRequest, RegionPair, ResidualRisk, ResilienceTier,
};
use crate::personas::names;

const PRIMARY: &str = "europe-west4";
const REPLICA: &str = "europe-north1";

/// Decides the design on Google Cloud.
pub(super) fn design(product: &ProductRequest, baseline: &Baseline) -> GcpDesign {
    let level = product.data_classification;
    let restricted = level == DataClassification::Restricted;
    let tier = baseline.resilience_tier.value;
    let dual_region = tier > ResilienceTier::Basic;
    GcpDesign {
        region: Decision::new(
            "ADR-GC-001",
            "Regions",
            RegionPair {
                primary: PRIMARY.to_owned(),
                replica: if dual_region { REPLICA } else { PRIMARY }.to_owned(),
            },
            "The Netherlands and Finland form the dual-region EUR4, so that the data stays within the EU.",
        ),
        replication: replication(product, dual_region),
        names: Decision::new(
            "ADR-GC-003",
            "Names",
            names::gcp(&product.slug),
            "Derived from the slug within Cloud Storage's limits; six digits of its digest keep global names apart.",
        ),
        tags: Decision::new(
            "ADR-GC-004",
            "Labels",
            labels(product),
            "The tagging strategy of ADR-CO-006, in the characters that labels allow.",
        ),
        key: Decision::new(
            "ADR-GC-005",
            "Customer-managed key",
            GcpKey {
                rotation_days: level.pick([90, 60, 45, 30]),
                protection_level: level
                    .pick(["SOFTWARE", "SOFTWARE", "HSM", "HSM"])
                    .to_owned(),
            },
            format!(
                "Data classified {level} is encrypted with an own key at this protection level, rotated this often (SC-12, SC-28)."
            ),
        ),
        tier: Decision::new(
            "ADR-GC-006",
            "Storage class",
            if dual_region { "STANDARD" } else { "NEARLINE" }.to_owned(),
            format!(
                "{} suits this class; every class reads within milliseconds.",
                objectives(product)
            ),
        ),
        versioning: Decision::new(
            "ADR-GC-007",
            "Versioning",
            !restricted,
            if restricted {
                "Off: a retention policy (ADR-GC-010) already forbids overwriting, and the two exclude one another."
            } else {
                "An overwritten object must be recoverable (CP-9, SI-7)."
            },
        ),
        min_tls: Decision::new(
            "ADR-GC-008",
            "Denied TLS versions",
            "TLS_VERSION_1,TLS_VERSION_1_1".to_owned(),
            "An organisation policy denies everything below 1.2; buckets have no setting of their own (SC-8).",
        ),
        network: Decision::new(
            "ADR-GC-009",
            "Network",
            Network {
                mode: "vpc-service-controls".to_owned(),
                allowed_network_ids: vec![
                    "projects/network-host-project/global/networks/vpc-hub".to_owned(),
                ],
            },
            "Data of any classification is reached from within the service perimeter only (AC-4, SC-7).",
        ),
        immutability: Decision::new(
            "ADR-GC-010",
            "Immutability",
            Immutability {
                enabled: restricted,
                mode: if restricted { "unlocked" } else { "none" }.to_owned(),
                days: if restricted {
                    baseline.retention_days.value
                } else {
                    0
                },
            },
            if restricted {
                "Restricted records must not be altered before their time; a bucket lock cannot be undone and is a separate, approved step (AU-9, SI-7)."
            } else {
                "Versioning and soft delete suffice below restricted."
            },
        ),
    }
}

fn replication(product: &ProductRequest, dual_region: bool) -> Decision<GcpReplication> {
    let turbo = product.rpo_target <= 15;
    let (value, effect) = if dual_region {
        let rpo = if turbo { "ASYNC_TURBO" } else { "DEFAULT" };
        let effect = if turbo {
            "a dual-region with turbo replication, which promises 15 minutes"
        } else {
            "a dual-region with default replication, which promises 12 hours"
        };
        let value = GcpReplication {
            location: "EUR4".to_owned(),
            kms_location: "eur4".to_owned(),
            dual_region: true,
            rpo: Some(rpo.to_owned()),
        };
        (value, effect)
    } else {
        let value = GcpReplication {
            location: PRIMARY.to_ascii_uppercase(),
            kms_location: PRIMARY.to_owned(),
            dual_region: false,
            rpo: None,
        };
        (value, "the zones of one region")
    };
    Decision::new(
        "ADR-GC-002",
        "Location and replication",
        value,
        format!("{} asks for {effect}.", objectives(product)),
    )
}

/// What the objectives ask for and Google Cloud does not promise.
pub(super) fn residual_risks(product: &ProductRequest, tier: ResilienceTier) -> Vec<ResidualRisk> {
    let risk = |id: &str, statement: String, mitigation: &str| ResidualRisk {
        id: id.to_owned(),
        cloud: Cloud::Gcp,
        statement,
        mitigation: mitigation.to_owned(),
    };
    if tier == ResilienceTier::Basic {
        return vec![risk(
            "RISK-GC-002",
            "The bucket lies in one region; the loss of that whole region is not covered."
                .to_owned(),
            "Objectives of more than a day leave time to wait for the region or to load the data anew.",
        )];
    }
    let promised = if product.rpo_target <= 15 {
        15
    } else {
        12 * 60
    };
    if product.rpo_target >= promised {
        return Vec::new();
    }
    vec![risk(
        "RISK-GC-001",
        format!(
            "Replication within the dual-region promises {promised} minutes; RPO {} min is not promised when a whole region is lost.",
            product.rpo_target
        ),
        "Writes are synchronous over the zones of one region; most objects are copied within minutes.",
    )]
}
