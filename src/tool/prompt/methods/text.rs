//! Methods of strings.

use super::super::arguments::{Args, flag, int_or, size_or, text};
use super::super::format::format;
use super::super::print::{escape, escaped, repr, to_str};
use super::super::raised::{Raised, check_length};
use super::super::render::Render;
use super::super::value::{Key, Py};

/// Python's white space and line ends.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

pub(in super::super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

pub(in super::super) fn strip<'t>(
    text: &'t str,
    chars: Option<&str>,
    left: bool,
    right: bool,
) -> &'t str {
    let goes = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left {
        text.trim_start_matches(goes)
    } else {
        text
    };
    if right {
        text.trim_end_matches(goes)
    } else {
        text
    }
}

/// Replaces, at most `count` times when that is not negative.
pub(in super::super) fn replace(
    text: &str,
    old: &str,
    new: &str,
    count: i128,
) -> Result<String, Raised> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let found = text.matches(old).take(count).count();
    check_length(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

fn fill(text: &str, width: usize, fill: char, left: bool, right: bool) -> Result<String, Raised> {
    check_length(width)?;
    let missing = width.saturating_sub(text.chars().count());
    let (before, after) = match (left, right) {
        // As Python centres: the odd one goes left when the width is odd.
        (true, true) => {
            let before = missing / 2 + (missing & width & 1);
            (before, missing - before)
        }
        (true, false) => (missing, 0),
        _ => (0, missing),
    };
    let repeat = |times: usize| String::from(fill).repeat(times);
    Ok(format!("{}{text}{}", repeat(before), repeat(after)))
}

pub(in super::super) fn center(text: &str, width: usize, with: char) -> Result<String, Raised> {
    fill(text, width, with, true, true)
}

/// `splitlines`
pub(in super::super) fn lines(text: &str, keeps_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_end = matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if !is_end {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() {
            end += 1;
        }
        lines.push(&text[start..if keeps_ends { end } else { at }]);
        start = end;
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

pub(super) fn call(
    render: &mut Render<'_>,
    receiver: &Py,
    name: &str,
    args: Args,
) -> Result<Py, Raised> {
    let (Py::Str(own), is_markup) = (receiver, receiver.is_markup()) else {
        return Err(Raised::type_error("must be str"));
    };
    let own = &*own.text;
    render.spend(own.len() / 16)?;
    let made = |made: String| Ok(Py::text(made, is_markup));
    if matches!(
        name,
        "upper" | "lower" | "casefold" | "capitalize" | "title" | "swapcase"
    ) {
        args.clone().bind::<0>(name, [], 0)?;
    }
    match name {
        "upper" => made(own.to_uppercase()),
        "lower" => made(own.to_lowercase()),
        "casefold" => made(own.chars().map(folded).collect()),
        "capitalize" => made(capitalize(own)),
        "title" => made(title(own)),
        "swapcase" => made(
            own.chars()
                .flat_map(|c| -> Vec<char> {
                    if c.is_uppercase() {
                        c.to_lowercase().collect()
                    } else {
                        c.to_uppercase().collect()
                    }
                })
                .collect(),
        ),
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = args.bind(name, ["chars"], 0)?;
            let chars = chars.filter(|chars| !matches!(chars, Py::None));
            let chars = chars.as_ref().map(text).transpose()?;
            made(strip(own, chars, name != "rstrip", name != "lstrip").to_owned())
        }
        "removeprefix" | "removesuffix" => {
            let [part] = args.bind(name, ["part"], 1)?;
            let part = part.unwrap_or(Py::None);
            let part = text(&part)?;
            let rest = if name == "removeprefix" {
                own.strip_prefix(part)
            } else {
                own.strip_suffix(part)
            };
            made(rest.unwrap_or(own).to_owned())
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
            let (old, new) = (old.unwrap_or(Py::None), new.unwrap_or(Py::None));
            let (old, mut new) = (text(&old)?.to_owned(), text(&new)?.to_owned());
            if is_markup {
                new = escape(&new);
            }
            made(replace(own, &old, &new, int_or(count.as_ref(), -1)?)?)
        }
        "center" | "ljust" | "rjust" => {
            let [width, with] = args.bind(name, ["width", "fillchar"], 1)?;
            let with = with.unwrap_or_else(|| Py::str(" "));
            let mut with = text(&with)?.chars();
            let (Some(with), None) = (with.next(), with.next()) else {
                return Err(Raised::type_error(
                    "The fill character must be exactly one character long",
                ));
            };
            let width = size_or(width.as_ref(), 0)?;
            made(fill(own, width, with, name != "ljust", name != "rjust")?)
        }
        "zfill" => {
            let [width] = args.bind(name, ["width"], 1)?;
            let (sign, digits) = match own.chars().next() {
                Some(sign @ ('+' | '-')) => own.split_at(sign.len_utf8()),
                _ => ("", own),
            };
            let width = size_or(width.as_ref(), 0)?.saturating_sub(sign.len());
            made(format!("{sign}{}", fill(digits, width, '0', true, false)?))
        }
        "expandtabs" => {
            let [size] = args.bind(name, ["tabsize"], 0)?;
            made(expand_tabs(own, size_or(size.as_ref(), 8)?)?)
        }
        "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => {
            split(render, own, name, args, is_markup)
        }
        "join" => {
            let [items] = args.bind(name, ["iterable"], 1)?;
            let items = items.unwrap_or(Py::None).items()?;
            render.spend(items.len())?;
            let mut joined = String::new();
            for (at, item) in items.iter().enumerate() {
                if item.as_str().is_none() {
                    return Err(Raised::type_error(format!(
                        "sequence item {at}: expected str instance, {} found",
                        item.type_name()
                    )));
                }
                if at > 0 {
                    joined.push_str(own);
                }
                joined.push_str(&if is_markup {
                    escaped(item)?
                } else {
                    to_str(item)?
                });
                check_length(joined.len())?;
            }
            made(joined)
        }
        "format" => made(str_format(own, &args)?),
        "format_map" => {
            let [mapping] = args.bind(name, ["mapping"], 1)?;
            let entries = super::super::globals::pairs(&mapping.unwrap_or(Py::None))?;
            let mut args = Args::default();
            for (key, value) in entries {
                args.keyword.push((to_str(&key)?, value));
            }
            made(str_format(own, &args)?)
        }
        "startswith" | "endswith" | "find" | "rfind" | "index" | "rindex" | "count" => {
            search(own, name, args)
        }
        "encode" | "translate" => Err(Raised::new(
            "NotImplementedError",
            format!("`{name}` of a text is not there"),
        )
        .help("a prompt holds no bytes; do it in a Python node")),
        _ => {
            args.bind::<0>(name, [], 0)?;
            Ok(Py::Bool(is(own, name)))
        }
    }
}

/// A character without regard to case: what becomes several in upper case is several.
fn folded(c: char) -> String {
    let upper = c.to_uppercase();
    if upper.len() > 1 {
        upper.to_string().to_lowercase()
    } else {
        c.to_lowercase().to_string()
    }
}

/// A decimal digit of any of the scripts that are in wide use.
fn is_decimal(c: char) -> bool {
    const ZEROS: [u32; 20] = [
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
        0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10,
    ];
    let code = u32::from(c);
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&code))
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    titled
}

