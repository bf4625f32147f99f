//! [`Selection`]: what of a flow is wanted: all of it, many lines of it, or one node.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::input::{InputDecl, InputType};
use super::model::{Flow, InputBinding, KindDecl, NodeDecl, OnError, Order, Spanned};
use super::promptflow::Variant;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::expr::{Binding, Head, Path, Reference, Text, Use};
use crate::id::NodeName;
use crate::port::{Port, Schema};
use crate::python_value::Kind;

/// What of a flow is wanted. Kept with a run: it is part of what the run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The variant of a node instead of its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// How much of it.
    #[serde(default)]
    pub part: Part,
}

impl Selection {
    /// Whether a flow is wanted as it stands.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// How much of a flow is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it, once.
    #[default]
    Whole,
    /// Once for each row of the input `rows`; then its aggregations, over all lines.
    Lines,
    /// One node, whose inputs are given.
    Node(String),
}

/// The input of a batch, and the node that runs the lines, unless an aggregation has its name.
pub const ROWS: &str = "rows";
const LINES: &str = "lines";

/// A flow that runs another one once for each row.
#[derive(Debug)]
pub struct Batch {
    /// One line.
    pub line: Flow,
    /// The lines, and what comes after them.
    pub whole: Flow,
    /// The node of the lines.
    pub lines: NodeName,
}

impl Flow {
    /// Splits a flow into what runs for each row, and what runs once after all rows.
    ///
    /// Items of `rows` are `{line_number, inputs: {NAME: VALUE}}`. What aggregations read of a line
    /// is among the line's outputs, under the reference's own text.
    #[must_use]
    pub fn into_batch(mut self) -> Batch {
        let (mut after, nodes): (Vec<NodeDecl>, Vec<NodeDecl>) =
            self.nodes.drain(..).partition(|node| node.aggregation);
        let mut name = LINES.to_owned();
        while after.iter().any(|node| node.name.value.as_str() == name) {
            name.push('_');
        }
        let lines = NodeName::from(name);
        let mut line = Self {
            nodes,
            ..self.clone()
        };
        for node in &mut after {
            let activate = node.activate.iter_mut().map(|activate| &mut activate.when);
            let inputs = node.inputs.values_mut().map(|input| &mut input.binding);
            for binding in inputs.chain(activate) {
                gather(binding, &lines, &mut line);
            }
        }
        let span = Span::default();
        let inputs = line.inputs.keys().map(|name| {
            let path = Path::of_keys(["inputs", name]);
            (name.clone(), written(Head::Item, path))
        });
        let runs = NodeDecl {
            inputs: inputs.collect(),
            foreach: Some(written(Head::Input(ROWS.to_owned()), Path::property(""))),
            // A bad row is one that failed, and no more.
            on_error: OnError::Continue,
            ..NodeDecl::new(
                Spanned {
                    value: lines.clone(),
                    span,
                },
                KindDecl::Flow(Spanned {
                    value: self.source.path.clone(),
                    span,
                }),
            )
        };
        let rows = declared(InputType::List, Kind::List);
        after.insert(0, runs);
        let whole = Self {
            inputs: IndexMap::from([(ROWS.to_owned(), rows)]),
            nodes: after,
            outputs: IndexMap::new(),
            order: Order::Parallel,
            ..self
        };
        Batch { line, whole, lines }
    }

