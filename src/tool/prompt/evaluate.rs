//! Expressions to values.

use std::rc::Rc;
use std::sync::Arc;

use super::arguments::{Args, int};
use super::globals;
use super::methods;
use super::operators::{binary, concatenate, equal, holds, sign};
use super::print::to_str;
use super::raised::Raised;
use super::render::Render;
use super::scope::Scope;
use super::syntax::{Arguments, Expression, Kind};
use super::value::{Function, Key, Loop, Py, Undefined};

impl Render<'_> {
    pub(super) fn evaluate(
        &mut self,
        expression: &Expression,
        scope: &Rc<Scope>,
    ) -> Result<Py, Raised> {
        self.spend(1)?;
        let value = stacker::maybe_grow(128 << 10, 2 << 20, || self.value(expression, scope))
            .map_err(|raised| raised.at(expression.span))?;
        Ok(value)
    }

    fn all(&mut self, items: &[Expression], scope: &Rc<Scope>) -> Result<Vec<Py>, Raised> {
        items
            .iter()
            .map(|item| self.evaluate(item, scope))
            .collect()
    }

    fn value(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Result<Py, Raised> {
        Ok(match &expression.kind {
            Kind::None => Py::None,
            Kind::Bool(value) => Py::Bool(*value),
            Kind::Integer(value) => Py::Int(*value),
            Kind::Float(value) => Py::Float(*value),
            Kind::Text(text) => Py::str(text),
            Kind::Name(name) => match scope.get(name) {
                Some(value) => value,
                None if name == "self" => Py::Template,
                None => globals::get(name)
                    .unwrap_or_else(|| Py::undefined(format!("'{name}' is undefined"))),
            },
            Kind::List(items) => Py::list(self.all(items, scope)?),
            Kind::Tuple(items) => Py::tuple(self.all(items, scope)?),
            Kind::Dict(entries) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((self.evaluate(key, scope)?, self.evaluate(value, scope)?));
                }
                Py::dict(values)?
            }
            Kind::Not(value) => Py::Bool(!self.truth(value, scope)?),
            Kind::Sign(symbol, value) => {
                let value = self.evaluate(value, scope)?;
                sign(*symbol, &value)?
            }
            Kind::Binary(operator, pair) => {
                let left = self.evaluate(&pair.0, scope)?;
                let right = self.evaluate(&pair.1, scope)?;
                let value = binary(&left, operator, &right)?;
                self.pay(&value)?;
                value
            }
            Kind::And(pair) => {
                let left = self.evaluate(&pair.0, scope)?;
                if left.is_true() {
                    self.evaluate(&pair.1, scope)?
                } else {
                    left
                }
            }
            Kind::Or(pair) => {
                let left = self.evaluate(&pair.0, scope)?;
                if left.is_true() {
                    left
                } else {
                    self.evaluate(&pair.1, scope)?
                }
            }
            Kind::Compare(first, rest) => {
                let mut left = self.evaluate(first, scope)?;
                for (operator, right) in rest {
                    let right = self.evaluate(right, scope)?;
                    if !holds(&left, operator, &right)? {
                        return Ok(Py::Bool(false));
                    }
                    left = right;
                }
                Py::Bool(true)
            }
            Kind::Concat(parts) => {
                let parts = self.all(parts, scope)?;
                let value = concatenate(&parts, self.escapes)?;
                self.pay(&value)?;
                value
            }
            Kind::Conditional(parts) => match (self.truth(&parts.0, scope)?, &parts.2) {
                (true, _) => self.evaluate(&parts.1, scope)?,
                (false, Some(otherwise)) => self.evaluate(otherwise, scope)?,
                (false, None) => Py::undefined(
                    "the inline if-expression evaluated to false and no else section was defined.",
                ),
            },
            Kind::Attribute(value, name) => {
                let value = self.evaluate(value, scope)?;
                self.attribute(&value, name)?
            }
            Kind::Item(pair) => {
                let value = self.evaluate(&pair.0, scope)?;
                if let Kind::Slice(parts) = &pair.1.kind {
                    let part = |render: &mut Self, at: usize| {
                        let part = parts[at].as_ref();
                        part.map(|part| render.evaluate(part, scope)).transpose()
                    };
                    let parts = [part(self, 0)?, part(self, 1)?, part(self, 2)?];
                    return self.slice(&value, &parts);
                }
                let at = self.evaluate(&pair.1, scope)?;
                self.item(&value, &at)?
            }
            Kind::Slice(_) => return Err(Raised::type_error("a slice stands in brackets only")),
            Kind::Call(..) => self.call_with(expression, scope, None)?,
            Kind::Filter(value, filter) => {
                let value = self.evaluate(value, scope)?;
                let args = self.arguments(&filter.arguments, scope)?;
                let value = super::filters::apply(self, &filter.name, value, args)?;
                self.pay(&value)?;
                value
            }
            Kind::Test(value, test) => {
                let value = self.evaluate(value, scope)?;
                let args = self.arguments(&test.arguments, scope)?;
                Py::Bool(super::tests::apply(&test.name, &value, args)?)
            }
        })
    }

    pub(super) fn arguments(
        &mut self,
        arguments: &Arguments,
        scope: &Rc<Scope>,
    ) -> Result<Args, Raised> {
        let mut positional = self.all(&arguments.positional, scope)?;
        if let Some(star) = &arguments.star {
            positional.extend(self.evaluate(star, scope)?.items()?);
        }
        let mut keyword = Vec::with_capacity(arguments.keyword.len());
        for (name, value) in &arguments.keyword {
            keyword.push((name.clone(), self.evaluate(value, scope)?));
        }
        if let Some(star) = &arguments.star_star {
            for (key, value) in globals::pairs(&self.evaluate(star, scope)?)? {
                keyword.push((to_str(&key)?, value));
            }
        }
        Ok(Args {
            positional,
            keyword,
        })
    }

    /// A call; for a `call` tag with its body.
    pub(super) fn call_with(
        &mut self,
        expression: &Expression,
        scope: &Rc<Scope>,
        caller: Option<Py>,
    ) -> Result<Py, Raised> {
        let Kind::Call(function, arguments) = &expression.kind else {
            return Err(Raised::type_error("expected a call"));
        };
        let function = self.evaluate(function, scope)?;
        let mut args = self.arguments(arguments, scope)?;
        args.keyword
            .extend(caller.map(|caller| ("caller".to_owned(), caller)));
        let value = self
            .call(&function, args)
            .map_err(|raised| raised.at(expression.span))?;
        self.pay(&value)?;
        Ok(value)
    }

    fn call(&mut self, function: &Py, args: Args) -> Result<Py, Raised> {
        match function {
            Py::Function(function) => match &**function {
                Function::Global(name) => globals::call(name, args),
                Function::Macro { definition, scope } => {
                    let scope = scope
                        .upgrade()
                        .ok_or_else(|| Raised::new("RuntimeError", "the macro is gone"))?;
                    let definition = Arc::clone(definition);
                    self.call_macro(&definition, &scope, args)
                }
                Function::Method(receiver, name) => methods::call(self, receiver, name, args),
                Function::Cycle(state) => {
                    let items = args.only_positional("cycle")?;
                    let at = state.at.get() % items.len().max(1);
                    items
                        .get(at)
                        .cloned()
                        .ok_or_else(|| Raised::type_error("no items for cycling given"))
                }
                Function::Changed(state) => {
                    let values = args.only_positional("changed")?;
                    let mut last = state.changed.borrow_mut();
                    let same = last.as_ref().is_some_and(|last| {
                        last.len() == values.len()
                            && last.iter().zip(&values).all(|(a, b)| equal(a, b))
                    });
                    *last = Some(values);
                    Ok(Py::Bool(!same))
                }
                Function::Block(block) => {
                    let block = Arc::clone(block);
                    self.call_block(&block)
                }
                Function::CyclerMethod(cycler, method) => Ok(globals::cycle(cycler, method)),
                Function::Joiner { separator, used } => Ok(globals::join(separator, used)),
                Function::Cycler { .. } => {
                    Err(Raised::type_error("'Cycler' object is not callable"))
                }
            },
            Py::Loop(state) => self.recurse(state, args),
            other => {
                other.defined()?;
                Err(Raised::type_error(format!(
                    "'{}' object is not callable",
                    other.type_name()
                )))
            }
        }
    }

    /// `loop(items)`
    fn recurse(&mut self, state: &Loop, args: Args) -> Result<Py, Raised> {
        let [items] = args.bind("loop", ["iterable"], 1)?;
        let again = state
            .recursive
            .as_ref()
            .and_then(|(node, scope)| Some((Arc::clone(node), scope.upgrade()?)));
        let (Some((node, scope)), Some(items)) = (again, items) else {
            return Err(Raised::type_error(
                "The loop must have the 'recursive' marker to be called recursively.",
            ));
        };
        let mut text = String::new();
        let depth = state.depth + 1;
        self.deeper(|render| render.run_loop(&node, &items, depth, &scope, &mut text))?;
        Ok(Py::text(text, self.escapes))
    }

    /// `value.name`: an attribute, else an item.
    pub(super) fn attribute(&mut self, value: &Py, name: &str) -> Result<Py, Raised> {
        if let Some(found) = self.own_attribute(value, name)? {
            return Ok(found);
        }
        if let Py::Dict(dict) = value
            && let Some((_, found)) = dict.borrow().get(&Key::Str(name.into()))
        {
            return Ok(found.clone());
        }
        Ok(missing(value, name))
    }

    /// What Python's `getattr` finds.
    pub(super) fn own_attribute(&mut self, value: &Py, name: &str) -> Result<Option<Py>, Raised> {
        value.defined()?;
        if name.starts_with("__") && methods::is_internal(value, name) {
            return Ok(Some(Py::Undefined(Rc::new(Undefined {
                class: "SecurityError",
                message: format!(
                    "access to attribute '{name}' of '{}' object is unsafe.",
                    value.type_name()
                ),
            }))));
        }
        Ok(match value {
            Py::Loop(state) => loop_attribute(state, name),
            Py::Namespace(variables) => variables.borrow().get(name).cloned(),
            Py::Template => self
                .block_of(name)
                .map(|block| Py::function(Function::Block(block))),
            Py::Function(function) => {
                match (&**function, name) {
                    (Function::Cycler { .. }, "current") => Some(globals::cycle(function, name)),
                    (Function::Cycler { .. }, "next") => Some(Py::function(
                        Function::CyclerMethod(Rc::clone(function), "next"),
                    )),
                    (Function::Cycler { .. }, "reset") => Some(Py::function(
                        Function::CyclerMethod(Rc::clone(function), "reset"),
                    )),
                    (Function::Macro { definition, .. }, "name") => Some(Py::str(&definition.name)),
                    (Function::Macro { definition, .. }, "arguments") => {
                        let names = definition.parameters.iter();
                        Some(Py::tuple(names.map(|(name, _)| Py::str(name)).collect()))
                    }
                    (Function::Macro { definition, .. }, "catch_kwargs") => {
                        Some(Py::Bool(definition.takes_more_named))
                    }
                    (Function::Macro { definition, .. }, "catch_varargs") => {
                        Some(Py::Bool(definition.takes_more))
                    }
                    (Function::Macro { definition, .. }, "caller") => {
                        Some(Py::Bool(definition.takes_caller))
                    }
                    _ => None,
                }
            }
            Py::Int(_) | Py::Bool(_) if matches!(name, "real" | "numerator") => {
                value.as_int().map(Py::Int)
            }
            Py::Int(_) | Py::Bool(_) if name == "imag" => Some(Py::Int(0)),
            Py::Int(_) | Py::Bool(_) if name == "denominator" => Some(Py::Int(1)),
            Py::Float(_) if name == "real" => Some(value.clone()),
            Py::Float(_) if name == "imag" => Some(Py::Float(0.0)),
            // What `groupby` gives: a pair with names.
            Py::Tuple(items) if items.len() == 2 && matches!(name, "grouper" | "list") => {
                items.get(usize::from(name == "list")).cloned()
            }
            _ if methods::exists(value, name) => Some(Py::function(Function::Method(
                value.clone(),
                name.to_owned(),
            ))),
            _ => None,
        })
    }

    /// `value[at]`: an item, else an attribute.
    pub(super) fn item(&mut self, value: &Py, at: &Py) -> Result<Py, Raised> {
        value.defined()?;
        let found = match value {
            Py::Dict(dict) => match Key::of(at) {
                Ok(key) => dict.borrow().get(&key).map(|(_, value)| value.clone()),
                Err(_) => None,
            },
            Py::List(items) if at.as_int().is_some() => {
                let items = items.borrow();
                globals::index(at, items.len())?.map(|at| items[at].clone())
            }
            Py::Tuple(items) if at.as_int().is_some() => {
                globals::index(at, items.len())?.map(|at| items[at].clone())
            }
            Py::Range(range) => {
                let length = usize::try_from(range.len()).unwrap_or(0);
                match at.as_int() {
                    Some(_) => globals::index(at, length)?.and_then(|at| range.items().nth(at)),
                    None => None,
                }
            }
            Py::Str(text) if at.as_int().is_some() => {
                let at = int(at)?;
                let length = i128::try_from(text.text.chars().count()).unwrap_or(0);
                let at = if at < 0 { at + length } else { at };
                let c = usize::try_from(at)
                    .ok()
                    .and_then(|at| text.text.chars().nth(at));
                c.map(|c| Py::text(c.encode_utf8(&mut [0; 4]), text.is_markup))
            }
            _ => None,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        if let Some(name) = at.as_str() {
            if let Some(found) = self.own_attribute(value, name)? {
                return Ok(found);
            }
            return Ok(missing(value, name));
        }
        Ok(missing_item(value, at))
    }

    fn slice(&mut self, value: &Py, parts: &[Option<Py>; 3]) -> Result<Py, Raised> {
        value.defined()?;
        let result = match value {
            Py::Str(text) => {
                let chars: Vec<char> = text.text.chars().collect();
                self.spend(chars.len() / 16)?;
                let places = globals::slice(parts, chars.len())?;
                let sliced: String = places.into_iter().map(|at| chars[at]).collect();
                Py::text(sliced, text.is_markup)
            }
            Py::List(items) => {
                let items = items.borrow();
                let places = globals::slice(parts, items.len())?;
                Py::list(places.into_iter().map(|at| items[at].clone()).collect())
            }
            Py::Tuple(items) => {
                let places = globals::slice(parts, items.len())?;
                Py::tuple(places.into_iter().map(|at| items[at].clone()).collect())
            }
            Py::Range(_) => {
                let items = value.items()?;
                let places = globals::slice(parts, items.len())?;
                Py::list(places.into_iter().map(|at| items[at].clone()).collect())
            }
            other => missing_item(other, &Py::str("slice")),
        };
        self.pay(&result)?;
        Ok(result)
    }
}

