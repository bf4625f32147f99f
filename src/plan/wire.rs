//! Wiring: explicit inputs first, then required ports by name; every wire is checked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::contract::{Ports, Scopes, approval_schema, lookup_output, offers};
use super::model::{Names, NodeId, PlanNode, Scope, ScopeId, Step, Wire, WireWhy};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, or_list};
use crate::expr::{Binding, Head, Path, Reference, Text, Use};
use crate::flow::{CodeDecl, CodeKind, Flow, InputBinding, KindDecl, NodeDecl};
use crate::port::{Lookup, Port, Schema, Signature, compatible, lookup};

/// Gives every node its inputs and the list of nodes that it reads.
pub(super) fn connect<'s>(
    flow: &Flow,
    nodes: &mut [Option<PlanNode>],
    scopes: &(dyn Fn(ScopeId) -> Option<&'s Scope> + 's),
    names: &Names<'_>,
    problems: &mut Diagnostics,
) {
    // Offers are asked for once: a sub-flow's are computed from its outputs.
    let offered: Vec<Ports> = nodes
        .iter()
        .map(|node| {
            node.as_ref()
                .map_or_else(|| Ports::Own(Vec::new()), |node| offers(node, scopes))
        })
        .collect();
    let mut latest: Names<'_> = Names::default();
    let mut schemas = HashMap::new();
    for at in 0..nodes.len() {
        let decl = &flow.nodes[at];
        if let Some(node) = &nodes[at] {
            let wiring = Wiring {
                flow,
                nodes,
                offered: &offered,
                latest: &latest,
                scopes,
                names,
            };
            let inputs = wiring.inputs(at, decl, node, &mut schemas, problems);
            let uses = decl.uses();
            wiring.check_references(uses.iter().map(|(used, _)| used), Some(node), problems);
            let mut reads: Vec<NodeId> = inputs
                .iter()
                .flat_map(|wire| wire.binding.uses())
                .filter_map(|used| wiring.node_of(&used))
                .collect();
            reads.extend(uses.iter().filter_map(|(used, _)| wiring.node_of(used)));
            reads.sort_unstable();
            reads.dedup();
            let node = nodes[at].as_mut().expect("it was just there");
            node.inputs = inputs;
            node.reads = reads;
        }
        for port in offered[at].iter() {
            latest.insert(&port.name, NodeId::of(at));
        }
    }
    let wiring = Wiring {
        flow,
        nodes,
        offered: &offered,
        latest: &latest,
        scopes,
        names,
    };
    wiring.check_references(
        flow.outputs
            .values()
            .flat_map(|output| output.binding.uses())
            .collect::<Vec<_>>()
            .iter(),
        None,
        problems,
    );
}

/// Schemas of input ports, by the address of their tool's signature and their number. The nodes hold
/// the signatures, so that an address means one signature as long as this is used.
type Schemas = HashMap<(usize, usize), Arc<Schema>>;

struct Wiring<'a, 's> {
    flow: &'a Flow,
    nodes: &'a [Option<PlanNode>],
    offered: &'a [Ports],
    /// The nearest node above the current one that offers a port.
    latest: &'a Names<'a>,
    scopes: &'a Scopes<'s>,
    names: &'a Names<'a>,
}

impl Wiring<'_, '_> {
    fn node_of(&self, used: &Use<'_>) -> Option<NodeId> {
        match used {
            Use::Root(root, _) => self.names.get(root).copied(),
            _ => self.names.get(used.node()?.as_str()).copied(),
        }
    }

    /// The input ports of a node; `None` when it takes anything.
    fn ports(&self, node: &PlanNode) -> Option<Ports> {
        match &node.step {
            Step::Tool(tool) => {
                (!tool.signature.open).then(|| Ports::Inputs(Arc::clone(&tool.signature)))
            }
            Step::Process(_) | Step::Gate => None,
            Step::Flow(id) => (self.scopes)(*id).map(|scope| {
                let port = |(name, input): (&String, &crate::flow::InputDecl)| {
                    let port = Port::new(name, input.schema.clone(), &input.description);
                    if input.default.is_some() {
                        port.optional()
                    } else {
                        port
                    }
                };
                Ports::Own(scope.inputs.iter().map(port).collect())
            }),
        }
    }

