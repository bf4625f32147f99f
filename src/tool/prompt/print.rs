//! How values print: `str`, `repr`, `pprint` and JSON.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::operators::compare;
use super::raised::{Raised, check_length};
use super::value::{Function, Py, View};
use crate::python_value::{self, Tagged};
use crate::value::Value;

/// Deeper values print as `...`: a list can hold itself.
const DEEPEST: usize = 100;

/// `str(value)`
pub(super) fn to_str(value: &Py) -> Result<String, Raised> {
    match value {
        Py::Str(text) => Ok(text.text.to_string()),
        Py::Undefined(undefined) if undefined.class == "UndefinedError" => Ok(String::new()),
        // Something that the sandbox hides prints as nothing, too.
        Py::Undefined(_) => Ok(String::new()),
        value => repr(value),
    }
}

/// `repr(value)`
pub(super) fn repr(value: &Py) -> Result<String, Raised> {
    let mut text = String::new();
    print(value, &mut text, 0)?;
    Ok(text)
}

pub(super) fn repr_text(text: &str) -> String {
    python_value::repr(&Value::from(text))
}

pub(super) fn repr_float(float: f64) -> String {
    python_value::repr(&Tagged::float(float))
}

fn print(value: &Py, to: &mut String, depth: usize) -> Result<(), Raised> {
    check_length(to.len())?;
    if depth > DEEPEST {
        to.push_str("...");
        return Ok(());
    }
    match value {
        Py::Undefined(_) => to.push_str("Undefined"),
        Py::None => to.push_str("None"),
        Py::Bool(true) => to.push_str("True"),
        Py::Bool(false) => to.push_str("False"),
        Py::Int(int) => to.push_str(&int.to_string()),
        Py::Float(float) => to.push_str(&repr_float(*float)),
        Py::Str(text) if text.is_markup => {
            to.push_str("Markup(");
            to.push_str(&repr_text(&text.text));
            to.push(')');
        }
        Py::Str(text) => to.push_str(&repr_text(&text.text)),
        Py::List(items) => print_items("[", &items.borrow(), "]", to, depth)?,
        Py::Tuple(items) if items.len() == 1 => print_items("(", items, ",)", to, depth)?,
        Py::Tuple(items) => print_items("(", items, ")", to, depth)?,
        Py::Dict(dict) => {
            to.push('{');
            for (at, (key, value)) in dict.borrow().values().enumerate() {
                if at > 0 {
                    to.push_str(", ");
                }
                print(key, to, depth + 1)?;
                to.push_str(": ");
                print(value, to, depth + 1)?;
            }
            to.push('}');
        }
        Py::View(view, _) => {
            let open = match view {
                View::Keys => "dict_keys([",
                View::Values => "dict_values([",
                View::Items => "dict_items([",
            };
            print_items(open, &value.items()?, "])", to, depth)?;
        }
        Py::Range(range) if range.step == 1 => {
            write!(to, "range({}, {})", range.start, range.stop)
                .expect("writing to a String cannot fail");
        }
        Py::Range(range) => write!(to, "range({}, {}, {})", range.start, range.stop, range.step)
            .expect("writing to a String cannot fail"),
        Py::Iterator(_) => to.push_str("<generator object>"),
        Py::Namespace(variables) => {
            to.push_str("<Namespace {");
            for (at, (name, value)) in variables.borrow().iter().enumerate() {
                if at > 0 {
                    to.push_str(", ");
                }
                to.push_str(&repr_text(name));
                to.push_str(": ");
                print(value, to, depth + 1)?;
            }
            to.push_str("}>");
        }
        Py::Loop(state) => write!(
            to,
            "<LoopContext {}/{}>",
            state.at.get() + 1,
            state.items.len()
        )
        .expect("writing to a String cannot fail"),
        Py::Template => to.push_str("<TemplateReference None>"),
        Py::Function(function) => match &**function {
            Function::Macro { definition, .. } => {
                write!(to, "<Macro {}>", repr_text(&definition.name))
                    .expect("writing to a String cannot fail");
            }
            Function::Global("dict") => to.push_str("<class 'dict'>"),
            Function::Global(name @ ("cycler" | "joiner" | "namespace")) => {
                let (first, rest) = name.split_at(1);
                let first = first.to_ascii_uppercase();
                write!(to, "<class 'jinja2.utils.{first}{rest}'>")
                    .expect("writing to a String cannot fail");
            }
            Function::Global(name) => {
                write!(to, "<function {name}>").expect("writing to a String cannot fail");
            }
            Function::Method(receiver, name) => write!(
                to,
                "<built-in method {name} of {} object>",
                receiver.type_name()
            )
            .expect("writing to a String cannot fail"),
            _ => write!(to, "<{} object>", value.type_name())
                .expect("writing to a String cannot fail"),
        },
        Py::Opaque(opaque) => to.push_str(&opaque.1),
    }
    Ok(())
}

