//! Which variables a template takes from outside.

use std::collections::BTreeSet;

use super::globals;
use super::syntax::{Applied, Arguments, Expression, For, Kind, Macro, Statement, Target};

/// The variables that no part of the template sets before it reads them, in the order of first use.
pub(super) fn undeclared(body: &[Statement]) -> Vec<String> {
    let mut walk = Walk {
        known: vec![BTreeSet::new()],
        found: Vec::new(),
        all: BTreeSet::new(),
    };
    walk.body(body);
    walk.found
}

/// All names that a template reads.
pub(super) fn names_in(body: &[Statement]) -> BTreeSet<String> {
    let mut walk = Walk {
        known: vec![BTreeSet::new()],
        found: Vec::new(),
        all: BTreeSet::new(),
    };
    walk.body(body);
    walk.all
}

struct Walk {
    known: Vec<BTreeSet<String>>,
    found: Vec<String>,
    all: BTreeSet<String>,
}

impl Walk {
    fn body(&mut self, body: &[Statement]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn inside(&mut self, names: &[&str], walk: impl FnOnce(&mut Self)) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.known.push(names);
        walk(self);
        self.known.pop();
    }

    fn set(&mut self, name: &str) {
        if let Some(known) = self.known.last_mut() {
            known.insert(name.to_owned());
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.set(name),
            Target::Attribute(name, ..) => self.name(name),
            Target::Several(targets, _) => targets.iter().for_each(|target| self.target(target)),
        }
    }

    fn name(&mut self, name: &str) {
        self.all.insert(name.to_owned());
        let is_known = self.known.iter().any(|known| known.contains(name));
        let is_found = self.found.iter().any(|found| found == name);
        if !is_known && !is_found && !globals::exists(name) && name != "self" {
            self.found.push(name.to_owned());
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Data(_) | Statement::Load(_) => {}
            Statement::Output(values) => self.all(values),
            Statement::For(node) => self.for_loop(node),
            Statement::If {
                branches,
                otherwise,
            } => self.condition(branches, otherwise),
            Statement::Set { target, value } => {
                self.expression(value);
                self.target(target);
            }
            Statement::SetBlock {
                target,
                filters,
                body,
            } => {
                self.filters(filters);
                self.inside(&[], |walk| walk.body(body));
                self.target(target);
            }
            Statement::With { variables, body } => {
                for (_, value) in variables {
                    self.expression(value);
                }
                self.inside(&[], |walk| {
                    for (target, _) in variables {
                        walk.target(target);
                    }
                    walk.body(body);
                });
            }
            Statement::Macro(definition) => {
                self.set(&definition.name);
                self.definition(definition);
            }
            Statement::Call { call, body } => {
                self.expression(call);
                self.definition(body);
            }
            Statement::Filter { filters, body } => {
                self.filters(filters);
                self.inside(&[], |walk| walk.body(body));
            }
            Statement::Block { block, .. } => {
                self.inside(&["super"], |walk| walk.body(&block.body));
            }
            Statement::Autoescape { enabled, body } => {
                self.expression(enabled);
                self.body(body);
            }
        }
    }

    fn for_loop(&mut self, node: &For) {
        self.expression(&node.items);
        self.inside(&[], |walk| {
            walk.target(&node.target);
            if let Some(condition) = &node.condition {
                walk.expression(condition);
            }
            walk.set("loop");
            walk.body(&node.body);
        });
        self.inside(&[], |walk| walk.body(&node.otherwise));
    }

    /// What only some branches set is not known behind them.
    fn condition(&mut self, branches: &[(Expression, Vec<Statement>)], otherwise: &[Statement]) {
        let mut certain: Option<BTreeSet<String>> = None;
        let mut branch = |walk: &mut Self, body: &[Statement]| {
            walk.known.push(BTreeSet::new());
            walk.body(body);
            let set = walk.known.pop().unwrap_or_default();
            certain = Some(match certain.take() {
                Some(certain) => &certain & &set,
                None => set,
            });
        };
        for (test, body) in branches {
            self.expression(test);
            branch(self, body);
        }
        branch(self, otherwise);
        for name in certain.into_iter().flatten() {
            self.set(&name);
        }
    }

    fn definition(&mut self, definition: &Macro) {
        self.inside(&["varargs", "kwargs", "caller"], |walk| {
            for (name, default) in &definition.parameters {
                if let Some(default) = default {
                    walk.expression(default);
                }
                walk.set(name);
            }
            walk.body(&definition.body);
        });
    }

    fn filters(&mut self, filters: &[Applied]) {
        for filter in filters {
            self.arguments(&filter.arguments);
        }
    }

    fn arguments(&mut self, arguments: &Arguments) {
        self.all(&arguments.positional);
        for (_, value) in &arguments.keyword {
            self.expression(value);
        }
        for value in [&arguments.star, &arguments.star_star]
            .into_iter()
            .flatten()
        {
            self.expression(value);
        }
    }

    fn all(&mut self, expressions: &[Expression]) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::None | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) => {}
            Kind::Name(name) => self.name(name),
            Kind::List(items) | Kind::Tuple(items) | Kind::Concat(items) => self.all(items),
            Kind::Dict(entries) => {
                for (key, value) in entries {
                    self.expression(key);
                    self.expression(value);
                }
            }
            Kind::Not(value) | Kind::Sign(_, value) | Kind::Attribute(value, _) => {
                self.expression(value);
            }
            Kind::Binary(_, pair) | Kind::And(pair) | Kind::Or(pair) | Kind::Item(pair) => {
                self.expression(&pair.0);
                self.expression(&pair.1);
            }
            Kind::Compare(first, rest) => {
                self.expression(first);
                for (_, value) in rest {
                    self.expression(value);
                }
            }
            Kind::Conditional(parts) => {
                self.expression(&parts.0);
                self.expression(&parts.1);
                if let Some(otherwise) = &parts.2 {
                    self.expression(otherwise);
                }
            }
            Kind::Slice(parts) => {
                for part in parts.iter().flatten() {
                    self.expression(part);
                }
            }
            Kind::Call(function, arguments) => {
                self.expression(function);
                self.arguments(arguments);
            }
            Kind::Filter(value, applied) | Kind::Test(value, applied) => {
                self.expression(value);
                self.arguments(&applied.arguments);
            }
        }
    }
}
