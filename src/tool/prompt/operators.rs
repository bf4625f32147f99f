//! Arithmetic and comparison, as Python does them.

use std::cmp::Ordering;

use super::format::percent;
use super::number::{as_float, exact_int, float, too_large};
use super::print::{escape, escaped};
use super::raised::{Raised, check_length};
use super::value::{Key, Py, View};

/// `left == right`
pub(super) fn equal(left: &Py, right: &Py) -> bool {
    equal_at(left, right, 0)
}

fn equal_at(left: &Py, right: &Py, depth: usize) -> bool {
    if depth > 100 {
        return false;
    }
    let all = |left: &[Py], right: &[Py]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| equal_at(left, right, depth + 1))
    };
    match (left, right) {
        (Py::Undefined(_), Py::Undefined(_)) | (Py::None, Py::None) => true,
        (Py::Str(left), Py::Str(right)) => left.text == right.text,
        (Py::List(left), Py::List(right)) => {
            std::rc::Rc::ptr_eq(left, right) || all(&left.borrow(), &right.borrow())
        }
        (Py::Tuple(left), Py::Tuple(right)) => all(left, right),
        (Py::Dict(left), Py::Dict(right)) => {
            if std::rc::Rc::ptr_eq(left, right) {
                return true;
            }
            let (left, right) = (left.borrow(), right.borrow());
            left.len() == right.len()
                && left.iter().all(|(key, (_, value))| {
                    right
                        .get(key)
                        .is_some_and(|(_, other)| equal_at(value, other, depth + 1))
                })
        }
        (Py::Range(left), Py::Range(right)) => {
            left == right || (left.len() == 0 && right.len() == 0)
        }
        (Py::Opaque(left), Py::Opaque(right)) => left == right,
        _ => numbers(left, right) == Some(Ordering::Equal),
    }
}

/// The order of two numbers; none for anything else and for NaN.
fn numbers(left: &Py, right: &Py) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Py::Float(left), Py::Float(right)) => left.partial_cmp(right),
        (Py::Float(left), right) => Some(order_of(right.as_int()?, *left)?.reverse()),
        (left, Py::Float(right)) => order_of(left.as_int()?, *right),
        _ => None,
    }
}

fn order_of(int: i128, number: f64) -> Option<Ordering> {
    match exact_int(number) {
        Some(exact) => Some(int.cmp(&exact)),
        None => float(int).partial_cmp(&number),
    }
}

/// The order of two values that have one. `operator` is for the message.
pub(super) fn compare(left: &Py, right: &Py, operator: &str) -> Result<Ordering, Raised> {
    left.defined()?;
    right.defined()?;
    let several = |left: &[Py], right: &[Py]| {
        for (left, right) in left.iter().zip(right) {
            if !equal(left, right) {
                return compare(left, right, operator);
            }
        }
        Ok(left.len().cmp(&right.len()))
    };
    match (left, right) {
        (Py::Str(left), Py::Str(right)) => Ok(left.text.cmp(&right.text)),
        (Py::List(left), Py::List(right)) => several(&left.borrow(), &right.borrow()),
        (Py::Tuple(left), Py::Tuple(right)) => several(left, right),
        _ => {
            if as_float(left).is_some() && as_float(right).is_some() {
                // NaN is neither smaller nor greater; whoever sorts gets no order.
                return Ok(numbers(left, right).unwrap_or(Ordering::Greater));
            }
            Err(Raised::type_error(format!(
                "'{operator}' not supported between instances of '{}' and '{}'",
                left.type_name(),
                right.type_name()
            )))
        }
    }
}

/// One comparison of a chain.
pub(super) fn holds(left: &Py, operator: &str, right: &Py) -> Result<bool, Raised> {
    let is_nan = |value: &Py| matches!(value, Py::Float(value) if value.is_nan());
    Ok(match operator {
        "==" => equal(left, right),
        "!=" => !equal(left, right),
        "in" => contains(right, left)?,
        "not in" => !contains(right, left)?,
        _ => {
            let order = compare(left, right, operator)?;
            let is_number = as_float(left).is_some();
            if is_number && (is_nan(left) || is_nan(right)) {
                return Ok(false);
            }
            match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            }
        }
    })
}

/// `item in container`
pub(super) fn contains(container: &Py, item: &Py) -> Result<bool, Raised> {
    match container {
        Py::Str(text) => match item {
            Py::Str(part) => Ok(text.text.contains(&*part.text)),
            other => {
                other.defined()?;
                Err(Raised::type_error(format!(
                    "'in <string>' requires string as left operand, not {}",
                    other.type_name()
                )))
            }
        },
        Py::Dict(dict) | Py::View(View::Keys, dict) => {
            Ok(dict.borrow().contains_key(&Key::of(item)?))
        }
        Py::None | Py::Bool(_) | Py::Int(_) | Py::Float(_) => Err(Raised::type_error(format!(
            "argument of type '{}' is not iterable",
            container.type_name()
        ))),
        other => Ok(other.items()?.iter().any(|other| equal(other, item))),
    }
}

