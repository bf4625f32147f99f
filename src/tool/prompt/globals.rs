//! The functions that every template has.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;

use super::arguments::{Args, int, int_or};
use super::raised::Raised;
use super::value::{Function, Py, Range};

/// What the sandbox of Jinja2 allows.
const LONGEST_RANGE: i128 = 100_000;

const NAMES: [&str; 6] = ["range", "dict", "lipsum", "cycler", "joiner", "namespace"];

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The function of that name.
pub(super) fn get(name: &str) -> Option<Py> {
    let name = NAMES.into_iter().find(|known| *known == name)?;
    Some(Py::function(Function::Global(name)))
}

/// Calls one.
pub(super) fn call(name: &str, args: Args) -> Result<Py, Raised> {
    match name {
        "range" => range(args),
        "dict" => Py::dict(entries("dict", args)?),
        "namespace" => {
            let mut variables = IndexMap::new();
            for (key, value) in entries("namespace", args)? {
                variables.insert(super::print::to_str(&key)?, value);
            }
            Ok(Py::Namespace(Rc::new(RefCell::new(variables))))
        }
        "cycler" => {
            let items = args.only_positional("cycler")?;
            if items.is_empty() {
                return Err(Raised::new("RuntimeError", "no items for cycling given"));
            }
            let at = Cell::new(0);
            Ok(Py::function(Function::Cycler { items, at }))
        }
        "joiner" => {
            let [separator] = args.bind("joiner", ["sep"], 0)?;
            Ok(Py::function(Function::Joiner {
                separator: separator.unwrap_or_else(|| Py::str(", ")),
                used: Cell::new(false),
            }))
        }
        _ => Err(Raised::new("NotImplementedError", "`lipsum` is not there")
            .help("it makes a text at random; a prompt must come out the same each time")),
    }
}

fn range(args: Args) -> Result<Py, Raised> {
    let args = args.only_positional("range")?;
    let (start, stop, step) = match args.as_slice() {
        [stop] => (0, int(stop)?, 1),
        [start, stop] => (int(start)?, int(stop)?, 1),
        [start, stop, step] => (int(start)?, int(stop)?, int(step)?),
        _ => {
            return Err(Raised::type_error(format!(
                "range expected 1 to 3 arguments, got {}",
                args.len()
            )));
        }
    };
    if step == 0 {
        return Err(Raised::value_error("range() arg 3 must not be zero"));
    }
    let range = Range { start, stop, step };
    if range.len() > LONGEST_RANGE {
        return Err(Raised::new(
            "OverflowError",
            format!(
                "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({LONGEST_RANGE})."
            ),
        ));
    }
    Ok(Py::Range(range))
}

/// What `dict(…)` is made of: a dict or pairs, and names.
fn entries(function: &str, args: Args) -> Result<Vec<(Py, Py)>, Raised> {
    let mut entries = match args.positional.as_slice() {
        [] => Vec::new(),
        [from] => pairs(from)?,
        _ => {
            return Err(Raised::type_error(format!(
                "{function} expected at most 1 argument, got {}",
                args.positional.len()
            )));
        }
    };
    let named = args.keyword.into_iter();
    entries.extend(named.map(|(name, value)| (Py::str(name), value)));
    Ok(entries)
}

/// The entries of a dict, or of a list of pairs.
pub(super) fn pairs(from: &Py) -> Result<Vec<(Py, Py)>, Raised> {
    if let Py::Dict(dict) = from {
        return Ok(dict.borrow().values().cloned().collect());
    }
    let mut entries = Vec::new();
    for item in from.items()? {
        let pair = item.items()?;
        let [key, value] = pair.as_slice() else {
            return Err(Raised::value_error(format!(
                "dictionary update sequence element #{} has length {}; 2 is required",
                entries.len(),
                pair.len()
            )));
        };
        entries.push((key.clone(), value.clone()));
    }
    Ok(entries)
}

/// `cycler.next()`, `.reset()`, `.current`.
pub(super) fn cycle(cycler: &Rc<Function>, method: &str) -> Py {
    let Function::Cycler { items, at } = &**cycler else {
        return Py::None;
    };
    let current = items[at.get()].clone();
    match method {
        "reset" => {
            at.set(0);
            Py::None
        }
        "next" => {
            at.set((at.get() + 1) % items.len());
            current
        }
        _ => current,
    }
}

/// Calls a joiner: nothing the first time.
pub(super) fn join(separator: &Py, used: &Cell<bool>) -> Py {
    if used.replace(true) {
        separator.clone()
    } else {
        Py::str("")
    }
}

/// An index from the end when it is negative.
pub(super) fn index(at: &Py, length: usize) -> Result<Option<usize>, Raised> {
    let at = int(at)?;
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let at = if at < 0 { at + length } else { at };
    Ok((0..length)
        .contains(&at)
        .then(|| usize::try_from(at).ok())
        .flatten())
}

/// Python's slices: which places, in order.
pub(super) fn slice(parts: &[Option<Py>; 3], length: usize) -> Result<Vec<usize>, Raised> {
    let part = |at: usize| parts[at].as_ref().filter(|part| !matches!(part, Py::None));
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let step = int_or(part(2), 1)?;
    if step == 0 {
        return Err(Raised::value_error("slice step cannot be zero"));
    }
    let bound = |value: i128| {
        let value = if value < 0 {
            value.saturating_add(length)
        } else {
            value
        };
        if step > 0 {
            value.clamp(0, length)
        } else {
            value.clamp(-1, length - 1)
        }
    };
    let (first, last) = if step > 0 {
        (0, length)
    } else {
        (length - 1, -1)
    };
    let start = part(0).map(int).transpose()?.map_or(first, bound);
    let stop = part(1).map(int).transpose()?.map_or(last, bound);
    let mut places = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        places.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    Ok(places)
}
