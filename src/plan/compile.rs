//! [`Plan::compile`]: finds tools, expands sub-flows, and puts scopes together.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, FlowError, Found, ToolInfo};
use super::model::{Fallback, Names, NodeId, Plan, PlanNode, Scope, ScopeId, Step};
use super::{order, wire};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, or_list};
use crate::expr::{Binding, Use};
use crate::flow::{
    Flow, GateScope, InputDecl, KindDecl, NodeDecl, OnError, Part, Spanned, Variant,
};
use crate::port::Effect;

/// Sub-flows within sub-flows; deeper than this nobody can follow.
const MAX_DEPTH: usize = 16;

impl Plan {
    /// Compiles a flow file and everything it names. `None` when there is an error among the
    /// problems; warnings are pushed either way.
    pub fn compile(
        source: &Arc<Source>,
        catalog: &dyn Catalog,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let mut compiler = Compiler {
            catalog,
            problems,
            scopes: Vec::new(),
            done: HashMap::new(),
            open: Vec::new(),
            line: None,
        };
        let root = compiler.root(source);
        let scopes: Option<Vec<Scope>> = compiler.scopes.into_iter().collect();
        match (root, scopes) {
            (Some(root), Some(scopes)) if !problems.has_errors() => Some(Self { scopes, root }),
            _ => None,
        }
    }
}

struct Compiler<'a> {
    catalog: &'a dyn Catalog,
    problems: &'a mut Diagnostics,
    /// `None` while a scope is being compiled, or when it cannot be.
    scopes: Vec<Option<Scope>>,
    done: HashMap<String, Option<ScopeId>>,
    open: Vec<String>,
    /// One line of a batch.
    line: Option<ScopeId>,
}

