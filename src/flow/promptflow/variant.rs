//! [`Variant`]: nodes that are there in several forms, of which one is chosen.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, nearest, or_list};
use crate::yaml::{Entry, Kind, Node};
use std::sync::Arc;

/// Which variant of a node is wanted instead of its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The node.
    pub node: String,
    /// The variant's id.
    pub id: String,
}

impl Variant {
    /// Reads `${NODE.ID}`.
    ///
    /// # Errors
    /// A sentence fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = text
            .strip_prefix("${")
            .and_then(|text| text.strip_suffix('}'))
            .and_then(|inner| inner.rsplit_once('.'));
        match inner {
            Some((node, id)) if !node.is_empty() && !id.is_empty() => Ok(Self {
                node: node.to_owned(),
                id: id.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` names no variant; write `'${{NODE.VARIANT}}'`"
            )),
        }
    }
}

/// The nodes of a file with their variants.
pub(super) struct Variants<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) all: &'a [Entry],
    pub(super) chosen: Option<&'a Variant>,
}

impl Variants<'_> {
    /// A node as it is to be read: of one that uses variants, the body of the chosen one under the
    /// node's own name. `None`, with a diagnostic, when there is none.
    pub(super) fn resolve(&self, node: &Node, problems: &mut Diagnostics) -> Option<Node> {
        let Kind::Map(entries) = &node.kind else {
            return Some(node.clone());
        };
        let get = |key: &str| entries.iter().find(|entry| entry.key == key);
        let uses = get("use_variants").is_some_and(|entry| entry.value.to_value() == true);
        let name_entry = get("name")?;
        let Kind::Text(name) = &name_entry.value.kind else {
            return Some(node.clone());
        };
        let chosen = self.chosen.filter(|chosen| chosen.node == *name);
        if !uses {
            if chosen.is_some() {
                problems.push(
                    Diagnostic::error(
                        Code::Conflict,
                        format!("the node `{name}` has no variants to choose from"),
                        self.source,
                        name_entry.value.span,
                    )
                    .help("add `use_variants: true`, or leave `--variant` out"),
                );
            }
            return Some(node.clone());
        }
        let body = self.body(name, name_entry, chosen, problems)?;
        let Kind::Map(inner) = &body.kind else {
            return Some(body.clone());
        };
        // Everything but the name comes from the variant, as in Prompt Flow; the rest of the entry
        // is not read.
        let mut merged = vec![name_entry.clone()];
        merged.extend(inner.iter().filter(|entry| entry.key != "name").cloned());
        Some(Node {
            span: node.span,
            kind: Kind::Map(merged),
        })
    }

    fn body(
        &self,
        name: &str,
        place: &Entry,
        chosen: Option<&Variant>,
        problems: &mut Diagnostics,
    ) -> Option<Node> {
        let mut report = |message: String, span, help: String| {
            problems
                .push(Diagnostic::error(Code::MissingKey, message, self.source, span).help(help));
        };
        let Some(declared) = self.all.iter().find(|entry| entry.key == name) else {
            report(
                format!("the node `{name}` uses variants, and has none"),
                place.value.span,
                format!("add it under `node_variants:`, or remove `use_variants` from `{name}`"),
            );
            return None;
        };
        let member = |node: &Node, key: &str| match &node.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).cloned(),
            _ => None,
        };
        let default = member(&declared.value, "default_variant_id");
        let (id, span) = match (chosen, &default) {
            (Some(chosen), _) => (chosen.id.clone(), declared.key_span),
            (None, Some(default)) => match &default.value.kind {
                Kind::Text(id) => (id.clone(), default.value.span),
                _ => (
                    crate::value::to_text(&default.value.to_value()),
                    default.value.span,
                ),
            },
            (None, None) => {
                report(
                    format!("`{name}` does not say which variant it is by default"),
                    declared.key_span,
                    "add `default_variant_id: ID`, or choose one with `--variant '${NODE.ID}'`"
                        .to_owned(),
                );
                return None;
            }
        };
        let variants = member(&declared.value, "variants");
        let ids: Vec<String> = match variants.as_ref().map(|entry| &entry.value.kind) {
            Some(Kind::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        };
        let variant = variants
            .as_ref()
            .and_then(|variants| member(&variants.value, &id));
        let Some(variant) = variant else {
            let near = nearest(&id, ids.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there is {}", or_list(ids.iter().map(String::as_str))),
            };
            report(format!("`{name}` has no variant `{id}`"), span, help);
            return None;
        };
        let Some(body) = member(&variant.value, "node") else {
            report(
                format!("the variant `{id}` of `{name}` has no `node`"),
                variant.key_span,
                "put the node's keys, without its name, under `node:`".to_owned(),
            );
            return None;
        };
        Some(body.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_named_as_prompt_flow_names_them() {
        let variant = Variant {
            node: "n".to_owned(),
            id: "v1".to_owned(),
        };
        assert_eq!(Variant::parse("${n.v1}"), Ok(variant));
        assert!(Variant::parse("n.v1").is_err());
        assert!(Variant::parse("${n}").is_err());
        assert!(Variant::parse("${.v}").is_err());
    }
}
