//! [`References`]: what the expressions of a module refer to beside its own variables and locals.

use std::collections::BTreeSet;

use hcl::edit::expr::{Expression, FuncCall, Traversal, TraversalOperator};
use hcl::edit::structure::Block;
use hcl::edit::visit::{Visit, visit_block, visit_func_call, visit_traversal};
use hcl::{Map, Value};

use super::functions;
use super::value::unknown;

/// Names that a plan knows by itself.
const OWN: [&str; 6] = ["var", "local", "each", "count", "self", "terraform"];

/// Resources, data sources and modules that are referred to, as nested objects whose leaves are
/// unknown: `aws_s3_bucket.primary.arn` is `{aws_s3_bucket: {primary: {arn: UNKNOWN}}}`.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    roots: Map<String, Value>,
    /// Functions that are called and not evaluated here.
    gaps: BTreeSet<String>,
}

/// One step of a reference.
enum Step {
    Field(String),
    /// An element, or all of them: the resource has `count` or `for_each`.
    Elements,
}

impl References {
    /// Notes what a file refers to.
    pub(super) fn read(&mut self, body: &hcl::edit::structure::Body) {
        self.visit_body(body);
    }

    /// The objects by the name of their root.
    pub(super) fn roots(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.roots
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Functions that are called and that this room cannot evaluate.
    pub(super) fn gaps(&self) -> impl Iterator<Item = &str> {
        self.gaps.iter().map(String::as_str)
    }

    fn note(&mut self, root: &str, steps: &[Step]) {
        let slot = self.roots.entry(root.to_owned()).or_insert(Value::Null);
        insert(slot, steps);
    }
}

fn insert(slot: &mut Value, steps: &[Step]) {
    match steps.split_first() {
        None => {
            if slot.is_null() {
                *slot = unknown();
            }
        }
        Some((Step::Field(name), rest)) => {
            // An element may be asked for in one place and all of them in another: the list stays.
            if let Value::Array(items) = slot {
                for item in items {
                    insert(item, steps);
                }
                return;
            }
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Value::Object(fields) = slot {
                insert(fields.entry(name.clone()).or_insert(Value::Null), rest);
            }
        }
        Some((Step::Elements, rest)) => {
            if !slot.is_array() {
                let element = std::mem::replace(slot, Value::Null);
                *slot = Value::Array(vec![element]);
            }
            if let Value::Array(items) = slot
                && let Some(item) = items.first_mut()
            {
                insert(item, rest);
            }
        }
    }
}

impl Visit for References {
    /// Types, validations and checks give no resource a value.
    fn visit_block(&mut self, block: &Block) {
        if !matches!(block.ident.as_str(), "variable" | "check" | "output") {
            visit_block(self, block);
        }
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        let name = call.name.name.as_str();
        if !call.name.namespace.is_empty() || !functions::is_covered(name) {
            self.gaps.insert(name.to_owned());
        }
        visit_func_call(self, call);
    }

    fn visit_traversal(&mut self, traversal: &Traversal) {
        if let Expression::Variable(root) = &traversal.expr
            && !OWN.contains(&root.as_str())
        {
            let steps = traversal
                .operators
                .iter()
                .map(|operator| match operator.value() {
                    TraversalOperator::GetAttr(name) => Step::Field(name.as_str().to_owned()),
                    _ => Step::Elements,
                });
            self.note(root.as_str(), &steps.collect::<Vec<_>>());
        }
        visit_traversal(self, traversal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::value::UNKNOWN;

    #[test]
    fn references_become_objects_with_unknown_leaves() {
        let text = r#"
            a = "${aws_s3_bucket.one.arn}/*"
            b = concat(var.x, aws_iam_role.r[*].arn)
            c = aws_iam_role.r[0].id
            d = data.aws_region.current.name
            e = [for x in local.y : x.z]
        "#;
        let mut references = References::default();
        references.read(&text.parse().unwrap());
        let roots: Map<String, Value> = references
            .roots()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        let expected = hcl::value!({
            aws_s3_bucket = { one = { arn = (UNKNOWN) } }
            aws_iam_role = { r = [{ arn = (UNKNOWN), id = (UNKNOWN) }] }
            data = { aws_region = { current = { name = (UNKNOWN) } } }
            // A loop's own variable: it is declared over this one.
            x = { z = (UNKNOWN) }
        });
        assert_eq!(Value::Object(roots), expected);
    }
}