/// `left operator right`
pub(super) fn binary(left: &Py, operator: &'static str, right: &Py) -> Result<Py, Raised> {
    left.defined()?;
    // `%` with a text looks at its operand itself.
    if !(operator == "%" && left.as_str().is_some()) {
        right.defined()?;
    }
    let result = match operator {
        "+" => add(left, right)?,
        "*" => multiply(left, right)?,
        "%" if left.as_str().is_some() => {
            let text = left.as_str().unwrap_or_default();
            let formatted = percent(text, right, left.is_markup())?;
            Some(Py::text(formatted, left.is_markup()))
        }
        _ => None,
    };
    if let Some(result) = result {
        return Ok(result);
    }
    if let (Some(left), Some(right)) = (left.as_int(), right.as_int())
        && let Some(result) = integers(left, operator, right)?
    {
        return Ok(result);
    }
    if let (Some(left), Some(right)) = (as_float(left), as_float(right)) {
        return floats(left, operator, right).map(Py::Float);
    }
    Err(Raised::type_error(match (left, operator) {
        (Py::Str(_), "+") => format!(
            "can only concatenate str (not \"{}\") to str",
            right.type_name()
        ),
        (Py::List(_), "+") => format!(
            "can only concatenate list (not \"{}\") to list",
            right.type_name()
        ),
        _ => format!(
            "unsupported operand type(s) for {operator}: '{}' and '{}'",
            left.type_name(),
            right.type_name()
        ),
    }))
}

fn add(left: &Py, right: &Py) -> Result<Option<Py>, Raised> {
    Ok(match (left, right) {
        (Py::Str(a), Py::Str(b)) => {
            check_length(a.text.len() + b.text.len())?;
            let is_markup = a.is_markup || b.is_markup;
            Some(if is_markup {
                Py::markup(escaped(left)? + &escaped(right)?)
            } else {
                Py::str([&*a.text, &*b.text].concat())
            })
        }
        (Py::List(left), Py::List(right)) => {
            check_length(left.borrow().len() + right.borrow().len())?;
            let mut items = left.borrow().clone();
            items.extend(right.borrow().iter().cloned());
            Some(Py::list(items))
        }
        (Py::Tuple(left), Py::Tuple(right)) => {
            check_length(left.len() + right.len())?;
            Some(Py::tuple(left.iter().chain(&**right).cloned().collect()))
        }
        _ => None,
    })
}

fn multiply(left: &Py, right: &Py) -> Result<Option<Py>, Raised> {
    let (value, times) = match (left.as_int(), right.as_int()) {
        (None, Some(times)) => (left, times),
        (Some(times), None) => (right, times),
        _ => return Ok(None),
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    Ok(match value {
        Py::Str(text) => {
            check_length(text.text.len().saturating_mul(times))?;
            Some(Py::text(text.text.repeat(times), text.is_markup))
        }
        Py::List(items) => {
            check_length(items.borrow().len().saturating_mul(times))?;
            Some(Py::list(repeat(&items.borrow(), times)))
        }
        Py::Tuple(items) => {
            check_length(items.len().saturating_mul(times))?;
            Some(Py::tuple(repeat(items, times)))
        }
        _ => None,
    })
}

fn repeat(items: &[Py], times: usize) -> Vec<Py> {
    let mut repeated = Vec::new();
    for _ in 0..if items.is_empty() { 0 } else { times } {
        repeated.extend_from_slice(items);
    }
    repeated
}

fn division_by_zero() -> Raised {
    Raised::new("ZeroDivisionError", "division by zero")
}

fn integers(left: i128, operator: &str, right: i128) -> Result<Option<Py>, Raised> {
    let result = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "//" | "%" if right == 0 => return Err(division_by_zero()),
        // Python rounds towards minus infinity; the rest has the sign of the divisor.
        "//" => {
            let exact = left.checked_rem(right).is_some_and(|rest| rest == 0);
            let down = !exact && (left < 0) != (right < 0);
            left.checked_div(right)
                .map(|quotient| quotient - i128::from(down))
        }
        "%" => left.checked_rem(right).map(|rest| {
            if rest != 0 && (rest < 0) != (right < 0) {
                rest + right
            } else {
                rest
            }
        }),
        "**" if right >= 0 => match u32::try_from(right) {
            Ok(power) => left.checked_pow(power),
            Err(_) if left == 0 || left == 1 => Some(left),
            Err(_) => None,
        },
        _ => return Ok(None),
    };
    Ok(Some(Py::Int(result.ok_or_else(too_large)?)))
}

fn floats(left: f64, operator: &str, right: f64) -> Result<f64, Raised> {
    Ok(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" | "//" | "%" if right == 0.0 => return Err(division_by_zero()),
        "/" => left / right,
        "//" => (left / right).floor(),
        "%" => {
            let rest = left % right;
            if rest != 0.0 && (rest < 0.0) != (right < 0.0) {
                rest + right
            } else {
                rest
            }
        }
        _ => {
            if left == 0.0 && right < 0.0 {
                return Err(Raised::new(
                    "ZeroDivisionError",
                    "0.0 cannot be raised to a negative power",
                ));
            }
            if left < 0.0 && right.fract() != 0.0 {
                return Err(Raised::value_error(
                    "a root of a negative number is complex, and prompts hold no such numbers",
                ));
            }
            left.powf(right)
        }
    })
}

/// `-value` or `+value`
pub(super) fn sign(sign: char, value: &Py) -> Result<Py, Raised> {
    value.defined()?;
    match (value, value.as_int()) {
        (_, Some(int)) if sign == '+' => Ok(Py::Int(int)),
        (_, Some(int)) => int.checked_neg().map(Py::Int).ok_or_else(too_large),
        (Py::Float(float), _) if sign == '+' => Ok(Py::Float(*float)),
        (Py::Float(float), _) => Ok(Py::Float(-float)),
        _ => Err(Raised::type_error(format!(
            "bad operand type for unary {sign}: '{}'",
            value.type_name()
        ))),
    }
}

/// `left ~ right`, as texts one after another.
pub(super) fn concatenate(values: &[Py], escapes: bool) -> Result<Py, Raised> {
    let mut text = String::new();
    for value in values {
        let part = super::print::to_str(value)?;
        check_length(text.len() + part.len())?;
        if escapes && !value.is_markup() {
            text.push_str(&escape(&part));
        } else {
            text.push_str(&part);
        }
    }
    Ok(Py::text(text, escapes))
}