fn print_items(
    open: &str,
    items: &[Py],
    close: &str,
    to: &mut String,
    depth: usize,
) -> Result<(), Raised> {
    to.push_str(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            to.push_str(", ");
        }
        print(item, to, depth + 1)?;
    }
    to.push_str(close);
    Ok(())
}

/// The entries of a dict by their keys, when all can be compared.
fn sorted_entries(dict: &super::value::Dict) -> Result<Vec<(Py, Py)>, Raised> {
    let mut entries: Vec<(Py, Py)> = dict.values().cloned().collect();
    let mut wrong = None;
    entries.sort_by(|(left, _), (right, _)| {
        compare(left, right, "<").unwrap_or_else(|raised| {
            wrong.get_or_insert(raised);
            Ordering::Equal
        })
    });
    match wrong {
        Some(raised) => Err(raised),
        None => Ok(entries),
    }
}

/// `pprint.pformat(value)`: what does not fit into 80 columns is broken into lines.
pub(super) fn pretty(value: &Py) -> Result<String, Raised> {
    let mut text = String::new();
    pretty_into(value, 0, 0, 0, &mut text)?;
    Ok(text)
}

/// As [`repr`], with the keys of dicts in order.
fn sorted_repr(value: &Py, depth: usize) -> Result<String, Raised> {
    if depth > DEEPEST {
        return Ok("...".to_owned());
    }
    let list = |items: &[Py]| -> Result<String, Raised> {
        let parts: Result<Vec<_>, _> = items
            .iter()
            .map(|item| sorted_repr(item, depth + 1))
            .collect();
        Ok(parts?.join(", "))
    };
    let text = match value {
        Py::List(items) => format!("[{}]", list(&items.borrow())?),
        Py::Tuple(items) if items.len() == 1 => format!("({},)", list(items)?),
        Py::Tuple(items) => format!("({})", list(items)?),
        Py::Dict(dict) => {
            let dict = dict.borrow();
            let entries =
                sorted_entries(&dict).unwrap_or_else(|_| dict.values().cloned().collect());
            let mut parts = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                parts.push(format!(
                    "{}: {}",
                    sorted_repr(&key, depth + 1)?,
                    sorted_repr(&value, depth + 1)?
                ));
            }
            format!("{{{}}}", parts.join(", "))
        }
        value => repr(value)?,
    };
    check_length(text.len())?;
    Ok(text)
}

fn pretty_into(
    value: &Py,
    indent: usize,
    allowance: usize,
    depth: usize,
    to: &mut String,
) -> Result<(), Raised> {
    let line = sorted_repr(value, depth)?;
    check_length(to.len() + line.len())?;
    let room = 80usize.saturating_sub(indent + allowance);
    if line.chars().count() <= room || depth > DEEPEST {
        to.push_str(&line);
        return Ok(());
    }
    let items = |open: &str, items: &[Py], close: &str, to: &mut String| -> Result<(), Raised> {
        to.push_str(open);
        for (at, item) in items.iter().enumerate() {
            let is_last = at + 1 == items.len();
            let after = if is_last { allowance + close.len() } else { 1 };
            pretty_into(item, indent + 1, after, depth + 1, to)?;
            if !is_last {
                to.push_str(",\n");
                to.push_str(&" ".repeat(indent + 1));
            }
        }
        to.push_str(close);
        Ok(())
    };
    match value {
        Py::List(list) => items("[", &list.borrow(), "]", to),
        Py::Tuple(list) if list.len() == 1 => items("(", list, ",)", to),
        Py::Tuple(list) => items("(", list, ")", to),
        Py::Dict(dict) => {
            let dict = dict.borrow();
            let entries =
                sorted_entries(&dict).unwrap_or_else(|_| dict.values().cloned().collect());
            to.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                let is_last = at + 1 == entries.len();
                let key = sorted_repr(key, depth + 1)?;
                to.push_str(&key);
                to.push_str(": ");
                let inner = indent + 1 + key.chars().count() + 2;
                let after = if is_last { allowance + 1 } else { 1 };
                pretty_into(value, inner, after, depth + 1, to)?;
                if !is_last {
                    to.push_str(",\n");
                    to.push_str(&" ".repeat(indent + 1));
                }
            }
            to.push('}');
            Ok(())
        }
        _ => {
            to.push_str(&line);
            Ok(())
        }
    }
}

