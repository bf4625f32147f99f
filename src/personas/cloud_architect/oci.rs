//! Decisions for Oracle Cloud Infrastructure.

use super::baseline::{objectives, tags};
use crate::contracts::{
    Baseline, Cloud, DataClassification, Decision, Immutability, Network, OciDesign, OciKey,
    OciTier, ProductRequest, RegionPair, ResidualRisk, ResilienceTier,
};
use crate::personas::names;

/// Decides the design on OCI.
pub(super) fn design(product: &ProductRequest, baseline: &Baseline) -> OciDesign {
    let level = product.data_classification;
    let restricted = level == DataClassification::Restricted;
    let tier = baseline.resilience_tier.value;
    let replicate = tier > ResilienceTier::Basic;
    OciDesign {
        region: Decision::new(
            "ADR-OC-001",
            "Region and replica's region",
            RegionPair {
                primary: "eu-frankfurt-1".to_owned(),
                replica: "eu-amsterdam-1".to_owned(),
            },
            "Frankfurt serves and Amsterdam keeps the copy, so that the data stays within the EU.",
        ),
        replication: Decision::new(
            "ADR-OC-002",
            "Replication",
            replicate,
            if replicate {
                format!(
                    "{} asks for a copy in a second region.",
                    objectives(product)
                )
            } else {
                format!(
                    "{} is met by the fault domains of one region.",
                    objectives(product)
                )
            },
        ),
        names: Decision::new(
            "ADR-OC-003",
            "Names",
            names::oci(&product.slug),
            "Derived from the slug; names are unique within the tenancy's namespace.",
        ),
        tags: Decision::new(
            "ADR-OC-004",
            "Freeform tags",
            tags(product),
            "The tagging strategy of ADR-CO-006.",
        ),
        key: Decision::new(
            "ADR-OC-005",
            "Customer-managed key",
            OciKey {
                rotation_days: level.pick([365, 180, 120, 60]),
                protection_mode: level
                    .pick(["SOFTWARE", "SOFTWARE", "HSM", "HSM"])
                    .to_owned(),
                vault_type: if restricted {
                    "VIRTUAL_PRIVATE"
                } else {
                    "DEFAULT"
                }
                .to_owned(),
            },
            format!(
                "Data classified {level} is encrypted with an own key in this protection mode, rotated this often (SC-12, SC-28)."
            ),
        ),
        tier: Decision::new(
            "ADR-OC-006",
            "Storage tier",
            OciTier {
                storage_tier: "Standard".to_owned(),
                auto_tiering: if tier >= ResilienceTier::BusinessCritical {
                    "Disabled"
                } else {
                    "InfrequentAccess"
                }
                .to_owned(),
            },
            format!(
                "{} suits this tier; an archived object would take an hour to restore.",
                objectives(product)
            ),
        ),
        versioning: Decision::new(
            "ADR-OC-007",
            "Versioning",
            !restricted,
            if restricted {
                "Off: a retention rule (ADR-OC-010) already forbids overwriting, and the two exclude one another."
            } else {
                "An overwritten object must be recoverable (CP-9, SI-7)."
            },
        ),
        min_tls: Decision::new(
            "ADR-OC-008",
            "Lowest TLS version",
            "1.2".to_owned(),
            "The service accepts nothing lower and has no setting for it (SC-8).",
        ),
        network: Decision::new(
            "ADR-OC-009",
            "Network",
            Network {
                mode: "network-source".to_owned(),
                allowed_network_ids: vec!["ocid1.vcn.oc1.eu-frankfurt-1.placeholder".to_owned()],
            },
            "Data of any classification is reached through the service gateway of known networks only (AC-4, SC-7).",
        ),
        immutability: Decision::new(
            "ADR-OC-010",
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
                "Restricted records must not be altered before their time; locking the rule cannot be undone and is a separate, approved step (AU-9, SI-7)."
            } else {
                "Versioning suffices below restricted."
            },
        ),
    }
}

/// What the objectives ask for and OCI does not promise.
pub(super) fn residual_risks(product: &ProductRequest, tier: ResilienceTier) -> Vec<ResidualRisk> {
    let (id, statement, mitigation) = if tier == ResilienceTier::Basic {
        (
            "RISK-OC-002",
            "The bucket lies in one region; the loss of that whole region is not covered."
                .to_owned(),
            "Objectives of more than a day leave time to wait for the region or to load the data anew.",
        )
    } else {
        // Oracle states no time for replication at all, so every replicated product carries this.
        (
            "RISK-OC-001",
            format!(
                "Bucket replication is asynchronous without a promised time; RPO {} min is not promised when a whole region is lost.",
                product.rpo_target
            ),
            "Watch the policy's last sync time and alarm on it; writes are synchronous within the region.",
        )
    };
    let risk = |id: &str, statement: String, mitigation: &str| ResidualRisk {
        id: id.to_owned(),
        cloud: Cloud::Oci,
        statement,
        mitigation: mitigation.to_owned(),
    };
    let mut risks = vec![risk(id, statement, mitigation)];
    if product.data_classification < DataClassification::Restricted {
        risks.push(risk(
            "RISK-OC-003",
            "A vault of type DEFAULT does not rotate keys by itself.".to_owned(),
            "Rotate the key within the decided days by a scheduled job; a virtual private vault is decided for restricted data.",
        ));
    }
    risks
}
