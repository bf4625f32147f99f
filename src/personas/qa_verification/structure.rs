//! Structural checks over the rendered Terraform, without terraform and its providers.

use hcl::{Attribute, Block, Expression, ObjectKey};

use super::case::Case;
use super::tree::Tree;
use crate::contracts::{IaCPlan, IaCUnit, SecurityProfile, TestCase};
use crate::terraform::Configuration;

/// Attributes that hold a credential when they hold a literal.
const CREDENTIALS: [&str; 8] = [
    "access_key",
    "client_secret",
    "credentials",
    "password",
    "private_key",
    "sas_token",
    "secret_key",
    "token",
];

/// The structural cases.
pub(super) fn cases(
    plan: &IaCPlan,
    profile: &SecurityProfile,
    configuration: &Configuration,
    tree: &Tree<'_>,
) -> Vec<TestCase> {
    let units: Vec<Unit<'_>> = plan
        .modules
        .iter()
        .chain(&plan.stacks)
        .map(|unit| Unit {
            unit,
            blocks: configuration.blocks(&unit.path).collect(),
        })
        .collect();
    let (modules, stacks) = units.split_at(plan.modules.len());
    vec![
        versions_case(&units),
        providers_case(&units),
        markers_case(&units, tree),
        provider_blocks_case(modules),
        credentials_case(&units, profile, tree),
        module_calls_case(stacks),
        programs_case(&units),
    ]
}

/// A module or stack with its own blocks, without those of its examples and tests.
struct Unit<'a> {
    unit: &'a IaCUnit,
    blocks: Vec<&'a Block>,
}

impl Unit<'_> {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        let blocks = self.blocks.iter().copied();
        blocks.filter(move |block| block.identifier() == kind)
    }

    /// The texts of its own files; what cannot be read is the digest case's finding.
    fn texts(&self, tree: &Tree<'_>) -> impl Iterator<Item = (&str, String)> {
        let own = self.unit.files.iter().filter(|file| {
            let inside = file.path.strip_prefix(&self.unit.path).unwrap_or_default();
            let inside = inside.trim_start_matches('/');
            inside.ends_with(".tf") && !inside.contains('/')
        });
        own.filter_map(|file| Some((file.path.as_str(), tree.text(&file.path).ok()?)))
    }
}

