//! `IaCEngineer`: renders Terraform and lists what was rendered, file by file.

use super::input::{contract_port, output, pass_on, required, to_value};
use super::persona::Persona;
use crate::contracts::{ArchitectureSpec, Cloud, FileDigest, IaCPlan, IaCUnit, ProductRequest};
use crate::port::{Call, Effect, Failure, File, Host, Outcome, Signature};
use crate::value::Digest;

/// The registration.
pub(super) const PERSONA: Persona = Persona {
    name: "IaCEngineer",
    tool: "iac_engineer.run",
    summary: "Renders the Terraform modules and the product's stacks.",
    effect: Effect::Pure,
    skills: &["iac_synthesis"],
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
            contract_port(
                "security_profile",
                "SecurityProfile",
                "The guardrails to keep.",
            ),
        ],
        outputs: vec![contract_port(
            "iac_plan",
            "IaCPlan",
            "Modules and stacks with the digest of every file.",
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
    let inputs = pass_on(
        call,
        &["product_spec", "architecture_spec", "security_profile"],
    );
    let rendered = host.render("iac_synthesis", &inputs)?;
    let plan = plan(&product, &rendered.files);
    for cloud in product.target_clouds.iter() {
        if !plan.stacks.iter().any(|stack| stack.cloud == cloud) {
            let folder = stack_folder(&product, cloud);
            return Err(Failure::new(format!(
                "skill `iac_synthesis` rendered nothing into {folder}"
            ))
            .help("see the `files` of skills/iac_synthesis/skill.yaml"));
        }
    }
    Ok(Outcome {
        output: output([("iac_plan", to_value(&plan))]),
        files: rendered.files,
        evidence: rendered.evidence,
        subject: None,
        about: None,
    })
}

fn module_folder(cloud: Cloud) -> String {
    format!("iac/modules/secure-storage/{cloud}")
}

fn stack_folder(product: &ProductRequest, cloud: Cloud) -> String {
    format!("iac/products/{}/{cloud}", product.slug)
}

/// Sorts the rendered files into modules, stacks and the rest.
fn plan(product: &ProductRequest, files: &[File]) -> IaCPlan {
    let mut digests: Vec<FileDigest> = files.iter().map(FileDigest::of).collect();
    digests.sort_by(|a, b| a.path.cmp(&b.path));
    let tree_sha256 = Digest::of_json(&digests).hex();
    let mut take = |folder: String, cloud: Cloud| {
        let prefix = format!("{folder}/");
        let (inside, rest) = std::mem::take(&mut digests)
            .into_iter()
            .partition(|file| file.path.starts_with(&prefix));
        digests = rest;
        IaCUnit {
            cloud,
            path: folder,
            files: inside,
        }
    };
    let clouds: Vec<Cloud> = product.target_clouds.iter().collect();
    let mut units = |folder: &dyn Fn(Cloud) -> String| {
        let units = clouds.iter().map(|cloud| take(folder(*cloud), *cloud));
        units
            .filter(|unit| !unit.files.is_empty())
            .collect::<Vec<_>>()
    };
    let modules = units(&module_folder);
    let stacks = units(&|cloud| stack_folder(product, cloud));
    IaCPlan {
        product_slug: product.slug.clone(),
        modules,
        stacks,
        shared_files: digests,
        tree_sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personas::testing;

    fn file(path: &str, content: &str) -> File {
        File {
            path: path.to_owned(),
            content: content.as_bytes().to_vec(),
        }
    }

    #[test]
    fn files_are_sorted_into_units() {
        let mut product = testing::product("abc");
        product.target_clouds = vec![Cloud::Aws].try_into().unwrap();
        let files = [
            file("iac/products/abc/aws/main.tf", "b"),
            file("iac/modules/secure-storage/aws/tests/a.tftest.hcl", "t"),
            file("iac/modules/secure-storage/aws/main.tf", "a"),
            file("iac/README.md", "r"),
        ];
        let plan = plan(&product, &files);
        assert_eq!(plan.modules.len(), 1);
        assert_eq!(plan.modules[0].files.len(), 2);
        assert_eq!(plan.stacks[0].path, "iac/products/abc/aws");
        assert_eq!(plan.shared_files[0].path, "iac/README.md");
        assert_eq!(plan.files().count(), 4);
    }

    #[test]
    fn the_tree_digest_depends_on_content_and_not_on_order() {
        let product = testing::product("abc");
        let (a, b) = (file("iac/a", "1"), file("iac/b", "2"));
        let one = plan(&product, &[a.clone(), b.clone()]).tree_sha256;
        assert_eq!(one, plan(&product, &[b.clone(), a.clone()]).tree_sha256);
        assert_ne!(one, plan(&product, &[a, file("iac/b", "3")]).tree_sha256);
    }

    #[test]
    fn a_skill_that_renders_nothing_is_a_failure() {
        let inputs = testing::designed("abc");
        let failure = testing::call(&PERSONA, &inputs, &testing::BlankHost).unwrap_err();
        assert!(
            failure.message.contains("iac/products/abc/azure"),
            "{}",
            failure.message
        );
    }
}
