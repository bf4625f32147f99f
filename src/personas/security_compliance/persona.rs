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
}
