//! Who comes before whom: data, conditions, `after`, `order`, gates and fallbacks as one DAG.

use std::collections::HashMap;

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::model::{Fallback, Names, NodeId, PlanNode, Why};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::expr::Use;
use crate::flow::{Flow, Order, Place};

/// The order of a scope.
pub(super) struct Ordered {
    pub(super) graph: DiGraph<NodeId, Why>,
    pub(super) before: Vec<Vec<NodeId>>,
    pub(super) after: Vec<Vec<NodeId>>,
}

/// Builds the DAG; `None`, with a diagnostic, when there is a cycle that the file alone did not
/// show (through gates or fallbacks).
pub(super) fn order(
    flow: &Flow,
    nodes: &[PlanNode],
    holding: &[bool],
    names: &Names<'_>,
    problems: &mut Diagnostics,
) -> Option<Ordered> {
    let mut graph: DiGraph<NodeId, Why> = DiGraph::with_capacity(nodes.len(), nodes.len() * 2);
    for at in 0..nodes.len() {
        graph.add_node(NodeId::of(at));
    }
    let mut edge = |from: NodeId, to: NodeId, why: Why| {
        if from != to {
            graph.add_edge(
                NodeIndex::new(from.index()),
                NodeIndex::new(to.index()),
                why,
            );
        }
    };
    // The stand-in of a node, and its stand-in in turn: whoever reads the node waits for all.
    let stand_ins = |mut id: NodeId| {
        let mut all = Vec::new();
        while let Fallback::Node(next) = nodes[id.index()].on_error {
            if all.contains(&next) {
                break;
            }
            all.push(next);
            id = next;
        }
        all
    };
    let node_of = |used: &Use<'_>| match used {
        Use::Root(root, _) => names.get(root).copied(),
        _ => names.get(used.node()?.as_str()).copied(),
    };
    let mut since_gate: Vec<NodeId> = Vec::new();
    let mut gate: Option<NodeId> = None;
    for (at, node) in nodes.iter().enumerate() {
        let id = NodeId::of(at);
        let mut reads: Vec<NodeId> = Vec::new();
        for wire in &node.inputs {
            for from in wire.binding.uses().iter().filter_map(&node_of) {
                edge(from, id, Why::Data(wire.port.clone()));
                reads.push(from);
            }
        }
        // What is read beside the inputs: by a command, or to decide whether and how often.
        for (used, place) in flow.nodes[at].uses() {
            let Some(from) = node_of(&used) else { continue };
            match place {
                Place::Inputs if !reads.contains(&from) => {
                    edge(from, id, Why::Data("command".to_owned()));
                }
                Place::Inputs => {}
                Place::Condition => edge(from, id, Why::Condition),
            }
        }
        let mut waits: Vec<NodeId> = node.reads.clone();
        for after in &flow.nodes[at].after {
            if let Some(&from) = names.get(after.value.as_str()) {
                edge(from, id, Why::After);
                waits.push(from);
            }
        }
        for from in waits {
            for stand_in in stand_ins(from) {
                edge(stand_in, id, Why::Fallback);
            }
        }
        if let Fallback::Node(fallback) = node.on_error {
            edge(id, fallback, Why::Fallback);
        }
        // All lines come first, also what nobody aggregates: a failure there is one of the run.
        if node.aggregation {
            for (other, before) in nodes.iter().enumerate() {
                if !before.aggregation {
                    edge(NodeId::of(other), id, Why::Order);
                }
            }
        }
        if flow.order == Order::Sequential && at > 0 {
            edge(NodeId::of(at - 1), id, Why::Order);
        }
        // Linear, not quadratic: a gate waits for all since the gate before it.
        if let Some(gate) = gate {
            edge(gate, id, Why::Gate);
        }
        if holding[at] {
            for &from in &since_gate {
                edge(from, id, Why::Gate);
            }
            since_gate.clear();
            gate = Some(id);
        } else {
            since_gate.push(id);
        }
    }
    if toposort(&graph, None).is_err() {
        if !problems.has_errors() {
            report_cycle(flow, nodes, &graph, problems);
        }
        return None;
    }
    let neighbours = |direction| -> Vec<Vec<NodeId>> {
        graph
            .node_indices()
            .map(|index| {
                let mut ids: Vec<NodeId> = graph
                    .neighbors_directed(index, direction)
                    .map(|other| graph[other])
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            })
            .collect()
    };
    let before = neighbours(petgraph::Direction::Incoming);
    let after = neighbours(petgraph::Direction::Outgoing);
    Some(Ordered {
        graph,
        before,
        after,
    })
}

fn report_cycle(
    flow: &Flow,
    nodes: &[PlanNode],
    graph: &DiGraph<NodeId, Why>,
    problems: &mut Diagnostics,
) {
    for members in tarjan_scc(graph)
        .into_iter()
        .filter(|members| members.len() > 1)
    {
        let mut ids: Vec<NodeId> = members.iter().map(|index| graph[*index]).collect();
        ids.sort_unstable();
        let edges = graph.edge_indices().filter_map(|edge| {
            let (from, to) = graph.edge_endpoints(edge)?;
            (members.contains(&from) && members.contains(&to))
                .then(|| (graph[from], graph[to], &graph[edge]))
        });
        let whys: HashMap<NodeId, String> = edges
            .map(|(from, to, why)| {
                (
                    to,
                    format!("waits for `{}` ({why})", nodes[from.index()].name),
                )
            })
            .collect();
        let names: Vec<&str> = ids
            .iter()
            .chain(ids.first())
            .map(|id| nodes[id.index()].name.as_str())
            .collect();
        let first = &nodes[ids[0].index()];
        let mut diagnostic = Diagnostic::error(
            Code::Cycle,
            format!("these nodes wait for each other: {}", names.join(" -> ")),
            &flow.source,
            first.span,
        )
        .label(whys.get(&ids[0]).cloned().unwrap_or_default());
        for id in &ids[1..] {
            diagnostic = diagnostic.also(
                &flow.source,
                nodes[id.index()].span,
                whys.get(id).cloned().unwrap_or_default(),
            );
        }
        problems.push(diagnostic.help("a gate holds back all nodes below it: move nodes across it, or give it `approval: { scope: dependants }`"));
    }
}