    /// The flow of one node: whatever it reads of other nodes becomes an input of the flow, by the
    /// name of the node's own input. Its conditions are not asked.
    pub fn into_node(mut self, name: &str, problems: &mut Diagnostics) -> Option<Self> {
        let all = || self.nodes.iter().map(|node| node.name.value.as_str());
        let Some(at) = self
            .nodes
            .iter()
            .position(|node| node.name.value.as_str() == name)
        else {
            let message = format!("there is no node `{name}`");
            problems.push(
                Diagnostic::error(Code::UnknownNode, message, &self.source, Span::default())
                    .did_you_mean(name, all()),
            );
            return None;
        };
        let mut node = self.nodes.swap_remove(at);
        node.after.clear();
        (node.when, node.activate, node.foreach) = (None, None, None);
        node.on_error = OnError::Fail;
        node.aggregation = false;
        let mut inputs = IndexMap::new();
        for (port, input) in &mut node.inputs {
            let uses = input.binding.uses();
            let from_elsewhere =
                |used: &Use<'_>| used.node().is_some() || used.is_item() || is_input(used);
            if !uses.iter().any(from_elsewhere) {
                continue;
            }
            let list = matches!(&input.binding, Binding::List(items) if items.len() == 1);
            let reads = uses.iter().find_map(|used| match used {
                Use::Reference(reference) => Some((*reference).clone()),
                _ => None,
            });
            let mut decl = match reads.as_ref().map(|reference| &reference.head) {
                Some(Head::Input(name)) if uses.len() == 1 => self.inputs.get(name).cloned(),
                _ => None,
            }
            .unwrap_or_else(|| declared(InputType::Object, Kind::Raw));
            decl.reads = reads;
            decl.key_span = input.key_span;
            let reference = Binding::Text(Text::Whole(Reference {
                head: Head::Input(port.clone()),
                path: Path::property(""),
                span: input.span(),
            }));
            input.binding = if list {
                Binding::List(vec![reference])
            } else {
                reference
            };
            inputs.insert(port.clone(), decl);
        }
        let output = written(Head::Output(node.name.value.clone()), Path::property(""));
        Some(Self {
            inputs,
            outputs: IndexMap::from([("output".to_owned(), output)]),
            nodes: vec![node],
            order: Order::Parallel,
            ..self
        })
    }
}

impl NodeDecl {
    /// A node that says nothing but what it runs.
    fn new(name: Spanned<NodeName>, kind: KindDecl) -> Self {
        Self {
            span: name.span,
            name,
            kind,
            inputs: IndexMap::new(),
            after: Vec::new(),
            when: None,
            activate: None,
            foreach: None,
            retry: None,
            timeout: None,
            approval: None,
            on_error: OnError::Fail,
            evidence: None,
            cache: None,
            aggregation: false,
            worker_pool: None,
        }
    }
}

/// Lets a binding over one line read all lines: what it reads becomes an output of the line.
fn gather(binding: &mut Binding, lines: &NodeName, line: &mut Flow) {
    let Binding::List(items) = binding else {
        return;
    };
    let [item] = items.as_slice() else { return };
    let Some(reference) = item.whole() else {
        return;
    };
    let text = reference.to_string();
    let output = written(reference.head.clone(), reference.path.clone());
    let span = reference.span;
    line.outputs.insert(text.clone(), output);
    *binding = Binding::Text(Text::Whole(Reference {
        head: Head::Output(lines.clone()),
        path: Path::each(&text),
        span,
    }));
}

fn is_input(used: &Use<'_>) -> bool {
    matches!(used, Use::Reference(reference) if matches!(reference.head, Head::Input(_)))
}

/// A binding that no file holds.
fn written(head: Head, path: Path) -> InputBinding {
    let span = Span::default();
    InputBinding {
        binding: Binding::Text(Text::Whole(Reference { head, path, span })),
        key_span: span,
        literal: None,
    }
}

fn declared(input_type: InputType, kind: Kind) -> InputDecl {
    let port = Port::new("", json!(true), "");
    InputDecl {
        input_type,
        kind: Some(kind),
        ..InputDecl::of_port(&port, Span::default())
    }
}

impl InputDecl {
    /// An input that takes what a port does.
    #[must_use]
    pub fn of_port(port: &Port, span: Span) -> Self {
        let anything = || Schema::compile(&json!(true)).expect("`true` is a schema");
        Self {
            // As JSON or YAML, unless it can be text only.
            input_type: if port.schema["type"] == "string" {
                InputType::String
            } else {
                InputType::Object
            },
            kind: None,
            default: None,
            description: port.description.clone(),
            compiled: Arc::new(Schema::compile(&port.schema).unwrap_or_else(|_| anything())),
            schema: port.schema.clone(),
            key_span: span,
            reads: None,
        }
    }
}
