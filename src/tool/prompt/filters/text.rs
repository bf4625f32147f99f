//! Filters over texts.

use std::fmt::Write as _;

use super::super::arguments::{Args, flag, size_or, text};
use super::super::format::percent;
use super::super::methods::text as methods;
use super::super::number::as_float;
use super::super::print::{escape, escaped, html_safe_json, pretty, to_str};
use super::super::raised::{Raised, check_length};
use super::super::render::Render;
use super::super::urlize::urlize;
use super::super::value::{Py, View};
use super::super::wrap::wrap;
use super::sequence::whole;

pub(super) fn apply(
    render: &mut Render<'_>,
    name: &str,
    value: &Py,
    args: Args,
) -> Result<Py, Raised> {
    let is_markup = value.is_markup();
    // Everything below makes at most a few times as much as it is given.
    let soft = |value: &Py| to_str(value);
    let takes_nothing = matches!(
        name,
        "upper"
            | "lower"
            | "capitalize"
            | "title"
            | "string"
            | "safe"
            | "e"
            | "escape"
            | "forceescape"
            | "striptags"
            | "wordcount"
            | "pprint"
            | "urlencode"
    );
    if takes_nothing {
        args.clone().bind::<0>(name, [], 0)?;
    }
    match name {
        "upper" => Ok(Py::text(soft(value)?.to_uppercase(), is_markup)),
        "lower" => Ok(Py::text(soft(value)?.to_lowercase(), is_markup)),
        "capitalize" => Ok(Py::text(methods::capitalize(&soft(value)?), is_markup)),
        "title" => Ok(Py::str(title(&soft(value)?))),
        "string" => Ok(Py::text(soft(value)?, is_markup)),
        "safe" => Ok(Py::markup(soft(value)?)),
        "e" | "escape" => Ok(Py::markup(escaped(value)?)),
        "forceescape" => Ok(Py::markup(escape(&soft(value)?))),
        "striptags" => Ok(Py::str(strip_tags(&soft(value)?))),
        "trim" => {
            let [chars] = args.bind(name, ["chars"], 0)?;
            let chars = chars.filter(|chars| !matches!(chars, Py::None));
            let chars = chars.as_ref().map(text).transpose()?;
            let value = soft(value)?;
            let trimmed = methods::strip(&value, chars, true, true);
            Ok(Py::text(trimmed, is_markup))
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
            let count = whole(count.as_ref(), -1)?;
            let (old, new) = (old.unwrap_or(Py::None), new.unwrap_or(Py::None));
            let replaced = methods::replace(&soft(value)?, &soft(&old)?, &soft(&new)?, count)?;
            Ok(Py::text(replaced, is_markup))
        }
        "format" => {
            if !args.positional.is_empty() && !args.keyword.is_empty() {
                return Err(Raised::new(
                    "FilterArgumentError",
                    "can't handle positional and keyword arguments at the same time",
                ));
            }
            let arguments = if args.keyword.is_empty() {
                Py::tuple(args.positional)
            } else {
                let named = args.keyword.into_iter();
                Py::dict(named.map(|(name, value)| (Py::str(name), value)).collect())?
            };
            Ok(Py::text(
                percent(&soft(value)?, &arguments, is_markup)?,
                is_markup,
            ))
        }
        "center" => {
            let [width] = args.bind(name, ["width"], 0)?;
            let width = size_or(width.as_ref(), 80)?;
            Ok(Py::text(
                methods::center(&soft(value)?, width, ' ')?,
                is_markup,
            ))
        }
        "indent" => indent(value, args),
        "truncate" => truncate(value, args),
        "wordcount" => Ok(Py::Int(word_count(&soft(value)?))),
        "wordwrap" => {
            let [width, long, with, hyphens] = args.bind(
                name,
                [
                    "width",
                    "break_long_words",
                    "wrapstring",
                    "break_on_hyphens",
                ],
                0,
            )?;
            let width = whole(width.as_ref(), 79)?;
            let width = usize::try_from(width)
                .ok()
                .filter(|width| *width > 0)
                .ok_or_else(|| {
                    Raised::value_error(format!("invalid width {width} (must be > 0)"))
                })?;
            let with = match with.filter(|with| !matches!(with, Py::None)) {
                Some(with) => to_str(&with)?,
                None => "\n".to_owned(),
            };
            let long = long.is_none() || flag(long.as_ref());
            let hyphens = hyphens.is_none() || flag(hyphens.as_ref());
            let value = soft(value)?;
            let lines = methods::lines(&value, false);
            let mut wrapped = Vec::new();
            for line in lines {
                wrapped.push(wrap(line, width, long, hyphens).join(&with));
            }
            check_length(wrapped.iter().map(String::len).sum())?;
            Ok(Py::text(wrapped.join(&with), is_markup))
        }
        "tojson" => {
            let [indent] = args.bind(name, ["indent"], 0)?;
            let indent = match indent.filter(|indent| !matches!(indent, Py::None)) {
                Some(Py::Str(indent)) => Some(indent.text.chars().take(64).collect()),
                Some(indent) => Some(" ".repeat(size_or(Some(&indent), 0)?.min(64))),
                None => None,
            };
            let indent: Option<String> = indent;
            Ok(Py::markup(html_safe_json(value, indent.as_deref())?))
        }
        "pprint" => Ok(Py::str(pretty(value)?)),
        "filesizeformat" => file_size(value, args),
        "urlencode" => url_encode(render, value),
        "urlize" => {
            let [limit, nofollow, target, rel, schemes] = args.bind(
                name,
                [
                    "trim_url_limit",
                    "nofollow",
                    "target",
                    "rel",
                    "extra_schemes",
                ],
                0,
            )?;
            let limit = match limit.filter(|limit| !matches!(limit, Py::None)) {
                Some(limit) => Some(size_or(Some(&limit), 0)?),
                None => None,
            };
            let optional = |value: Option<Py>| -> Result<Option<String>, Raised> {
                value
                    .filter(|value| !matches!(value, Py::None))
                    .map(|value| to_str(&value))
                    .transpose()
            };
            let mut schemes_given = Vec::new();
            if let Some(schemes) = schemes.filter(|schemes| !matches!(schemes, Py::None)) {
                for scheme in schemes.items()? {
                    schemes_given.push(to_str(&scheme)?);
                }
            }
            let linked = urlize(
                &escaped(value)?,
                limit,
                flag(nofollow.as_ref()),
                optional(target)?.as_deref(),
                optional(rel)?.as_deref(),
                &schemes_given,
            );
            check_length(linked.len())?;
            Ok(Py::text(linked, render.escapes))
        }
        _ => xml_attributes(render, value, args),
    }
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut begins = true;
    for c in text.chars() {
        if c.is_whitespace() || "-({[<".contains(c) {
            titled.push(c);
            begins = true;
        } else if begins {
            titled.extend(c.to_uppercase());
            begins = false;
        } else {
            titled.extend(c.to_lowercase());
        }
    }
    titled
}

