//! Filters over lists and dicts.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::super::arguments::{Args, flag, int, size_or, text};
use super::super::operators::{binary, compare, equal};
use super::super::print::{escaped, to_str};
use super::super::raised::{Raised, check_length};
use super::super::render::Render;
use super::super::tests;
use super::super::value::{Key, Py, View};

pub(super) fn apply(
    render: &mut Render<'_>,
    name: &str,
    value: &Py,
    args: Args,
) -> Result<Py, Raised> {
    match name {
        "list" => {
            args.bind::<0>(name, [], 0)?;
            Ok(Py::list(paid(render, value)?))
        }
        "items" => match value {
            Py::Undefined(_) => Ok(Py::iterator(Vec::new())),
            Py::Dict(dict) => Ok(Py::iterator(
                Py::View(View::Items, std::rc::Rc::clone(dict)).items()?,
            )),
            _ => Err(Raised::type_error(
                "Can only get item pairs from a mapping.",
            )),
        },
        "first" => Ok(paid(render, value)?
            .into_iter()
            .next()
            .unwrap_or_else(|| Py::undefined("No first item, sequence was empty."))),
        "last" => {
            if matches!(value, Py::Iterator(_)) {
                return Err(Raised::type_error("'generator' object is not reversible"));
            }
            let last = paid(render, value)?.pop();
            Ok(last.unwrap_or_else(|| Py::undefined("No last item, sequence was empty.")))
        }
        "random" => {
            let items = paid(render, value)?;
            if items.is_empty() {
                return Ok(Py::undefined("No random item, sequence was empty."));
            }
            // Not at random: the same inputs choose the same item, so that a run can be repeated.
            render.seed = render
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let length = u64::try_from(items.len()).unwrap_or(1);
            let at = usize::try_from((render.seed >> 33) % length).unwrap_or(0);
            Ok(items[at].clone())
        }
        "reverse" => reverse(render, value),
        "join" => join(render, value, args),
        "batch" => batch(render, value, args),
        "slice" => slices(render, value, args),
        "sum" => sum(render, value, args),
        "min" | "max" => extreme(render, name, value, args),
        "sort" => sort(render, value, args),
        "dictsort" => dictsort(render, value, args),
        "unique" => unique(render, value, args),
        "groupby" => groupby(render, value, args),
        "map" => map(render, value, args),
        _ => select(render, name, value, args),
    }
}

fn paid(render: &mut Render<'_>, value: &Py) -> Result<Vec<Py>, Raised> {
    // A text becomes one item for each character, each far larger than that: pay before.
    if let Py::Str(text) = value {
        render.spend(text.text.chars().count())?;
        return value.items();
    }
    let items = value.items()?;
    render.spend(items.len())?;
    Ok(items)
}

fn reverse(render: &mut Render<'_>, value: &Py) -> Result<Py, Raised> {
    if let Py::Str(text) = value {
        let reversed: String = text.text.chars().rev().collect();
        return Ok(Py::text(reversed, text.is_markup));
    }
    let mut items = paid(render, value).map_err(|raised| match raised.class {
        "TypeError" => Raised::new("FilterArgumentError", "argument must be iterable"),
        _ => raised,
    })?;
    items.reverse();
    Ok(Py::iterator(items))
}

/// An attribute by a path like `a.b.0`, of an item.
pub(super) fn attribute_of(
    render: &mut Render<'_>,
    item: &Py,
    path: &Py,
    default: Option<&Py>,
) -> Result<Py, Raised> {
    let mut found = item.clone();
    let parts: Vec<Py> = match path {
        Py::Str(path) => path
            .text
            .split('.')
            .map(|part| match part.parse::<i128>() {
                Ok(at) if part.bytes().all(|byte| byte.is_ascii_digit()) => Py::Int(at),
                _ => Py::str(part),
            })
            .collect(),
        Py::None => Vec::new(),
        other => vec![other.clone()],
    };
    for part in parts {
        found = render.item(&found, &part)?;
        if found.is_undefined()
            && let Some(default) = default
        {
            found = default.clone();
        }
    }
    Ok(found)
}

