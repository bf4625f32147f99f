//! [`Plan`]: what a root module would create.

use std::collections::BTreeSet;

use hcl::{Block, Map, Value};
use serde_json::{Value as Json, json};

use super::configuration::Configuration;
use super::module::{Scope, attribute, blocks, elements};
use super::named::{self, Named};
use super::value::{is_unknown, part, part_fields};

/// Arguments of every resource that are no attributes of it.
const META: [&str; 7] = [
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
];

/// Arguments of a module call that are no variables of the module.
const OF_CALLS: [&str; 6] = [
    "count",
    "depends_on",
    "for_each",
    "providers",
    "source",
    "version",
];

/// Calls of modules, at most.
const CALLS: usize = 200;
/// Modules within modules, at most.
const DEPTH: usize = 16;
/// Resources, at most.
const RESOURCES: usize = 10_000;

/// What a root module would create, as `terraform show -json` tells of a plan for an empty state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// `resource_changes`.
    pub resources: Vec<Json>,
    /// `configuration.provider_config`.
    pub providers: serde_json::Map<String, Json>,
    /// `configuration.root_module`: which resources name which.
    named: Named,
    /// What could not be settled without Terraform, one sentence fragment each; the plan is then not
    /// whole.
    pub open: Vec<String>,
    /// The folders of its modules.
    folders: BTreeSet<String>,
    calls: usize,
}

impl Plan {
    /// The plan of a root module, by its folder.
    ///
    /// Variables without a default, as those of a landing zone, are unknown.
    #[must_use]
    pub fn of(configuration: &Configuration, root: &str) -> Self {
        let mut plan = Self::default();
        plan.module(configuration, root, "", &Map::new(), &[]);
        plan
    }

    /// The plan of the same root module in another state of its configuration; `None` when what it is
    /// made of is the same.
    #[must_use]
    pub fn again(&self, before: &Configuration, after: &Configuration, root: &str) -> Option<Self> {
        let same = self
            .folders
            .iter()
            .all(|folder| before.shares(after, folder));
        if same {
            return None;
        }
        let plan = Self::of(after, root);
        (plan != *self).then_some(plan)
    }

