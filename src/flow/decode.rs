//! [`Flow::decode`]: the top level of a flow file.

use std::sync::Arc;

use indexmap::IndexMap;

use super::cursor::Cursor;
use super::input::{InputDecl, not_a_mapping};
use super::keys;
use super::model::{Dialect, Flow, InputBinding, NodeDecl, Order};
use super::promptflow::{self, Variant};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::expr::Binding;
use crate::yaml::{self, Kind, Node};

impl Flow {
    /// Reads a flow file. All problems are pushed; what could be read comes back, so that later
    /// checks can report theirs too. `None` when there is no flow to speak of.
    pub fn decode(source: &Arc<Source>, problems: &mut Diagnostics) -> Option<Self> {
        Self::decode_variant(source, None, problems)
    }

    /// The same, with a variant of a node instead of its default.
    pub fn decode_variant(
        source: &Arc<Source>,
        variant: Option<&Variant>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let mut own = Diagnostics::default();
        let root = yaml::load(source, &mut own);
        if let Some(root) = &root
            && promptflow::is_prompt_flow(&source.path, root)
        {
            // It has its own rules for numbers, too.
            return promptflow::decode(source, variant, problems);
        }
        problems.extend(own);
        let root = root?;
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
        cursor.word("dialect", &[("flowctl", ()), ("promptflow", ())]);
        let order = order(&mut cursor);
        let notify = super::notify::decode(&mut cursor);
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
            dialect: Dialect::Flowctl,
            order,
            inputs,
            nodes,
            outputs,
            environment: IndexMap::new(),
            includes: Vec::new(),
            notify,
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
        Self::new(Binding::compile(node, source, problems), key_span, node)
    }
}

/// Reads `order:`, in both dialects.
pub(super) fn order(cursor: &mut Cursor<'_, '_>) -> Order {
    let words = [
        ("parallel", Order::Parallel),
        ("sequential", Order::Sequential),
    ];
    cursor.word("order", &words).unwrap_or_default()
}
