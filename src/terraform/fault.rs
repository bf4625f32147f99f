//! [`Fault`]: one thing made wrong on purpose.

use hcl::{Attribute, Block, Body, Expression, Structure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::configuration::Configuration;

/// A change that makes a good configuration bad.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is changed: `type`, or `type.name` for one resource of it; `provider.name` for the
    /// provider's configurations.
    pub resource: String,
    /// How.
    pub change: Operation,
}

/// How a resource is changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The resource is taken away.
    Remove,
    /// Attributes get other values; a dotted name leads into nested blocks (`rule.status`). `null` takes
    /// an attribute, or all blocks of that name, away.
    Set(Map<String, Value>),
    /// In every literal text within an attribute, one text stands for another: `attribute`, `from`, `to`.
    Replace {
        /// The attribute.
        attribute: String,
        /// What stands there.
        from: String,
        /// What is to stand there.
        to: String,
    },
    /// A resource is added, with these attributes.
    Add(Map<String, Value>),
}

impl Configuration {
    /// The configuration with faults; `None` when nothing of it was changed.
    ///
    /// Everything that a fault fits is changed, in every folder; a resource is added to every folder
    /// that holds another one of the same provider.
    #[must_use]
    pub fn with(&self, faults: &[Fault]) -> Option<Self> {
        self.changed(|blocks| {
            if !faults.iter().any(|fault| fault.reaches(blocks)) {
                return None;
            }
            let mut blocks = blocks.to_vec();
            let hits: usize = faults.iter().map(|fault| fault.apply(&mut blocks)).sum();
            (hits > 0).then_some(blocks)
        })
    }
}

impl Fault {
    /// Whether there may be something to change.
    fn reaches(&self, blocks: &[Block]) -> bool {
        match self.change {
            Operation::Add(_) => self.is_at_home(blocks),
            _ => blocks.iter().any(|block| self.fits(block)),
        }
    }

    /// Whether there is a resource of the same provider.
    fn is_at_home(&self, blocks: &[Block]) -> bool {
        let provider = self.resource.split('_').next();
        let mut resources = blocks
            .iter()
            .filter(|block| block.identifier() == "resource");
        resources.any(|block| {
            let label = block.labels().first();
            label.is_some_and(|label| label.as_str().split('_').next() == provider)
        })
    }

    fn apply(&self, blocks: &mut Vec<Block>) -> usize {
        let before = blocks.len();
        match &self.change {
            Operation::Remove => {
                blocks.retain(|block| !self.fits(block));
                before - blocks.len()
            }
            Operation::Set(attributes) => {
                let mut hits = 0;
                for block in blocks.iter_mut().filter(|block| self.fits(block)) {
                    for (path, value) in attributes {
                        hits += set(&mut block.body, path, value);
                    }
                }
                hits
            }
            Operation::Replace {
                attribute,
                from,
                to,
            } => {
                let fitting = blocks.iter_mut().filter(|block| self.fits(block));
                fitting
                    .map(|block| replace(&mut block.body, attribute, from, to))
                    .sum()
            }
            Operation::Add(attributes) => {
                let (kind, name) = self
                    .resource
                    .split_once('.')
                    .unwrap_or((&self.resource, "added"));
                if !self.is_at_home(blocks) {
                    return 0;
                }
                let mut body = Body::default();
                for (path, value) in attributes {
                    set(&mut body, path, value);
                }
                let mut block = Block::builder("resource").add_labels([kind, name]).build();
                block.body = body;
                blocks.push(block);
                1
            }
        }
    }

    fn fits(&self, block: &Block) -> bool {
        if let Some(provider) = self.resource.strip_prefix("provider.") {
            let label = block.labels().first();
            return block.identifier() == "provider"
                && label.is_some_and(|label| label.as_str() == provider);
        }
        if block.identifier() != "resource" {
            return false;
        }
        let [kind, name] = block.labels() else {
            return false;
        };
        match self.resource.split_once('.') {
            Some((wanted, named)) => kind.as_str() == wanted && name.as_str() == named,
            None => kind.as_str() == self.resource,
        }
    }
}

