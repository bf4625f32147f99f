//! Methods of lists and dicts. Some change what they are called on, as in Python.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::arguments::{Args, flag, int};
use super::super::globals::{index, pairs};
use super::super::operators::equal;
use super::super::print::repr;
use super::super::raised::{Raised, check_length};
use super::super::render::Render;
use super::super::value::{Dict, Key, Py, View, insert};

pub(super) fn list(
    render: &mut Render<'_>,
    items: &Rc<RefCell<Vec<Py>>>,
    name: &str,
    args: Args,
) -> Result<Py, Raised> {
    match name {
        "append" => {
            let [item] = args.bind(name, ["object"], 1)?;
            render.spend(1)?;
            items.borrow_mut().extend(item);
            Ok(Py::None)
        }
        "extend" => {
            let [more] = args.bind(name, ["iterable"], 1)?;
            let more = more.unwrap_or(Py::None).items()?;
            render.spend(more.len())?;
            check_length(items.borrow().len() + more.len())?;
            items.borrow_mut().extend(more);
            Ok(Py::None)
        }
        "insert" => {
            let [at, item] = args.bind(name, ["index", "object"], 2)?;
            let length = items.borrow().len();
            render.spend(length / 16 + 1)?;
            let at = at.as_ref().map_or(Ok(0), int)?;
            let length = i128::try_from(length).unwrap_or(i128::MAX);
            let at = if at < 0 { at + length } else { at }.clamp(0, length);
            let at = usize::try_from(at).unwrap_or(0);
            items.borrow_mut().insert(at, item.unwrap_or(Py::None));
            Ok(Py::None)
        }
        "pop" => {
            let [at] = args.bind(name, ["index"], 0)?;
            let length = items.borrow().len();
            let at = index(&at.unwrap_or(Py::Int(-1)), length)?;
            match at {
                Some(at) => Ok(items.borrow_mut().remove(at)),
                None if length == 0 => Err(Raised::new("IndexError", "pop from empty list")),
                None => Err(Raised::new("IndexError", "pop index out of range")),
            }
        }
        "remove" => {
            let [item] = args.bind(name, ["value"], 1)?;
            let item = item.unwrap_or(Py::None);
            let at = items.borrow().iter().position(|other| equal(other, &item));
            match at {
                Some(at) => {
                    items.borrow_mut().remove(at);
                    Ok(Py::None)
                }
                None => Err(Raised::value_error("list.remove(x): x not in list")),
            }
        }
        "clear" => {
            items.borrow_mut().clear();
            Ok(Py::None)
        }
        "copy" => Ok(Py::list(items.borrow().clone())),
        "reverse" => {
            items.borrow_mut().reverse();
            Ok(Py::None)
        }
        "sort" => {
            let [key, reverse] = args.bind(name, ["key", "reverse"], 0)?;
            if key.is_some_and(|key| !matches!(key, Py::None)) {
                return Err(
                    Raised::new("NotImplementedError", "`sort(key=…)` is not there")
                        .help("use the filter: `items|sort(attribute='name')`"),
                );
            }
            let sorted = super::super::filters::apply(
                render,
                "sort",
                Py::list(items.borrow().clone()),
                Args {
                    positional: vec![Py::Bool(flag(reverse.as_ref())), Py::Bool(true)],
                    keyword: Vec::new(),
                },
            )?;
            let sorted = sorted.items()?;
            *items.borrow_mut() = sorted;
            Ok(Py::None)
        }
        _ => {
            let items = items.borrow().clone();
            render.spend(items.len())?;
            look(&items, name, args, "list")
        }
    }
}

/// `count` and `index`.
pub(super) fn look(items: &[Py], name: &str, args: Args, what: &str) -> Result<Py, Raised> {
    let [item, start, stop] = args.bind(name, ["value", "start", "stop"], 1)?;
    let item = item.unwrap_or(Py::None);
    if name == "count" {
        let count = items.iter().filter(|other| equal(other, &item)).count();
        return Ok(Py::Int(i128::try_from(count).unwrap_or(i128::MAX)));
    }
    let places = super::super::globals::slice(&[start, stop, None], items.len())?;
    match places.into_iter().find(|at| equal(&items[*at], &item)) {
        Some(at) => Ok(Py::Int(i128::try_from(at).unwrap_or(0))),
        None if what == "list" => Err(Raised::value_error(format!(
            "{} is not in list",
            repr(&item)?
        ))),
        None => Err(Raised::value_error(format!(
            "{what}.index(x): x not in {what}"
        ))),
    }
}

pub(super) fn dict(
    render: &mut Render<'_>,
    dict: &Rc<RefCell<Dict>>,
    name: &str,
    args: Args,
) -> Result<Py, Raised> {
    let missing = |key: &Py| -> Raised { Raised::new("KeyError", repr(key).unwrap_or_default()) };
    match name {
        "keys" => Ok(Py::View(View::Keys, Rc::clone(dict))),
        "values" => Ok(Py::View(View::Values, Rc::clone(dict))),
        "items" => Ok(Py::View(View::Items, Rc::clone(dict))),
        "get" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let key = Key::of(&key.unwrap_or(Py::None))?;
            let found = dict.borrow().get(&key).map(|(_, value)| value.clone());
            Ok(found.or(default).unwrap_or(Py::None))
        }
        "pop" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Py::None);
            let found = dict.borrow_mut().shift_remove(&Key::of(&key)?);
            match found.map(|(_, value)| value).or(default) {
                Some(value) => Ok(value),
                None => Err(missing(&key)),
            }
        }
        "popitem" => match dict.borrow_mut().pop() {
            Some((_, (key, value))) => Ok(Py::tuple(vec![key, value])),
            None => Err(Raised::new("KeyError", "'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let [key, default] = args.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Py::None);
            let hashed = Key::of(&key)?;
            if let Some((_, value)) = dict.borrow().get(&hashed) {
                return Ok(value.clone());
            }
            let value = default.unwrap_or(Py::None);
            insert(&mut dict.borrow_mut(), key, value.clone())?;
            Ok(value)
        }
        "update" => {
            let named = args.keyword.clone();
            let [from] = Args::of(args.positional).bind(name, ["other"], 0)?;
            let mut entries = match from {
                Some(from) => pairs(&from)?,
                None => Vec::new(),
            };
            entries.extend(
                named
                    .into_iter()
                    .map(|(name, value)| (Py::str(name), value)),
            );
            render.spend(entries.len())?;
            for (key, value) in entries {
                insert(&mut dict.borrow_mut(), key, value)?;
            }
            Ok(Py::None)
        }
        "clear" => {
            dict.borrow_mut().clear();
            Ok(Py::None)
        }
        "copy" => Ok(Py::Dict(Rc::new(RefCell::new(dict.borrow().clone())))),
        _ => {
            let [keys, value] = args.bind(name, ["iterable", "value"], 1)?;
            let value = value.unwrap_or(Py::None);
            let keys = keys.unwrap_or(Py::None).items()?;
            Py::dict(keys.into_iter().map(|key| (key, value.clone())).collect())
        }
    }
}