fn folded(value: Py) -> Py {
    match &value {
        Py::Str(text) => Py::str(text.text.to_lowercase()),
        _ => value,
    }
}

/// What to sort by: attributes, apart by commas, without regard to case unless told.
fn keys_of(
    render: &mut Render<'_>,
    item: &Py,
    attribute: Option<&Py>,
    case_sensitive: bool,
) -> Result<Py, Raised> {
    let fold = |value: Py| if case_sensitive { value } else { folded(value) };
    match attribute {
        None | Some(Py::None) => Ok(fold(item.clone())),
        Some(Py::Str(paths)) if paths.text.contains(',') => {
            let mut keys = Vec::new();
            for path in paths.text.split(',') {
                keys.push(fold(attribute_of(render, item, &Py::str(path), None)?));
            }
            Ok(Py::list(keys))
        }
        Some(path) => Ok(fold(attribute_of(render, item, path, None)?)),
    }
}

fn sort_by_keys(
    render: &mut Render<'_>,
    mut keyed: Vec<(Py, Py)>,
    reverse: bool,
) -> Result<Vec<Py>, Raised> {
    // Each comparison costs.
    let length = keyed.len();
    let rounds = usize::try_from(usize::BITS - length.leading_zeros()).unwrap_or(64);
    render.spend(length * rounds)?;
    let mut wrong = None;
    let order = |(left, _): &(Py, Py), (right, _): &(Py, Py)| {
        let (left, right) = if reverse {
            (right, left)
        } else {
            (left, right)
        };
        if equal(left, right) {
            return Ordering::Equal;
        }
        compare(left, right, "<").unwrap_or_else(|raised| {
            wrong.get_or_insert(raised);
            Ordering::Equal
        })
    };
    // A merge sort of our own would be the same: Rust's may refuse an order that is none, so keys
    // without one are looked for first.
    if keyed.iter().any(|(key, _)| has_nan(key)) {
        return Ok(keyed.into_iter().map(|(_, item)| item).collect());
    }
    keyed.sort_by(order);
    match wrong {
        Some(raised) => Err(raised),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

fn has_nan(value: &Py) -> bool {
    match value {
        Py::Float(float) => float.is_nan(),
        Py::List(items) => items.borrow().iter().any(has_nan),
        Py::Tuple(items) => items.iter().any(has_nan),
        _ => false,
    }
}

fn sort(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [reverse, case_sensitive, attribute] =
        args.bind("sort", ["reverse", "case_sensitive", "attribute"], 0)?;
    let mut keyed = Vec::new();
    for item in paid(render, value)? {
        let key = keys_of(
            render,
            &item,
            attribute.as_ref(),
            flag(case_sensitive.as_ref()),
        )?;
        keyed.push((key, item));
    }
    Ok(Py::list(sort_by_keys(
        render,
        keyed,
        flag(reverse.as_ref()),
    )?))
}

fn dictsort(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [case_sensitive, by, reverse] =
        args.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let at = match by.as_ref().map(text).transpose()? {
        None | Some("key") => 0,
        Some("value") => 1,
        Some(_) => {
            return Err(Raised::new(
                "FilterArgumentError",
                "You can only sort by either \"key\" or \"value\"",
            ));
        }
    };
    value.defined()?;
    let Py::Dict(dict) = value else {
        return Err(Raised::new(
            "AttributeError",
            format!("'{}' object has no attribute 'items'", value.type_name()),
        ));
    };
    let mut keyed = Vec::new();
    for (key, value) in dict.borrow().values() {
        let by = if at == 0 { key } else { value };
        let by = if flag(case_sensitive.as_ref()) {
            by.clone()
        } else {
            folded(by.clone())
        };
        keyed.push((by, Py::tuple(vec![key.clone(), value.clone()])));
    }
    Ok(Py::list(sort_by_keys(
        render,
        keyed,
        flag(reverse.as_ref()),
    )?))
}

fn unique(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [case_sensitive, attribute] = args.bind("unique", ["case_sensitive", "attribute"], 0)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in paid(render, value)? {
        let key = keys_of(
            render,
            &item,
            attribute.as_ref(),
            flag(case_sensitive.as_ref()),
        )?;
        if seen.insert(Key::of(&key)?) {
            kept.push(item);
        }
    }
    Ok(Py::iterator(kept))
}

fn extreme(render: &mut Render<'_>, name: &str, value: &Py, args: Args) -> Result<Py, Raised> {
    let [case_sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
    let wanted = if name == "min" {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    let operator = if name == "min" { "<" } else { ">" };
    let mut best: Option<(Py, Py)> = None;
    for item in paid(render, value)? {
        let key = keys_of(
            render,
            &item,
            attribute.as_ref(),
            flag(case_sensitive.as_ref()),
        )?;
        let is_better = match &best {
            None => true,
            Some((best, _)) => !equal(&key, best) && compare(&key, best, operator)? == wanted,
        };
        if is_better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || Py::undefined("No aggregated item, sequence was empty."),
        |(_, item)| item,
    ))
}

fn groupby(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [attribute, default, case_sensitive] =
        args.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let attribute = attribute.unwrap_or(Py::None);
    let case_sensitive = flag(case_sensitive.as_ref());
    let mut keyed = Vec::new();
    for item in paid(render, value)? {
        let key = attribute_of(render, &item, &attribute, default.as_ref())?;
        let sorted_by = if case_sensitive { key } else { folded(key) };
        keyed.push((sorted_by.clone(), Py::tuple(vec![sorted_by, item])));
    }
    let sorted = sort_by_keys(render, keyed, false)?;
    let mut groups: Vec<(Py, Vec<Py>)> = Vec::new();
    for pair in sorted {
        let pair = pair.items()?;
        let (key, item) = (pair[0].clone(), pair[1].clone());
        match groups.last_mut() {
            Some((last, items)) if equal(last, &key) => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut grouped = Vec::new();
    for (key, items) in groups {
        // What the group is called is the first spelling.
        let key = if case_sensitive {
            key
        } else {
            attribute_of(render, &items[0], &attribute, default.as_ref())?
        };
        grouped.push(Py::tuple(vec![key, Py::list(items)]));
    }
    Ok(Py::list(grouped))
}

fn sum(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [attribute, start] = args.bind("sum", ["attribute", "start"], 0)?;
    let mut total = start.unwrap_or(Py::Int(0));
    if total.as_str().is_some() {
        return Err(Raised::type_error(
            "sum() can't sum strings [use ''.join(seq) instead]",
        ));
    }
    for item in paid(render, value)? {
        let item = match attribute.as_ref().filter(|path| !matches!(path, Py::None)) {
            Some(path) => attribute_of(render, &item, path, None)?,
            None => item,
        };
        total = binary(&total, "+", &item)?;
        render.pay(&total)?;
    }
    Ok(total)
}

fn join(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"], 0)?;
    let separator = separator.unwrap_or_else(|| Py::str(""));
    let mut items = Vec::new();
    for item in paid(render, value)? {
        items.push(
            match attribute.as_ref().filter(|path| !matches!(path, Py::None)) {
                Some(path) => attribute_of(render, &item, path, None)?,
                None => item,
            },
        );
    }
    let escapes = render.escapes && (separator.is_markup() || items.iter().any(Py::is_markup));
    let plain = |value: &Py| {
        if escapes {
            escaped(value)
        } else {
            to_str(value)
        }
    };
    let separator = plain(&separator)?;
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&plain(item)?);
        check_length(joined.len())?;
    }
    Ok(Py::text(joined, escapes))
}

fn batch(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [size, fill] = args.bind("batch", ["linecount", "fill_with"], 1)?;
    let size = size_or(size.as_ref(), 1)?;
    let items = paid(render, value)?;
    if size == 0 {
        // A batch of nothing, and one that is never full, as in Jinja2.
        let batches = vec![Py::list(Vec::new()), Py::list(items.clone())];
        let batches = if items.is_empty() {
            Vec::new()
        } else {
            batches
        };
        return Ok(Py::iterator(batches));
    }
    let mut batches = Vec::new();
    for chunk in items.chunks(size) {
        let mut chunk = chunk.to_vec();
        if let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Py::None)) {
            check_length(size)?;
            render.spend(size)?;
            chunk.resize(size, fill.clone());
        }
        batches.push(Py::list(chunk));
    }
    Ok(Py::iterator(batches))
}

fn slices(render: &mut Render<'_>, value: &Py, args: Args) -> Result<Py, Raised> {
    let [count, fill] = args.bind("slice", ["slices", "fill_with"], 1)?;
    let count = size_or(count.as_ref(), 1)?;
    let items = paid(render, value)?;
    if count == 0 {
        return Err(Raised::new(
            "ZeroDivisionError",
            "integer division or modulo by zero",
        ));
    }
    render.spend(count)?;
    let (each, more) = (items.len() / count, items.len() % count);
    let mut at = 0;
    let mut slices = Vec::new();
    for number in 0..count {
        let length = each + usize::from(number < more);
        let mut slice = items[at..at + length].to_vec();
        at += length;
        if number >= more
            && let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, Py::None))
        {
            slice.push(fill.clone());
        }
        slices.push(Py::list(slice));
    }
    Ok(Py::iterator(slices))
}

