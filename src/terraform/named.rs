//! Which resources the arguments of a resource name, as `configuration` in Terraform's JSON tells: a plan
//! does not know the values themselves yet.

use std::collections::BTreeMap;

use hcl::{Body, Expression, TraversalOperator};
use serde_json::{Map, Value as Json, json};

/// The resources of every module by the names of the calls that lead to it; the root's by none.
pub(super) type Named = BTreeMap<Vec<String>, Vec<Json>>;

/// A resource, with those of its arguments that are nothing but a reference.
pub(super) fn resource(kind: &str, name: &str, body: &Body) -> Json {
    let expressions: Map<String, Json> = body
        .attributes()
        .filter_map(|attribute| {
            let references = references(attribute.expr())?;
            Some((
                attribute.key().to_owned(),
                json!({ "references": references }),
            ))
        })
        .collect();
    json!({
        "address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
        "expressions": expressions,
    })
}

/// `configuration.root_module`.
pub(super) fn root_module(named: &Named) -> Json {
    module(named, &[])
}

fn module(named: &Named, at: &[String]) -> Json {
    let calls: Map<String, Json> = named
        .keys()
        .filter_map(|path| {
            let inner = path.strip_prefix(at)?;
            let call = inner.first().filter(|_| inner.len() == 1)?;
            Some((call.clone(), json!({ "module": module(named, path) })))
        })
        .collect();
    let resources = named.get(at).cloned().unwrap_or_default();
    json!({ "resources": resources, "module_calls": calls })
}

/// What an expression refers to, the most exact first: `a.b[0].id`, `a.b[0]`, `a.b`.
fn references(expression: &Expression) -> Option<Vec<String>> {
    let Expression::Traversal(traversal) = expression else {
        return None;
    };
    let Expression::Variable(root) = &traversal.expr else {
        return None;
    };
    let mut text = root.to_string();
    let mut found = Vec::new();
    for operator in &traversal.operators {
        match operator {
            TraversalOperator::GetAttr(name) => text = format!("{text}.{}", name.as_str()),
            TraversalOperator::LegacyIndex(index) => text = format!("{text}[{index}]"),
            TraversalOperator::Index(Expression::Number(index)) => {
                text = format!("{text}[{index}]");
            }
            TraversalOperator::Index(Expression::String(key)) => {
                text = format!("{text}[{}]", json!(key));
            }
            // One of them, or all: which, a plan would know.
            _ => break,
        }
        found.push(text.clone());
    }
    found.reverse();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_as_terraform_tells_them() {
        let body: Body = r#"
            a = cloud_bucket.main.id
            b = cloud_bucket.copy[0].id
            c = cloud_bucket.each["x"].id
            d = cloud_bucket.copy[count.index].id
            e = var.name
            f = "text"
            g = "${cloud_bucket.main.id}-x"
            h = cloud_bucket.copy[*].id
        "#
        .parse()
        .expect("it is HCL");
        let told = resource("cloud_log", "main", &body);
        assert_eq!(
            told["expressions"],
            json!({
                "a": { "references": ["cloud_bucket.main.id", "cloud_bucket.main"] },
                "b": { "references": ["cloud_bucket.copy[0].id", "cloud_bucket.copy[0]", "cloud_bucket.copy"] },
                "c": { "references": ["cloud_bucket.each[\"x\"].id", "cloud_bucket.each[\"x\"]", "cloud_bucket.each"] },
                "d": { "references": ["cloud_bucket.copy"] },
                "e": { "references": ["var.name"] },
                "h": { "references": ["cloud_bucket.copy"] },
            })
        );
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let named = Named::from([
            (names(&[]), vec![]),
            (names(&["m"]), vec![told.clone()]),
            (names(&["m", "n"]), vec![]),
        ]);
        assert_eq!(
            root_module(&named),
            json!({ "resources": [], "module_calls": { "m": { "module": {
                "resources": [told],
                "module_calls": { "n": { "module": { "resources": [], "module_calls": {} } } },
            } } } })
        );
    }
}
