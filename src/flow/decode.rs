//! [`Flow::decode`]: the top level of a flow file.

use std::sync::Arc;

use indexmap::IndexMap;

use super::cursor::Cursor;
use super::input::{InputDecl, not_a_mapping};
use super::keys;
use super::model::{Flow, InputBinding, NodeDecl, Order};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::expr::Binding;
use crate::yaml::{self, Kind, Node};

impl Flow {
    /// Reads a flow file. All problems are pushed; what could be read comes back, so that later
    /// checks can report theirs too. `None` when there is no flow to speak of.
    pub fn decode(source: &Arc<Source>, problems: &mut Diagnostics) -> Option<Self> {
        let root = yaml::load(source, problems)?;
        if root.is_null() {
            problems.push(
                Diagnostic::error(Code::MissingKey, "the file is empty", source, root.span)
                    .help("a flow has `nodes:`; `flowctl init` writes an example"),
            );
            return None;
        }
        let mut cursor = Cursor::open(&root, "a flow", &[keys::FLOW], source, problems)?;
        let stem = source.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem
            .strip_suffix(".yaml")
            .or_else(|| stem.strip_suffix(".yml"))
            .unwrap_or(stem);
        let name = cursor
            .text("name")
            .map_or_else(|| stem.to_owned(), |text| text.value);
        let description = cursor
            .text("description")
            .map(|text| text.value)
            .unwrap_or_default();
        cursor.text("$schema");
        // Read by other rules than its author meant, such a file would do something else.
        let file = source.path.rsplit(['/', '\\']).next().unwrap_or_default();
        if matches!(file, "flow.dag.yaml" | "flow.dag.yml") && cursor.get("dialect").is_none() {
            cursor.problems.push(
                Diagnostic::error(
                    Code::NotSupported,
                    format!(
                        "`{file}` is a Prompt Flow file, whose dialect this version does not read"
                    ),
                    source,
                    Span::default(),
                )
                .help(
                    "to read it as flowctl's own language all the same, write `dialect: flowctl`",
                ),
            );
            return None;
        }
        cursor.word("dialect", &[("flowctl", ())]);
        let order = cursor
            .word(
                "order",
                &[
                    ("parallel", Order::Parallel),
                    ("sequential", Order::Sequential),
                ],
            )
            .unwrap_or_default();
        let input_entries = cursor.map("inputs");
        let output_entries = cursor.map("outputs");
        let node_items = if cursor.get("nodes").is_some() {
            cursor.list("nodes").unwrap_or_default()
        } else {
            cursor.missing(
                "a flow",
                "nodes",
                "add `nodes:` with a list of nodes; `flowctl init` writes an example",
            );
            &[]
        };
        let mut inputs = IndexMap::new();
        for entry in input_entries {
            if !matches!(entry.value.kind, Kind::Map(_)) {
                problems.push(not_a_mapping(entry, source));
            } else if let Some(input) = InputDecl::decode(entry, source, problems) {
                inputs.insert(entry.key.clone(), input);
            }
        }
        let nodes = node_items
            .iter()
            .filter_map(|item| NodeDecl::decode(item, source, problems))
            .collect();
        let mut outputs = IndexMap::new();
        for entry in output_entries {
            let binding = InputBinding::decode(&entry.value, entry.key_span, source, problems);
            outputs.insert(entry.key.clone(), binding);
        }
        Some(Self {
            name,
            description,
            order,
            inputs,
            nodes,
            outputs,
            source: Arc::clone(source),
        })
    }
}

impl InputBinding {
    pub(super) fn decode(
        node: &Node,
        key_span: Span,
        source: &Arc<Source>,
        problems: &mut Diagnostics,
    ) -> Self {
        let binding = Binding::compile(node, source, problems);
        Self {
            literal: matches!(binding, Binding::Literal(_)).then(|| node.clone()),
            binding,
            key_span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_flow_files_are_not_misread() {
        let codes = |path: &str, text: &str| -> Vec<Code> {
            let mut problems = Diagnostics::default();
            Flow::decode(&Arc::new(Source::new(path, text)), &mut problems);
            problems.iter().map(|problem| problem.code).collect()
        };
        assert_eq!(codes("a/flow.dag.yaml", "nodes: []"), [Code::NotSupported]);
        assert_eq!(codes("flow.dag.yml", "dialect: flowctl\nnodes: []"), []);
        assert_eq!(codes("flow.yaml", "nodes: []"), []);
    }
}
