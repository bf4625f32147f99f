//! [`Scope`]: the values of one module, and the evaluation of its expressions.

use hcl::eval::{Context, Evaluate as _};
use hcl::expr::{
    BinaryOp, BinaryOperator, ForExpr, Operation, TemplateExpr, TraversalOperator, UnaryOp,
};
use hcl::template::{Element, Template};
use hcl::{Block, Body, Expression, Map, ObjectKey, Value};

use super::configuration::Folder;
use super::functions;
use super::types;
use super::value::{has_unknown, is_unknown, truth, unknown};

/// What expressions of a module see.
pub(super) struct Scope {
    context: Context<'static>,
    /// Steps of evaluations so far.
    steps: std::rc::Rc<std::cell::Cell<usize>>,
}

/// Steps of loops and templates in a module, at most.
const STEPS: usize = 100_000;
/// A text, at most.
const LONGEST: usize = 1 << 20;
/// The name under which the value within a traversal is put.
const INNER: &str = "flowctl_inner";

impl Scope {
    /// The scope of a module that is called with these values.
    pub(super) fn new(folder: &Folder, given: &Map<String, Value>) -> Self {
        let mut context = Context::new();
        functions::declare(&mut context);
        for (root, value) in folder.references.roots() {
            context.declare_var(identifier(root), value.clone());
        }
        let mut scope = Self {
            context,
            steps: std::rc::Rc::default(),
        };
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
            let default = attribute(block.body(), "default");
            let nullable = attribute(block.body(), "nullable").map(|it| self.evaluate(it));
            let nullable = nullable.as_ref().and_then(truth).unwrap_or(true);
            let given = given.get(name).filter(|value| nullable || !value.is_null());
            let value = match (given, default) {
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

    /// Locals may name each other in any order: all are evaluated until nothing changes. A value that
    /// is not settled yet is unknown, and so is what hangs on it.
    fn declare_locals(&mut self, folder: &Folder) {
        let locals: Vec<(&str, &Expression)> = blocks(&folder.blocks, "locals")
            .flat_map(|block| block.body().attributes())
            .map(|attribute| (attribute.key(), attribute.expr()))
            .collect();
        let mut settled: Map<String, Value> = locals
            .iter()
            .map(|(name, _)| ((*name).to_owned(), unknown()))
            .collect();
        for _ in 0..=locals.len() {
            self.declare("local", Value::Object(settled.clone()));
            let next: Map<String, Value> = locals
                .iter()
                .map(|(name, expression)| ((*name).to_owned(), self.evaluate(expression)))
                .collect();
            if next == settled || self.gave_up() {
                return;
            }
            settled = next;
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
            Expression::Conditional(choice) => match truth(&self.evaluate(&choice.cond_expr)) {
                Some(true) => self.evaluate(&choice.true_expr),
                Some(false) => self.evaluate(&choice.false_expr),
                None => unknown(),
            },
            Expression::FuncCall(call) => self.call(call),
            Expression::Operation(operation) => self.operate(operation),
            Expression::ForExpr(each) => self.for_each(each).unwrap_or_else(unknown),
            Expression::TemplateExpr(template) => self.template(template).unwrap_or_else(unknown),
            Expression::Traversal(traversal)
                if !matches!(traversal.expr, Expression::Variable(_)) =>
            {
                let mut context = self.context.clone();
                context.declare_var(identifier(INNER), self.evaluate(&traversal.expr));
                let variable = hcl::expr::Variable::unchecked(INNER);
                let Some(operators) = self.steps_of(&traversal.operators) else {
                    return unknown();
                };
                let outer = hcl::expr::Traversal::new(variable, operators);
                outer.evaluate(&context).unwrap_or_else(|_| unknown())
            }
            Expression::Traversal(traversal) => {
                let Some(operators) = self.steps_of(&traversal.operators) else {
                    return unknown();
                };
                let known = hcl::expr::Traversal::new(traversal.expr.clone(), operators);
                known.evaluate(&self.context).unwrap_or_else(|_| unknown())
            }
            other => other.evaluate(&self.context).unwrap_or_else(|_| unknown()),
        }
    }

    /// The steps of a traversal with what stands in brackets evaluated; none when that is unknown.
    fn steps_of(&self, operators: &[TraversalOperator]) -> Option<Vec<TraversalOperator>> {
        let step = |operator: &TraversalOperator| match operator {
            TraversalOperator::Index(index) => {
                let index = self.evaluate(index);
                (!has_unknown(&index)).then(|| TraversalOperator::Index(Expression::from(index)))
            }
            other => Some(other.clone()),
        };
        operators.iter().map(step).collect()
    }

    /// An operation on something unknown is unknown, unless the other side decides it alone.
    fn operate(&self, operation: &Operation) -> Value {
        let known = match operation {
            Operation::Unary(unary) => {
                let value = self.evaluate(&unary.expr);
                let zero = Value::from(0);
                if has_unknown(&value) || !has_result(&zero, BinaryOperator::Minus, &value) {
                    return unknown();
                }
                Operation::Unary(UnaryOp::new(unary.operator, Expression::from(value)))
            }
            Operation::Binary(binary) => {
                let (left, right) = (
                    self.evaluate(&binary.lhs_expr),
                    self.evaluate(&binary.rhs_expr),
                );
                let decides = match binary.operator {
                    BinaryOperator::And => Some(false),
                    BinaryOperator::Or => Some(true),
                    _ => None,
                };
                if decides.is_some() && [truth(&left), truth(&right)].contains(&decides) {
                    return Value::from(decides == Some(true));
                }
                let is_null = left.is_null() || right.is_null();
                let unknown_whole = is_unknown(&left) || is_unknown(&right);
                // A variable that must be given is given: it is not null, whatever else it is.
                if is_null && unknown_whole {
                    return match binary.operator {
                        BinaryOperator::Eq => Value::from(false),
                        BinaryOperator::NotEq => Value::from(true),
                        _ => unknown(),
                    };
                }
                if has_unknown(&left) || has_unknown(&right) {
                    return unknown();
                }
                if !has_result(&left, binary.operator, &right) {
                    return unknown();
                }
                let (left, right) = (Expression::from(left), Expression::from(right));
                Operation::Binary(BinaryOp::new(left, binary.operator, right))
            }
        };
        known.evaluate(&self.context).unwrap_or_else(|_| unknown())
    }

    /// `None` when it is unknown which elements there are.
    fn for_each(&self, each: &ForExpr) -> Option<Value> {
        let collection = self.evaluate(&each.collection_expr);
        let items: Vec<(Value, Value)> = match &collection {
            Value::Array(items) => {
                let numbered = items.iter().enumerate();
                numbered
                    .map(|(at, item)| (Value::from(at), item.clone()))
                    .collect()
            }
            Value::Object(_) => elements(&collection)?,
            _ => return None,
        };
        let (mut list, mut object) = (Vec::new(), Map::new());
        for (key, value) in items {
            self.step()?;
            let mut inner = self.inside();
            if let Some(name) = &each.key_var {
                inner.context.declare_var(name.clone(), key);
            }
            inner.context.declare_var(each.value_var.clone(), value);
            if let Some(condition) = &each.cond_expr
                && !truth(&inner.evaluate(condition))?
            {
                continue;
            }
            let value = inner.evaluate(&each.value_expr);
            let Some(key) = &each.key_expr else {
                list.push(value);
                continue;
            };
            let key = match inner.evaluate(key) {
                key if has_unknown(&key) => return None,
                Value::String(key) => key,
                key @ (Value::Bool(_) | Value::Number(_)) => key.to_string(),
                _ => return None,
            };
            if each.grouping {
                let group = object
                    .entry(key)
                    .or_insert_with(|| Value::Array(Vec::new()));
                group.as_array_mut()?.push(value);
            } else {
                object.insert(key, value);
            }
        }
        Some(if each.key_expr.is_some() {
            Value::Object(object)
        } else {
            Value::Array(list)
        })
    }

    /// `None` for a template that this room does not evaluate.
    fn template(&self, expression: &TemplateExpr) -> Option<Value> {
        let template = Template::from_expr(expression).ok()?;
        let elements = template.elements();
        if let [Element::Interpolation(only)] = elements {
            return Some(self.evaluate(&only.expr));
        }
        let mut text = String::new();
        for element in elements {
            self.step()?;
            match element {
                Element::Literal(literal) => text.push_str(literal),
                Element::Interpolation(interpolation) => match self.evaluate(&interpolation.expr) {
                    Value::String(inner) => text.push_str(&inner),
                    value @ (Value::Bool(_) | Value::Number(_)) => {
                        text.push_str(&value.to_string());
                    }
                    _ => return None,
                },
                Element::Directive(_) => return None,
            }
            if text.len() > LONGEST {
                return None;
            }
        }
        Some(Value::from(text))
    }

    /// A scope within this one, for the variables of a loop.
    fn inside(&self) -> Self {
        Self {
            context: self.context.clone(),
            steps: std::rc::Rc::clone(&self.steps),
        }
    }

    /// Counts one step of an evaluation; `None` when there were too many: what a configuration says
    /// may never end.
    fn step(&self) -> Option<()> {
        self.steps.set(self.steps.get() + 1);
        (self.steps.get() < STEPS).then_some(())
    }

    /// Whether an evaluation was given up.
    pub(super) fn gave_up(&self) -> bool {
        self.steps.get() >= STEPS
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

/// Whether there is a number that an operation gives: the library does not ask, and ends the program.
fn has_result(left: &Value, operator: BinaryOperator, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else {
        return true;
    };
    let result = match operator {
        BinaryOperator::Plus => left + right,
        BinaryOperator::Minus => left - right,
        BinaryOperator::Mul => left * right,
        BinaryOperator::Div => left / right,
        BinaryOperator::Mod => left % right,
        _ => return true,
    };
    // Whole numbers have 64 bits there.
    result.is_finite() && result.abs() < 9e18
}
