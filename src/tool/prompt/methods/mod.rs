//! The methods of Python's values.

mod containers;
pub(super) mod text;

use super::arguments::Args;
use super::raised::Raised;
use super::render::Render;
use super::value::Py;

const TEXT: [&str; 46] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const LIST: [&str; 11] = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
];
const DICT: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

fn of(value: &Py) -> &'static [&'static str] {
    match value {
        Py::Str(_) => &TEXT,
        Py::List(_) => &LIST,
        Py::Dict(_) => &DICT,
        Py::Tuple(_) | Py::Range(_) => &["count", "index"],
        Py::Float(_) => &["as_integer_ratio", "conjugate", "hex", "is_integer"],
        Py::Int(_) | Py::Bool(_) => &["as_integer_ratio", "bit_count", "bit_length", "conjugate"],
        _ => &[],
    }
}

/// Whether a value has a method of that name.
pub(super) fn exists(value: &Py, name: &str) -> bool {
    of(value).contains(&name)
}

/// Whether Python has something of that name which the sandbox hides.
pub(super) fn is_internal(value: &Py, name: &str) -> bool {
    const OF_ALL: [&str; 24] = [
        "__class__",
        "__delattr__",
        "__dict__",
        "__dir__",
        "__doc__",
        "__eq__",
        "__format__",
        "__ge__",
        "__getattribute__",
        "__gt__",
        "__hash__",
        "__init__",
        "__init_subclass__",
        "__le__",
        "__lt__",
        "__module__",
        "__ne__",
        "__new__",
        "__reduce__",
        "__reduce_ex__",
        "__repr__",
        "__setattr__",
        "__sizeof__",
        "__str__",
    ];
    const OF_SOME: [&str; 8] = [
        "__add__",
        "__contains__",
        "__getitem__",
        "__iter__",
        "__len__",
        "__mul__",
        "__rmul__",
        "__subclasshook__",
    ];
    OF_ALL.contains(&name)
        || (!of(value).is_empty() && OF_SOME.contains(&name))
        || (matches!(value, Py::Function(_))
            && matches!(
                name,
                "__globals__" | "__code__" | "__closure__" | "__call__"
            ))
}

/// Calls a method.
pub(super) fn call(
    render: &mut Render<'_>,
    receiver: &Py,
    name: &str,
    args: Args,
) -> Result<Py, Raised> {
    match receiver {
        Py::Str(_) => text::call(render, receiver, name, args),
        Py::List(items) => containers::list(render, items, name, args),
        Py::Dict(dict) => containers::dict(render, dict, name, args),
        Py::Tuple(_) | Py::Range(_) => {
            let items = receiver.items()?;
            containers::look(&items, name, args, receiver.type_name())
        }
        number => {
            args.bind::<0>(name, [], 0)?;
            numbers(number, name)
        }
    }
}

fn numbers(number: &Py, name: &str) -> Result<Py, Raised> {
    let int = number.as_int();
    match (name, number, int) {
        ("is_integer", Py::Float(float), _) => Ok(Py::Bool(float.fract() == 0.0)),
        ("conjugate", ..) => Ok(number.clone()),
        ("bit_length", _, Some(int)) => Ok(Py::Int(i128::from(
            u128::BITS - int.unsigned_abs().leading_zeros(),
        ))),
        ("bit_count", _, Some(int)) => Ok(Py::Int(i128::from(int.unsigned_abs().count_ones()))),
        ("as_integer_ratio", _, Some(int)) => Ok(Py::tuple(vec![Py::Int(int), Py::Int(1)])),
        _ => Err(Raised::new(
            "NotImplementedError",
            format!("`{name}` of a number is not there"),
        )
        .help("compute it in a Python node")),
    }
}
