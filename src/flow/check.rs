//! [`Flow::check`]: names, references and cycles, for which the file alone is enough.

use std::collections::HashMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::model::{Dialect, Flow, InputBinding, KindDecl, NodeDecl, OnError, Order};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, or_list};
use crate::expr::{Binding, Head, Use};
use crate::id::NodeName;

/// Top-level names of templates that are not nodes.
const ROOTS: [&str; 6] = ["inputs", "run", "env", "approval", "feedback", "item"];

/// Why one node comes before another in the file.
struct Link {
    from: usize,
    to: usize,
    span: Span,
    /// A data reference; only those must point upwards.
    reference: bool,
}

impl Flow {
    /// Finds what is wrong with names and references.
    pub fn check(&self, problems: &mut Diagnostics) {
        let mut index: HashMap<&NodeName, usize> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(&first) = index.get(&node.name.value) {
                problems.push(
                    Diagnostic::error(
                        Code::DuplicateNode,
                        format!("two nodes are called `{}`", node.name.value),
                        &self.source,
                        node.name.span,
                    )
                    .label("second")
                    .also(&self.source, self.nodes[first].name.span, "first")
                    .help("rename one of the two"),
                );
            } else {
                index.insert(&node.name.value, at);
            }
        }
        let mut links = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for (used, place) in node.uses() {
                self.check_use(&used, Some((node, place)), problems);
                if let Some(target) = self.resolve(&used, &index, problems) {
                    links.push(Link {
                        from: target,
                        to: at,
                        span: used.span(),
                        reference: true,
                    });
                }
            }
            for after in &node.after {
                if let Some(target) = self.known(&after.value, after.span, &index, problems) {
                    links.push(Link {
                        from: target,
                        to: at,
                        span: after.span,
                        reference: false,
                    });
                }
            }
            if let OnError::Fallback(fallback) = &node.on_error
                && let Some(target) = self.known(&fallback.value, fallback.span, &index, problems)
            {
                links.push(Link {
                    from: at,
                    to: target,
                    span: fallback.span,
                    reference: false,
                });
            }
        }
        for output in self.outputs.values() {
            for used in output.binding.uses() {
                self.check_use(&used, None, problems);
                self.resolve(&used, &index, problems);
            }
        }
        self.shared_fallbacks(problems);
        self.order_of(&links, problems);
    }

    /// Reports references to what does not exist at this place.
    fn check_use(
        &self,
        used: &Use<'_>,
        node: Option<(&NodeDecl, Place)>,
        problems: &mut Diagnostics,
    ) {
        let has_gate =
            node.is_some_and(|(node, place)| node.approval.is_some() && place == Place::Inputs);
        let has_item =
            node.is_some_and(|(node, place)| node.foreach.is_some() && place == Place::Inputs);
        let unavailable = |what: &str, message: &str, help: &str| {
            Diagnostic::error(
                Code::NotAvailable,
                format!("`{what}` {message}"),
                &self.source,
                used.span(),
            )
            .help(help.to_owned())
        };
        let (head, span) = match used {
            Use::Reference(reference) => (reference.head.clone(), reference.span),
            Use::Root(root, span) => match *root {
                "approval" => (Head::Approval, *span),
                "item" => (Head::Item, *span),
                "secrets" => (Head::Secret(String::new()), *span),
                _ => return,
            },
            Use::Node(..) => return,
        };
        match head {
            Head::Input(name) if !self.inputs.contains_key(&name) => {
                let mut diagnostic = Diagnostic::error(
                    Code::UnknownInput,
                    format!("the flow has no input `{name}`"),
                    &self.source,
                    span,
                )
                .did_you_mean(&name, self.inputs.keys().map(String::as_str));
                if diagnostic.help.is_empty() {
                    diagnostic = diagnostic.help(if self.inputs.is_empty() {
                        format!("declare it: `inputs: {{ {name}: {{ type: string }} }}`")
                    } else {
                        format!(
                            "the inputs are {}",
                            or_list(self.inputs.keys().map(String::as_str))
                        )
                    });
                }
                problems.push(diagnostic);
            }
            Head::Item if !has_item => problems.push(unavailable(
                "item",
                "exists only in the inputs of a node with `foreach`",
                "add `foreach: ${…}` to the node, or name what you mean",
            )),
            Head::Approval if !has_gate => problems.push(unavailable(
                "approval",
                "exists only in the inputs of a node with `approval`",
                "a later node reads the gate's output: `${GATE.output}`",
            )),
            Head::Secret(_)
                if node.is_some_and(|(node, _)| matches!(node.kind, KindDecl::Flow(_))) =>
            {
                problems.push(unavailable(
                    "secrets",
                    "cannot be passed to a sub-flow: what a flow is given is written down",
                    "name the secret in the node that needs it",
                ));
            }
            Head::Secret(_) if matches!(used, Use::Root(..)) => problems.push(unavailable(
                "secrets",
                "cannot be read by a template: its text would be written down",
                "pass `${secrets.NAME}` as an input of its own",
            )),
            Head::Secret(_) if node.is_none_or(|(_, place)| place != Place::Inputs) => {
                problems.push(unavailable(
                    "secrets",
                    "reach tools only, through the inputs, `command` or `env` of a node",
                    "use an input instead",
                ));
            }
            _ => {}
        }
    }

    /// The node that a use names, if there is one.
    fn resolve(
        &self,
        used: &Use<'_>,
        index: &HashMap<&NodeName, usize>,
        problems: &mut Diagnostics,
    ) -> Option<usize> {
        match used {
            Use::Root(root, _)
                if ROOTS.contains(root)
                    || matches!(*root, "secrets" | "loop" | "__tera_context") =>
            {
                None
            }
            Use::Root(root, span) => self.known(&NodeName::from(root), *span, index, problems),
            _ => self.known(&used.node()?, used.span(), index, problems),
        }
    }

    fn known(
        &self,
        name: &NodeName,
        span: Span,
        index: &HashMap<&NodeName, usize>,
        problems: &mut Diagnostics,
    ) -> Option<usize> {
        if let Some(&at) = index.get(name) {
            return Some(at);
        }
        let names = || self.nodes.iter().map(|node| node.name.value.as_str());
        let mut diagnostic = Diagnostic::error(
            Code::UnknownNode,
            format!("unknown node `{name}`"),
            &self.source,
            span,
        )
        .label("no node has this name")
        .did_you_mean(name.as_str(), names());
        if diagnostic.help.is_empty() {
            diagnostic = diagnostic.help(format!("the nodes are {}", or_list(names())));
        }
        problems.push(diagnostic);
        None
    }

    fn shared_fallbacks(&self, problems: &mut Diagnostics) {
        let mut used: HashMap<&NodeName, &NodeDecl> = HashMap::new();
        for node in &self.nodes {
            if let OnError::Fallback(fallback) = &node.on_error
                && let Some(first) = used.insert(&fallback.value, node)
            {
                problems.push(
                    Diagnostic::error(
                        Code::Conflict,
                        format!(
                            "`{}` stands in for `{}` already",
                            fallback.value, first.name.value
                        ),
                        &self.source,
                        fallback.span,
                    )
                    .help("give each node a fallback of its own"),
                );
            }
        }
    }

    /// Reports cycles with all their nodes, then references that point downwards.
    fn order_of(&self, links: &[Link], problems: &mut Diagnostics) {
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.nodes.len(), links.len());
        for _ in &self.nodes {
            graph.add_node(());
        }
        for link in links {
            graph.add_edge(NodeIndex::new(link.from), NodeIndex::new(link.to), ());
        }
        if self.order == Order::Sequential {
            for at in 1..self.nodes.len() {
                graph.add_edge(NodeIndex::new(at - 1), NodeIndex::new(at), ());
            }
        }
        let mut component = vec![usize::MAX; self.nodes.len()];
        let components = tarjan_scc(&graph);
        for (number, members) in components
            .iter()
            .enumerate()
            .filter(|(_, members)| members.len() > 1)
        {
            for member in members {
                component[member.index()] = number;
            }
        }
        for link in links {
            if link.from == link.to {
                let name = &self.nodes[link.to].name;
                problems.push(
                    Diagnostic::error(
                        Code::SelfReference,
                        format!("node `{}` waits for itself", name.value),
                        &self.source,
                        link.span,
                    )
                    .label("refers to its own node")
                    .also(&self.source, name.span, "declared here")
                    .help("remove the reference"),
                );
            } else if self.dialect == Dialect::Flowctl
                && link.reference
                && link.from > link.to
                && (component[link.from] == usize::MAX
                    || component[link.from] != component[link.to])
            {
                self.later(link, problems);
            }
        }
        for (number, members) in components
            .iter()
            .enumerate()
            .filter(|(_, members)| members.len() > 1)
        {
            let inside: Vec<&Link> = links
                .iter()
                .filter(|link| {
                    link.from != link.to
                        && component[link.from] == number
                        && component[link.to] == number
                })
                .collect();
            let backward: Vec<&&Link> = inside.iter().filter(|link| link.from > link.to).collect();
            // In a sequential flow every upward reference closes a cycle with the order itself;
            // that reads better as what it is.
            if self.order == Order::Sequential {
                for link in backward {
                    self.later(link, problems);
                }
                continue;
            }
            self.cycle(members, &inside, problems);
        }
    }

    fn later(&self, link: &Link, problems: &mut Diagnostics) {
        let (node, target) = (&self.nodes[link.to].name, &self.nodes[link.from].name);
        let line = self.source.position(target.span.start).line;
        problems.push(
            Diagnostic::error(
                Code::LaterNode,
                format!(
                    "`{}` refers to `{}`, which comes after it, on line {line}",
                    node.value, target.value
                ),
                &self.source,
                link.span,
            )
            .also(&self.source, target.span, "declared here, further down")
            .help(format!("move `{}` above `{}`", target.value, node.value)),
        );
    }

    fn cycle(&self, members: &[NodeIndex], inside: &[&Link], problems: &mut Diagnostics) {
        // Walks the cycle through the first member in file order, shortest way round.
        let start = members
            .iter()
            .map(|member| member.index())
            .min()
            .unwrap_or(0);
        let mut previous: HashMap<usize, &Link> = HashMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        'search: while let Some(at) = queue.pop_front() {
            for link in inside.iter().filter(|link| link.from == at) {
                if link.to == start {
                    previous.insert(start, link);
                    break 'search;
                }
                if let std::collections::hash_map::Entry::Vacant(e) = previous.entry(link.to) {
                    e.insert(link);
                    queue.push_back(link.to);
                }
            }
        }
        let mut chain = Vec::new();
        let mut at = start;
        while let Some(link) = previous.get(&at) {
            chain.push(*link);
            at = link.from;
            if at == start {
                break;
            }
        }
        chain.reverse();
        let Some(last) = chain.last() else { return };
        let names: Vec<&str> = std::iter::once(start)
            .chain(chain.iter().map(|link| link.to))
            .map(|at| self.nodes[at].name.value.as_str())
            .collect();
        let lines = |link: &Link| {
            format!(
                "`{}` waits for `{}`",
                self.nodes[link.to].name.value, self.nodes[link.from].name.value
            )
        };
        let mut diagnostic = Diagnostic::error(
            Code::Cycle,
            format!("these nodes wait for each other: {}", names.join(" -> ")),
            &self.source,
            last.span,
        )
        .label(lines(last));
        for link in &chain[..chain.len() - 1] {
            diagnostic = diagnostic.also(&self.source, link.span, lines(link));
        }
        problems.push(diagnostic.help("remove one of these references"));
    }
}

/// Where in a node an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `inputs`, `command`, `cwd`, `env`: evaluated when the node starts.
    Inputs,
    /// `when`, `activate`, `foreach`: evaluated before that.
    Condition,
}

impl NodeDecl {
    /// Everything that the node's expressions read, with the place.
    pub(crate) fn uses(&self) -> Vec<(Use<'_>, Place)> {
        let mut uses = Vec::new();
        let mut add = |binding, place| {
            let binding: &Binding = binding;
            uses.extend(binding.uses().into_iter().map(|used| (used, place)));
        };
        for InputBinding { binding, .. } in self.inputs.values() {
            add(binding, Place::Inputs);
        }
        if let KindDecl::Process(process) = &self.kind {
            process
                .command
                .iter()
                .chain(&process.cwd)
                .chain(process.env.values())
                .for_each(|binding| add(binding, Place::Inputs));
        }
        if let Some(foreach) = &self.foreach {
            add(&foreach.binding, Place::Condition);
        }
        if let Some(activate) = &self.activate {
            add(&activate.when, Place::Condition);
        }
        if let Some(when) = &self.when {
            uses.extend(when.uses().into_iter().map(|used| (used, Place::Condition)));
        }
        uses
    }
}