/// A text without tags and comments, its white space to single blanks, its entities decoded.
fn strip_tags(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        let Some(end) = rest[start..].find("-->") else {
            break;
        };
        kept.push_str(&rest[..start]);
        rest = &rest[start + end + 3..];
    }
    kept.push_str(rest);
    let mut plain = String::new();
    let mut rest = kept.as_str();
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else {
            break;
        };
        plain.push_str(&rest[..start]);
        rest = &rest[start + end + 1..];
    }
    plain.push_str(rest);
    let words: Vec<&str> = plain.split_whitespace().collect();
    unescape(&words.join(" "))
}

/// The entities that texts in prompts have: the five of XML, the blank, and numbers.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(';').filter(|end| *end < 12);
        let decoded = end.and_then(|end| {
            let name = &rest[1..end];
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, end))
        });
        let (c, end) = decoded.unwrap_or(('&', 0));
        plain.push(c);
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    plain
}

fn indent(value: &Py, args: Args) -> Result<Py, Raised> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
    let indent = match width {
        Some(Py::Str(text)) => text.text.to_string(),
        width => {
            let width = size_or(width.as_ref(), 4)?;
            check_length(width)?;
            " ".repeat(width)
        }
    };
    value.defined()?;
    let body = text(value)?.to_owned() + "\n";
    let lines = methods::lines(&body, false);
    check_length(body.len() + lines.len().saturating_mul(indent.len()))?;
    let blank = flag(blank.as_ref());
    let mut indented = String::new();
    if flag(first.as_ref()) {
        indented.push_str(&indent);
    }
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            indented.push('\n');
            if blank || !line.is_empty() {
                indented.push_str(&indent);
            }
        }
        indented.push_str(line);
    }
    Ok(Py::text(indented, value.is_markup()))
}

