//! Values of the Prompt Flow dialect: a whole string `${…}` is a reference, everything else is
//! taken as it stands.

use std::collections::HashSet;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::expr::{Binding, Head, Path, Reference, Text};
use crate::id::NodeName;
use crate::yaml::{Kind, Node};

/// Reads values; knows which nodes there are, because their names win over flowctl's words.
pub(super) struct Values<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) nodes: &'a HashSet<&'a str>,
}

impl Values<'_> {
    /// A reference or a literal.
    pub(super) fn binding(&self, node: &Node, problems: &mut Diagnostics) -> Binding {
        let Some(inner) = inside(node) else {
            return Binding::Literal(node.to_value());
        };
        match self.head(inner) {
            Ok((head, path)) => Binding::Text(Text::Whole(Reference {
                head,
                path,
                span: node.span,
            })),
            Err(section) => {
                problems.push(
                    Diagnostic::error(
                        Code::ExprSyntax,
                        format!("a node has an `output` only, and no `{section}`"),
                        self.source,
                        node.span,
                    )
                    .help("write `${NODE.output}`; a path comes behind that: `${NODE.output.list[0]}`"),
                );
                Binding::Literal(node.to_value())
            }
        }
    }

    /// What stands between the braces, verbatim: no white space is removed.
    fn head(&self, inner: &str) -> Result<(Head, Path), String> {
        for prefix in ["inputs.", "flow."] {
            if let Some(name) = inner.strip_prefix(prefix) {
                return Ok((Head::Input(name.to_owned()), Path::property("")));
            }
        }
        let (name, rest) = inner.split_once('.').unwrap_or((inner, "output"));
        if !self.nodes.contains(name)
            && let Some(found) = own_head(name, rest)
        {
            return Ok(found);
        }
        let (section, tail) = rest.split_once('.').unwrap_or((rest, ""));
        if section != "output" {
            // `output[0]` and `output['k']`, too: Prompt Flow takes the bracket for a part of the
            // word, and so fails; what is meant is clear.
            return match section.strip_prefix("output") {
                Some(tail) if tail.starts_with('[') => Err(format!("output{tail}")),
                _ => Err(section.to_owned()),
            };
        }
        Ok((Head::Output(NodeName::from(name)), Path::property(tail)))
    }
}

/// The text between `${` and `}`, if the value is nothing else.
fn inside(node: &Node) -> Option<&str> {
    let Kind::Text(text) = &node.kind else {
        return None;
    };
    text.strip_prefix("${")?.strip_suffix('}')
}

/// Whether a value is a reference.
pub(super) fn is_reference(node: &Node) -> bool {
    inside(node).is_some()
}

/// What flowctl adds; in Prompt Flow these would be nodes that do not exist.
fn own_head(name: &str, rest: &str) -> Option<(Head, Path)> {
    let (word, tail) = rest.split_once('.').unwrap_or((rest, ""));
    let whole = if rest == "output" { "" } else { rest };
    Some(match name {
        "run" if rest == "id" => (Head::RunId, Path::property("")),
        "env" => (Head::Env(rest.to_owned()), Path::property("")),
        "secrets" => (Head::Secret(rest.to_owned()), Path::property("")),
        "approval" => (Head::Approval, Path::property(whole)),
        "feedback" => (Head::Feedback, Path::property(whole)),
        "item" => (Head::Item, Path::property(whole)),
        "nodes" => {
            let (section, tail) = tail.split_once('.').unwrap_or((tail, ""));
            if !matches!(section, "outputs" | "output") {
                return None;
            }
            (Head::Output(NodeName::from(word)), Path::property(tail))
        }
        _ => return None,
    })
}