    /// The plan in Terraform's JSON form.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "format_version": "1.2",
            "resource_changes": self.resources,
            "configuration": {
                "provider_config": self.providers,
                "root_module": named::root_module(&self.named),
            },
        })
    }

    fn module(
        &mut self,
        configuration: &Configuration,
        folder: &str,
        address: &str,
        given: &Map<String, Value>,
        calls: &[String],
    ) {
        let depth = calls.len();
        let Some(found) = configuration.folder(folder) else {
            self.open.push(format!("there is no module in `{folder}`"));
            return;
        };
        self.calls += 1;
        if self.calls > CALLS {
            if self.calls == CALLS + 1 {
                self.open
                    .push(format!("there are more than {CALLS} modules"));
            }
            return;
        }
        if depth > DEPTH {
            self.open
                .push(format!("modules are nested deeper than {DEPTH}"));
            return;
        }
        if self.folders.insert(folder.to_owned()) {
            let gaps = found.references.gaps();
            self.open.extend(gaps.map(|name| {
                format!("flowctl does not evaluate the function `{name}`, which `{folder}` calls")
            }));
        }
        let mut scope = Scope::new(found, given);
        let resources =
            blocks(&found.blocks, "resource").filter_map(|block| match block.labels() {
                [kind, name] => Some(named::resource(kind.as_str(), name.as_str(), block.body())),
                _ => None,
            });
        self.named.insert(calls.to_vec(), resources.collect());
        if depth == 0 {
            for block in blocks(&found.blocks, "provider") {
                self.provider(&mut scope, block);
            }
        }
        for block in blocks(&found.blocks, "resource") {
            if let [kind, name] = block.labels() {
                self.resource(&mut scope, address, (kind.as_str(), name.as_str()), block);
            }
        }
        for block in blocks(&found.blocks, "module") {
            let Some(name) = block.labels().first() else {
                continue;
            };
            let here = dotted(address, &format!("module.{}", name.as_str()));
            let source = attribute(block.body(), "source").map(|source| scope.evaluate(source));
            let inner = source
                .as_ref()
                .and_then(Value::as_str)
                .and_then(|source| beside(folder, source));
            let Some(inner) = inner else {
                self.open.push(format!("{here} is no module of this tree"));
                continue;
            };
            for (index, _) in self.instances(&mut scope, &here, block) {
                let mut values = scope.values(block.body());
                values.retain(|name, _| !OF_CALLS.contains(&name.as_str()));
                let here = format!("{here}{}", suffix(index.as_ref()));
                let calls = [calls, &[name.as_str().to_owned()]].concat();
                self.module(configuration, &inner, &here, &values, &calls);
            }
        }
        if scope.gave_up() {
            self.open
                .push(format!("`{folder}` takes too many steps to evaluate"));
        }
    }

    fn provider(&mut self, scope: &mut Scope, block: &Block) {
        let Some(name) = block.labels().first().map(hcl::BlockLabel::as_str) else {
            return;
        };
        let values = scope.values(block.body());
        let alias = values.get("alias").and_then(Value::as_str);
        let key = alias.map_or_else(|| name.to_owned(), |alias| format!("{name}.{alias}"));
        let expressions = values.iter().filter(|(name, _)| *name != "alias");
        let expressions: serde_json::Map<String, Json> = expressions
            .map(|(name, value)| {
                let expression = match part(value) {
                    (Some(known), None) => json!({ "constant_value": known }),
                    _ => json!({}),
                };
                (name.clone(), expression)
            })
            .collect();
        self.providers
            .insert(key, json!({ "name": name, "expressions": expressions }));
    }

    fn resource(
        &mut self,
        scope: &mut Scope,
        address: &str,
        (kind, name): (&str, &str),
        block: &Block,
    ) {
        let here = dotted(address, &format!("{kind}.{name}"));
        for (index, element) in self.instances(scope, &here, block) {
            if self.resources.len() >= RESOURCES {
                self.open
                    .push(format!("there are more than {RESOURCES} resources"));
                return;
            }
            if let (Some(index), Some(element)) = (&index, &element) {
                scope.declare(
                    "each",
                    hcl::value!({ key = (index.clone()), value = (element.clone()) }),
                );
                scope.declare("count", hcl::value!({ index = (index.clone()) }));
            }
            let mut values = scope.values(block.body());
            values.retain(|name, _| !META.contains(&name.as_str()));
            let (after, unknown) = part_fields(&values);
            let mut resource = json!({
                "address": format!("{here}{}", suffix(index.as_ref())),
                "mode": "managed",
                "type": kind,
                "name": name,
                "change": {
                    "actions": ["create"], "before": null, "after": after, "after_unknown": unknown,
                },
            });
            if !address.is_empty() {
                resource["module_address"] = json!(address);
            }
            if let Some(index) = &index {
                resource["index"] = json!(index);
            }
            self.resources.push(resource);
        }
    }

    /// The instances of a block, with index and element: one without either unless it has `count` or
    /// `for_each`.
    fn instances(
        &mut self,
        scope: &mut Scope,
        address: &str,
        block: &Block,
    ) -> Vec<(Option<Value>, Option<Value>)> {
        let (word, value) = match (
            attribute(block.body(), "count"),
            attribute(block.body(), "for_each"),
        ) {
            (Some(count), _) => ("count", scope.evaluate(count)),
            (None, Some(each)) => ("for_each", scope.evaluate(each)),
            (None, None) => return vec![(None, None)],
        };
        let found = match word {
            "count" => value
                .as_u64()
                .filter(|count| *count <= RESOURCES as u64)
                .map(|count| {
                    (0..count)
                        .map(|at| (Value::from(at), Value::Null))
                        .collect()
                }),
            _ => {
                elements(&value).filter(|elements| !elements.iter().any(|(key, _)| is_unknown(key)))
            }
        };
        let Some(found) = found else {
            self.open.push(format!(
                "the `{word}` of {address} is not known without Terraform"
            ));
            return Vec::new();
        };
        found
            .into_iter()
            .map(|(key, value)| (Some(key), Some(value)))
            .collect()
    }
}

