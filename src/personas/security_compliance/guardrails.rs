//! Binds the catalogue of guardrails to a product: its clouds, its classification, its decisions.

use super::catalogue::{Entry, GUARDRAILS, Point};
use super::policies;
use crate::contracts::{Cloud, Enforcement, Guardrail, ProductRequest};

/// The guardrails of a product, in the catalogue's order.
pub(super) fn guardrails(product: &ProductRequest) -> Vec<Guardrail> {
    GUARDRAILS
        .iter()
        .map(|entry| bind(entry, product))
        .collect()
}

fn bind(entry: &Entry, product: &ProductRequest) -> Guardrail {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Guardrail {
        id: entry.id.to_owned(),
        title: entry.title.to_owned(),
        statement: entry.statement.to_owned(),
        severity: entry.severity,
        mandatory: product.data_classification >= entry.mandatory_from,
        controls: owned(entry.controls),
        decisions: decisions(entry, product),
        rego_rule: entry.rego_rule.map(str::to_owned),
        enforcement: enforcement(entry, product),
    }
}

fn decisions(entry: &Entry, product: &ProductRequest) -> Vec<String> {
    let mut list = Vec::new();
    for number in entry.decisions {
        if number.starts_with('-') {
            let clouds = product.target_clouds.iter();
            list.extend(clouds.map(|cloud| format!("ADR-{}{number}", letters(cloud))));
        } else {
            list.push(format!("ADR-{number}"));
        }
    }
    list
}

/// The two letters of a cloud in decision ids.
const fn letters(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Azure => "AZ",
        Cloud::Aws => "AW",
        Cloud::Gcp => "GC",
        Cloud::Oci => "OC",
    }
}

fn enforcement(entry: &Entry, product: &ProductRequest) -> Vec<Enforcement> {
    let mut list = Vec::new();
    for cloud in product.target_clouds.iter() {
        let points: &[Point] = match cloud {
            Cloud::Azure => entry.azure,
            Cloud::Aws => entry.aws,
            Cloud::Gcp => entry.gcp,
            Cloud::Oci => entry.oci,
        };
        list.extend(points.iter().map(|(mechanism, policy)| Enforcement {
            cloud,
            mechanism: *mechanism,
            policy: (*policy).to_owned(),
            path: policies::path(product.slug.as_str(), *mechanism, policy),
        }));
    }
    list
}
