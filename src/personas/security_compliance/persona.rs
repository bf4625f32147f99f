//! The persona itself: ports, and the assembly of the [`SecurityProfile`].

use super::{controls, guardrails, policies};
use crate::contracts::{ArchitectureSpec, ProductRequest, SecurityProfile};
use crate::personas::input::{contract_port, output, pass_on, required, to_value};
use crate::personas::persona::Persona;
use crate::port::{Call, Effect, Failure, Host, Outcome, Signature};

/// The registration.
pub(crate) const PERSONA: Persona = Persona {
    name: "SecurityCompliance",
    tool: "security_compliance.run",
    summary: "Selects guardrails, maps them to NIST SP 800-53 and renders the policy pack.",
    effect: Effect::Pure,
    skills: &["policy_pack"],
    signature,
    function: run,
};

fn signature() -> Signature {
    Signature {
        inputs: vec![
            contract_port("product_spec", "ProductRequest", "The checked request."),
            contract_port(
                "architecture_spec",
                "ArchitectureSpec",
                "The design per cloud.",
            ),
        ],
        outputs: vec![contract_port(
            "security_profile",
            "SecurityProfile",
            "Guardrails, controls and the policy files that enforce them.",
        )],
        open: false,
    }
}

fn run(call: &Call<'_>, host: &dyn Host) -> Result<Outcome, Failure> {
    let product = required::<ProductRequest>(call, "product_spec")?;
    let architecture = required::<ArchitectureSpec>(call, "architecture_spec")?;
    if architecture.product_slug != product.slug {
        return Err(Failure::new(format!(
            "architecture_spec is for `{}`, but product_spec is for `{}`",
            architecture.product_slug, product.slug
        )));
    }
    let profile = to_value(&profile(&product));
    let mut inputs = pass_on(call, &["product_spec", "architecture_spec"]);
    inputs.insert("security_profile".to_owned(), profile.clone());
    let rendered = host.render("policy_pack", &inputs)?;
    Ok(Outcome {
        output: output([("security_profile", profile)]),
        files: rendered.files,
        evidence: rendered.evidence,
        subject: None,
        about: None,
    })
}