fn is(text: &str, name: &str) -> bool {
    let all = |holds: fn(char) -> bool| !text.is_empty() && text.chars().all(holds);
    match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|c| is_decimal(c) || matches!(c, '²' | '³' | '¹')),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(is_space),
        "islower" => text.contains(char::is_lowercase) && !text.contains(char::is_uppercase),
        "isupper" => text.contains(char::is_uppercase) && !text.contains(char::is_lowercase),
        "istitle" => text.contains(char::is_alphabetic) && title(text) == text,
        "isidentifier" => {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
                && chars.all(|c| c == '_' || c.is_alphanumeric())
        }
        _ => !text.chars().any(char::is_control),
    }
}

fn expand_tabs(text: &str, size: usize) -> Result<String, Raised> {
    let tabs = text.matches('\t').count();
    check_length(text.len().saturating_add(tabs.saturating_mul(size)))?;
    let mut expanded = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let missing = size - column % size;
                expanded.push_str(&" ".repeat(missing));
                column += missing;
            }
            '\t' => {}
            '\n' | '\r' => {
                expanded.push(c);
                column = 0;
            }
            c => {
                expanded.push(c);
                column += 1;
            }
        }
    }
    Ok(expanded)
}

fn split(
    render: &mut Render<'_>,
    own: &str,
    name: &str,
    args: Args,
    is_markup: bool,
) -> Result<Py, Raised> {
    let texts = |parts: Vec<&str>| -> Vec<Py> {
        parts
            .into_iter()
            .map(|part| Py::text(part, is_markup))
            .collect()
    };
    if name == "splitlines" {
        let [keeps] = args.bind(name, ["keepends"], 0)?;
        return Ok(Py::list(texts(lines(own, flag(keeps.as_ref())))));
    }
    if name.ends_with("partition") {
        let [separator] = args.bind(name, ["sep"], 1)?;
        let separator = separator.unwrap_or(Py::None);
        let separator = text(&separator)?;
        if separator.is_empty() {
            return Err(Raised::value_error("empty separator"));
        }
        let parts = match name {
            "partition" => own
                .split_once(separator)
                .map_or(vec![own, "", ""], |(left, right)| {
                    vec![left, separator, right]
                }),
            _ => own
                .rsplit_once(separator)
                .map_or(vec!["", "", own], |(left, right)| {
                    vec![left, separator, right]
                }),
        };
        return Ok(Py::tuple(texts(parts)));
    }
    let [separator, most] = args.bind(name, ["sep", "maxsplit"], 0)?;
    let most = int_or(most.as_ref(), -1)?;
    let parts = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let separator = separator.filter(|separator| !matches!(separator, Py::None));
    let found = match separator.as_ref().map(text).transpose()? {
        Some("") => return Err(Raised::value_error("empty separator")),
        Some(separator) if name == "split" => own.splitn(parts, separator).collect(),
        Some(separator) => {
            let mut found: Vec<&str> = own.rsplitn(parts, separator).collect();
            found.reverse();
            found
        }
        None if name == "split" => {
            let mut found = Vec::new();
            let mut rest = own.trim_start_matches(is_space);
            while !rest.is_empty() {
                if found.len() + 1 >= parts {
                    found.push(rest);
                    break;
                }
                let end = rest.find(is_space).unwrap_or(rest.len());
                found.push(&rest[..end]);
                rest = rest[end..].trim_start_matches(is_space);
            }
            found
        }
        None => {
            let mut found = Vec::new();
            let mut rest = own.trim_end_matches(is_space);
            while !rest.is_empty() {
                if found.len() + 1 >= parts {
                    found.push(rest);
                    break;
                }
                let start = rest
                    .char_indices()
                    .rev()
                    .find(|(_, c)| is_space(*c))
                    .map_or(0, |(at, c)| at + c.len_utf8());
                found.push(&rest[start..]);
                rest = rest[..start].trim_end_matches(is_space);
            }
            found.reverse();
            found
        }
    };
    render.spend(found.len())?;
    Ok(Py::list(texts(found)))
}

