//! The filters of Jinja2, all of them.

mod sequence;
mod text;

use super::arguments::Args;
use super::lexer::Problem;
use super::number::{as_float, float, round, truncate};
use super::operators::sign;
use super::raised::Raised;
use super::render::Render;
use super::value::Py;
use crate::diagnostic::{Span, nearest};
use crate::python_value::{parse_float, parse_int};

const NAMES: [&str; 54] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];

/// Whether there is such a filter.
pub(super) fn exists(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// The problem of a filter that is not there.
pub(super) fn unknown(name: &str, span: Span) -> Problem {
    let problem = Problem::new(format!("there is no filter `{name}`"), span);
    match nearest(name, NAMES) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// Applies a filter.
pub(super) fn apply(
    render: &mut Render<'_>,
    name: &str,
    value: Py,
    args: Args,
) -> Result<Py, Raised> {
    match name {
        "abs" => absolute(&value, args),
        "attr" => {
            let [name] = args.bind(name, ["name"], 1)?;
            let name = super::print::to_str(&name.unwrap_or(Py::None))?;
            Ok(match render.own_attribute(&value, &name)? {
                Some(found) => found,
                None => Py::undefined(format!(
                    "'{} object' has no attribute '{name}'",
                    value.type_name()
                )),
            })
        }
        "count" | "length" => {
            args.bind::<0>(name, [], 0)?;
            Ok(Py::Int(i128::try_from(value.len()?).unwrap_or(i128::MAX)))
        }
        "d" | "default" => {
            let [default, boolean] = args.bind(name, ["default_value", "boolean"], 0)?;
            let boolean = boolean.is_some_and(|boolean| boolean.is_true());
            if value.is_undefined() || (boolean && !value.is_true()) {
                return Ok(default.unwrap_or_else(|| Py::str("")));
            }
            Ok(value)
        }
        "int" => to_int(&value, args),
        "float" => {
            let [default] = args.bind(name, ["default"], 0)?;
            value.defined()?;
            let number = match &value {
                Py::Str(text) => parse_float(&text.text),
                other => as_float(other),
            };
            Ok(number.map_or_else(|| default.unwrap_or(Py::Float(0.0)), Py::Float))
        }
        "round" => rounded(&value, args),
        "batch" | "dictsort" | "first" | "groupby" | "items" | "join" | "last" | "list" | "map"
        | "max" | "min" | "random" | "reject" | "rejectattr" | "reverse" | "select"
        | "selectattr" | "slice" | "sort" | "sum" | "unique" => {
            sequence::apply(render, name, &value, args)
        }
        _ if exists(name) => text::apply(render, name, &value, args),
        _ => Err(Raised::new(
            "TemplateRuntimeError",
            format!("No filter named '{name}' found."),
        )),
    }
}

fn absolute(value: &Py, args: Args) -> Result<Py, Raised> {
    args.bind::<0>("abs", [], 0)?;
    match value {
        Py::Float(float) => Ok(Py::Float(float.abs())),
        other => match other.as_int() {
            Some(int) if int < 0 => sign('-', &Py::Int(int)),
            Some(int) => Ok(Py::Int(int)),
            None => Err(Raised::type_error(format!(
                "bad operand type for abs(): '{}'",
                other.type_name()
            ))),
        },
    }
}

fn to_int(value: &Py, args: Args) -> Result<Py, Raised> {
    let [default, base] = args.bind("int", ["default", "base"], 0)?;
    value.defined()?;
    let base = super::arguments::int_or(base.as_ref(), 10)?;
    let number = match value {
        Py::Str(text) => {
            let whole = if base == 10 {
                parse_int(&text.text).map(|int| Py::from_json(&int))
            } else {
                in_base(&text.text, base)
            };
            // `int("3.7")` fails; the filter goes by way of a float then.
            whole.or_else(|| {
                let float = parse_float(&text.text)?;
                truncate(float).map(Py::Int)
            })
        }
        Py::Float(float) => truncate(*float).map(Py::Int),
        other => other.as_int().map(Py::Int),
    };
    Ok(number.unwrap_or_else(|| default.unwrap_or(Py::Int(0))))
}

fn in_base(text: &str, base: i128) -> Option<Py> {
    let text = text.trim().to_ascii_lowercase();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (prefix, radix) = match digits.get(..2) {
        Some("0x") if matches!(base, 0 | 16) => (2, 16),
        Some("0o") if matches!(base, 0 | 8) => (2, 8),
        Some("0b") if matches!(base, 0 | 2) => (2, 2),
        _ if base == 0 => (0, 10),
        _ => (
            0,
            u32::try_from(base)
                .ok()
                .filter(|base| (2..=36).contains(base))?,
        ),
    };
    let digits = &digits[prefix..];
    if digits.starts_with(['+', '-', '_']) || digits.ends_with('_') {
        return None;
    }
    let int = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(Py::Int(if negative { -int } else { int }))
}

fn rounded(value: &Py, args: Args) -> Result<Py, Raised> {
    let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
    let precision = super::arguments::int_or(precision.as_ref(), 0)?;
    let method = match &method {
        Some(method) => super::arguments::text(method)?,
        None => "common",
    };
    let Some(number) = as_float(value) else {
        return Err(Raised::type_error(format!(
            "type {} doesn't define __round__ method",
            value.type_name()
        )));
    };
    let scale = || 10f64.powi(i32::try_from(precision.clamp(-300, 300)).unwrap_or(0));
    match (method, value) {
        ("common", Py::Float(_)) => Ok(Py::Float(round(number, precision))),
        // `round(int, n)` stays an integer.
        ("common", _) if precision >= 0 => Ok(Py::Int(value.as_int().unwrap_or_default())),
        ("common", _) => {
            let rounded = round(float(value.as_int().unwrap_or_default()), precision);
            Ok(truncate(rounded).map_or(Py::Float(rounded), Py::Int))
        }
        ("ceil", _) => Ok(Py::Float((number * scale()).ceil() / scale())),
        ("floor", _) => Ok(Py::Float((number * scale()).floor() / scale())),
        _ => Err(Raised::new(
            "FilterArgumentError",
            "method must be common, ceil or floor",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_searched() {
        assert!(NAMES.is_sorted());
        assert!(exists("xmlattr") && !exists("nope"));
    }
}
