//! Decisions for Microsoft Azure.

use super::baseline::{objectives, tags};
use crate::contracts::{
    AzureDesign, AzureKey, Baseline, Cloud, DataClassification, Decision, Immutability, Network,
    ProductRequest, RegionPair, ResidualRisk, ResilienceTier,
};
use crate::personas::names;

/// Decides the design on Azure.
pub(super) fn design(product: &ProductRequest, baseline: &Baseline) -> AzureDesign {
    let level = product.data_classification;
    let immutable = level == DataClassification::Restricted;
    let rotation_days = level.pick([365, 180, 120, 90]);
    AzureDesign {
        region: Decision::new(
            "ADR-AZ-001",
            "Region and pair",
            RegionPair { primary: "westeurope".to_owned(), replica: "northeurope".to_owned() },
            "West Europe has availability zones, and its pair North Europe keeps the copy within the EU.",
        ),
        replication: replication(product, baseline.resilience_tier.value),
        names: Decision::new(
            "ADR-AZ-003",
            "Names",
            names::azure(&product.slug),
            "Derived from the slug within Azure's limits; six digits of its digest keep global names apart.",
        ),
        tags: Decision::new("ADR-AZ-004", "Tags", tags(product), "The tagging strategy of ADR-CO-006."),
        key: Decision::new(
            "ADR-AZ-005",
            "Customer-managed key",
            AzureKey {
                key_type: "RSA-HSM".to_owned(),
                key_size: level.pick([2048, 3072, 3072, 4096]),
                rotation_days,
                // A version outlives its rotation, so that a late rotation locks nobody out.
                expiry_days: rotation_days + 30,
            },
            format!("Data classified {level} is encrypted with an own key in an HSM, rotated this often (SC-12, SC-28)."),
        ),
        tier: {
            let cool = baseline.resilience_tier.value == ResilienceTier::Basic;
            Decision::new(
                "ADR-AZ-006",
                "Access tier",
                if cool { "Cool" } else { "Hot" }.to_owned(),
                format!("{} suits this tier; both read within milliseconds.", objectives(product)),
            )
        },
        versioning: Decision::new(
            "ADR-AZ-007",
            "Versioning",
            true,
            "An overwritten blob must be recoverable (CP-9, SI-7).",
        ),
        min_tls: Decision::new(
            "ADR-AZ-008",
            "Lowest TLS version",
            "TLS1_2".to_owned(),
            "1.2 is the highest floor that the built-in policy for storage accounts accepts (SC-8).",
        ),
        network: Decision::new(
            "ADR-AZ-009",
            "Network",
            Network {
                mode: "private-endpoint".to_owned(),
                allowed_network_ids: vec![
                    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/snet-private-endpoints".to_owned(),
                ],
            },
            "Data of any classification is reached through a private endpoint only (AC-4, SC-7).",
        ),
        immutability: Decision::new(
            "ADR-AZ-010",
            "Immutability",
            Immutability {
                enabled: immutable,
                mode: if immutable { "Unlocked" } else { "Disabled" }.to_owned(),
                days: if immutable { baseline.retention_days.value } else { 0 },
            },
            if immutable {
                "Restricted records must not be altered before their time; locking the policy cannot be undone and is a separate, approved step (AU-9, SI-7)."
            } else {
                "Versioning and soft delete suffice below restricted."
            },
        ),
        infrastructure_encryption: Decision::new(
            "ADR-AZ-011",
            "Infrastructure encryption",
            level >= DataClassification::Sensitive,
            format!("Data classified {level} {} a second layer of encryption (SC-28).", if level >= DataClassification::Sensitive { "gets" } else { "needs no" }),
        ),
        point_in_time_restore_days: point_in_time_restore(product, baseline, immutable),
    }
}

fn replication(product: &ProductRequest, tier: ResilienceTier) -> Decision<String> {
    let (value, effect) = match tier {
        ResilienceTier::MissionCritical => (
            "RAGZRS",
            "three zones, plus a readable copy in the paired region",
        ),
        ResilienceTier::BusinessCritical => {
            ("GZRS", "three zones, plus a copy in the paired region")
        }
        ResilienceTier::Standard => ("RAGRS", "a readable copy in the paired region"),
        ResilienceTier::Basic => ("GRS", "a copy in the paired region"),
    };
    Decision::new(
        "ADR-AZ-002",
        "Replication",
        value.to_owned(),
        format!("{} asks for {effect}.", objectives(product)),
    )
}

fn point_in_time_restore(
    product: &ProductRequest,
    baseline: &Baseline,
    immutable: bool,
) -> Decision<u32> {
    let days = baseline.soft_delete_days.value - 1;
    let (days, reason) = if immutable {
        (
            0,
            "Azure allows no point-in-time restore together with version-level immutability."
                .to_owned(),
        )
    } else if product.rpo_target <= 60 {
        (
            days,
            format!(
                "RPO {} min asks for restore to a point in time; it must reach less far than soft delete.",
                product.rpo_target
            ),
        )
    } else {
        (
            0,
            format!(
                "RPO {} min is met by versioning and soft delete.",
                product.rpo_target
            ),
        )
    };
    Decision::new("ADR-AZ-012", "Point-in-time restore", days, reason)
}

/// What the objectives ask for and Azure does not promise.
pub(super) fn residual_risks(product: &ProductRequest) -> Vec<ResidualRisk> {
    let mut risks = Vec::new();
    if product.rpo_target < 15 {
        risks.push(ResidualRisk {
            id: "RISK-AZ-001".to_owned(),
            cloud: Cloud::Azure,
            statement: format!("Geo-replication is asynchronous, typically within 15 minutes; RPO {} min is not promised when a whole region is lost.", product.rpo_target),
            mitigation: "Three zones take writes synchronously; watch the account's last sync time.".to_owned(),
        });
    }
    if product.rto_target < 60 {
        risks.push(ResidualRisk {
            id: "RISK-AZ-002".to_owned(),
            cloud: Cloud::Azure,
            statement: format!("A failover for writes is started by the customer and usually takes up to an hour; RTO {} min holds for reads only.", product.rto_target),
            mitigation: "Readers switch to the secondary endpoint at once (RA-GZRS).".to_owned(),
        });
    }
    risks
}