impl Compiler<'_> {
    /// The flow itself, or the part of it that is wanted.
    fn root(&mut self, source: &Arc<Source>) -> Option<ScopeId> {
        let selection = self.catalog.selection().clone();
        let flow = self.decode(source, selection.variant.as_ref())?;
        match &selection.part {
            Part::Whole => self.scope(flow),
            Part::Node(name) => {
                let flow = flow.into_node(name, self.problems)?;
                self.scope(flow)
            }
            Part::Lines => {
                let batch = flow.into_batch();
                self.line = Some(self.scope(batch.line)?);
                self.scope(batch.whole)
            }
        }
    }

    fn decode(&mut self, source: &Arc<Source>, variant: Option<&Variant>) -> Option<Flow> {
        let mut problems = Diagnostics::default();
        let flow = Flow::decode_variant(source, variant, &mut problems);
        if let Some(flow) = &flow {
            flow.check(&mut problems);
        }
        self.problems.extend(problems);
        flow
    }

    fn scope(&mut self, mut flow: Flow) -> Option<ScopeId> {
        let source = &Arc::clone(&flow.source);
        let id = ScopeId(u32::try_from(self.scopes.len()).ok()?);
        self.scopes.push(None);
        self.open.push(source.path.clone());
        let steps: Vec<Option<Step>> = flow
            .nodes
            .iter()
            .map(|node| self.step(&flow, node))
            .collect();
        self.open.pop();
        if self.open.is_empty() && matches!(self.catalog.selection().part, Part::Node(_)) {
            flow.offer_ports(&steps);
        }
        let names: Names<'_> = flow
            .nodes
            .iter()
            .enumerate()
            .rev()
            .map(|(at, node)| (node.name.value.as_str(), NodeId::of(at)))
            .collect();
        let mut nodes = Vec::with_capacity(flow.nodes.len());
        for (decl, step) in flow.nodes.iter().zip(steps) {
            nodes.push(plan_node(&flow, decl, step, &names));
        }
        for at in 0..nodes.len() {
            if let Some(Fallback::Node(fallback)) = nodes[at].as_ref().map(|node| node.on_error)
                && let Some(node) = &mut nodes[fallback.index()]
            {
                node.stands_in_for = Some(NodeId::of(at));
            }
        }
        let scopes = &self.scopes;
        let sub = |id: ScopeId| scopes.get(id.0 as usize).and_then(Option::as_ref);
        wire::connect(&flow, &mut nodes, &sub, &names, self.problems);
        for (decl, node) in flow.nodes.iter().zip(&nodes) {
            if let (Some(span), Some(node)) = (decl.cache, node)
                && let Some((message, help)) = not_cacheable(node)
            {
                let problem = Diagnostic::error(Code::Conflict, message, &flow.source, span);
                self.problems.push(problem.help(help));
            }
        }
        let nodes: Vec<PlanNode> = nodes.into_iter().collect::<Option<_>>()?;
        let holding: Vec<bool> = nodes
            .iter()
            .map(|node| {
                node.gate.as_ref().is_some_and(|gate| gate.scope == GateScope::Following)
                    || matches!(node.step, Step::Flow(id) if sub(id).is_some_and(|scope| scope.holds_back))
            })
            .collect();
        let ordered = order::order(&flow, &nodes, &holding, &names, self.problems)?;
        let outputs = flow
            .outputs
            .iter()
            .map(|(name, output)| (name.clone(), output.binding.clone()))
            .collect();
        self.scopes[id.0 as usize] = Some(Scope {
            name: flow.name,
            dialect: flow.dialect,
            source: Arc::clone(source),
            inputs: flow.inputs,
            names: nodes
                .iter()
                .enumerate()
                .map(|(at, node)| (node.name.clone(), NodeId::of(at)))
                .collect(),
            nodes,
            outputs,
            notify: flow.notify,
            graph: ordered.graph,
            before: ordered.before,
            after: ordered.after,
            holds_back: holding.contains(&true),
        });
        Some(id)
    }

    fn step(&mut self, flow: &Flow, node: &NodeDecl) -> Option<Step> {
        let (kind, name, code) = match &node.kind {
            KindDecl::Persona(name, _) => ("persona", name, Code::UnknownPersona),
            KindDecl::Skill(name) => ("skill", name, Code::UnknownSkill),
            KindDecl::Tool(name) => ("tool", name, Code::UnknownTool),
            KindDecl::Process(process) => return Some(Step::Process(Box::new(process.clone()))),
            KindDecl::Approval => return Some(Step::Gate),
            // Of a batch, whose one sub-flow is the file itself.
            KindDecl::Flow(path) if self.line.is_some() && path.value == flow.source.path => {
                return self.line.map(Step::Flow);
            }
            KindDecl::Flow(path) => return self.sub_flow(flow, path).map(Step::Flow),
            KindDecl::Code(_) | KindDecl::Http => {
                let found = match &node.kind {
                    KindDecl::Code(code) => self.catalog.code(flow, node, code),
                    _ => self.catalog.http(flow, node),
                };
                return match found {
                    Found::Tool(info) => Some(Step::Tool(info)),
                    Found::Broken(problems) => {
                        self.problems.extend(problems);
                        None
                    }
                    // A catalog knows requests and every kind of code, and says what is wrong with it.
                    Found::Unknown => None,
                };
            }
        };
        let found = match kind {
            "persona" => self.catalog.persona(&name.value),
            "skill" => self.catalog.skill(&name.value),
            _ => self.catalog.tool(&name.value),
        };
        let found = match (found, &node.kind) {
            (Found::Tool(info), KindDecl::Persona(_, Some(model))) => {
                self.catalog.model(flow, node, model, *info)
            }
            (found, _) => found,
        };
        match found {
            Found::Tool(info) => Some(Step::Tool(info)),
            Found::Broken(problems) => {
                self.problems.extend(problems);
                None
            }
            Found::Unknown => {
                let names = self.catalog.names(kind);
                let all = || names.iter().map(String::as_str);
                let mut diagnostic = Diagnostic::error(
                    code,
                    format!("there is no {kind} `{}`", name.value),
                    &flow.source,
                    name.span,
                )
                .did_you_mean(&name.value, all());
                if diagnostic.help.is_empty() {
                    diagnostic = diagnostic.help(format!("there is {}", or_list(all())));
                }
                if kind == "skill" {
                    diagnostic = diagnostic.help(format!(
                        "or make one: `skills/{}/skill.yaml` in the workspace",
                        name.value
                    ));
                }
                self.problems.push(diagnostic);
                None
            }
        }
    }

    fn sub_flow(&mut self, flow: &Flow, path: &Spanned<String>) -> Option<ScopeId> {
        let at = |code, message: String| Diagnostic::error(code, message, &flow.source, path.span);
        let source = match self.catalog.flow(&flow.source.path, &path.value) {
            Ok(source) => source,
            Err(FlowError::Unreadable(message)) => {
                self.problems.push(
                    at(
                        Code::FileUnreadable,
                        format!("cannot read the sub-flow `{}`: {message}", path.value),
                    )
                    .help("the path is relative to the file that names it"),
                );
                return None;
            }
            Err(FlowError::Broken(problems)) => {
                self.problems.extend(problems);
                return None;
            }
        };
        if self.open.contains(&source.path) {
            let mut chain = self.open.clone();
            chain.push(source.path.clone());
            self.problems.push(
                at(
                    Code::RecursiveFlow,
                    format!("a flow cannot contain itself: {}", chain.join(" -> ")),
                )
                .help("repeat work with `foreach`, over a list that is known before"),
            );
            return None;
        }
        if self.open.len() >= MAX_DEPTH {
            self.problems.push(at(
                Code::RecursiveFlow,
                format!("sub-flows nest deeper than {MAX_DEPTH}"),
            ));
            return None;
        }
        if let Some(done) = self.done.get(&source.path) {
            return *done;
        }
        let flow = self.decode(&source, None);
        let id = flow.and_then(|flow| self.scope(flow));
        // A scope that has errors of its own must not be wired against.
        let id = id.filter(|id| self.scopes[id.0 as usize].is_some());
        self.done.insert(source.path.clone(), id);
        id
    }
}

