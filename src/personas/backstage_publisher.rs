//! `BackstagePublisher`: renders the software template for the developer portal.

use super::entities;
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
    let path = format!("backstage/templates/infra-product/{slug}");
    entities::check(&path, &rendered.files)?;
    let bundle = BackstageBundle {
        product_slug: slug.clone(),
        path,
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
        about: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personas::skills::SkillHost;
    use crate::personas::testing;
    use serde_json::json;

    fn bundle(name: &str) -> Outcome {
        let mut given = testing::designed(name);
        given["iac_plan"] = json!({
            "product_slug": given["product_spec"]["slug"], "modules": [], "stacks": [],
            "shared_files": [], "tree_sha256": "a".repeat(64),
        });
        testing::call(&PERSONA, &given, &SkillHost).unwrap()
    }

    fn yaml(outcome: &Outcome, name: &str) -> Value {
        let file = outcome
            .files
            .iter()
            .find(|file| file.path.ends_with(name))
            .unwrap();
        let text = std::str::from_utf8(&file.content).unwrap();
        // The first document is enough: those after it are of the same template.
        serde_yaml::from_str(text.split("\n---\n").next().unwrap()).unwrap()
    }

    #[test]
    fn entities_are_well_formed_for_every_name() {
        let hostile = "x\"y: <script> ${z} ${{ q }} {% raw %} \\ 🚀";
        for name in ["abc", hostile, "倉庫製品", "- yes: #no"] {
            let outcome = bundle(name);
            let template = yaml(&outcome, "/template.yaml");
            assert_eq!(template["metadata"]["title"], name);
            assert_eq!(
                template["spec"]["parameters"][0]["properties"]["product_name"]["default"],
                name
            );
            assert_eq!(
                yaml(&outcome, "/catalog-info.yaml")["metadata"]["title"],
                name
            );
            assert_eq!(yaml(&outcome, "/mkdocs.yml")["site_name"], name);
        }
    }

    #[test]
    fn expressions_are_backstages_own() {
        let outcome = bundle("abc");
        let template = yaml(&outcome, "/template.yaml");
        let values = &template["spec"]["steps"][0]["input"]["values"];
        assert_eq!(values["name"], "${{ parameters.name }}");
        let skeleton = outcome
            .files
            .iter()
            .find(|f| f.path.ends_with("skeleton/inputs.yaml"))
            .unwrap();
        assert!(String::from_utf8_lossy(&skeleton.content).contains("${{ values.rto_target"));
    }

    #[test]
    fn the_templates_constraints_are_the_contracts() {
        let template = yaml(&bundle("abc"), "/template.yaml");
        let product = crate::personas::all()[0];
        let signature = (product.signature)();
        for page in template["spec"]["parameters"].as_array().unwrap() {
            for (name, parameter) in page["properties"].as_object().unwrap() {
                let Some(port) = signature.input(name) else {
                    continue;
                };
                for key in [
                    "minLength",
                    "minimum",
                    "maximum",
                    "minItems",
                    "enum",
                    "pattern",
                ] {
                    // Text such as `4h` is for people at a shell; the portal asks for a number.
                    if name.ends_with("_target") && key == "pattern" {
                        continue;
                    }
                    if !port.schema[key].is_null() && name != "owner" {
                        assert_eq!(parameter[key], port.schema[key], "{name}.{key}");
                    }
                }
            }
        }
    }
}
