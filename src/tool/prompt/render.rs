//! [`Render`]: one rendering of a template. Statements; expressions are in [`super::evaluate`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::arguments::Args;
use super::print::{escape, to_str};
use super::raised::{Raised, check_length};
use super::scope::Scope;
use super::syntax::{Applied, Block, Expression, For, Macro, Statement, Target};
use super::value::{Function, Loop, Py};

/// So much may a rendering do: about half a second, and 64 MB of text made on the way.
const FUEL: u64 = 4_000_000;
/// Macros and recursive loops may go so deep, as in Python.
const DEEPEST: usize = 300;

/// One rendering.
pub(super) struct Render<'t> {
    blocks: &'t BTreeMap<String, Arc<Block>>,
    fuel: u64,
    depth: usize,
    pub(super) escapes: bool,
    root: Rc<Scope>,
    /// Scopes that macros and loops refer to: they must live as long as the rendering, and no longer.
    scopes: Vec<Rc<Scope>>,
    /// What `random` draws from.
    pub(super) seed: u64,
}

impl Drop for Render<'_> {
    fn drop(&mut self) {
        for scope in &self.scopes {
            scope.clear();
        }
        self.root.clear();
    }
}

impl<'t> Render<'t> {
    pub(super) fn new(
        blocks: &'t BTreeMap<String, Arc<Block>>,
        variables: impl IntoIterator<Item = (String, Py)>,
        seed: u64,
    ) -> Self {
        let root = Rc::new(Scope::default());
        for (name, value) in variables {
            root.set(&name, value);
        }
        Self {
            blocks,
            fuel: FUEL,
            depth: 0,
            escapes: false,
            // What the template sets is apart from what it is given.
            scopes: vec![Rc::clone(&root)],
            root: Scope::inside(&root),
            seed,
        }
    }

    /// Renders a whole template.
    pub(super) fn template(&mut self, body: &[Statement]) -> Result<String, Raised> {
        let mut text = String::new();
        let root = Rc::clone(&self.root);
        self.body(body, &root, &mut text)?;
        Ok(text)
    }

    /// Takes from what may be done.
    pub(super) fn spend(&mut self, work: usize) -> Result<(), Raised> {
        let work = u64::try_from(work).unwrap_or(u64::MAX);
        match self.fuel.checked_sub(work) {
            Some(rest) => {
                self.fuel = rest;
                Ok(())
            }
            None => Err(
                Raised::new("TimeoutError", "the template does more than a prompt may")
                    .help("look for loops inside of loops over long lists"),
            ),
        }
    }

    /// Pays for a value that was made.
    pub(super) fn pay(&mut self, value: &Py) -> Result<(), Raised> {
        match value {
            Py::Str(text) => self.spend(text.text.len() / 16),
            Py::List(items) => {
                let length = items.borrow().len();
                self.spend(length)
            }
            Py::Tuple(items) => self.spend(items.len()),
            _ => Ok(()),
        }
    }

