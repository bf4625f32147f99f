//! Python's two ways to format: `'%s' % value` and `'{}'.format(value)`.

use super::number::{as_float, truncate};
use super::print::{escape, repr, to_str};
use super::raised::{Raised, check_length};
use super::value::{Key, Py};

/// What the formatting of Rust takes at most.
const MOST_DIGITS: usize = 60_000;

/// How a number or text is laid out.
#[derive(Clone, Debug, Default)]
struct Layout {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
}

fn number_at(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<Option<usize>, Raised> {
    let mut number: Option<usize> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        let digit = usize::try_from(digit).unwrap_or_default();
        let next = number.unwrap_or(0).saturating_mul(10).saturating_add(digit);
        check_length(next)?;
        number = Some(next);
        chars.next();
    }
    Ok(number)
}

/// `text % arguments`
pub(super) fn percent(text: &str, arguments: &Py, is_markup: bool) -> Result<String, Raised> {
    let (positional, is_single) = match arguments {
        Py::Tuple(items) => (items.to_vec(), false),
        other => (vec![other.clone()], true),
    };
    let mut used = 0;
    let mut formatted = String::new();
    let mut chars = text.chars().peekable();
    let mut is_mapped = false;
    while let Some(c) = chars.next() {
        check_length(formatted.len())?;
        if c != '%' {
            formatted.push(c);
            continue;
        }
        let mut mapped = None;
        if chars.peek() == Some(&'(') {
            chars.next();
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            let Py::Dict(dict) = arguments else {
                return Err(Raised::type_error("format requires a mapping"));
            };
            let key = Key::Str(name.as_str().into());
            let found = dict.borrow().get(&key).map(|(_, value)| value.clone());
            let missing = || Raised::new("KeyError", super::print::repr_text(&name));
            mapped = Some(found.ok_or_else(missing)?);
            is_mapped = true;
        }
        let mut take = || {
            let value = positional.get(used).cloned();
            used += 1;
            value.ok_or_else(|| Raised::type_error("not enough arguments for format string"))
        };
        let mut layout = Layout::default();
        while let Some(flag) = chars.peek().copied() {
            match flag {
                '#' => layout.alternate = true,
                '0' => layout.zero = true,
                '-' => layout.align = Some('<'),
                ' ' => {
                    layout.sign.get_or_insert(' ');
                }
                '+' => layout.sign = Some('+'),
                _ => break,
            }
            chars.next();
        }
        let starred = |take: &mut dyn FnMut() -> Result<Py, Raised>| {
            let value = take()?;
            value
                .as_int()
                .ok_or_else(|| Raised::type_error("* wants int"))
        };
        if chars.peek() == Some(&'*') {
            chars.next();
            let width = starred(&mut take)?;
            if width < 0 {
                layout.align = Some('<');
            }
            layout.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        } else if let Some(width) = number_at(&mut chars)? {
            layout.width = width;
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            layout.precision = Some(if chars.peek() == Some(&'*') {
                chars.next();
                usize::try_from(starred(&mut take)?).unwrap_or(0)
            } else {
                number_at(&mut chars)?.unwrap_or(0)
            });
        }
        while chars.peek().is_some_and(|c| matches!(c, 'h' | 'l' | 'L')) {
            chars.next();
        }
        let Some(kind) = chars.next() else {
            return Err(Raised::value_error("incomplete format"));
        };
        if kind == '%' {
            formatted.push('%');
            continue;
        }
        let value = match mapped {
            Some(value) => value,
            None => take()?,
        };
        formatted.push_str(&converted(&value, kind, &layout, is_markup)?);
    }
    let all_used = used >= positional.len() || is_mapped;
    let may_stay = is_single && matches!(arguments, Py::Dict(_) | Py::List(_));
    if !all_used && !may_stay {
        return Err(Raised::type_error(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(formatted)
}

fn converted(value: &Py, kind: char, layout: &Layout, is_markup: bool) -> Result<String, Raised> {
    let integer = |value: &Py| -> Result<i128, Raised> {
        match value {
            Py::Float(float) if matches!(kind, 'd' | 'i' | 'u') => {
                truncate(*float).ok_or_else(super::number::too_large)
            }
            other => {
                let wanted = if matches!(kind, 'd' | 'i' | 'u') {
                    "a real number"
                } else {
                    "an integer"
                };
                other.as_int().ok_or_else(|| {
                    Raised::type_error(format!(
                        "%{kind} format: {wanted} is required, not {}",
                        other.type_name()
                    ))
                })
            }
        }
    };
    if !matches!(kind, 's' | 'r' | 'a') {
        value.defined()?;
    }
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind == 's' {
                to_str(value)?
            } else {
                repr(value)?
            };
            let text = if is_markup && !value.is_markup() {
                escape(&text)
            } else {
                text
            };
            let text = match layout.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text,
            };
            pad(&text, layout, '>')
        }
        'd' | 'i' | 'u' => number(&integers(integer(value)?, 'd', layout)?, layout),
        'o' | 'x' | 'X' => number(&integers(integer(value)?, kind, layout)?, layout),
        'c' => {
            let text = match value {
                Py::Str(text) if text.text.chars().count() == 1 => text.text.to_string(),
                other => other
                    .as_int()
                    .and_then(|code| u32::try_from(code).ok())
                    .and_then(char::from_u32)
                    .map(String::from)
                    .ok_or_else(|| Raised::type_error("%c requires int or char"))?,
            };
            pad(&text, layout, '>')
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let Some(float) = as_float(value) else {
                return Err(Raised::type_error(format!(
                    "must be real number, not {}",
                    value.type_name()
                )));
            };
            number(&floats(float, kind, layout)?, layout)
        }
        other => Err(Raised::value_error(format!(
            "unsupported format character '{other}'"
        ))),
    }
}

