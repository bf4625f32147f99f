//! The plan as Mermaid, DOT or text.

use std::fmt::Write as _;

use super::model::{Plan, PlanNode, Scope, Step, Why, WireWhy};
use crate::expr::Use;

/// How a plan is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
    /// Every node with every wire, and why it is there.
    Text,
}

impl Plan {
    /// Draws the plan.
    #[must_use]
    pub fn show(&self, format: Format) -> String {
        let mut text = String::new();
        match format {
            Format::Mermaid => {
                text.push_str("flowchart TD\n");
                self.mermaid(self.root(), "", 1, &mut text);
            }
            Format::Dot => {
                _ = writeln!(
                    text,
                    "digraph \"{}\" {{\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];",
                    escape(&self.root().name)
                );
                self.dot(self.root(), "", 1, &mut text);
                text.push_str("}\n");
            }
            Format::Text => self.text(self.root(), "", &mut text),
        }
        text
    }

    fn mermaid(&self, scope: &Scope, prefix: &str, depth: usize, text: &mut String) {
        let pad = "  ".repeat(depth);
        // Once for each node: one that joins thousands has an edge from each of them.
        let ids: Vec<String> = scope
            .nodes
            .iter()
            .map(|node| mermaid_id(prefix, node))
            .collect();
        for (node, id) in scope.nodes.iter().zip(&ids) {
            if let Step::Flow(sub) = &node.step {
                _ = writeln!(
                    text,
                    "{pad}subgraph {id}[\"{}{}\"]",
                    node.name,
                    times(node.foreach.is_some())
                );
                self.mermaid(
                    self.scope(*sub),
                    &format!("{prefix}{}/", node.name),
                    depth + 1,
                    text,
                );
                _ = writeln!(text, "{pad}end");
            } else {
                let (open, close) = if node.gate.is_some() {
                    ("{{", "}}")
                } else {
                    ("[", "]")
                };
                _ = writeln!(
                    text,
                    "{pad}{id}{open}\"{}{}\"{close}",
                    node.name,
                    times(node.foreach.is_some())
                );
            }
        }
        for (from, to, whys) in edges(scope) {
            let arrow = if whys.iter().any(|why| matches!(why, Why::Data(_))) {
                "-->"
            } else {
                "-.->"
            };
            _ = writeln!(
                text,
                "{pad}{} {arrow}|\"{}\"| {}",
                ids[from.index()],
                join(&whys),
                ids[to.index()]
            );
        }
    }

    fn dot(&self, scope: &Scope, prefix: &str, depth: usize, text: &mut String) {
        let pad = "  ".repeat(depth);
        for node in &scope.nodes {
            let id = format!("{prefix}{}", node.name);
            let shape = if node.gate.is_some() {
                ", shape=hexagon"
            } else {
                ""
            };
            match &node.step {
                Step::Flow(sub) => {
                    _ = writeln!(
                        text,
                        "{pad}subgraph \"cluster_{id}\" {{\n{pad}  label=\"{}{}\";",
                        node.name,
                        times(node.foreach.is_some())
                    );
                    _ = writeln!(
                        text,
                        "{pad}  \"{id}\" [label=\"{}\", style=dashed];",
                        node.name
                    );
                    self.dot(self.scope(*sub), &format!("{id}/"), depth + 1, text);
                    _ = writeln!(text, "{pad}}}");
                }
                _ => {
                    _ = writeln!(
                        text,
                        "{pad}\"{id}\" [label=\"{}{}\\n{}\"{shape}];",
                        node.name,
                        times(node.foreach.is_some()),
                        escape(&kind(node))
                    );
                }
            }
        }
        for (from, to, whys) in edges(scope) {
            let style = if whys.iter().any(|why| matches!(why, Why::Data(_))) {
                ""
            } else {
                ", style=dashed"
            };
            let (from, to) = (&scope.node(from).name, &scope.node(to).name);
            _ = writeln!(
                text,
                "{pad}\"{prefix}{from}\" -> \"{prefix}{to}\" [label=\"{}\"{style}];",
                escape(&join(&whys))
            );
        }
    }

