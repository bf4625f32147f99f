//! The flow of a run as a drawing: nodes in layers, those that depend on others to the right of them.
//!
//! Layers by the longest way from the beginning; within a layer nodes stand near those that they come
//! after (barycentres, a few sweeps). Pure: made of the plan and of where the run is, and of nothing else.

use maud::{Markup, html};

use super::form::encode;
use crate::engine::OpenRun;
use crate::plan::{NodeId, Scope, Step};
use crate::run::InstanceId;

/// More nodes than this are no drawing that anybody reads.
const MOST: usize = 150;
const WIDTH: usize = 168;
const HEIGHT: usize = 46;
const GAP_X: usize = 56;
const GAP_Y: usize = 20;
const SWEEPS: usize = 6;

/// Where each node of a scope stands: layer and place in it.
fn places(scope: &Scope) -> Vec<(usize, usize)> {
    let count = scope.nodes.len();
    let mut layer = vec![0; count];
    // Edges may point back in the file (a fallback), so not in file order.
    let order = petgraph::algo::toposort(&scope.graph, None).unwrap_or_default();
    for index in order {
        let at = scope.graph[index].index();
        let before = scope.before[at]
            .iter()
            .map(|before| layer[before.index()] + 1);
        layer[at] = before.max().unwrap_or(0);
    }
    let last = layer.iter().max().map_or(0, |last| last + 1);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); last];
    for (at, layer) in layer.iter().enumerate() {
        layers[*layer].push(at);
    }
    let mut place = vec![0; count];
    let settle = |layers: &[Vec<usize>], place: &mut Vec<usize>| {
        for nodes in layers {
            for (index, at) in nodes.iter().enumerate() {
                place[*at] = index;
            }
        }
    };
    settle(&layers, &mut place);
    for sweep in 0..SWEEPS {
        for nodes in &mut layers {
            let beside: &[Vec<NodeId>] = if sweep % 2 == 0 {
                &scope.before
            } else {
                &scope.after
            };
            // In thousandths: a mean, and no floating point that another machine rounds differently.
            let mean = |at: &usize| {
                let near = &beside[*at];
                let sum: usize = near.iter().map(|near| place[near.index()] * 1000).sum();
                sum.checked_div(near.len()).unwrap_or(place[*at] * 1000)
            };
            // Of two that stand equally near, the order stays.
            nodes.sort_by_key(|at| (mean(at), place[*at]));
        }
        settle(&layers, &mut place);
    }
    layer.into_iter().zip(place).collect()
}

/// What is shown of a state, besides its colour.
pub(super) fn sign(word: &str) -> &'static str {
    match word {
        "succeeded" => "✓",
        "failed" | "rejected" => "✗",
        "running" => "▶",
        "waiting" => "?",
        "bypassed" => "↷",
        "cancelled" => "⊘",
        "paused" => "⏸",
        "interrupted" | "damaged" => "!",
        _ => "·",
    }
}

/// Draws the run's own flow.
pub(super) fn draw(run: &OpenRun) -> Markup {
    let scope = run.compiled.plan.root();
    if scope.nodes.len() > MOST {
        return html! { p.note { "The flow has " (scope.nodes.len()) " nodes, which is more than a drawing shows; the list below has all." } };
    }
    let places = places(scope);
    let wide = places.iter().map(|(layer, _)| layer + 1).max().unwrap_or(1);
    let high = places.iter().map(|(_, place)| place + 1).max().unwrap_or(1);
    let x = |at: usize| places[at].0 * (WIDTH + GAP_X) + 4;
    let y = |at: usize| places[at].1 * (HEIGHT + GAP_Y) + 4;
    let (width, height) = (
        wide * (WIDTH + GAP_X) - GAP_X + 8,
        high * (HEIGHT + GAP_Y) - GAP_Y + 8,
    );
    let base = format!("/runs/{}/nodes/", encode(run.id().as_str()));
    html! {
        div.scroll tabindex="0" role="region" aria-label="The flow" {
            svg.graph width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="group" aria-label={ "The flow, " (scope.nodes.len()) " nodes" } {
                @for (to, before) in scope.before.iter().enumerate() {
                    @for from in before {
                        (edge((x(from.index()) + WIDTH, y(from.index()) + HEIGHT / 2), (x(to), y(to) + HEIGHT / 2)))
                    }
                }
                @for at in 0..scope.nodes.len() {
                    (node(run, scope, at, (x(at), y(at)), &base))
                }
            }
        }
    }
}

fn edge((x1, y1): (usize, usize), (x2, y2): (usize, usize)) -> Markup {
    let middle = usize::midpoint(x1, x2);
    let path = format!("M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}");
    html! { path.edge d=(path) {} }
}

fn node(run: &OpenRun, scope: &Scope, at: usize, (x, y): (usize, usize), base: &str) -> Markup {
    let id = run.state.root_instance(NodeId::of(at));
    let node = &scope.nodes[at];
    let word = run.state.word(id);
    let kind = match &node.step {
        Step::Flow(_) => "flow",
        Step::Gate => "gate",
        Step::Process(_) => "process",
        Step::Tool(_) => "tool",
    };
    let kind =
        inside(run, id).map_or_else(|| kind.to_owned(), |inside| format!("{kind}, {inside}"));
    let link = format!("{base}{}", encode(node.name.as_str()));
    html! {
        a href=(link) aria-label={ (node.name) ", " (kind) ", " (word) } {
            g.node.(word) transform={ "translate(" (x) " " (y) ")" } {
                title { (node.name) ": " (word) }
                rect width=(WIDTH) height=(HEIGHT) rx="6" {}
                text.name x="10" y="19" { (cut(node.name.as_str(), 20)) }
                text.kind x="10" y="36" { (sign(word)) " " (word) " · " (cut(&kind, 14)) }
            }
        }
    }
}

/// How far what is inside a node has come.
fn inside(run: &OpenRun, id: InstanceId) -> Option<String> {
    let plan = &run.compiled.plan;
    let within: Vec<InstanceId> = run
        .state
        .items(id)
        .chain(run.state.children(plan, id))
        .collect();
    let ended = within
        .iter()
        .filter(|id| run.state.instance(**id).state.ended());
    (!within.is_empty()).then(|| format!("{}/{}", ended.count(), within.len()))
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use crate::plan::Plan;
    use crate::tool::{Library, Registry};

    #[test]
    fn what_comes_after_stands_to_the_right_and_nothing_on_top_of_another() {
        let text = "nodes:
- { name: a, type: process, command: [x] }
- { name: b, type: process, command: [x] }
- { name: c, type: process, command: [x], after: [b] }
- { name: d, type: process, command: [x], after: [a] }
- { name: e, type: process, command: [x], after: [c, d] }
";
        let source = Arc::new(Source::new("f.yaml", text));
        let registry = Registry::new(Library::live(std::path::Path::new(".")), Vec::new(), |_| {
            None
        });
        let plan = Plan::compile(&source, &registry, &mut Diagnostics::default()).unwrap();
        let places = places(plan.root());
        assert_eq!(
            places.iter().map(|place| place.0).collect::<Vec<_>>(),
            [0, 0, 1, 1, 2]
        );
        // No lines cross: `d` stands beside `a`, and `c` beside `b`.
        assert_eq!(places[3].1, places[0].1);
        assert_eq!(places[2].1, places[1].1);
        let mut all = places.clone();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), places.len());
    }
}
