//! Decisions that hold on every cloud, and the tags.

use crate::contracts::{Baseline, Decision, ProductRequest, ResilienceTier, Tags};
use crate::personas::names::{label_value, tag_value};

/// The tag keys that every resource carries; they fit every cloud's rules for keys.
const TAG_KEYS: [&str; 6] = [
    "product",
    "owner",
    "data_classification",
    "rto_minutes",
    "rpo_minutes",
    "managed_by",
];

/// Decides what holds everywhere.
pub(super) fn design(product: &ProductRequest) -> Baseline {
    let level = product.data_classification;
    let tier = tier(product);
    Baseline {
        resilience_tier: Decision::new(
            "ADR-CO-001",
            "Resilience tier",
            tier,
            format!(
                "{} asks for the {} tier.",
                objectives(product),
                tier.as_str()
            ),
        ),
        retention_days: Decision::new(
            "ADR-CO-002",
            "Retention",
            level.pick([30, 90, 365, 2555]),
            format!(
                "Data classified {level} is kept at least this long (restricted: seven years of records)."
            ),
        ),
        soft_delete_days: Decision::new(
            "ADR-CO-003",
            "Recovery of deleted data",
            level.pick([7, 14, 30, 90]),
            format!(
                "A wrong deletion of {level} data must be reversible for this long; every cloud accepts 7 to 90 days."
            ),
        ),
        noncurrent_version_days: Decision::new(
            "ADR-CO-004",
            "Old versions",
            level.pick([30, 90, 180, 365]),
            format!(
                "Old versions of {level} data are of use for recovery this long and go afterwards."
            ),
        ),
        log_retention_days: Decision::new(
            "ADR-CO-005",
            "Retention of access logs",
            level.pick([90, 180, 365, 730]),
            format!("An investigation of access to {level} data reaches back this far (AU-11)."),
        ),
        required_tags: Decision::new(
            "ADR-CO-006",
            "Tagging strategy",
            TAG_KEYS.map(str::to_owned).to_vec(),
            "Owner, classification and objectives must be readable on every resource (CM-8).",
        ),
    }
}

/// The objectives as the beginning of a reason.
pub(super) fn objectives(product: &ProductRequest) -> String {
    format!(
        "RTO {} min with RPO {} min",
        product.rto_target, product.rpo_target
    )
}

/// The tier that the objectives ask for: the stricter of the two decides.
pub(super) fn tier(product: &ProductRequest) -> ResilienceTier {
    let (rto, rpo) = (product.rto_target, product.rpo_target);
    if rto <= 60 || rpo <= 15 {
        ResilienceTier::MissionCritical
    } else if rto <= 4 * 60 || rpo <= 60 {
        ResilienceTier::BusinessCritical
    } else if rto <= 24 * 60 || rpo <= 24 * 60 {
        ResilienceTier::Standard
    } else {
        ResilienceTier::Basic
    }
}

/// Tags for the clouds that take ordinary text.
pub(super) fn tags(product: &ProductRequest) -> Tags {
    tags_with(product, tag_value)
}

/// Labels for Google Cloud.
pub(super) fn labels(product: &ProductRequest) -> Tags {
    tags_with(product, label_value)
}

fn tags_with(product: &ProductRequest, value: fn(&str) -> String) -> Tags {
    let values = [
        product.slug.to_string(),
        product.owner.clone(),
        product.data_classification.to_string(),
        product.rto_target.to_string(),
        product.rpo_target.to_string(),
        "flowctl".to_owned(),
    ];
    let keys = TAG_KEYS.iter().map(|key| (*key).to_owned());
    keys.zip(values.iter().map(|text| value(text))).collect()
}