fn map(render: &mut Render<'_>, value: &Py, mut args: Args) -> Result<Py, Raised> {
    let mut mapped = Vec::new();
    if !value.is_true() {
        return Ok(Py::iterator(mapped));
    }
    let named = |args: &Args, name: &str| {
        let found = args.keyword.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    if args.positional.is_empty() {
        let Some(attribute) = named(&args, "attribute") else {
            return Err(Raised::new(
                "FilterArgumentError",
                "map requires a filter argument",
            ));
        };
        let default = named(&args, "default").filter(|default| !matches!(default, Py::None));
        for item in paid(render, value)? {
            mapped.push(attribute_of(render, &item, &attribute, default.as_ref())?);
        }
        return Ok(Py::iterator(mapped));
    }
    let filter = args.positional.remove(0);
    let filter = text(&filter)?.to_owned();
    for item in paid(render, value)? {
        let result = render.deeper(|render| super::apply(render, &filter, item, args.clone()))?;
        render.pay(&result)?;
        mapped.push(result);
    }
    Ok(Py::iterator(mapped))
}

/// `select`, `reject`, `selectattr`, `rejectattr`.
fn select(render: &mut Render<'_>, name: &str, value: &Py, mut args: Args) -> Result<Py, Raised> {
    let by_attribute = name.ends_with("attr");
    let wanted = name.starts_with("select");
    let mut kept = Vec::new();
    if !value.is_true() {
        return Ok(Py::iterator(kept));
    }
    let attribute = if by_attribute {
        if args.positional.is_empty() {
            return Err(Raised::new(
                "FilterArgumentError",
                "Missing parameter for attribute name",
            ));
        }
        Some(args.positional.remove(0))
    } else {
        None
    };
    let test = if args.positional.is_empty() {
        None
    } else {
        let test = args.positional.remove(0);
        Some(text(&test)?.to_owned())
    };
    for item in paid(render, value)? {
        let subject = match &attribute {
            Some(path) => attribute_of(render, &item, path, None)?,
            None => item.clone(),
        };
        let holds = match &test {
            Some(test) => tests::apply(test, &subject, args.clone())?,
            None => subject.is_true(),
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Ok(Py::iterator(kept))
}

/// An argument that must be a whole number, for filters over texts.
pub(super) fn whole(value: Option<&Py>, default: i128) -> Result<i128, Raised> {
    value
        .filter(|value| !matches!(value, Py::None))
        .map_or(Ok(default), int)
}
