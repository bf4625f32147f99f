//! The tests of Jinja2, all of them: what stands behind `is`.

use super::arguments::Args;
use super::filters;
use super::globals;
use super::lexer::Problem;
use super::operators::{binary, contains, equal, holds};
use super::print::to_str;
use super::raised::Raised;
use super::value::{Function, Py};
use crate::diagnostic::{Span, nearest};

const NAMES: [&str; 39] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Whether there is such a test.
pub(super) fn exists(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// The problem of a test that is not there.
pub(super) fn unknown(name: &str, span: Span) -> Problem {
    let problem = Problem::new(format!("there is no test `{name}`"), span);
    match nearest(name, NAMES) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// Applies a test.
pub(super) fn apply(name: &str, value: &Py, args: Args) -> Result<bool, Raised> {
    let operator = match name {
        "==" | "eq" | "equalto" => Some("=="),
        "!=" | "ne" => Some("!="),
        "<" | "lt" | "lessthan" => Some("<"),
        "<=" | "le" => Some("<="),
        ">" | "gt" | "greaterthan" => Some(">"),
        ">=" | "ge" => Some(">="),
        _ => None,
    };
    if let Some(operator) = operator {
        let [other] = args.bind(name, ["other"], 1)?;
        return holds(value, operator, &other.unwrap_or(Py::None));
    }
    match name {
        "divisibleby" => {
            let [by] = args.bind(name, ["num"], 1)?;
            let rest = binary(value, "%", &by.unwrap_or(Py::None))?;
            return Ok(equal(&rest, &Py::Int(0)));
        }
        "in" => {
            let [container] = args.bind(name, ["seq"], 1)?;
            return contains(&container.unwrap_or(Py::None), value);
        }
        "sameas" => {
            let [other] = args.bind(name, ["other"], 1)?;
            return Ok(same(value, &other.unwrap_or(Py::None)));
        }
        _ => {}
    }
    if !exists(name) {
        return Err(Raised::new(
            "TemplateRuntimeError",
            format!("No test named '{name}' found."),
        ));
    }
    args.bind::<0>(name, [], 0)?;
    Ok(match name {
        "boolean" => matches!(value, Py::Bool(_)),
        "callable" => matches!(value, Py::Function(_) | Py::Loop(_) | Py::Undefined(_)),
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "escaped" => value.is_markup(),
        "even" | "odd" => {
            let rest = binary(value, "%", &Py::Int(2))?;
            equal(&rest, &Py::Int(i128::from(name == "odd")))
        }
        "false" => matches!(value, Py::Bool(false)),
        "true" => matches!(value, Py::Bool(true)),
        "float" => matches!(value, Py::Float(_)),
        "integer" => matches!(value, Py::Int(_)),
        "number" => matches!(value, Py::Int(_) | Py::Float(_) | Py::Bool(_)),
        "string" => matches!(value, Py::Str(_)),
        "mapping" => matches!(value, Py::Dict(_)),
        "none" => matches!(value, Py::None),
        "iterable" => matches!(
            value,
            Py::Str(_)
                | Py::List(_)
                | Py::Tuple(_)
                | Py::Dict(_)
                | Py::View(..)
                | Py::Range(_)
                | Py::Iterator(_)
                | Py::Loop(_)
                | Py::Undefined(_)
        ),
        // What has a length and items.
        "sequence" => matches!(
            value,
            Py::Str(_) | Py::List(_) | Py::Tuple(_) | Py::Dict(_) | Py::Range(_) | Py::Undefined(_)
        ),
        "lower" | "upper" => {
            let text = to_str(value)?;
            let has_lower = text.contains(char::is_lowercase);
            let has_upper = text.contains(char::is_uppercase);
            if name == "lower" {
                has_lower && !has_upper
            } else {
                has_upper && !has_lower
            }
        }
        "filter" => value.as_str().is_some_and(filters::exists),
        _ => value.as_str().is_some_and(exists),
    })
}

/// `left is right` in Python.
fn same(left: &Py, right: &Py) -> bool {
    use std::rc::Rc;
    match (left, right) {
        (Py::None, Py::None) => true,
        (Py::Bool(left), Py::Bool(right)) => left == right,
        (Py::Int(left), Py::Int(right)) => left == right,
        (Py::Str(left), Py::Str(right)) => {
            left.text == right.text && left.is_markup == right.is_markup
        }
        (Py::List(left), Py::List(right)) => Rc::ptr_eq(left, right),
        (Py::Tuple(left), Py::Tuple(right)) => {
            Rc::ptr_eq(left, right) || left.is_empty() && right.is_empty()
        }
        (Py::Dict(left), Py::Dict(right)) => Rc::ptr_eq(left, right),
        (Py::Namespace(left), Py::Namespace(right)) => Rc::ptr_eq(left, right),
        (Py::Loop(left), Py::Loop(right)) => Rc::ptr_eq(left, right),
        (Py::Function(left), Py::Function(right)) => {
            Rc::ptr_eq(left, right)
                || matches!((&**left, &**right), (Function::Global(a), Function::Global(b)) if a == b && globals::exists(a))
        }
        (Py::Float(left), Py::Float(right)) => left.to_bits() == right.to_bits(),
        _ => false,
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn names_can_be_searched() {
        assert!(NAMES.is_sorted());
        assert!(exists("upper") && !exists("nope"));
    }
}