fn versions_case(units: &[Unit<'_>]) -> TestCase {
    let lacking = units.iter().filter(|unit| {
        !unit.of("terraform").any(|block| {
            block
                .body()
                .attributes()
                .any(|attribute| attribute.key() == "required_version")
        })
    });
    let findings = lacking
        .map(|unit| format!("{} declares no required_version", unit.unit.path))
        .collect();
    Case::new(
        "QA-ST-01",
        "Every module and stack says which Terraform it needs",
        "iac",
    )
    .controls(&["cm-2"])
    .of(findings, format!("{} folders", units.len()))
}

fn providers_case(units: &[Unit<'_>]) -> TestCase {
    let mut findings = Vec::new();
    let mut pinned = 0;
    for unit in units {
        let path = &unit.unit.path;
        let mut any = false;
        for provider in unit.of("terraform").flat_map(required_providers) {
            any = true;
            let name = provider.key();
            match field(provider.expr(), "version").and_then(literal) {
                None => findings.push(format!("{path}: provider {name} has no version")),
                Some(version) if is_bounded(version) => pinned += 1,
                Some(version) => findings.push(format!(
                    "{path}: provider {name}: version `{version}` has no upper bound"
                )),
            }
        }
        if !any {
            findings.push(format!("{path} pins no provider"));
        }
    }
    Case::new("QA-ST-02", "Every provider is pinned from above", "iac")
        .controls(&["cm-2", "si-7"])
        .of(findings, format!("{pinned} constraints"))
}

fn required_providers(terraform: &Block) -> impl Iterator<Item = &Attribute> {
    let blocks = terraform.body().blocks();
    let blocks = blocks.filter(|block| block.identifier() == "required_providers");
    blocks.flat_map(|block| block.body().attributes())
}

fn is_bounded(version: &str) -> bool {
    version.contains("~>")
        || version.contains('<')
        || version.starts_with(|c: char| c == '=' || c.is_ascii_digit())
}

fn markers_case(units: &[Unit<'_>], tree: &Tree<'_>) -> TestCase {
    let (findings, lines) = find(units, tree, left_behind);
    Case::new("QA-ST-03", "No template marker was left behind", "iac")
        .controls(&["cm-6"])
        .of(findings, format!("{lines} lines"))
}

fn provider_blocks_case(modules: &[Unit<'_>]) -> TestCase {
    let configuring = modules.iter().flat_map(|module| {
        module.of("provider").map(|block| {
            let name = block.labels().first().map_or("", hcl::BlockLabel::as_str);
            format!("{} configures provider {name}", module.unit.path)
        })
    });
    Case::new(
        "QA-ST-04",
        "No module configures a provider itself",
        "iac/modules",
    )
    .controls(&["cm-2"])
    .of(configuring.collect(), format!("{} modules", modules.len()))
}

fn credentials_case(units: &[Unit<'_>], profile: &SecurityProfile, tree: &Tree<'_>) -> TestCase {
    let (mut findings, lines) = find(units, tree, holds_key);
    for unit in units {
        for block in &unit.blocks {
            let address = address(block);
            credentials(block, &mut |name| {
                findings.push(format!(
                    "{}: {address}: `{name}` is a literal",
                    unit.unit.path
                ));
            });
        }
    }
    Case::new("QA-ST-05", "No credential stands in the code", "iac")
        .guardrails(&["GR-IA-01"], profile)
        .of(findings, format!("{lines} lines"))
}

/// Names the attributes of a block, at any depth, that hold a credential.
fn credentials(block: &Block, found: &mut impl FnMut(&str)) {
    for attribute in block.body().attributes() {
        credential(attribute.key(), attribute.expr(), found);
    }
    for inner in block.body().blocks() {
        credentials(inner, found);
    }
}

fn credential(name: &str, expression: &Expression, found: &mut impl FnMut(&str)) {
    match expression {
        Expression::String(text) if CREDENTIALS.contains(&name) && !text.is_empty() => found(name),
        Expression::Object(fields) => {
            for (key, value) in fields {
                credential(&key_text(key), value, found);
            }
        }
        Expression::Array(items) => {
            for item in items {
                credential(name, item, found);
            }
        }
        _ => {}
    }
}

fn module_calls_case(stacks: &[Unit<'_>]) -> TestCase {
    let lacking = stacks.iter().filter(|stack| {
        let wanted = format!("modules/secure-storage/{}", stack.unit.cloud);
        !stack.of("module").any(|block| {
            block.body().attributes().any(|attribute| {
                attribute.key() == "source"
                    && literal(attribute.expr()).is_some_and(|source| source.ends_with(&wanted))
            })
        })
    });
    let findings = lacking
        .map(|stack| format!("{} calls no secure-storage module", stack.unit.path))
        .collect();
    Case::new(
        "QA-ST-06",
        "Every stack builds on the secure-storage module",
        "iac/products",
    )
    .controls(&["cm-2"])
    .of(findings, format!("{} stacks", stacks.len()))
}

/// What runs a program, or asks somebody, on the machine that plans: a plan already does what it says.
const ASKING: [&str; 3] = ["external", "http", "local_command"];

fn programs_case(units: &[Unit<'_>]) -> TestCase {
    let mut findings = Vec::new();
    let mut looked = 0;
    for unit in units {
        for block in &unit.blocks {
            looked += 1;
            let mut found = |what: String| {
                let address = address(block);
                findings.push(format!("{}: {address}: {what}", unit.unit.path));
            };
            let kind = block.labels().first().map_or("", hcl::BlockLabel::as_str);
            if ["data", "ephemeral"].contains(&block.identifier()) && ASKING.contains(&kind) {
                found(format!(
                    "`{kind}` runs a program, or asks a server, while Terraform plans"
                ));
            }
            provisioners(block, &mut |name| {
                found(format!("the provisioner `{name}` runs a program"));
            });
        }
    }
    Case::new("QA-ST-07", "Nothing runs a program", "iac")
        .controls(&["cm-7", "si-7"])
        .of(findings, format!("{looked} blocks"))
}

/// Names the provisioners of a block, at any depth, also those that a dynamic block would make.
fn provisioners(block: &Block, found: &mut impl FnMut(&str)) {
    for inner in block.body().blocks() {
        let label = inner.labels().first().map_or("", hcl::BlockLabel::as_str);
        match inner.identifier() {
            "provisioner" => found(label),
            "dynamic" if label == "provisioner" => found(label),
            _ => provisioners(inner, found),
        }
    }
}

fn address(block: &Block) -> String {
    let labels = block.labels().iter().map(hcl::BlockLabel::as_str);
    let parts: Vec<&str> = std::iter::once(block.identifier()).chain(labels).collect();
    parts.join(".")
}

/// The lines that are broken, and how many were looked at.
fn find(units: &[Unit<'_>], tree: &Tree<'_>, broken: fn(&str) -> bool) -> (Vec<String>, usize) {
    let (mut findings, mut lines) = (Vec::new(), 0);
    for (path, text) in units.iter().flat_map(|unit| unit.texts(tree)) {
        for (at, line) in text.lines().enumerate() {
            lines += 1;
            if broken(line) {
                findings.push(format!("{path}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    (findings, lines)
}

fn literal(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::String(text) => Some(text),
        _ => None,
    }
}

fn field<'a>(expression: &'a Expression, name: &str) -> Option<&'a Expression> {
    let Expression::Object(fields) = expression else {
        return None;
    };
    let mut fields = fields.iter();
    fields
        .find(|(key, _)| key_text(key) == name)
        .map(|(_, value)| value)
}

fn key_text(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Expression(Expression::String(text)) => text.clone(),
        key => key.to_string(),
    }
}

/// A marker of tera; `$${{` and `%%{{` are HCL's own escapes of a text that holds braces.
fn left_behind(line: &str) -> bool {
    let opened = line
        .match_indices("{{")
        .any(|(at, _)| !line[..at].ends_with(['$', '%']));
    opened || line.contains("{%") || line.contains("{#") || line.contains("%}")
}

fn holds_key(line: &str) -> bool {
    line.contains("-----BEGIN") || contains_access_key_id(line)
}

/// AWS access key ids: `AKIA` or `ASIA` and sixteen capitals and digits.
fn contains_access_key_id(line: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| {
        line.match_indices(prefix).any(|(at, _)| {
            let rest = &line.as_bytes()[at + prefix.len()..];
            rest.len() >= 16
                && rest[..16]
                    .iter()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        let body: hcl::Body = text.parse().unwrap();
        body.into_blocks().next().unwrap()
    }

    #[test]
    fn credentials_are_seen() {
        let block = block(
            r#"resource "x" "y" {
              password = var.password
              token    = "hunter2"
              nested { settings = { "secret_key" = "s", client_secret = "" } }
            }"#,
        );
        let mut found = Vec::new();
        credentials(&block, &mut |name| found.push(name.to_owned()));
        assert_eq!(found, ["token", "secret_key"]);
        assert!(holds_key(r#"key = "AKIAABCDEFGHIJKLMNOP""#));
        assert!(!holds_key(r#"key = "AKIA""#));
    }

    #[test]
    fn programs_are_seen() {
        let unit = IaCUnit {
            cloud: crate::contracts::Cloud::Aws,
            path: "m".to_owned(),
            files: Vec::new(),
        };
        let case = |text: &str| {
            let body: hcl::Body = text.parse().unwrap();
            let blocks: Vec<Block> = body.into_blocks().collect();
            let units = [Unit {
                unit: &unit,
                blocks: blocks.iter().collect(),
            }];
            programs_case(&units).details
        };
        let findings = case(
            r#"
            resource "null_resource" "a" {
              provisioner "local-exec" { command = "id" }
              connection { host = "h" }
              provisioner "remote-exec" { inline = [] }
            }
            resource "cloud_bucket" "b" {
              dynamic "provisioner" { for_each = [1] }
            }
            data "external" "c" { program = ["id"] }
            data "http" "d" { url = "https://example.org" }
            "#,
        );
        assert_eq!(
            findings,
            [
                "m: resource.null_resource.a: the provisioner `local-exec` runs a program",
                "m: resource.null_resource.a: the provisioner `remote-exec` runs a program",
                "m: resource.cloud_bucket.b: the provisioner `provisioner` runs a program",
                "m: data.external.c: `external` runs a program, or asks a server, while Terraform plans",
                "m: data.http.d: `http` runs a program, or asks a server, while Terraform plans",
            ]
        );
        let good = case(
            r#"data "cloud_region" "c" {}
               resource "cloud_http" "external" { name = "http" }"#,
        );
        assert_eq!(good, ["2 blocks"]);
    }

    #[test]
    fn markers_are_seen_and_escapes_are_not() {
        assert!(left_behind("name = {{ slug }}"));
        assert!(left_behind("{% if x %}"));
        assert!(!left_behind(r#"name = "a $${{ b }}""#));
        assert!(!left_behind("tags = { a = { b = 1 } }"));
        assert!(!left_behind(r#"x = "%%{ if }""#));
    }

    #[test]
    fn versions_of_providers_are_read() {
        let terraform = block(
            r#"terraform {
              required_providers {
                aws = {
                  source  = "hashicorp/aws"
                  version = "~> 5.100"
                }
                b = { "source" = "x/b", "version" = ">= 1" }
                c = { source = "x/c" }
              }
            }"#,
        );
        let versions: Vec<_> = required_providers(&terraform)
            .map(|provider| field(provider.expr(), "version").and_then(literal))
            .collect();
        assert_eq!(versions, [Some("~> 5.100"), Some(">= 1"), None]);
        assert!(is_bounded("~> 5.100") && is_bounded(">= 1, < 2") && !is_bounded(">= 1"));
    }
}