fn search(own: &str, name: &str, args: Args) -> Result<Py, Raised> {
    let [part, start, stop] = args.bind(name, ["sub", "start", "end"], 1)?;
    let part = part.unwrap_or(Py::None);
    // Places are counted in characters.
    let (offset, window) = if start.is_some() || stop.is_some() {
        let length = own.chars().count();
        let places = super::super::globals::slice(&[start, stop, None], length)?;
        let first = places.first().copied().unwrap_or(0);
        (first, own.chars().skip(first).take(places.len()).collect())
    } else {
        (0, own.to_owned())
    };
    if matches!(name, "startswith" | "endswith") {
        let parts = match &part {
            Py::Tuple(parts) => parts.to_vec(),
            other => vec![other.clone()],
        };
        for part in parts {
            let part = text(&part)?;
            let holds = if name == "startswith" {
                window.starts_with(part)
            } else {
                window.ends_with(part)
            };
            if holds {
                return Ok(Py::Bool(true));
            }
        }
        return Ok(Py::Bool(false));
    }
    let part = text(&part)?;
    if name == "count" {
        let count = window.matches(part).count();
        return Ok(Py::Int(i128::try_from(count).unwrap_or(i128::MAX)));
    }
    let found = if name.starts_with('r') {
        window.rfind(part)
    } else {
        window.find(part)
    };
    match found {
        Some(at) => {
            let at = offset + window[..at].chars().count();
            Ok(Py::Int(i128::try_from(at).unwrap_or(i128::MAX)))
        }
        None if name.ends_with("index") => Err(Raised::value_error("substring not found")),
        None => Ok(Py::Int(-1)),
    }
}

/// `text.format(…)`
fn str_format(own: &str, args: &Args) -> Result<String, Raised> {
    let mut formatted = String::new();
    let mut next = 0;
    expand(own, args, &mut next, 0, &mut formatted)?;
    Ok(formatted)
}

