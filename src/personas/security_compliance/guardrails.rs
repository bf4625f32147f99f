//! Binds the catalogue of guardrails to a product: its clouds, its classification, its decisions.

use super::catalogue::{Entry, GUARDRAILS, Point};
use super::policies;
use crate::contracts::{Cloud, Enforcement, Guardrail, Mechanism, ProductRequest};

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
    let mandatory = product.data_classification >= entry.mandatory_from;
    let mut list: Vec<Enforcement> = Vec::new();
    for cloud in product.target_clouds.iter() {
        let points: &[Point] = match cloud {
            Cloud::Azure => entry.azure,
            Cloud::Aws => entry.aws,
            Cloud::Gcp => entry.gcp,
            Cloud::Oci => entry.oci,
        };
        for (mechanism, policy) in points {
            // An organisation policy blocks and knows no audit mode, so it is not for what is only
            // recommended; the Rego rule, which can warn, stands in.
            let (mechanism, policy) = match (mechanism, entry.rego_rule) {
                (Mechanism::GcpOrgPolicy, Some(rule)) if !mandatory => (Mechanism::Rego, rule),
                (Mechanism::GcpOrgPolicy, None) if !mandatory => continue,
                (mechanism, _) => (*mechanism, *policy),
            };
            list.push(Enforcement {
                cloud,
                mechanism,
                policy: policy.to_owned(),
                path: policies::path(product.slug.as_str(), mechanism, policy),
            });
        }
    }
    list
}