    fn inputs(
        &self,
        at: usize,
        decl: &NodeDecl,
        node: &PlanNode,
        schemas: &mut Schemas,
        problems: &mut Diagnostics,
    ) -> Vec<Wire> {
        let anything =
            || Arc::new(Schema::compile(&serde_json::json!(true)).expect("`true` is a schema"));
        let explicit = |port: &str, input: &InputBinding, schema, required| Wire {
            port: port.to_owned(),
            binding: input.binding.clone(),
            why: WireWhy::Explicit,
            required,
            schema,
        };
        if let (KindDecl::Code(code), Step::Tool(tool)) = (&decl.kind, &node.step) {
            return self.code_inputs(decl, code, &tool.signature, problems);
        }
        let Some(ports) = self.ports(node) else {
            return decl
                .inputs
                .iter()
                .map(|(name, input)| explicit(name, input, anything(), false))
                .collect();
        };
        for (name, input) in &decl.inputs {
            if !ports.iter().any(|port| port.name == *name) {
                let all = || ports.iter().map(|port| port.name.as_str());
                let mut diagnostic = Diagnostic::error(
                    Code::UnknownPort,
                    format!("`{}` takes no input `{name}`", decl.name.value),
                    &self.flow.source,
                    input.key_span,
                )
                .did_you_mean(name, all());
                if diagnostic.help.is_empty() {
                    diagnostic = diagnostic.help(format!("it takes {}", or_list(all())));
                }
                problems.push(diagnostic);
            }
        }
        let mut wires = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let compile = || match Schema::compile(&port.schema) {
                Ok(schema) => Arc::new(schema),
                // Registries check their own schemas; a skill's are checked when it is loaded.
                Err(_) => anything(),
            };
            let schema = match &ports {
                Ports::Inputs(signature) => {
                    let of = (std::ptr::from_ref(&**signature).addr(), number);
                    Arc::clone(schemas.entry(of).or_insert_with(compile))
                }
                _ => compile(),
            };
            if let Some(input) = decl.inputs.get(&port.name) {
                self.check_input(decl, port, input, &schema, problems);
                wires.push(explicit(&port.name, input, schema, port.required));
            } else if port.required
                && let Some((reference, why)) = self.wire(at, decl, port, problems)
            {
                let binding = Binding::Text(Text::Whole(reference));
                wires.push(Wire {
                    port: port.name.clone(),
                    binding,
                    why,
                    required: true,
                    schema,
                });
            }
        }
        wires
    }

    /// The inputs of Python code or a template: what is written, with literals made into what the
    /// code declares. What does not fit is only warned of, because a node that is bypassed may
    /// stay as it is.
    fn code_inputs(
        &self,
        decl: &NodeDecl,
        code: &CodeDecl,
        signature: &Signature,
        problems: &mut Diagnostics,
    ) -> Vec<Wire> {
        let source = &self.flow.source;
        let name = &decl.name.value;
        let schema =
            Arc::new(Schema::compile(&serde_json::json!(true)).expect("`true` is a schema"));
        let is_function = matches!(code.kind, CodeKind::Python | CodeKind::CustomLlm);
        let mut wires = Vec::new();
        for (given, input) in &decl.inputs {
            let port = signature.input(given);
            let ports = || signature.inputs.iter().map(|port| port.name.as_str());
            if port.is_none() && !signature.open {
                let message =
                    format!("`{name}` takes no input `{given}`, and will fail when it runs");
                let problem =
                    Diagnostic::warning(Code::UnknownPort, message, source, input.key_span);
                problems.push(
                    problem
                        .did_you_mean(given, ports())
                        .help(format!("it takes {}", or_list(ports()))),
                );
            }
            let mut binding = input.binding.clone();
            if let Binding::Literal(value) = &mut binding {
                // As if it were not written: the function's own default counts.
                if (is_function || port.is_some())
                    && (value.is_null() || value.as_str() == Some(""))
                {
                    continue;
                }
                if let Some(kind) = port.and_then(|port| port.kind) {
                    match kind.coerce(value) {
                        Ok(coerced) => *value = coerced,
                        Err(reason) => {
                            let message = format!("`{given}` of `{name}` cannot be this");
                            let span = input.span();
                            problems.push(
                                Diagnostic::error(Code::BadLiteral, message, source, span)
                                    .label(reason)
                                    .help(format!("`{name}` declares it as `{}`", kind.word())),
                            );
                        }
                    }
                }
            }
            wires.push(Wire {
                port: given.clone(),
                binding,
                why: WireWhy::Explicit,
                required: port.is_none_or(|port| port.required),
                schema: Arc::clone(&schema),
            });
        }
        let unfed = signature
            .inputs
            .iter()
            .filter(|port| port.required && !wires.iter().any(|wire| wire.port == port.name));
        for port in unfed {
            let message = format!(
                "`{name}` needs `{}`, and will fail when it runs without it",
                port.name
            );
            let problem = Diagnostic::warning(Code::UnfedPort, message, source, decl.name.span);
            problems.push(problem.help(format!("write `{}:` under its `inputs:`", port.name)));
        }
        wires
    }

    /// Feeds a required port by name.
    fn wire(
        &self,
        at: usize,
        decl: &NodeDecl,
        port: &Port,
        problems: &mut Diagnostics,
    ) -> Option<(Reference, WireWhy)> {
        let span = decl.name.span;
        if let Some(&producer) = self.latest.get(port.name.as_str())
            && let Some(node) = &self.nodes[producer.index()]
        {
            if node.conditional() {
                problems.push(self.conditional(decl, port, node));
                return None;
            }
            let given = self.offered[producer.index()]
                .iter()
                .find(|given| given.name == port.name)?;
            self.check_fit(
                decl,
                port,
                given,
                &format_args!("`{}`", node.name),
                span,
                Some(node.span),
                problems,
            );
            let reference = Reference {
                head: Head::Output(node.name.clone()),
                path: Path::of_keys([port.name.as_str()]),
                span,
            };
            return Some((reference, WireWhy::Nearest(producer)));
        }
        if let Some(input) = self.flow.inputs.get(&port.name) {
            let given = Port::new(&port.name, input.schema.clone(), "");
            self.check_fit(
                decl,
                port,
                &given,
                &"the flow input",
                span,
                Some(input.key_span),
                problems,
            );
            let reference = Reference {
                head: Head::Input(port.name.clone()),
                path: Path::of_keys([]),
                span,
            };
            return Some((reference, WireWhy::FlowInput));
        }
        // A node whose tool is unknown may well offer it: one error is enough.
        if self.nodes.iter().any(Option::is_none) {
            return None;
        }
        problems.push(self.unfed(at, decl, port));
        None
    }

    fn unfed(&self, at: usize, decl: &NodeDecl, port: &Port) -> Diagnostic {
        let source = &self.flow.source;
        let name = &decl.name.value;
        let later = (at + 1..self.nodes.len()).find(|&later| {
            self.offered[later]
                .iter()
                .any(|given| given.name == port.name)
        });
        if let Some(producer) = later.and_then(|later| self.nodes[later].as_ref()) {
            return Diagnostic::error(
                Code::UnfedPort,
                format!(
                    "`{name}` needs `{}`; `{}` offers it, but on line {}, after this node",
                    port.name, producer.name, producer.line
                ),
                source,
                decl.name.span,
            )
            .label(format!("needs `{}`", port.name))
            .also(
                source,
                producer.span,
                format!("offers `{}`, too late", port.name),
            )
            .help(format!("move `{}` above `{name}`", producer.name));
        }
        let mut diagnostic = Diagnostic::error(
            Code::UnfedPort,
            format!("`{name}` needs `{}`, and nothing offers it", port.name),
            source,
            decl.name.span,
        );
        if !port.description.is_empty() {
            diagnostic = diagnostic.label(format!(
                "`{}`: {}",
                port.name,
                port.description.trim_end_matches('.')
            ));
        }
        let near = self.offered[..at]
            .iter()
            .flat_map(|ports| ports.iter())
            .map(|given| given.name.as_str())
            .chain(self.flow.inputs.keys().map(String::as_str));
        diagnostic.did_you_mean(&port.name, near).help(format!(
            "write it under `inputs:` of the node, or declare a flow input `{}`",
            port.name
        ))
    }

    fn conditional(&self, decl: &NodeDecl, port: &Port, producer: &PlanNode) -> Diagnostic {
        let why = if producer.foreach.is_some() {
            "gives a list, being a `foreach`"
        } else if producer.stands_in_for.is_some() {
            "runs only as a fallback"
        } else {
            "may be bypassed"
        };
        Diagnostic::error(
            Code::ConditionalProducer,
            format!(
                "`{}` needs `{}`, but the nearest node that offers it, `{}`, {why}",
                decl.name.value, port.name, producer.name
            ),
            &self.flow.source,
            decl.name.span,
        )
        .also(
            &self.flow.source,
            producer.span,
            format!("offers `{}`", port.name),
        )
        .help(format!(
            "write `inputs:` to say what is meant: `{}: ${{{}.output.{}}}`",
            port.name, producer.name, port.name
        ))
    }

    /// Checks an explicit input: a literal against its port, a reference's schema against it.
    fn check_input(
        &self,
        decl: &NodeDecl,
        port: &Port,
        input: &InputBinding,
        schema: &Schema,
        problems: &mut Diagnostics,
    ) {
        if let (Binding::Literal(value), Some(node)) = (&input.binding, &input.literal) {
            for violation in schema.check(value) {
                let at = node.descend(violation.path.iter().map(String::as_str));
                problems.push(
                    Diagnostic::error(
                        Code::BadLiteral,
                        format!("`{}` of `{}` cannot be this", port.name, decl.name.value),
                        &self.flow.source,
                        at.span,
                    )
                    .label(violation.message),
                );
            }
            return;
        }
        let Some(reference) = input.binding.whole() else {
            return;
        };
        let given = match &reference.head {
            Head::Output(name) => {
                let Some(node) = self
                    .names
                    .get(name.as_str())
                    .and_then(|id| self.nodes[id.index()].as_ref())
                else {
                    return;
                };
                let (Lookup::Found(schema), contract) = lookup_output(node, reference, self.scopes)
                else {
                    return;
                };
                Port {
                    contract,
                    ..Port::new("", schema, "")
                }
            }
            Head::Input(name) => {
                let (Some(input), Some(steps)) =
                    (self.flow.inputs.get(name), reference.path.steps())
                else {
                    return;
                };
                let Lookup::Found(schema) = lookup(&input.schema, steps) else {
                    return;
                };
                Port::new("", schema, "")
            }
            Head::Approval => {
                let node = self.names.get(decl.name.value.as_str());
                let node = node.and_then(|id| self.nodes[id.index()].as_ref());
                let (Some(node), Some(steps)) = (node, reference.path.steps()) else {
                    return;
                };
                let Lookup::Found(schema) = lookup(&approval_schema(node), steps) else {
                    return;
                };
                Port::new("", schema, "")
            }
            _ => return,
        };
        let who = format_args!("`{reference}`");
        self.check_fit(decl, port, &given, &who, reference.span, None, problems);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the two ends of a wire and where to point"
    )]
    fn check_fit(
        &self,
        decl: &NodeDecl,
        port: &Port,
        given: &Port,
        who: &dyn fmt::Display,
        span: Span,
        from: Option<Span>,
        problems: &mut Diagnostics,
    ) {
        if port.contract.is_some() && port.contract == given.contract {
            return;
        }
        let Err(mismatch) = compatible(&given.schema, &port.schema) else {
            return;
        };
        let place = if mismatch.path.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", mismatch.path.trim_start_matches('.'))
        };
        let mut diagnostic = Diagnostic::error(
            Code::ContractMismatch,
            format!(
                "what {who} gives does not fit `{}` of `{}`",
                port.name, decl.name.value
            ),
            &self.flow.source,
            span,
        )
        .label(format!("{who}{place} {}", mismatch.message));
        if let (Some(wanted), Some(given)) = (&port.contract, &given.contract) {
            diagnostic = diagnostic.help(format!("`{wanted}` is wanted, and this is `{given}`"));
        }
        if let Some(from) = from {
            diagnostic = diagnostic.also(&self.flow.source, from, "comes from here");
        }
        problems.push(diagnostic.help(format!(
            "give the node another value under `inputs:`, `{}: …`",
            port.name
        )));
    }

    /// Reports references to outputs that a node is known not to have.
    fn check_references<'u>(
        &self,
        uses: impl Iterator<Item = &'u Use<'u>>,
        at: Option<&PlanNode>,
        problems: &mut Diagnostics,
    ) {
        for used in uses {
            let Use::Reference(reference) = used else {
                continue;
            };
            let (found, name) = match &reference.head {
                Head::Output(name) => {
                    let Some(node) = self
                        .names
                        .get(name.as_str())
                        .and_then(|id| self.nodes[id.index()].as_ref())
                    else {
                        continue;
                    };
                    (
                        lookup_output(node, reference, self.scopes).0,
                        format!("`{name}`"),
                    )
                }
                Head::Input(name) => {
                    let (Some(input), Some(steps)) =
                        (self.flow.inputs.get(name), reference.path.steps())
                    else {
                        continue;
                    };
                    (lookup(&input.schema, steps), format!("the input `{name}`"))
                }
                Head::Approval => {
                    let (Some(node), Some(steps)) = (at, reference.path.steps()) else {
                        continue;
                    };
                    (
                        lookup(&approval_schema(node), steps),
                        "the answer".to_owned(),
                    )
                }
                _ => continue,
            };
            if let Lookup::Absent { step, keys } = found {
                let all = || keys.iter().map(String::as_str);
                let mut diagnostic = Diagnostic::error(
                    Code::UnknownOutput,
                    format!("{name} has no `{step}` here"),
                    &self.flow.source,
                    reference.span,
                )
                .did_you_mean(&step, all());
                if diagnostic.help.is_empty() {
                    diagnostic = diagnostic.help(if keys.is_empty() {
                        "it is not an object; run the flow and look with `flowctl show RUN NODE`"
                            .to_owned()
                    } else {
                        format!("there is {}", or_list(all()))
                    });
                }
                problems.push(diagnostic);
            }
        }
    }
}
