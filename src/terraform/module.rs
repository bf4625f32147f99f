//! [`Scope`]: the values of one module, and the evaluation of its expressions.

use hcl::eval::{Context, Evaluate as _};
use hcl::{Block, Body, Expression, Map, ObjectKey, Value};

use super::configuration::Folder;
use super::functions;
use super::types;
use super::value::{has_unknown, unknown};

/// What expressions of a module see.
pub(super) struct Scope {
    context: Context<'static>,
}

impl Scope {
    /// The scope of a module that is called with these values.
    pub(super) fn new(folder: &Folder, given: &Map<String, Value>) -> Self {
        let mut context = Context::new();
        functions::declare(&mut context);
        for (root, value) in folder.references.roots() {
            context.declare_var(identifier(root), value.clone());
        }
        let mut scope = Self { context };
        let variables = scope.variables(folder, given);
        scope.declare("var", Value::Object(variables));
        scope.declare_locals(folder);
        scope
    }

    /// Declares a name, over the one that was.
    pub(super) fn declare(&mut self, name: &str, value: Value) {
        self.context.declare_var(identifier(name), value);
    }

    fn variables(&self, folder: &Folder, given: &Map<String, Value>) -> Map<String, Value> {
        let declared = blocks(&folder.blocks, "variable").filter_map(|block| {
            let name = block.labels().first()?.as_str();
            let value = match (given.get(name), attribute(block.body(), "default")) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => self.evaluate(default),
                (None, None) => unknown(),
            };
            let value = match attribute(block.body(), "type") {
                Some(constraint) => types::conform(value, constraint),
                None => value,
            };
            Some((name.to_owned(), value))
        });
        declared.collect()
    }

    /// Locals may name each other in any order: what can be settled is, until nothing changes.
    fn declare_locals(&mut self, folder: &Folder) {
        let mut pending: Vec<(&str, &Expression)> = blocks(&folder.blocks, "locals")
            .flat_map(|block| block.body().attributes())
            .map(|attribute| (attribute.key(), attribute.expr()))
            .collect();
        let mut settled = Map::new();
        self.declare("local", Value::Object(settled.clone()));
        loop {
            let before = pending.len();
            pending.retain(
                |(name, expression)| match expression.evaluate(&self.context) {
                    Ok(value) => {
                        settled.insert((*name).to_owned(), value);
                        false
                    }
                    Err(_) => true,
                },
            );
            self.declare("local", Value::Object(settled.clone()));
            if pending.is_empty() {
                return;
            }
            if pending.len() == before {
                break;
            }
        }
        for (name, expression) in pending {
            settled.insert(name.to_owned(), self.evaluate(expression));
            self.declare("local", Value::Object(settled.clone()));
        }
    }

    /// The value of an expression, as far as it is known: one part that is unknown does not make the
    /// whole unknown.
    pub(super) fn evaluate(&self, expression: &Expression) -> Value {
        match expression {
            Expression::Array(items) => items.iter().map(|item| self.evaluate(item)).collect(),
            Expression::Object(fields) => {
                let fields = fields
                    .iter()
                    .filter_map(|(key, value)| Some((self.key(key)?, self.evaluate(value))));
                Value::Object(fields.collect())
            }
            Expression::Parenthesis(inner) => self.evaluate(inner),
            Expression::Conditional(choice) => match choice.cond_expr.evaluate(&self.context) {
                Ok(Value::Bool(true)) => self.evaluate(&choice.true_expr),
                Ok(Value::Bool(false)) => self.evaluate(&choice.false_expr),
                _ => unknown(),
            },
            Expression::FuncCall(call) => self.call(call),
            other => other.evaluate(&self.context).unwrap_or_else(|_| unknown()),
        }
    }

    fn call(&self, call: &hcl::expr::FuncCall) -> Value {
        let name = call.name.name.as_str();
        if name == "try" {
            let tried = call.args.iter().map(|arg| arg.evaluate(&self.context));
            return tried.flatten().next().unwrap_or_else(unknown);
        }
        if name == "can" {
            let tried = call.args.first().map(|arg| arg.evaluate(&self.context));
            return match tried {
                Some(Ok(value)) if has_unknown(&value) => unknown(),
                Some(result) => Value::from(result.is_ok()),
                None => unknown(),
            };
        }
        let mut args: Vec<Value> = call.args.iter().map(|arg| self.evaluate(arg)).collect();
        if call.expand_final {
            match args.pop() {
                Some(Value::Array(rest)) => args.extend(rest),
                _ => return unknown(),
            }
        }
        match functions::call(name, &args) {
            Some(Ok(value)) => value,
            Some(Err(_)) | None => unknown(),
        }
    }

    fn key(&self, key: &ObjectKey) -> Option<String> {
        match key {
            ObjectKey::Identifier(name) => Some(name.as_str().to_owned()),
            ObjectKey::Expression(expression) => match self.evaluate(expression) {
                Value::String(name) => Some(name),
                value @ (Value::Bool(_) | Value::Number(_)) => Some(value.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The attributes of a body and its nested blocks, which are lists by their name.
    pub(super) fn values(&mut self, body: &Body) -> Map<String, Value> {
        let mut values: Map<String, Value> = body
            .attributes()
            .map(|attribute| (attribute.key().to_owned(), self.evaluate(attribute.expr())))
            .collect();
        for block in body.blocks() {
            let label = block.labels().first();
            let (name, contents) = match (block.identifier(), label) {
                ("dynamic", Some(label)) => (label.as_str(), self.dynamic(label.as_str(), block)),
                (name, _) => (name, Some(vec![Value::Object(self.values(block.body()))])),
            };
            match contents {
                // A list that is empty is there all the same: a plan says so too.
                Some(contents) => {
                    let slot = values
                        .entry(name.to_owned())
                        .or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(all) = slot {
                        all.extend(contents);
                    }
                }
                None => {
                    values.insert(name.to_owned(), unknown());
                }
            }
        }
        values
    }

    /// The contents of a dynamic block; `None` when it is unknown how many there are.
    fn dynamic(&mut self, label: &str, block: &Block) -> Option<Vec<Value>> {
        let iterator = match attribute(block.body(), "iterator") {
            Some(Expression::Variable(name)) => name.as_str().to_owned(),
            _ => label.to_owned(),
        };
        let items = elements(&self.evaluate(attribute(block.body(), "for_each")?))?;
        let content = blocks_of(block.body(), "content").next()?;
        let contents = items.into_iter().map(|(key, value)| {
            self.declare(&iterator, hcl::value!({ key = (key), value = (value) }));
            Value::Object(self.values(content.body()))
        });
        Some(contents.collect())
    }
}

/// The elements of what a `for_each` goes over, with their keys; `None` when they are unknown.
pub(super) fn elements(value: &Value) -> Option<Vec<(Value, Value)>> {
    match value {
        Value::Array(items) => Some(
            // The key of a set's element is the element itself.
            items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
        ),
        Value::Object(fields) => Some(
            fields
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), value.clone()))
                .collect(),
        ),
        _ => None,
    }
}

/// The blocks of one kind.
pub(super) fn blocks<'a>(all: &'a [Block], kind: &'a str) -> impl Iterator<Item = &'a Block> {
    all.iter().filter(move |block| block.identifier() == kind)
}

fn blocks_of<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = &'a Block> {
    body.blocks()
        .filter(move |block| block.identifier() == kind)
}

/// The expression of an attribute.
pub(super) fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes()
        .find(|attribute| attribute.key() == name)
        .map(hcl::Attribute::expr)
}

fn identifier(name: &str) -> hcl::Identifier {
    hcl::Identifier::sanitized(name)
}