/// Sets an attribute in a body or in the blocks that a dotted path leads to; says how many it set.
fn set(body: &mut Body, path: &str, value: &Value) -> usize {
    if let Some((name, rest)) = path.split_once('.') {
        let mut hits = 0;
        for block in body.blocks_mut() {
            if block.identifier() == name {
                hits += set(&mut block.body, rest, value);
            } else if is_dynamic(block, name) {
                for content in block.body.blocks_mut() {
                    hits += set(&mut content.body, rest, value);
                }
            }
        }
        return hits;
    }
    let before = body.0.len();
    body.0.retain(|structure| match structure {
        Structure::Attribute(attribute) => attribute.key() != path,
        Structure::Block(block) => block.identifier() != path && !is_dynamic(block, path),
    });
    if value.is_null() {
        return before - body.0.len();
    }
    match hcl::to_expression(value) {
        Ok(expression) => {
            body.0
                .push(Structure::Attribute(Attribute::new(path, expression)));
            1
        }
        Err(_) => 0,
    }
}

fn is_dynamic(block: &Block, name: &str) -> bool {
    block.identifier() == "dynamic"
        && block
            .labels()
            .first()
            .is_some_and(|label| label.as_str() == name)
}

/// Replaces literal text within an attribute; says in how many places.
fn replace(body: &mut Body, name: &str, from: &str, to: &str) -> usize {
    let mut hits = 0;
    for attribute in body.attributes_mut() {
        if attribute.key() != name {
            continue;
        }
        // Through the text of the expression, so that no form of a literal is missed.
        let text = attribute.expr.to_string();
        if text.contains(from)
            && let Ok(expression) = text.replace(from, to).parse::<Expression>()
        {
            attribute.expr = expression;
            hits += 1;
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Plan;
    use serde_json::json;

    const FILES: [(&str, &str); 1] = [(
        "root/main.tf",
        r#"
            resource "cloud_bucket" "a" {
              acl    = "private"
              policy = jsonencode({ when = { "tls" = "1.2", v = cloud_key.k.id } })
              rule { status = "on" }
              dynamic "lock" {
                for_each = [1]
                content { days = 5 }
              }
            }
            resource "cloud_bucket" "b" { acl = "private" }
            resource "cloud_log" "a" {}
        "#,
    )];

    fn broken(fault: &Value) -> Option<Vec<Value>> {
        let fault: Fault = serde_json::from_value(fault.clone()).unwrap();
        let configuration = Configuration::read(FILES).unwrap();
        let plan = Plan::of(&configuration.with(&[fault])?, "root");
        let told = plan
            .resources
            .iter()
            .map(|r| json!([r["address"], r["change"]["after"]]));
        Some(told.collect())
    }

    #[test]
    fn faults_change_what_is_planned() {
        let removed = broken(&json!({ "resource": "cloud_log", "change": "remove" })).unwrap();
        assert_eq!(removed.len(), 2);
        let set = json!({ "resource": "cloud_bucket.a", "change": { "set": {
            "acl": "public", "rule.status": "off", "lock.days": 1, "policy": null } } });
        assert_eq!(
            broken(&set).unwrap()[0][1],
            json!({ "acl": "public", "rule": [{ "status": "off" }], "lock": [{ "days": 1 }] })
        );
        let both =
            broken(&json!({ "resource": "cloud_bucket", "change": { "set": { "acl": "x" } } }));
        assert_eq!(both.unwrap()[1][1], json!({ "acl": "x" }));
        let text = json!({ "resource": "cloud_bucket", "change": {
            "replace": { "attribute": "policy", "from": "tls", "to": "none" } } });
        assert_eq!(
            broken(&text).unwrap()[0][1]["policy"],
            r#"{"when":{"none":"1.2","v":"(known after apply)"}}"#
        );
        let added = json!({ "resource": "cloud_token.t", "change": { "add": { "x": [1] } } });
        assert_eq!(
            broken(&added).unwrap().last(),
            Some(&json!(["cloud_token.t", { "x": [1] }]))
        );
    }

    #[test]
    fn a_fault_that_fits_nothing_is_none() {
        for fault in [
            json!({ "resource": "cloud_key", "change": "remove" }),
            json!({ "resource": "cloud_log", "change": { "set": { "rule.status": "off" } } }),
            json!({ "resource": "other_thing", "change": { "add": {} } }),
        ] {
            assert_eq!(broken(&fault), None, "{fault}");
        }
    }
}