fn dotted(address: &str, name: &str) -> String {
    if address.is_empty() {
        name.to_owned()
    } else {
        format!("{address}.{name}")
    }
}

fn suffix(index: Option<&Value>) -> String {
    index.map_or_else(String::new, |index| format!("[{index}]"))
}

/// The folder that a source names relative to another; `None` for a registry or a folder outside.
fn beside(folder: &str, source: &str) -> Option<String> {
    if !source.starts_with("./") && !source.starts_with("../") {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: &[(&str, &str)]) -> Plan {
        Plan::of(&Configuration::read(files.iter().copied()).unwrap(), "root")
    }

    const MODULE: &str = r#"
        variable "names" { type = object({ bucket = string, log = optional(string) }) }
        variable "copies" { default = 0 }
        variable "days" { default = null }
        variable "network" {}
        locals {
          log  = coalesce(var.names.log, "${local.base}-logs")
          base = var.names.bucket
          tags = merge({ a = "1" }, { arn = cloud_key.main.arn })
        }
        resource "cloud_bucket" "main" {
          name = var.names.bucket
          key  = cloud_key.main.id
          tags = local.tags
          policy = jsonencode({ Secure = true, Resource = "${cloud_bucket.main.arn}/*" })
          rule {
            status = "on"
          }
          dynamic "expiry" {
            for_each = var.days[*]
            content { days = expiry.value }
          }
          lifecycle { prevent_destroy = true }
        }
        resource "cloud_bucket" "copy" {
          count = var.copies
          name  = "${var.names.bucket}-${count.index}"
        }
        resource "cloud_log" "main" {
          for_each = toset(["read", "write"])
          name     = "${local.log}-${each.key}"
          network  = var.network.id
        }
    "#;

    const ROOT: &str = r#"
        variable "zone" {}
        provider "cloud" { region = "eu" }
        provider "cloud" {
          alias  = "there"
          region = var.zone
        }
        module "storage" {
          source  = "../module"
          names   = { bucket = "b" }
          copies  = 2
          network = { id = var.zone, name = "n" }
        }
    "#;

    #[test]
    fn resources_of_modules_are_planned() {
        let plan = plan(&[("root/main.tf", ROOT), ("module/main.tf", MODULE)]);
        assert_eq!(plan.open, Vec::<String>::new());
        let addresses: Vec<&str> = plan
            .resources
            .iter()
            .map(|resource| resource["address"].as_str().unwrap())
            .collect();
        assert_eq!(
            addresses,
            [
                "module.storage.cloud_bucket.main",
                "module.storage.cloud_bucket.copy[0]",
                "module.storage.cloud_bucket.copy[1]",
                r#"module.storage.cloud_log.main["read"]"#,
                r#"module.storage.cloud_log.main["write"]"#,
            ]
        );
        let change = &plan.resources[0]["change"];
        assert_eq!(
            change["after"],
            json!({
                "name": "b",
                "tags": { "a": "1" },
                "policy": r#"{"Resource":"(known after apply)/*","Secure":true}"#,
                "rule": [{ "status": "on" }],
                "expiry": [],
            })
        );
        assert_eq!(
            change["after_unknown"],
            json!({ "key": true, "tags": { "arn": true } })
        );
        assert_eq!(plan.resources[2]["change"]["after"]["name"], "b-1");
        let log = &plan.resources[3]["change"];
        assert_eq!(log["after"], json!({ "name": "b-logs-read" }));
        assert_eq!(log["after_unknown"], json!({ "network": true }));
        assert_eq!(
            Json::Object(plan.providers),
            json!({
                "cloud": { "name": "cloud", "expressions": { "region": { "constant_value": "eu" } } },
                "cloud.there": { "name": "cloud", "expressions": { "region": {} } },
            })
        );
    }

    #[test]
    fn what_is_not_known_decides_nothing() {
        let plan = plan(&[
            (
                "root/main.tf",
                r#"
                    locals {
                      here = length(data.a.b.id) == 36
                      late = local.here ? 1 : 0
                    }
                    resource "a" "counted" { count = local.late }
                    resource "a" "set" {
                      x = data.a.b.id == "literal"
                      y = [for i in [1, 2] : i if data.a.b.n > i]
                      z = "a-${data.a.b.id}" != "a-b"
                      either = data.a.b.on || true
                      text = "true" ? 1 : 2
                      given = { k = data.a.b.id }["k"] == null
                    }
                    module "m" {
                      source     = "../module"
                      https      = null
                      connection = false
                    }
                "#,
            ),
            (
                "module/main.tf",
                r#"
                    variable "https" {
                      default  = false
                      nullable = false
                    }
                    variable "connection" { default = true }
                    variable "days" {
                      type    = number
                      default = "7"
                    }
                    resource "a" "inner" {
                      https = var.https
                      open  = var.connection
                      days  = var.days
                      no    = can(tobool("x"))
                    }
                "#,
            ),
        ]);
        assert_eq!(
            plan.open,
            ["the `count` of a.counted is not known without Terraform"]
        );
        let change = &plan.resources[0]["change"];
        assert_eq!(
            change["after"],
            json!({ "either": true, "text": 1, "given": false })
        );
        assert_eq!(
            change["after_unknown"],
            json!({ "x": true, "y": true, "z": true })
        );
        let inner = &plan.resources[1]["change"];
        assert_eq!(
            inner["after"],
            json!({ "https": false, "open": false, "days": 7, "no": false })
        );
    }

    #[test]
    fn what_would_never_end_is_given_up() {
        let calls = (1..7).map(|at| format!("module \"m{at}\" {{ source = \"./\" }}\n"));
        let endless = plan(&[("root/main.tf", &calls.collect::<String>())]);
        assert!(
            endless
                .open
                .iter()
                .any(|open| open.contains("more than 200 modules"))
        );
        let loops = "resource \"a\" \"b\" { x = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]] }\n";
        let loops = plan(&[("root/main.tf", loops)]);
        assert_eq!(loops.open, ["`root` takes too many steps to evaluate"]);
        let doubling: Vec<String> = (1..40)
            .map(|at| format!("  d{at} = \"${{local.d{0}}}${{local.d{0}}}\"\n", at - 1))
            .collect();
        let doubling = doubling.concat();
        let doubling = format!(
            "locals {{\n  d0 = \"x\"\n{doubling}}}\nresource \"a\" \"b\" {{ x = local.d39 }}\n"
        );
        let doubled = plan(&[("root/main.tf", &doubling)]);
        assert_eq!(
            doubled.resources[0]["change"]["after_unknown"],
            json!({ "x": true })
        );
    }

    #[test]
    fn what_cannot_be_settled_is_said() {
        let plan = plan(&[(
            "root/main.tf",
            r#"
                variable "n" {}
                resource "a" "b" { count = var.n }
                resource "a" "c" { for_each = toset([a.b.id]) }
                resource "a" "d" { x = [cidrsubnet("10.0.0.0/8", 4, 2), timestamp()] }
                module "m" { source = "registry/x/y" }
                module "n" { source = "../../outside" }
                module "o" { source = "../nowhere" }
            "#,
        )]);
        assert_eq!(
            plan.open,
            [
                "flowctl does not evaluate the function `cidrsubnet`, which `root` calls",
                "the `count` of a.b is not known without Terraform",
                "the `for_each` of a.c is not known without Terraform",
                "module.m is no module of this tree",
                "module.n is no module of this tree",
                "there is no module in `nowhere`",
            ]
        );
        let itself = Configuration::read([("root/main.tf", "module \"m\" { source = \"./\" }")]);
        let plan = Plan::of(&itself.unwrap(), "root");
        assert_eq!(plan.open, ["modules are nested deeper than 16"]);
    }
}