fn expand(
    pattern: &str,
    args: &Args,
    next: &mut usize,
    depth: usize,
    to: &mut String,
) -> Result<(), Raised> {
    if depth > 2 {
        return Err(Raised::value_error("Max string recursion exceeded"));
    }
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        to.push_str(&rest[..at]);
        check_length(to.len())?;
        let is_open = rest[at..].starts_with('{');
        let after = &rest[at + 1..];
        if after.starts_with(if is_open { '{' } else { '}' }) {
            to.push(if is_open { '{' } else { '}' });
            rest = &after[1..];
            continue;
        }
        if !is_open {
            return Err(Raised::value_error(
                "Single '}' encountered in format string",
            ));
        }
        // The field ends at its brace; a specification may hold fields in turn.
        let mut open = 1;
        let end = after.char_indices().find(|(_, c)| {
            match c {
                '{' => open += 1,
                '}' => open -= 1,
                _ => {}
            }
            open == 0
        });
        let Some((end, _)) = end else {
            return Err(Raised::value_error("expected '}' before end of string"));
        };
        let field = &after[..end];
        rest = &after[end + 1..];
        let (selector, specification) = field.split_once(':').unwrap_or((field, ""));
        let (selector, conversion) = match selector.rsplit_once('!') {
            Some((selector, conversion)) => (selector, Some(conversion)),
            None => (selector, None),
        };
        let value = field_value(selector, args, next)?;
        let mut layout = String::new();
        expand(specification, args, next, depth + 1, &mut layout)?;
        let value = match conversion {
            None => value,
            Some("s") => Py::str(to_str(&value)?),
            Some("r" | "a") => Py::str(repr(&value)?),
            Some(other) => {
                return Err(Raised::value_error(format!(
                    "Unknown conversion specifier {other}"
                )));
            }
        };
        to.push_str(&format(&value, &layout)?);
    }
    to.push_str(rest);
    check_length(to.len())
}

/// The value of `name`, `0`, `name.attribute` or `name[item]`.
fn field_value(selector: &str, args: &Args, next: &mut usize) -> Result<Py, Raised> {
    let end = selector.find(['.', '[']).unwrap_or(selector.len());
    let (first, mut rest) = selector.split_at(end);
    let positional = |at: usize| {
        args.positional.get(at).cloned().ok_or_else(|| {
            Raised::new(
                "IndexError",
                format!("Replacement index {at} out of range for positional args tuple"),
            )
        })
    };
    let mut value = if first.is_empty() {
        let value = positional(*next)?;
        *next += 1;
        value
    } else if let Ok(at) = first.parse::<usize>() {
        positional(at)?
    } else {
        let found = args.keyword.iter().rev().find(|(name, _)| name == first);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| Raised::new("KeyError", super::super::print::repr_text(first)))?
    };
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let Some((key, after)) = inner.split_once(']') else {
                return Err(Raised::value_error("Missing ']' in format string"));
            };
            rest = after;
            value = match (&value, key.parse::<usize>()) {
                (Py::List(items), Ok(at)) => items.borrow().get(at).cloned(),
                (Py::Tuple(items), Ok(at)) => items.get(at).cloned(),
                (Py::Dict(dict), at) => {
                    let key = match at {
                        Ok(at) => Key::Int(i128::try_from(at).unwrap_or(0)),
                        Err(_) => Key::Str(key.into()),
                    };
                    dict.borrow().get(&key).map(|(_, value)| value.clone())
                }
                _ => None,
            }
            .ok_or_else(|| Raised::new("KeyError", super::super::print::repr_text(key)))?;
        } else {
            let name = rest.trim_start_matches('.');
            return Err(Raised::new(
                "AttributeError",
                format!("'{}' object has no attribute '{name}'", value.type_name()),
            ));
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_python_cuts_them() {
        assert_eq!(lines("a\r\nb\n\nc", false), ["a", "b", "", "c"]);
        assert_eq!(lines("a\n", true), ["a\n"]);
        assert_eq!(fill("abc", 6, ' ', true, true).unwrap(), " abc  ");
        assert_eq!(fill("abcd", 7, ' ', true, true).unwrap(), "  abcd ");
        assert_eq!(strip("xxaxx", Some("x"), true, true), "a");
        assert_eq!(capitalize("hELLO"), "Hello");
        assert_eq!(title("they're bill's"), "They'Re Bill'S");
        assert!(replace(&"a".repeat(5000), "a", &"b".repeat(5000), -1).is_err());
    }
}
