//! [`Py`]: a value as the Python under Jinja2 would hold it.
//!
//! Lists and dicts are shared and can be changed, as in Python: `{% set _ = items.append(1) %}` is how
//! templates without `do` collect things. That is why these are no JSON values.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use indexmap::IndexMap;

use super::raised::Raised;
use super::scope::Scope;
use super::syntax::{Block, For, Macro};
use crate::python_value::Tagged;
use crate::value::Value;

/// A value.
#[derive(Clone)]
pub(super) enum Py {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    List(Rc<RefCell<Vec<Self>>>),
    Tuple(Rc<Vec<Self>>),
    Dict(Rc<RefCell<Dict>>),
    /// `keys`, `values` or `items` of a dict.
    View(View, Rc<RefCell<Dict>>),
    Range(Range),
    /// What is gone through once: the result of `map` or `select`.
    Iterator(Rc<RefCell<std::vec::IntoIter<Self>>>),
    Namespace(Rc<RefCell<IndexMap<String, Self>>>),
    Loop(Rc<Loop>),
    /// `self`
    Template,
    Function(Rc<Function>),
    /// A live object of a Python worker: its type and how it prints.
    Opaque(Rc<(String, String)>),
}

/// Something that is not there, and what to say when it is used.
#[derive(Debug)]
pub(super) struct Undefined {
    pub(super) class: &'static str,
    pub(super) message: String,
}

/// A string; markup is what `escape` made or `safe` declared.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: Rc<str>,
    pub(super) is_markup: bool,
}

/// A dict in the order of insertion.
pub(super) type Dict = IndexMap<Key, (Py, Py)>;

/// A key by Python's equality: `True`, `1` and `1.0` are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    None,
    Int(i128),
    Float(u64),
    Str(Rc<str>),
    Tuple(Vec<Self>),
}

/// What a view shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Keys,
    Values,
    Items,
}

/// `range(…)`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: i128,
    pub(super) stop: i128,
    pub(super) step: i128,
}

impl Range {
    pub(super) fn len(self) -> i128 {
        let Self { start, stop, step } = self;
        let distance = if step > 0 {
            stop.saturating_sub(start)
        } else {
            start.saturating_sub(stop)
        };
        let step = step.saturating_abs();
        if distance <= 0 || step == 0 {
            0
        } else {
            (distance - 1) / step + 1
        }
    }

    pub(super) fn items(self) -> impl Iterator<Item = Py> {
        (0..self.len()).map(move |at| Py::Int(self.start + at * self.step))
    }
}

/// The variable `loop`.
pub(super) struct Loop {
    pub(super) items: Vec<Py>,
    pub(super) at: Cell<usize>,
    pub(super) depth: usize,
    pub(super) changed: RefCell<Option<Vec<Py>>>,
    /// For a recursive loop: what to run again, and where.
    pub(super) recursive: Option<(Arc<For>, Weak<Scope>)>,
}

/// What can be called.
pub(super) enum Function {
    Global(&'static str),
    Macro {
        definition: Arc<Macro>,
        scope: Weak<Scope>,
    },
    /// A method of a value.
    Method(Py, String),
    /// A method of `loop`.
    Cycle(Rc<Loop>),
    Changed(Rc<Loop>),
    /// `self.name`
    Block(Arc<Block>),
    /// `cycler(…)`
    Cycler {
        items: Vec<Py>,
        at: Cell<usize>,
    },
    /// A method of a cycler.
    CyclerMethod(Rc<Self>, &'static str),
    /// `joiner(…)`
    Joiner {
        separator: Py,
        used: Cell<bool>,
    },
}

impl Py {
    pub(super) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Text {
            text: Rc::from(text.as_ref()),
            is_markup: false,
        })
    }

    pub(super) fn markup(text: impl AsRef<str>) -> Self {
        Self::Str(Text {
            text: Rc::from(text.as_ref()),
            is_markup: true,
        })
    }