    pub(super) fn deeper<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, Raised>,
    ) -> Result<T, Raised> {
        if self.depth >= DEEPEST {
            return Err(Raised::new(
                "RecursionError",
                "maximum recursion depth exceeded",
            ));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn keep(&mut self, scope: &Rc<Scope>) {
        if !self
            .scopes
            .iter()
            .rev()
            .take(8)
            .any(|kept| Rc::ptr_eq(kept, scope))
        {
            self.scopes.push(Rc::clone(scope));
        }
    }

    fn body(
        &mut self,
        body: &[Statement],
        scope: &Rc<Scope>,
        to: &mut String,
    ) -> Result<(), Raised> {
        for statement in body {
            stacker::maybe_grow(128 << 10, 2 << 20, || self.statement(statement, scope, to))?;
        }
        Ok(())
    }

    /// Writes text out.
    fn write(&mut self, text: &str, to: &mut String) -> Result<(), Raised> {
        check_length(to.len() + text.len())?;
        self.spend(text.len() / 16)?;
        to.push_str(text);
        Ok(())
    }

    fn statement(
        &mut self,
        statement: &Statement,
        scope: &Rc<Scope>,
        to: &mut String,
    ) -> Result<(), Raised> {
        self.spend(1)?;
        match statement {
            Statement::Data(text) => self.write(text, to),
            Statement::Output(values) => {
                for value in values {
                    let span = value.span;
                    let value = self.evaluate(value, scope)?;
                    let text = to_str(&value).map_err(|raised| raised.at(span))?;
                    if self.escapes && !value.is_markup() {
                        self.write(&escape(&text), to)?;
                    } else {
                        self.write(&text, to)?;
                    }
                }
                Ok(())
            }
            Statement::For(node) => {
                let items = self.evaluate(&node.items, scope)?;
                self.run_loop(node, &items, 0, scope, to)
            }
            Statement::If {
                branches,
                otherwise,
            } => {
                for (test, body) in branches {
                    if self.truth(test, scope)? {
                        return self.body(body, scope, to);
                    }
                }
                self.body(otherwise, scope, to)
            }
            Statement::Set { target, value } => {
                let value = self.evaluate(value, scope)?;
                assign(target, value, scope)
            }
            Statement::SetBlock {
                target,
                filters,
                body,
            } => {
                let text = self.captured(body, &Scope::inside(scope))?;
                let value = self.filtered(text, filters, scope)?;
                assign(target, value, scope)
            }
            Statement::With { variables, body } => {
                let inner = Scope::inside(scope);
                for (target, value) in variables {
                    let value = self.evaluate(value, scope)?;
                    assign(target, value, &inner)?;
                }
                self.body(body, &inner, to)
            }
            Statement::Macro(definition) => {
                let function = self.new_macro(definition, scope);
                scope.set(&definition.name, function);
                Ok(())
            }
            Statement::Call { call, body } => {
                let caller = self.new_macro(body, scope);
                let value = self.call_with(call, scope, Some(caller))?;
                let text = to_str(&value)?;
                self.write(&text, to)
            }
            Statement::Filter { filters, body } => {
                let text = self.captured(body, &Scope::inside(scope))?;
                let value = self.filtered(text, filters, scope)?;
                let text = to_str(&value)?;
                self.write(&text, to)
            }
            Statement::Block { block, span } => {
                // The last block of a name is the one; here all names are different.
                let block = self.blocks.get(&block.name).unwrap_or(block);
                let block = Arc::clone(block);
                let around = if block.is_scoped {
                    Rc::clone(scope)
                } else {
                    Rc::clone(&self.root)
                };
                self.deeper(|render| render.body(&block.body, &Scope::inside(&around), to))
                    .map_err(|raised| raised.at(*span))
            }
            Statement::Autoescape { enabled, body } => {
                let enabled = self.truth(enabled, scope)?;
                let before = std::mem::replace(&mut self.escapes, enabled);
                let result = self.body(body, scope, to);
                self.escapes = before;
                result
            }
            Statement::Load(span) => Err(Raised::type_error(
                "no loader for this environment specified",
            )
            .help("a prompt is one file: templates cannot include, import or extend others")
            .at(*span)),
        }
    }

    pub(super) fn truth(
        &mut self,
        expression: &Expression,
        scope: &Rc<Scope>,
    ) -> Result<bool, Raised> {
        let value = self.evaluate(expression, scope)?;
        Ok(value.is_true())
    }

    fn captured(&mut self, body: &[Statement], scope: &Rc<Scope>) -> Result<Py, Raised> {
        let mut text = String::new();
        self.body(body, scope, &mut text)?;
        Ok(Py::text(text, self.escapes))
    }

    fn filtered(
        &mut self,
        mut value: Py,
        filters: &[Applied],
        scope: &Rc<Scope>,
    ) -> Result<Py, Raised> {
        for filter in filters {
            let args = self.arguments(&filter.arguments, scope)?;
            value = super::filters::apply(self, &filter.name, value, args)
                .map_err(|raised| raised.at(filter.span))?;
        }
        Ok(value)
    }

    /// Runs a loop over a value.
    pub(super) fn run_loop(
        &mut self,
        node: &Arc<For>,
        items: &Py,
        depth: usize,
        scope: &Rc<Scope>,
        to: &mut String,
    ) -> Result<(), Raised> {
        let mut items = items.items().map_err(|raised| raised.at(node.items.span))?;
        self.spend(items.len())?;
        if let Some(condition) = &node.condition {
            let mut kept = Vec::new();
            for item in items {
                let inner = Scope::inside(scope);
                assign(&node.target, item.clone(), &inner)?;
                if self.truth(condition, &inner)? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.body(&node.otherwise, &Scope::inside(scope), to);
        }
        if node.is_recursive {
            self.keep(scope);
        }
        let state = Rc::new(Loop {
            items,
            at: Cell::new(0),
            depth,
            changed: RefCell::default(),
            recursive: node
                .is_recursive
                .then(|| (Arc::clone(node), Rc::downgrade(scope))),
        });
        for (at, item) in state.items.iter().enumerate() {
            state.at.set(at);
            let inner = Scope::inside(scope);
            assign(&node.target, item.clone(), &inner)?;
            inner.set("loop", Py::Loop(Rc::clone(&state)));
            self.body(&node.body, &inner, to)?;
        }
        Ok(())
    }

    fn new_macro(&mut self, definition: &Arc<Macro>, scope: &Rc<Scope>) -> Py {
        self.keep(scope);
        Py::function(Function::Macro {
            definition: Arc::clone(definition),
            scope: Rc::downgrade(scope),
        })
    }

    /// Calls a macro.
    pub(super) fn call_macro(
        &mut self,
        definition: &Macro,
        scope: &Rc<Scope>,
        args: Args,
    ) -> Result<Py, Raised> {
        let inner = Scope::inside(scope);
        let name = &definition.name;
        let mut positional = args.positional.into_iter();
        let mut keyword = args.keyword;
        for (parameter, default) in &definition.parameters {
            let named = keyword.iter().position(|(name, _)| name == parameter);
            let value = match (positional.next(), named) {
                (Some(_), Some(_)) => {
                    return Err(Raised::type_error(format!(
                        "macro '{name}' got multiple values for argument '{parameter}'"
                    )));
                }
                (Some(value), None) => value,
                (None, Some(at)) => keyword.remove(at).1,
                (None, None) => match default {
                    Some(default) => self.evaluate(default, &inner)?,
                    None => Py::undefined(format!("parameter '{parameter}' was not provided")),
                },
            };
            inner.set(parameter, value);
        }
        if definition.takes_caller {
            let at = keyword.iter().position(|(name, _)| name == "caller");
            let caller = match at {
                Some(at) => keyword.remove(at).1,
                None => Py::undefined("No caller defined"),
            };
            inner.set("caller", caller);
        }
        if definition.takes_more_named {
            let entries = keyword
                .drain(..)
                .map(|(name, value)| (Py::str(name), value));
            inner.set("kwargs", Py::dict(entries.collect())?);
        } else if let Some((unknown, _)) = keyword.first() {
            return Err(Raised::type_error(format!(
                "macro '{name}' takes no keyword argument '{unknown}'"
            )));
        }
        let more: Vec<Py> = positional.collect();
        if definition.takes_more {
            inner.set("varargs", Py::tuple(more));
        } else if !more.is_empty() {
            return Err(Raised::type_error(format!(
                "macro '{name}' takes not more than {} argument(s)",
                definition.parameters.len()
            )));
        }
        let mut text = String::new();
        self.deeper(|render| render.body(&definition.body, &inner, &mut text))?;
        Ok(Py::text(text, self.escapes))
    }

    /// `self.name()`
    pub(super) fn call_block(&mut self, block: &Block) -> Result<Py, Raised> {
        let scope = Scope::inside(&Rc::clone(&self.root));
        let mut text = String::new();
        self.deeper(|render| render.body(&block.body, &scope, &mut text))?;
        Ok(Py::text(text, self.escapes))
    }

    pub(super) fn block_of(&self, name: &str) -> Option<Arc<Block>> {
        self.blocks.get(name).cloned()
    }
}

/// Gives a value to a variable, or one each to several.
fn assign(target: &Target, value: Py, scope: &Rc<Scope>) -> Result<(), Raised> {
    match target {
        Target::Name(name) => scope.set(name, value),
        Target::Attribute(name, attribute, span) => match scope.get(name) {
            Some(Py::Namespace(variables)) => {
                variables.borrow_mut().insert(attribute.clone(), value);
            }
            _ => {
                return Err(Raised::new(
                    "TemplateRuntimeError",
                    "cannot assign attribute on non-namespace object",
                )
                .help(format!("make it with `{{% set {name} = namespace() %}}`"))
                .at(*span));
            }
        },
        Target::Several(targets, span) => {
            let items = value.items().map_err(|raised| raised.at(*span))?;
            if items.len() != targets.len() {
                let message = if items.len() > targets.len() {
                    format!("too many values to unpack (expected {})", targets.len())
                } else {
                    format!(
                        "not enough values to unpack (expected {}, got {})",
                        targets.len(),
                        items.len()
                    )
                };
                return Err(Raised::value_error(message).at(*span));
            }
            for (target, item) in targets.iter().zip(items) {
                assign(target, item, scope)?;
            }
        }
    }
    Ok(())
}