    fn text(&self, scope: &Scope, prefix: &str, text: &mut String) {
        for (at, node) in scope.nodes.iter().enumerate() {
            _ = writeln!(
                text,
                "{prefix}{} ({}, line {})",
                node.name,
                kind(node),
                node.line
            );
            for wire in &node.inputs {
                let what = match wire.binding.uses().first() {
                    _ if wire.binding.whole().is_some() => wire
                        .binding
                        .whole()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    Some(_) => {
                        let from: Vec<String> = wire.binding.uses().iter().map(used).collect();
                        format!("an expression over {}", from.join(", "))
                    }
                    None => "a literal".to_owned(),
                };
                let why = match wire.why {
                    WireWhy::Explicit => "written under `inputs:`".to_owned(),
                    WireWhy::Nearest(id) => format!(
                        "the nearest node above that offers `{}` (line {})",
                        wire.port,
                        scope.node(id).line
                    ),
                    WireWhy::FlowInput => {
                        "the flow input of that name; no node above offers it".to_owned()
                    }
                };
                _ = writeln!(text, "  {} <- {what}: {why}", wire.port);
            }
            let others: Vec<String> = edges_into(scope, at)
                // What comes by a wire stands above; what a command reads has none.
                .filter(|(_, why)| !matches!(why, Why::Data(port) if node.inputs.iter().any(|wire| wire.port == *port)))
                .map(|(from, why)| format!("{} ({why})", scope.node(from).name))
                .collect();
            if !others.is_empty() {
                _ = writeln!(text, "  after {}", others.join(", "));
            }
            if node.gate.is_some() {
                _ = writeln!(text, "  waits for approval");
            }
            if let Step::Flow(sub) = &node.step {
                self.text(self.scope(*sub), &format!("{prefix}{}/", node.name), text);
            }
        }
    }
}

fn used(used: &Use<'_>) -> String {
    match used {
        Use::Reference(reference) => reference.to_string(),
        Use::Root(root, _) => (*root).to_owned(),
        Use::Node(node, _) => node.to_string(),
    }
}

/// What a node runs, for people: `persona`, `skill echo`, `process`.
fn kind(node: &PlanNode) -> String {
    match node.kind().split_once(':') {
        Some((word, name)) if name == node.name.as_str() => word.to_owned(),
        Some((word, name)) => format!("{word} {name}"),
        None => node.kind().to_owned(),
    }
}

fn times(foreach: bool) -> &'static str {
    if foreach { " (each)" } else { "" }
}

/// What a node is called in a Mermaid graph. A node must not be called as the subgraph around it.
fn mermaid_id(prefix: &str, node: &PlanNode) -> String {
    let mark = if matches!(node.step, Step::Flow(_)) {
        ""
    } else {
        "n_"
    };
    format!("{mark}{prefix}{}", node.name).replace(['/', '-'], "_")
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn join(whys: &[&Why]) -> String {
    whys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn edges_into(scope: &Scope, at: usize) -> impl Iterator<Item = (super::NodeId, &Why)> {
    use petgraph::visit::EdgeRef as _;
    let index = petgraph::graph::NodeIndex::new(at);
    let mut edges: Vec<_> = scope
        .graph
        .edges_directed(index, petgraph::Direction::Incoming)
        .map(|edge| (scope.graph[edge.source()], edge.weight()))
        .collect();
    // A node that joins thousands has as many edges, and hardly any two from one node.
    edges.sort_by(|one, other| {
        let reasons = || one.1.to_string().cmp(&other.1.to_string());
        one.0.cmp(&other.0).then_with(reasons)
    });
    edges.dedup();
    edges.into_iter()
}

/// Edges between pairs of nodes with all their reasons, in file order.
fn edges(scope: &Scope) -> Vec<(super::NodeId, super::NodeId, Vec<&Why>)> {
    let mut all: Vec<(super::NodeId, super::NodeId, Vec<&Why>)> = Vec::new();
    for at in 0..scope.nodes.len() {
        let to = super::NodeId::of(at);
        for (from, why) in edges_into(scope, at) {
            match all.last_mut() {
                Some((last_from, last_to, whys)) if *last_from == from && *last_to == to => {
                    whys.push(why);
                }
                _ => all.push((from, to, vec![why])),
            }
        }
    }
    all
}