fn truncate(value: &Py, args: Args) -> Result<Py, Raised> {
    let [length, kill, end, leeway] =
        args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let length = size_or(length.as_ref(), 255)?;
    let end = match end {
        Some(end) => to_str(&end)?,
        None => "...".to_owned(),
    };
    let leeway = usize::try_from(whole(leeway.as_ref(), 5)?)
        .map_err(|_| Raised::new("AssertionError", "expected leeway >= 0"))?;
    let end_length = end.chars().count();
    if length < end_length {
        return Err(Raised::new(
            "AssertionError",
            format!("expected length >= {end_length}, got {length}"),
        ));
    }
    if value.is_undefined() {
        return Ok(value.clone());
    }
    let text = text(value)?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let cut: String = text.chars().take(length - end_length).collect();
    let kept = if flag(kill.as_ref()) {
        cut.as_str()
    } else {
        cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept)
    };
    Ok(Py::text(format!("{kept}{end}"), value.is_markup()))
}

fn word_count(text: &str) -> i128 {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let words = text.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    i128::try_from(words.count()).unwrap_or(i128::MAX)
}

fn file_size(value: &Py, args: Args) -> Result<Py, Raised> {
    let [binary] = args.bind("filesizeformat", ["binary"], 0)?;
    let is_binary = flag(binary.as_ref());
    value.defined()?;
    let size = match value {
        Py::Str(text) => crate::python_value::parse_float(&text.text).ok_or_else(|| {
            Raised::value_error(format!(
                "could not convert string to float: '{}'",
                text.text
            ))
        })?,
        other => as_float(other).ok_or_else(|| {
            Raised::type_error(format!(
                "float() argument must be a string or a real number, not '{}'",
                other.type_name()
            ))
        })?,
    };
    let base = if is_binary { 1024.0 } else { 1000.0 };
    if size.to_bits() == 1f64.to_bits() {
        return Ok(Py::str("1 Byte"));
    }
    if size < base {
        return Ok(Py::str(format!("{:.0} Bytes", size.trunc())));
    }
    let mut unit = base;
    let mut prefix = 'k';
    for next in ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] {
        prefix = next;
        if size < unit * base {
            break;
        }
        if next != 'Y' {
            unit *= base;
        }
    }
    let text = if is_binary {
        let prefix = prefix.to_ascii_uppercase();
        format!("{:.1} {prefix}iB", size / unit)
    } else {
        format!("{:.1} {prefix}B", size / unit)
    };
    Ok(Py::str(text))
}

fn quoted(text: &str, keeps_slash: bool) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (byte == b'/' && keeps_slash)
        {
            quoted.push(char::from(byte));
        } else {
            write!(quoted, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    quoted
}

fn url_encode(render: &mut Render<'_>, value: &Py) -> Result<Py, Raised> {
    let pairs = match value {
        Py::Dict(dict) => Py::View(View::Items, std::rc::Rc::clone(dict)).items()?,
        Py::Str(_) => return Ok(Py::str(quoted(&to_str(value)?, true))),
        Py::List(_) | Py::Tuple(_) | Py::View(..) | Py::Iterator(_) | Py::Range(_) => {
            value.items()?
        }
        other => return Ok(Py::str(quoted(&to_str(other)?, true))),
    };
    render.spend(pairs.len())?;
    let mut encoded = Vec::new();
    for pair in pairs {
        let pair = pair.items()?;
        let [key, value] = pair.as_slice() else {
            return Err(Raised::value_error(
                "too many values to unpack (expected 2)",
            ));
        };
        let plus = |text: String| quoted(&text, false).replace("%20", "+");
        encoded.push(format!("{}={}", plus(to_str(key)?), plus(to_str(value)?)));
    }
    Ok(Py::str(encoded.join("&")))
}

fn xml_attributes(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [autospace] = args.bind("xmlattr", ["autospace"], 0)?;
    let autospace = autospace.is_none() || flag(autospace.as_ref());
    value.defined()?;
    let Py::Dict(dict) = value else {
        return Err(Raised::new(
            "AttributeError",
            format!("'{}' object has no attribute 'items'", value.type_name()),
        ));
    };
    let mut attributes = Vec::new();
    for (key, value) in dict.borrow().values() {
        if matches!(value, Py::None) || value.is_undefined() {
            continue;
        }
        let name = to_str(key)?;
        if name.contains(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=' | '\x0b'))
        {
            return Err(Raised::value_error(format!(
                "Invalid character in attribute name: {}",
                super::super::print::repr_text(&name)
            )));
        }
        attributes.push(format!("{}=\"{}\"", escape(&name), escaped(value)?));
    }
    let mut joined = attributes.join(" ");
    if autospace && !joined.is_empty() {
        joined.insert(0, ' ');
    }
    check_length(joined.len())?;
    Ok(Py::text(joined, render.escapes))
}