/// A sign, what stands before the digits, and the digits.
struct Digits {
    sign: String,
    prefix: String,
    digits: String,
}

fn sign_of(negative: bool, layout: &Layout) -> String {
    match (negative, layout.sign) {
        (true, _) => "-".to_owned(),
        (false, Some(sign @ ('+' | ' '))) => sign.to_string(),
        _ => String::new(),
    }
}

fn integers(int: i128, kind: char, layout: &Layout) -> Result<Digits, Raised> {
    let size = int.unsigned_abs();
    let (digits, prefix) = match kind {
        'b' => (format!("{size:b}"), "0b"),
        'o' => (format!("{size:o}"), "0o"),
        'x' => (format!("{size:x}"), "0x"),
        'X' => (format!("{size:X}"), "0X"),
        _ => (size.to_string(), ""),
    };
    let digits = match layout.precision {
        Some(precision) if precision > digits.len() => {
            check_length(precision)?;
            "0".repeat(precision - digits.len()) + &digits
        }
        _ => digits,
    };
    let size = if kind == 'd' || kind == 'n' { 3 } else { 4 };
    Ok(Digits {
        sign: sign_of(int < 0, layout),
        prefix: if layout.alternate { prefix } else { "" }.to_owned(),
        digits: grouped(&digits, layout.grouping, size),
    })
}