impl Flow {
    /// Makes what a single node would be wired to an input of its flow.
    fn offer_ports(&mut self, steps: &[Option<Step>]) {
        for (node, step) in self.nodes.iter().zip(steps) {
            let Some(Step::Tool(tool)) = step else {
                continue;
            };
            for port in tool.signature.inputs.iter().filter(|port| port.required) {
                if !node.inputs.contains_key(&port.name) && !matches!(node.kind, KindDecl::Code(_))
                {
                    let decl = InputDecl::of_port(port, node.name.span);
                    self.inputs.insert(port.name.clone(), decl);
                }
            }
        }
    }
}

/// Why the results of a node cannot be taken from the cache, and what to do.
fn not_cacheable(node: &PlanNode) -> Option<(String, &'static str)> {
    let name = &node.name;
    let secret = |binding: &&Binding| binding.uses().iter().any(Use::is_secret);
    match &node.step {
        Step::Flow(_) => Some((
            format!("`{name}` is a sub-flow, whose nodes are cached one by one"),
            "write `cache: true` on nodes inside it",
        )),
        Step::Process(_) => Some((
            format!(
                "`{name}` runs a command, which may read or change anything: a result of before may be wrong now"
            ),
            "remove `cache`; only results of pure tools, which depend on their inputs alone, are kept",
        )),
        Step::Tool(tool) if tool.effect == Effect::Effectful => Some((
            format!(
                "`{}` looks at the world outside of its inputs: a result of before may be wrong now",
                tool.name
            ),
            "remove `cache`; only results of pure tools, which depend on their inputs alone, are kept",
        )),
        Step::Tool(_) => node
            .bindings()
            .iter()
            .find(|binding| secret(binding))
            .map(|_| {
                (
                    format!("`{name}` reads a secret, and what is made of secrets is not kept"),
                    "remove `cache`, or take the secret out of its inputs",
                )
            }),
        // Gates have no `cache`; that is said where they are read.
        Step::Gate => None,
    }
}

fn plan_node(
    flow: &Flow,
    decl: &NodeDecl,
    step: Option<Step>,
    names: &Names<'_>,
) -> Option<PlanNode> {
    let step = step?;
    let on_error = match &decl.on_error {
        OnError::Fail => Fallback::Fail,
        OnError::Continue => Fallback::Continue,
        OnError::Fallback(name) => names
            .get(name.value.as_str())
            .map_or(Fallback::Fail, |id| Fallback::Node(*id)),
    };
    let gate = decl
        .approval
        .as_ref()
        .map(|approval| approval.value.clone());
    let by_kind = gate.is_some() || matches!(&step, Step::Tool(info) if evidence_by_default(info));
    Some(PlanNode {
        name: decl.name.value.clone(),
        span: Span::new(decl.name.span.start, decl.name.span.end),
        line: flow.source.position(decl.name.span.start).line,
        step,
        inputs: Vec::new(),
        when: decl.when.clone(),
        activate: decl.activate.clone(),
        foreach: decl.foreach.as_ref().map(|foreach| foreach.binding.clone()),
        retry: decl.retry.clone(),
        timeout: decl.timeout,
        gate,
        gate_span: decl
            .approval
            .as_ref()
            .map_or(Span::default(), |approval| approval.span),
        on_error,
        stands_in_for: None,
        evidence: decl.evidence.unwrap_or(by_kind),
        cache: decl.cache.is_some(),
        aggregation: decl.aggregation,
        worker_pool: decl.worker_pool.clone(),
        reads: Vec::new(),
    })
}

fn evidence_by_default(info: &ToolInfo) -> bool {
    info.evidence
}