/// `json.dumps(value, sort_keys=True, indent=indent)`, made safe for HTML.
pub(super) fn html_safe_json(value: &Py, indent: Option<&str>) -> Result<String, Raised> {
    let mut text = String::new();
    json(value, indent, 0, &mut text)?;
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027"))
}

fn json(value: &Py, indent: Option<&str>, depth: usize, to: &mut String) -> Result<(), Raised> {
    check_length(to.len())?;
    if depth > DEEPEST {
        return Err(Raised::value_error("Circular reference detected"));
    }
    let line = |depth: usize, to: &mut String| {
        if let Some(indent) = indent {
            to.push('\n');
            to.push_str(&indent.repeat(depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    let list = |items: &[Py], to: &mut String| -> Result<(), Raised> {
        to.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                to.push_str(comma);
            }
            line(depth + 1, to);
            json(item, indent, depth + 1, to)?;
        }
        if !items.is_empty() {
            line(depth, to);
        }
        to.push(']');
        Ok(())
    };
    match value {
        Py::None => to.push_str("null"),
        Py::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
        Py::Int(int) => to.push_str(&int.to_string()),
        Py::Float(float) => to.push_str(&json_float(*float)),
        Py::Str(text) => json_text(&text.text, to),
        Py::List(items) => list(&items.borrow(), to)?,
        Py::Tuple(items) => list(items, to)?,
        Py::Dict(dict) => {
            let entries = sorted_entries(&dict.borrow())?;
            to.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    to.push_str(comma);
                }
                line(depth + 1, to);
                match key {
                    Py::Str(text) => json_text(&text.text, to),
                    Py::None => to.push_str("\"null\""),
                    Py::Bool(value) => to.push_str(if *value { "\"true\"" } else { "\"false\"" }),
                    Py::Int(int) => {
                        write!(to, "\"{int}\"").expect("writing to a String cannot fail");
                    }
                    Py::Float(float) => write!(to, "\"{}\"", json_float(*float))
                        .expect("writing to a String cannot fail"),
                    other => {
                        return Err(Raised::type_error(format!(
                            "keys must be str, int, float, bool or None, not {}",
                            other.type_name()
                        )));
                    }
                }
                to.push_str(": ");
                json(value, indent, depth + 1, to)?;
            }
            if !entries.is_empty() {
                line(depth, to);
            }
            to.push('}');
        }
        Py::Opaque(opaque) if opaque.0 == "int" => to.push_str(&opaque.1),
        other => {
            return Err(Raised::type_error(format!(
                "Object of type {} is not JSON serializable",
                other.type_name()
            )));
        }
    }
    Ok(())
}

fn json_float(float: f64) -> String {
    if float.is_nan() {
        "NaN".to_owned()
    } else if float.is_infinite() {
        let sign = if float < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else {
        repr_float(float)
    }
}

fn json_text(text: &str, to: &mut String) {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\x08' => to.push_str("\\b"),
            '\x0c' => to.push_str("\\f"),
            ' '..='~' => to.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}").expect("writing to a String cannot fail");
                }
            }
        }
    }
    to.push('"');
}

/// `html.escape` as markupsafe does it.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&#34;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text of a value for a place that holds markup: markup as it is, anything else escaped.
pub(super) fn escaped(value: &Py) -> Result<String, Raised> {
    let text = to_str(value)?;
    Ok(if value.is_markup() {
        text
    } else {
        escape(&text)
    })
}