fn grouped(digits: &str, separator: Option<char>, size: usize) -> String {
    let Some(separator) = separator else {
        return digits.to_owned();
    };
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(size) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

fn exponential(size: f64, precision: usize) -> (String, i32) {
    let text = format!("{size:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

fn floats(value: f64, kind: char, layout: &Layout) -> Result<Digits, Raised> {
    let precision = layout.precision.unwrap_or(6);
    if precision > MOST_DIGITS {
        return Err(Raised::value_error("precision too big"));
    }
    let size = value.abs();
    let sign = sign_of(value.is_sign_negative() && !value.is_nan(), layout);
    let mut digits = if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        "inf".to_owned()
    } else {
        match kind.to_ascii_lowercase() {
            'f' => format!("{size:.precision$}"),
            '%' => format!("{:.precision$}%", size * 100.0),
            'e' => {
                let (digits, exponent) = exponential(size, precision);
                with_exponent(&digits, exponent)
            }
            _ => {
                let precision = precision.max(1);
                let (digits, exponent) = exponential(size, precision - 1);
                let wide = i32::try_from(precision).unwrap_or(i32::MAX);
                if (-4..wide).contains(&exponent) {
                    let places = usize::try_from(wide - 1 - exponent).unwrap_or(0);
                    let fixed = format!("{size:.places$}");
                    if layout.alternate {
                        fixed
                    } else {
                        without_zeros(&fixed).to_owned()
                    }
                } else if layout.alternate {
                    with_exponent(&digits, exponent)
                } else {
                    with_exponent(without_zeros(&digits), exponent)
                }
            }
        }
    };
    if layout.grouping.is_some() && value.is_finite() {
        let end = digits.find(['.', 'e', '%']).unwrap_or(digits.len());
        digits = grouped(&digits[..end], layout.grouping, 3) + &digits[end..];
    }
    if kind.is_ascii_uppercase() {
        digits.make_ascii_uppercase();
    }
    Ok(Digits {
        sign,
        prefix: String::new(),
        digits,
    })
}

fn number(digits: &Digits, layout: &Layout) -> Result<String, Raised> {
    check_length(layout.width)?;
    let Digits {
        sign,
        prefix,
        digits,
    } = digits;
    let length = sign.len() + prefix.len() + digits.chars().count();
    let missing = layout.width.saturating_sub(length);
    let fills_inside = layout.align == Some('=') || (layout.align.is_none() && layout.zero);
    if fills_inside {
        let fill = layout.fill.unwrap_or(if layout.zero { '0' } else { ' ' });
        let fill = String::from(fill).repeat(missing);
        return Ok(format!("{sign}{prefix}{fill}{digits}"));
    }
    pad(&format!("{sign}{prefix}{digits}"), layout, '>')
}

fn pad(text: &str, layout: &Layout, default: char) -> Result<String, Raised> {
    check_length(layout.width)?;
    let missing = layout.width.saturating_sub(text.chars().count());
    let fill = layout.fill.unwrap_or(' ');
    let (left, right) = match layout.align.unwrap_or(default) {
        '<' => (0, missing),
        '^' => (missing / 2, missing - missing / 2),
        _ => (missing, 0),
    };
    let repeat = |times: usize| String::from(fill).repeat(times);
    Ok(format!("{}{text}{}", repeat(left), repeat(right)))
}

/// `format(value, specification)`
pub(super) fn format(value: &Py, specification: &str) -> Result<String, Raised> {
    if specification.is_empty() {
        return to_str(value);
    }
    let mut chars = specification.chars().peekable();
    let mut layout = Layout::default();
    let mut ahead = specification.chars();
    match (ahead.next(), ahead.next()) {
        (Some(fill), Some(align @ ('<' | '>' | '^' | '='))) => {
            layout.fill = Some(fill);
            layout.align = Some(align);
            chars.next();
            chars.next();
        }
        (Some(align @ ('<' | '>' | '^' | '=')), _) => {
            layout.align = Some(align);
            chars.next();
        }
        _ => {}
    }
    if let Some(sign @ ('+' | '-' | ' ')) = chars.peek().copied() {
        layout.sign = Some(sign);
        chars.next();
    }
    if chars.next_if_eq(&'#').is_some() {
        layout.alternate = true;
    }
    if chars.next_if_eq(&'0').is_some() {
        layout.zero = true;
        layout.fill.get_or_insert('0');
    }
    layout.width = number_at(&mut chars)?.unwrap_or(0);
    layout.grouping = chars.next_if(|c| matches!(c, ',' | '_'));
    if chars.next_if_eq(&'.').is_some() {
        let precision = number_at(&mut chars)?;
        layout.precision = Some(
            precision.ok_or_else(|| Raised::value_error("Format specifier missing precision"))?,
        );
    }
    let kind = chars.next();
    let unknown = |kind: char| {
        Raised::value_error(format!(
            "Unknown format code '{kind}' for object of type '{}'",
            value.type_name()
        ))
    };
    if chars.next().is_some() {
        return Err(Raised::value_error("Invalid format specifier"));
    }
    match (value, kind) {
        (Py::Str(text), None | Some('s')) => {
            let text: String = match layout.precision {
                Some(precision) => text.text.chars().take(precision).collect(),
                None => text.text.to_string(),
            };
            pad(&text, &layout, '<')
        }
        (Py::Float(float), None) => {
            if layout.precision.is_some() {
                return number(&floats(*float, 'g', &layout)?, &layout);
            }
            let text = super::print::repr_float(float.abs());
            let end = text.find(['.', 'e']).unwrap_or(text.len());
            let digits = Digits {
                sign: sign_of(float.is_sign_negative(), &layout),
                prefix: String::new(),
                digits: grouped(&text[..end], layout.grouping, 3) + &text[end..],
            };
            number(&digits, &layout)
        }
        (_, Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'))) => {
            let float = as_float(value).ok_or_else(|| unknown(kind))?;
            number(&floats(float, kind, &layout)?, &layout)
        }
        (Py::Bool(_) | Py::Int(_), kind) => {
            let int = value.as_int().unwrap_or_default();
            match kind.unwrap_or('d') {
                'c' => {
                    let c = u32::try_from(int).ok().and_then(char::from_u32);
                    let c = c.ok_or_else(|| {
                        Raised::new("OverflowError", "%c arg not in range(0x110000)")
                    })?;
                    pad(&c.to_string(), &layout, '<')
                }
                kind @ ('b' | 'd' | 'o' | 'x' | 'X' | 'n') => {
                    let kind = if kind == 'n' { 'd' } else { kind };
                    layout.precision = None;
                    number(&integers(int, kind, &layout)?, &layout)
                }
                kind => Err(unknown(kind)),
            }
        }
        (_, Some(kind)) if matches!(value, Py::Str(_) | Py::Float(_)) => Err(unknown(kind)),
        _ => {
            value.defined()?;
            Err(Raised::type_error(format!(
                "unsupported format string passed to {}.__format__",
                value.type_name()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_formats_as_python() {
        let format = |text: &str, arguments: Vec<Py>| {
            percent(text, &Py::tuple(arguments), false).map_err(|raised| raised.message)
        };
        for (text, value, formatted) in [
            ("%5.1f|", Py::Float(2.345), "  2.3|"),
            ("%-5d|", Py::Int(42), "42   |"),
            ("%05d", Py::Int(-42), "-0042"),
            ("%+d", Py::Int(1), "+1"),
            ("%#x", Py::Int(255), "0xff"),
            ("%e", Py::Float(12345.678), "1.234568e+04"),
            ("%g", Py::Float(0.0001), "0.0001"),
            ("%g", Py::Float(1e20), "1e+20"),
            ("%.3s", Py::str("abcdef"), "abc"),
            ("%r", Py::str("a"), "'a'"),
            ("%c", Py::Int(65), "A"),
        ] {
            assert_eq!(
                format(text, vec![value]).as_deref(),
                Ok(formatted),
                "{text}"
            );
        }
        assert_eq!(
            format("%s", vec![]),
            Err("not enough arguments for format string".to_owned())
        );
        assert!(format("%99999999999d", vec![Py::Int(1)]).is_err());
        assert!(format("%.99999f", vec![Py::Float(1.0)]).is_err());
    }

    #[test]
    fn specifications_format_as_python() {
        for (value, specification, formatted) in [
            (Py::Float(3.24159), ".2f", "3.24"),
            (Py::Int(1_234_567), ",", "1,234,567"),
            (Py::Float(1234.5), ",.2f", "1,234.50"),
            (Py::Int(42), "08b", "00101010"),
            (Py::str("a"), "^5", "  a  "),
            (Py::str("a"), "*<3", "a**"),
            (Py::Float(0.256), ".1%", "25.6%"),
            (Py::Int(-5), "=+4", "-  5"),
            (Py::Float(2.0), "", "2.0"),
            (Py::Int(7), ">3", "  7"),
        ] {
            assert_eq!(
                super::format(&value, specification).ok().as_deref(),
                Some(formatted),
                "{specification}"
            );
        }
        assert!(super::format(&Py::str("a"), "d").is_err());
    }
}