fn profile(product: &ProductRequest) -> SecurityProfile {
    let guardrails = guardrails::guardrails(product);
    let required: Vec<&str> = guardrails
        .iter()
        .filter(|guardrail| guardrail.mandatory)
        .flat_map(|guardrail| guardrail.controls.iter().map(String::as_str))
        .collect();
    let families = controls::families(&required);
    let controls = controls::controls(|control| {
        let implementing = guardrails
            .iter()
            .filter(|g| g.controls.iter().any(|id| id == control));
        implementing.map(|guardrail| guardrail.id.clone()).collect()
    });
    SecurityProfile {
        product_slug: product.slug.clone(),
        data_classification: product.data_classification,
        catalog: controls::CATALOG.to_owned(),
        catalog_href: controls::CATALOG_HREF.to_owned(),
        policy_files: policies::files(product, &guardrails),
        families,
        controls,
        guardrails,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{Cloud, DataClassification};
    use crate::personas::testing;

    fn profile_at(classification: DataClassification, clouds: &[Cloud]) -> SecurityProfile {
        let mut product = testing::product("Secure Storage");
        product.data_classification = classification;
        product.target_clouds = clouds.to_vec().try_into().unwrap();
        profile(&product)
    }

    #[test]
    fn families_grow_with_classification() {
        let families = DataClassification::ALL.map(|level| {
            let profile = profile_at(level, &Cloud::ALL);
            profile
                .families
                .iter()
                .map(|family| family.id.clone())
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(
            families,
            [
                "AC AU CM CP SC",
                "AC AU CM CP IA SC SI",
                "AC AU CM CP IA MP RA SC SI",
                "AC AU CA CM CP IA MP RA SC SI",
            ]
        );
    }

    #[test]
    fn mandatory_guardrails_grow_with_classification() {
        let counts = DataClassification::ALL.map(|level| {
            let profile = profile_at(level, &[Cloud::Aws]);
            profile
                .guardrails
                .iter()
                .filter(|guardrail| guardrail.mandatory)
                .count()
        });
        assert!(
            counts.windows(2).all(|pair| pair[0] < pair[1]),
            "{counts:?}"
        );
        assert_eq!(
            counts[3],
            profile_at(DataClassification::Public, &[Cloud::Aws])
                .guardrails
                .len()
        );
    }

    #[test]
    fn every_guardrail_is_enforced_on_every_target_cloud() {
        let profile = profile_at(DataClassification::Restricted, &Cloud::ALL);
        for guardrail in &profile.guardrails {
            for cloud in Cloud::ALL {
                assert!(
                    guardrail.enforcement.iter().any(|p| p.cloud == cloud),
                    "{}",
                    guardrail.id
                );
            }
        }
        let aws = profile_at(DataClassification::Restricted, &[Cloud::Aws]);
        assert!(
            aws.guardrails
                .iter()
                .all(|g| g.enforcement.iter().all(|p| p.cloud == Cloud::Aws))
        );
        assert!(
            aws.policy_files
                .iter()
                .all(|file| file.cloud.is_none_or(|c| c == Cloud::Aws))
        );
    }

    #[test]
    fn rules_of_the_rego_package_that_enforce_are_the_guardrails_own_or_named() {
        use crate::contracts::Mechanism;
        let profile = profile_at(DataClassification::Restricted, &Cloud::ALL);
        let rules: Vec<&String> = profile
            .guardrails
            .iter()
            .filter_map(|g| g.rego_rule.as_ref())
            .collect();
        for guardrail in &profile.guardrails {
            for point in guardrail
                .enforcement
                .iter()
                .filter(|p| p.mechanism == Mechanism::Rego)
            {
                assert!(
                    rules.contains(&&point.policy),
                    "{}: {}",
                    guardrail.id,
                    point.policy
                );
            }
        }
    }

    fn rendered(change: impl FnOnce(&mut ProductRequest)) -> Vec<crate::port::File> {
        let mut product = testing::product("x\"y: <b> ${z} {{ q }} 🚀");
        change(&mut product);
        let given = testing::designed_for(&product);
        let inputs = serde_json::json!({
            "product_spec": given["product_spec"], "architecture_spec": given["architecture_spec"],
        });
        testing::call(&PERSONA, &inputs, &crate::personas::skills::SkillHost)
            .unwrap()
            .files
    }

    #[test]
    fn the_pack_has_the_files_that_the_profile_names_and_they_are_well_formed() {
        for level in DataClassification::ALL {
            for clouds in [
                &Cloud::ALL[..],
                &[Cloud::Gcp],
                &[Cloud::Aws],
                &[Cloud::Oci],
                &[Cloud::Azure],
            ] {
                let profile = profile_at(level, clouds);
                let files = rendered(|product| {
                    product.data_classification = level;
                    product.target_clouds = clouds.to_vec().try_into().unwrap();
                    product.slug = crate::slug::Slug::of("Secure Storage");
                });
                for file in &profile.policy_files {
                    assert!(
                        files.iter().any(|f| f.path == file.path),
                        "{level} {}",
                        file.path
                    );
                }
                for file in &files {
                    let text = std::str::from_utf8(&file.content).unwrap();
                    match file.path.rsplit_once('.').unwrap().1 {
                        "json" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap()),
                        "yaml" => drop(serde_yaml::from_str::<serde_yaml::Value>(text).unwrap()),
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn mandatory_definitions_deny_and_recommended_ones_audit() {
        let effect = |level, name: &str| {
            let files = rendered(|product| product.data_classification = level);
            let file = files
                .iter()
                .find(|f| f.path.ends_with("initiative.json"))
                .unwrap();
            let json: serde_json::Value = serde_json::from_slice(&file.content).unwrap();
            let definitions = json["properties"]["policyDefinitions"].as_array().unwrap();
            let definition = definitions
                .iter()
                .find(|d| d["policyDefinitionReferenceId"] == name)
                .unwrap();
            definition["parameters"]["effect"]["value"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            effect(DataClassification::Public, "storage-no-shared-key"),
            "Audit"
        );
        assert_eq!(
            effect(DataClassification::Internal, "storage-no-shared-key"),
            "Deny"
        );
        assert_eq!(
            effect(DataClassification::Public, "storage-no-public-access"),
            "Deny"
        );
    }

    #[test]
    fn the_same_request_gives_the_same_bytes() {
        assert_eq!(rendered(|_| ()), rendered(|_| ()));
    }

    #[test]
    fn the_mapping_is_documented() {
        use super::super::catalogue::GUARDRAILS;
        use crate::contracts::Mechanism;
        let profile = profile_at(DataClassification::Restricted, &Cloud::ALL);
        let label = |id: &String| {
            profile
                .controls
                .iter()
                .find(|control| control.id == *id)
                .unwrap()
                .label
                .clone()
        };
        let rows = profile
            .guardrails
            .iter()
            .zip(GUARDRAILS)
            .map(|(guardrail, entry)| {
                vec![
                    guardrail.id.clone(),
                    guardrail.title.clone(),
                    entry.mandatory_from.to_string(),
                    format!("{:?}", guardrail.severity).to_lowercase(),
                    guardrail
                        .controls
                        .iter()
                        .map(label)
                        .collect::<Vec<_>>()
                        .join(", "),
                    entry
                        .decisions
                        .iter()
                        .map(|d| d.replace("CO-", "ADR-CO-"))
                        .collect::<Vec<_>>()
                        .join(", "),
                    guardrail
                        .rego_rule
                        .as_ref()
                        .map_or(String::new(), |rule| format!("`{rule}`")),
                ]
            });
        let header = [
            "Guardrail",
            "Title",
            "Mandatory from",
            "Severity",
            "Controls",
            "Decisions",
            "Rego rule",
        ];
        testing::in_step(
            "controls.md",
            "guardrails",
            &testing::table(&header, &rows.collect::<Vec<_>>()),
        );
        let rows = profile.guardrails.iter().map(|guardrail| {
            let mut row = vec![guardrail.id.clone()];
            row.extend(Cloud::ALL.map(|cloud| {
                let points = guardrail
                    .enforcement
                    .iter()
                    .filter(|point| point.cloud == cloud);
                let names = points.map(|point| match point.mechanism {
                    Mechanism::Rego => format!("rego `{}`", point.policy),
                    Mechanism::Platform => format!("platform: {}", point.policy),
                    _ => format!("`{}`", point.policy),
                });
                names.collect::<Vec<_>>().join(", ")
            }));
            row
        });
        let header = ["Guardrail", "Azure", "AWS", "Google Cloud", "OCI"];
        testing::in_step(
            "controls.md",
            "enforcement",
            &testing::table(&header, &rows.collect::<Vec<_>>()),
        );
        let rows = profile.controls.iter().map(|control| {
            vec![
                control.label.clone(),
                control.title.clone(),
                control.guardrails.join(", "),
            ]
        });
        let rows: Vec<_> = rows
            .map(|row| row.iter().map(|cell| cell.replace('|', "\\|")).collect())
            .collect();
        testing::in_step(
            "controls.md",
            "controls",
            &testing::table(&["Control", "Title", "Guardrails"], &rows),
        );
    }
}