    /// A text that is markup when another is.
    pub(super) fn text(text: impl AsRef<str>, is_markup: bool) -> Self {
        Self::Str(Text {
            text: Rc::from(text.as_ref()),
            is_markup,
        })
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Rc::new(items))
    }

    pub(super) fn iterator(items: Vec<Self>) -> Self {
        Self::Iterator(Rc::new(RefCell::new(items.into_iter())))
    }

    pub(super) fn function(function: Function) -> Self {
        Self::Function(Rc::new(function))
    }

    pub(super) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined {
            class: "UndefinedError",
            message: message.into(),
        }))
    }

    pub(super) fn dict(entries: Vec<(Self, Self)>) -> Result<Self, Raised> {
        let mut dict = Dict::with_capacity(entries.len());
        for (key, value) in entries {
            insert(&mut dict, key, value)?;
        }
        Ok(Self::Dict(Rc::new(RefCell::new(dict))))
    }

    /// The name of the value's type in Python.
    pub(super) fn type_name(&self) -> &str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(text) if text.is_markup => "Markup",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Iterator(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Loop(_) => "LoopContext",
            Self::Template => "TemplateReference",
            Self::Function(function) => match **function {
                Function::Macro { .. } => "Macro",
                Function::Cycler { .. } => "Cycler",
                Function::Joiner { .. } => "Joiner",
                Function::Block(_) => "BlockReference",
                _ => "function",
            },
            Self::Opaque(opaque) => &opaque.0,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// Refuses what is undefined, as Python does whenever such a value is used.
    pub(super) fn defined(&self) -> Result<(), Raised> {
        match self {
            Self::Undefined(undefined) => {
                Err(Raised::new(undefined.class, undefined.message.clone()))
            }
            _ => Ok(()),
        }
    }

    /// `bool(value)`
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.text.is_empty(),
            Self::List(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Dict(dict) | Self::View(_, dict) => !dict.borrow().is_empty(),
            Self::Range(range) => range.len() > 0,
            _ => true,
        }
    }

    /// `list(value)`
    pub(super) fn items(&self) -> Result<Vec<Self>, Raised> {
        Ok(match self {
            Self::Undefined(undefined) if undefined.class != "UndefinedError" => {
                return Err(Raised::new(undefined.class, undefined.message.clone()));
            }
            Self::Undefined(_) => Vec::new(),
            Self::Str(text) => {
                let chars = text.text.chars();
                chars
                    .map(|c| Self::text(c.encode_utf8(&mut [0; 4]), text.is_markup))
                    .collect()
            }
            Self::List(items) => items.borrow().clone(),
            Self::Tuple(items) => items.to_vec(),
            Self::Dict(dict) => dict.borrow().values().map(|(key, _)| key.clone()).collect(),
            Self::View(view, dict) => {
                let dict = dict.borrow();
                let entries = dict.values();
                match view {
                    View::Keys => entries.map(|(key, _)| key.clone()).collect(),
                    View::Values => entries.map(|(_, value)| value.clone()).collect(),
                    View::Items => entries
                        .map(|(key, value)| Self::tuple(vec![key.clone(), value.clone()]))
                        .collect(),
                }
            }
            Self::Range(range) => range.items().collect(),
            Self::Iterator(items) => items.borrow_mut().by_ref().collect(),
            Self::Loop(state) => {
                let rest = state.at.get() + 1;
                state.items.get(rest..).unwrap_or_default().to_vec()
            }
            other => {
                return Err(Raised::type_error(format!(
                    "'{}' object is not iterable",
                    other.type_name()
                )));
            }
        })
    }

    /// `len(value)`
    pub(super) fn len(&self) -> Result<usize, Raised> {
        Ok(match self {
            Self::Undefined(_) => 0,
            Self::Str(text) => text.text.chars().count(),
            Self::List(items) => items.borrow().len(),
            Self::Tuple(items) => items.len(),
            Self::Dict(dict) | Self::View(_, dict) => dict.borrow().len(),
            Self::Range(range) => usize::try_from(range.len()).unwrap_or(usize::MAX),
            Self::Loop(state) => state.items.len(),
            other => {
                return Err(Raised::type_error(format!(
                    "object of type '{}' has no len()",
                    other.type_name()
                )));
            }
        })
    }

    /// The integer of a value that Python would take as one.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Bool(value) => Some(i128::from(*value)),
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(&text.text),
            _ => None,
        }
    }

    pub(super) fn is_markup(&self) -> bool {
        matches!(self, Self::Str(text) if text.is_markup)
    }

    /// What came from JSON.
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), ..) => Self::Int(i128::from(int)),
                (_, Some(int), _) => Self::Int(i128::from(int)),
                (.., float) => Self::Float(float.unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::str(text),
            Value::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Value::Object(entries) => match Tagged::read(value) {
                Some(Tagged::Int(text)) => match text.parse() {
                    Ok(int) => Self::Int(int),
                    Err(_) => Self::Opaque(Rc::new(("int".to_owned(), text.to_owned()))),
                },
                Some(Tagged::Float(float)) => Self::Float(float),
                Some(Tagged::Object { class, text, .. }) => {
                    let class = class.rsplit('.').next().unwrap_or(class);
                    Self::Opaque(Rc::new((class.to_owned(), text.to_owned())))
                }
                None => {
                    let entries = entries.iter().map(|(key, value)| {
                        let key: Rc<str> = Rc::from(key.as_str());
                        let text = Text {
                            text: Rc::clone(&key),
                            is_markup: false,
                        };
                        (Key::Str(key), (Self::Str(text), Self::from_json(value)))
                    });
                    Self::Dict(Rc::new(RefCell::new(entries.collect())))
                }
            },
        }
    }
}

/// Sets an entry; a key that is there keeps its place and its first spelling.
pub(super) fn insert(dict: &mut Dict, key: Py, value: Py) -> Result<(), Raised> {
    let hashed = Key::of(&key)?;
    match dict.get_mut(&hashed) {
        Some(entry) => entry.1 = value,
        None => {
            dict.insert(hashed, (key, value));
        }
    }
    Ok(())
}

impl Key {
    /// The key of a value, if it can be one.
    pub(super) fn of(value: &Py) -> Result<Self, Raised> {
        Ok(match value {
            Py::None => Self::None,
            Py::Bool(value) => Self::Int(i128::from(*value)),
            Py::Int(value) => Self::Int(*value),
            Py::Float(value) => match super::number::exact_int(*value) {
                Some(int) => Self::Int(int),
                None => Self::Float(value.to_bits()),
            },
            Py::Str(text) => Self::Str(Rc::clone(&text.text)),
            Py::Tuple(items) => Self::Tuple(items.iter().map(Self::of).collect::<Result<_, _>>()?),
            other => {
                other.defined()?;
                return Err(Raised::type_error(format!(
                    "unhashable type: '{}'",
                    other.type_name()
                )));
            }
        })
    }
}
