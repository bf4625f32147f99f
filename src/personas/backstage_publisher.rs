//! `BackstagePublisher`: renders the software template for the developer portal.

use super::input::{contract_port, output, pass_on, required, to_value};
use super::persona::Persona;
use crate::contracts::{BackstageBundle, FileDigest, IaCPlan, ProductRequest};
use crate::port::{Call, Effect, Failure, Host, Outcome, Signature};
use crate::value::Value;

/// The registration.
pub(super) const PERSONA: Persona = Persona {
    name: "BackstagePublisher",
    tool: "backstage_publisher.run",
    summary: "Renders the Backstage software template, catalogue entry and documentation.",
    effect: Effect::Pure,
    skills: &["backstage_scaffolder"],
    signature,
    function: run,
};

/// What the catalogue says of a product that has been approved and published.
const LIFECYCLE: &str = "production";

fn signature() -> Signature {
    Signature {
        inputs: vec![
            contract_port("product_spec", "ProductRequest", "The checked request."),
            contract_port(
                "architecture_spec",
                "ArchitectureSpec",
                "The design per cloud.",
            ),
            contract_port("iac_plan", "IaCPlan", "The rendered Terraform."),
        ],
        outputs: vec![contract_port(
            "backstage_bundle",
            "BackstageBundle",
            "The bundle's entities and files.",
        )],
        open: false,
    }
}

fn run(call: &Call<'_>, host: &dyn Host) -> Result<Outcome, Failure> {
    let product = required::<ProductRequest>(call, "product_spec")?;
    // Decoded for the check alone; the skill reads the raw value.
    let plan = required::<IaCPlan>(call, "iac_plan")?;
    if plan.product_slug != product.slug {
        return Err(Failure::new(format!(
            "iac_plan is for `{}`, but product_spec is for `{}`",
            plan.product_slug, product.slug
        )));
    }
    let mut inputs = pass_on(call, &["product_spec", "architecture_spec", "iac_plan"]);
    inputs.insert("lifecycle".to_owned(), Value::from(LIFECYCLE));
    let rendered = host.render("backstage_scaffolder", &inputs)?;
    let mut files: Vec<FileDigest> = rendered.files.iter().map(FileDigest::of).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let slug = &product.slug;
    let bundle = BackstageBundle {
        product_slug: slug.clone(),
        path: format!("backstage/templates/infra-product/{slug}"),
        template_ref: format!("template:default/{slug}"),
        component_ref: format!("component:default/{slug}"),
        owner: product.owner,
        lifecycle: LIFECYCLE.to_owned(),
        files,
    };
    Ok(Outcome {
        output: output([("backstage_bundle", to_value(&bundle))]),
        files: rendered.files,
        evidence: rendered.evidence,
        subject: None,
    })
}