fn described(value: &Py) -> String {
    match value {
        Py::None => "None".to_owned(),
        other => format!("{} object", other.type_name()),
    }
}

fn missing(value: &Py, name: &str) -> Py {
    Py::undefined(format!("'{}' has no attribute '{name}'", described(value)))
}

fn missing_item(value: &Py, at: &Py) -> Py {
    let at = super::print::repr(at).unwrap_or_default();
    Py::undefined(format!("{} has no element {at}", described(value)))
}

fn loop_attribute(state: &Rc<Loop>, name: &str) -> Option<Py> {
    let at = state.at.get();
    let length = state.items.len();
    let number = |number: usize| Some(Py::Int(i128::try_from(number).unwrap_or(0)));
    match name {
        "index" => number(at + 1),
        "index0" => number(at),
        "revindex" => number(length - at),
        "revindex0" => number(length - at - 1),
        "length" => number(length),
        "depth" => number(state.depth + 1),
        "depth0" => number(state.depth),
        "first" => Some(Py::Bool(at == 0)),
        "last" => Some(Py::Bool(at + 1 == length)),
        "previtem" => Some(match at.checked_sub(1) {
            Some(before) => state.items[before].clone(),
            None => Py::undefined("there is no previous item"),
        }),
        "nextitem" => Some(match state.items.get(at + 1) {
            Some(next) => next.clone(),
            None => Py::undefined("there is no next item"),
        }),
        "cycle" => Some(Py::function(Function::Cycle(Rc::clone(state)))),
        "changed" => Some(Py::function(Function::Changed(Rc::clone(state)))),
        _ => None,
    }
}
