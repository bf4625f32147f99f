//! Terraform's functions, as far as they depend on their arguments alone.
//!
//! What is missing here (the clock, files, rarely used ones) leaves the value unknown. So does an
//! argument that is unknown itself, but for functions that only carry it along.

use hcl::eval::{Context, FuncArgs, FuncDef, ParamType};
use hcl::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

use super::value::{has_unknown, truth, unknown};

/// A function over its arguments; `None` when they do not fit.
type Plain = fn(&[Value]) -> Option<Value>;

/// One function.
struct Function {
    name: &'static str,
    plain: Plain,
    /// Whether it carries unknown text along instead of looking into it.
    carries: bool,
    declared: fn(FuncArgs) -> Result<Value, String>,
}

macro_rules! functions {
    ($($name:literal $plain:path $(, $carries:ident)?;)*) => {
        &[$(Function {
            name: $name,
            plain: $plain,
            carries: functions!(@ $($carries)?),
            declared: |args| call($name, &args).unwrap_or_else(|| Err("no such function".to_owned())),
        }),*]
    };
    (@ carries) => { true };
    (@) => { false };
}

const FUNCTIONS: &[Function] = functions! {
    "abs" abs;
    "alltrue" alltrue;
    "anytrue" anytrue;
    "ceil" ceil;
    "coalesce" coalesce, carries;
    "compact" compact, carries;
    "concat" concat, carries;
    "contains" contains;
    "distinct" distinct, carries;
    "element" element;
    "endswith" endswith;
    "flatten" flatten, carries;
    "floor" floor;
    "format" format, carries;
    "join" join, carries;
    "jsonencode" jsonencode, carries;
    "keys" keys;
    "length" length;
    "lookup" lookup, carries;
    "lower" lower;
    "max" max;
    "merge" merge, carries;
    "min" min;
    "one" one, carries;
    "range" range;
    "replace" replace;
    "reverse" reverse;
    "setproduct" setproduct, carries;
    "setsubtract" setsubtract;
    "setunion" setunion, carries;
    "sha256" sha256;
    "slice" slice;
    "sort" sort;
    "split" split;
    "startswith" startswith;
    "strcontains" strcontains;
    "substr" substr;
    "tobool" tobool;
    "tolist" same, carries;
    "tomap" same, carries;
    "tonumber" tonumber;
    "toset" toset, carries;
    "tostring" tostring, carries;
    "trimprefix" trimprefix;
    "trimspace" trimspace;
    "trimsuffix" trimsuffix;
    "upper" upper;
    "values" values, carries;
    "zipmap" zipmap, carries;
};

/// Functions whose result nobody knows before the apply, or without the machine that it runs on.
const UNKNOWABLE: [&str; 9] = [
    "abspath",
    "bcrypt",
    "formatdate",
    "pathexpand",
    "plantimestamp",
    "timeadd",
    "timecmp",
    "timestamp",
    "uuid",
];

/// Whether a value that a function gives is rightly unknown when this room does not give it: all
/// others are a gap here, which must not look like a value that Terraform does not know.
pub(super) fn is_covered(name: &str) -> bool {
    matches!(name, "try" | "can")
        || UNKNOWABLE.contains(&name)
        || FUNCTIONS.iter().any(|function| function.name == name)
}

/// Declares every function.
pub(super) fn declare(context: &mut Context<'_>) {
    for function in FUNCTIONS {
        let definition = FuncDef::builder()
            .variadic_param(ParamType::Any)
            .build(function.declared);
        context.declare_func(function.name, definition);
    }
}

/// Calls a function; `None` when there is none of that name.
pub(super) fn call(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let function = FUNCTIONS.iter().find(|function| function.name == name)?;
    if !function.carries && args.iter().any(has_unknown) {
        return Some(Ok(unknown()));
    }
    Some((function.plain)(args).ok_or_else(|| format!("the arguments do not fit `{name}`")))
}

// ---- text ------------------------------------------------------------------------------------------

fn text(args: &[Value], at: usize) -> Option<&str> {
    args.get(at)?.as_str()
}

fn lower(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.to_lowercase().into())
}

fn upper(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.to_uppercase().into())
}

fn trimspace(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.trim().into())
}

fn trimprefix(args: &[Value]) -> Option<Value> {
    let (text, prefix) = (text(args, 0)?, text(args, 1)?);
    Some(text.strip_prefix(prefix).unwrap_or(text).into())
}

fn trimsuffix(args: &[Value]) -> Option<Value> {
    let (text, suffix) = (text(args, 0)?, text(args, 1)?);
    Some(text.strip_suffix(suffix).unwrap_or(text).into())
}

fn startswith(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.starts_with(text(args, 1)?).into())
}

fn endswith(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.ends_with(text(args, 1)?).into())
}

fn strcontains(args: &[Value]) -> Option<Value> {
    Some(text(args, 0)?.contains(text(args, 1)?).into())
}

/// Between slashes the pattern is a regular expression, which is not evaluated here.
fn replace(args: &[Value]) -> Option<Value> {
    let (text, pattern, by) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    let expression = pattern.len() > 1 && pattern.starts_with('/') && pattern.ends_with('/');
    (!expression).then(|| text.replace(pattern, by).into())
}

fn split(args: &[Value]) -> Option<Value> {
    let (separator, text) = (text(args, 0)?, text(args, 1)?);
    if separator.is_empty() {
        return Some(text.chars().map(|c| Value::from(c.to_string())).collect());
    }
    Some(text.split(separator).map(Value::from).collect())
}

fn join(args: &[Value]) -> Option<Value> {
    let mut parts = Vec::new();
    for list in args.get(1..)? {
        for item in list.as_array()? {
            parts.push(as_text(item)?);
        }
    }
    Some(parts.join(text(args, 0)?).into())
}

/// By characters; a negative length means to the end.
fn substr(args: &[Value]) -> Option<Value> {
    let from = usize::try_from(args.get(1)?.as_i64()?).ok()?;
    let count = usize::try_from(args.get(2)?.as_i64()?).unwrap_or(usize::MAX);
    let text: String = text(args, 0)?.chars().skip(from).take(count).collect();
    Some(text.into())
}

/// `%s`, `%d`, `%v` and `%%` only.
fn format(args: &[Value]) -> Option<Value> {
    let mut result = String::new();
    let mut rest = args.get(1..)?.iter();
    let mut pattern = text(args, 0)?.chars();
    while let Some(c) = pattern.next() {
        if c != '%' {
            result.push(c);
            continue;
        }
        match pattern.next()? {
            '%' => result.push('%'),
            's' | 'd' | 'v' => result.push_str(&as_text(rest.next()?)?),
            _ => return None,
        }
    }
    Some(result.into())
}

fn sha256(args: &[Value]) -> Option<Value> {
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in Sha256::digest(text(args, 0)?) {
        _ = write!(hex, "{byte:02x}");
    }
    Some(hex.into())
}

/// Keys in order, and `<`, `>` and `&` escaped, as Terraform writes them.
fn jsonencode(args: &[Value]) -> Option<Value> {
    let mut value = serde_json::to_value(args.first()?).ok()?;
    value.sort_all_objects();
    let text = value.to_string();
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e");
    Some(text.replace('&', "\\u0026").into())
}

/// What an interpolation writes.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

fn tostring(args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::Null => Some(Value::Null),
        value => as_text(value).map(Value::from),
    }
}

// ---- numbers ---------------------------------------------------------------------------------------

fn numbers(args: &[Value]) -> Option<Vec<Number>> {
    args.iter()
        .map(|value| value.as_number().copied())
        .collect()
}

fn whole(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

fn abs(args: &[Value]) -> Option<Value> {
    whole(args.first()?.as_f64()?.abs())
}

fn ceil(args: &[Value]) -> Option<Value> {
    whole(args.first()?.as_f64()?.ceil())
}

fn floor(args: &[Value]) -> Option<Value> {
    whole(args.first()?.as_f64()?.floor())
}

fn max(args: &[Value]) -> Option<Value> {
    let all = numbers(args)?;
    let most = all.into_iter().reduce(|a, b| if b > a { b } else { a });
    most.map(Value::Number)
}

fn min(args: &[Value]) -> Option<Value> {
    let all = numbers(args)?;
    let least = all.into_iter().reduce(|a, b| if b < a { b } else { a });
    least.map(Value::Number)
}

fn tonumber(args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => whole(text.parse().ok()?),
        },
        number @ (Value::Number(_) | Value::Null) => Some(number.clone()),
        _ => None,
    }
}

fn tobool(args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::Null => Some(Value::Null),
        value => truth(value).map(Value::from),
    }
}

fn range(args: &[Value]) -> Option<Value> {
    let (from, to) = match args {
        [to] => (0, to.as_i64()?),
        [from, to] => (from.as_i64()?, to.as_i64()?),
        _ => return None,
    };
    // Terraform's own limit.
    let count = to.checked_sub(from)?.unsigned_abs();
    let numbers = (0..count).map(|at| {
        let at = at.cast_signed();
        Value::from(if to < from { from - at } else { from + at })
    });
    (count <= 1024).then(|| numbers.collect())
}

// ---- collections -----------------------------------------------------------------------------------

fn list(args: &[Value], at: usize) -> Option<&Vec<Value>> {
    args.get(at)?.as_array()
}

fn map(args: &[Value], at: usize) -> Option<&Map<String, Value>> {
    args.get(at)?.as_object()
}

fn same(args: &[Value]) -> Option<Value> {
    args.first().cloned()
}

fn alltrue(args: &[Value]) -> Option<Value> {
    Some(
        list(args, 0)?
            .iter()
            .all(|item| truth(item) == Some(true))
            .into(),
    )
}

fn anytrue(args: &[Value]) -> Option<Value> {
    Some(
        list(args, 0)?
            .iter()
            .any(|item| truth(item) == Some(true))
            .into(),
    )
}

fn length(args: &[Value]) -> Option<Value> {
    match args.first()? {
        Value::Array(items) => Some(items.len().into()),
        Value::Object(fields) => Some(fields.len().into()),
        Value::String(text) => Some(text.chars().count().into()),
        _ => None,
    }
}

fn coalesce(args: &[Value]) -> Option<Value> {
    let given = args
        .iter()
        .find(|value| !value.is_null() && value.as_str() != Some(""));
    given.cloned()
}

fn compact(args: &[Value]) -> Option<Value> {
    let kept = list(args, 0)?
        .iter()
        .filter(|value| !value.is_null() && value.as_str() != Some(""));
    Some(kept.cloned().collect())
}

fn concat(args: &[Value]) -> Option<Value> {
    let mut all = Vec::new();
    for at in 0..args.len() {
        all.extend(list(args, at)?.iter().cloned());
    }
    Some(Value::Array(all))
}

fn contains(args: &[Value]) -> Option<Value> {
    Some(list(args, 0)?.contains(args.get(1)?).into())
}

fn distinct(args: &[Value]) -> Option<Value> {
    let mut seen: Vec<Value> = Vec::new();
    for value in list(args, 0)? {
        if !seen.contains(value) {
            seen.push(value.clone());
        }
    }
    Some(Value::Array(seen))
}

/// A set: each once, texts in order.
fn toset(args: &[Value]) -> Option<Value> {
    let Value::Array(mut items) = distinct(args)? else {
        return None;
    };
    if items.iter().all(Value::is_string) {
        items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    Some(Value::Array(items))
}

fn element(args: &[Value]) -> Option<Value> {
    let items = list(args, 0)?;
    let at = usize::try_from(args.get(1)?.as_u64()?).ok()?;
    items.get(at.checked_rem(items.len())?).cloned()
}

fn flatten(args: &[Value]) -> Option<Value> {
    fn add(items: &[Value], all: &mut Vec<Value>) {
        for item in items {
            match item {
                Value::Array(inner) => add(inner, all),
                value => all.push(value.clone()),
            }
        }
    }
    let mut all = Vec::new();
    add(list(args, 0)?, &mut all);
    Some(Value::Array(all))
}

/// Terraform's maps are in the order of their keys.
fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

fn keys(args: &[Value]) -> Option<Value> {
    let fields = sorted(map(args, 0)?);
    Some(
        fields
            .into_iter()
            .map(|(key, _)| Value::from(key.as_str()))
            .collect(),
    )
}

fn values(args: &[Value]) -> Option<Value> {
    let fields = sorted(map(args, 0)?);
    Some(fields.into_iter().map(|(_, value)| value.clone()).collect())
}

fn lookup(args: &[Value]) -> Option<Value> {
    let found = map(args, 0)?.get(text(args, 1)?);
    found.or_else(|| args.get(2)).cloned()
}

fn merge(args: &[Value]) -> Option<Value> {
    let mut all = Map::new();
    for at in 0..args.len() {
        if !args.get(at)?.is_null() {
            all.extend(map(args, at)?.clone());
        }
    }
    Some(Value::Object(all))
}

fn one(args: &[Value]) -> Option<Value> {
    match list(args, 0)?.as_slice() {
        [] => Some(Value::Null),
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn reverse(args: &[Value]) -> Option<Value> {
    Some(list(args, 0)?.iter().rev().cloned().collect())
}

fn slice(args: &[Value]) -> Option<Value> {
    let from = usize::try_from(args.get(1)?.as_u64()?).ok()?;
    let to = usize::try_from(args.get(2)?.as_u64()?).ok()?;
    Some(list(args, 0)?.get(from..to)?.iter().cloned().collect())
}

fn sort(args: &[Value]) -> Option<Value> {
    let mut items = list(args, 0)?.clone();
    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    Some(Value::Array(items))
}

fn setproduct(args: &[Value]) -> Option<Value> {
    let mut products: Vec<Vec<Value>> = vec![Vec::new()];
    for at in 0..args.len() {
        let items = list(args, at)?;
        if products.len().checked_mul(items.len())? > 10_000 {
            return None;
        }
        products = products
            .iter()
            .flat_map(|product| {
                items
                    .iter()
                    .map(move |item| product.iter().chain([item]).cloned().collect::<Vec<_>>())
            })
            .collect();
    }
    Some(products.into_iter().map(Value::Array).collect())
}

fn setsubtract(args: &[Value]) -> Option<Value> {
    let gone = list(args, 1)?;
    let kept = list(args, 0)?.iter().filter(|item| !gone.contains(item));
    Some(kept.cloned().collect())
}

fn setunion(args: &[Value]) -> Option<Value> {
    toset(&[concat(args)?])
}

fn zipmap(args: &[Value]) -> Option<Value> {
    let (keys, values) = (list(args, 0)?, list(args, 1)?);
    if keys.len() != values.len() {
        return None;
    }
    let fields = keys.iter().zip(values);
    let fields: Option<Map<String, Value>> = fields
        .map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())))
        .collect();
    fields.map(Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hcl::Expression;
    use hcl::eval::Evaluate as _;

    /// Results of Terraform 1.11's own `terraform console`.
    const CASES: [(&str, &str); 34] = [
        (r#"tobool("true")"#, "true"),
        (r#"anytrue(["true"])"#, "true"),
        ("range(3, 0)", "[3, 2, 1]"),
        (r#"split("", "abc")"#, r#"["a", "b", "c"]"#),
        (r#"join(", ", ["a", "b"])"#, r#""a, b""#),
        (r#"substr("hello", 1, 3)"#, r#""ell""#),
        (r#"substr("hello", 1, -1)"#, r#""ello""#),
        (r#"trimsuffix("abc-", "-")"#, r#""abc""#),
        (r#"replace("1 + 2", "+", "-")"#, r#""1 - 2""#),
        (r#"format("%s is %d%%", "x", 5)"#, r#""x is 5%""#),
        (
            r#"jsonencode({ b = 1, a = "<x>" })"#,
            r#""{\"a\":\"\\u003cx\\u003e\",\"b\":1}""#,
        ),
        (r#"split(",", "a,b")"#, r#"["a", "b"]"#),
        ("ceil(5.1)", "6"),
        ("floor(5.9)", "5"),
        ("max(1, 3, 2)", "3"),
        ("min(180, 200)", "180"),
        ("length([1, 2])", "2"),
        (r#"length("héé")"#, "3"),
        (r#"coalesce("", null, "x")"#, r#""x""#),
        (r#"compact(["a", "", null, "b"])"#, r#"["a", "b"]"#),
        ("concat([1], [2, 3])", "[1, 2, 3]"),
        ("contains([1, 2], 2)", "true"),
        (r#"toset(["b", "a", "b"])"#, r#"["a", "b"]"#),
        ("element([1, 2, 3], 4)", "2"),
        ("flatten([[1], [[2]], []])", "[1, 2]"),
        ("keys({ b = 1, a = 2 })", r#"["a", "b"]"#),
        ("values({ b = 1, a = 2 })", "[2, 1]"),
        (r#"lookup({ a = 1 }, "b", 9)"#, "9"),
        ("merge({ a = 1 }, { b = 2 }, { a = 3 })", "{ a = 3, b = 2 }"),
        ("one([7])", "7"),
        (r#"setproduct(["a"], [1, 2])"#, r#"[["a", 1], ["a", 2]]"#),
        (r#"setsubtract(["a", "b"], ["a"])"#, r#"["b"]"#),
        (
            r#"sha256("abc")"#,
            r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
        ),
        (r#"zipmap(["a"], [1])"#, "{ a = 1 }"),
    ];

    #[test]
    fn functions_give_what_terraform_gives() {
        let mut context = Context::new();
        declare(&mut context);
        for (given, expected) in CASES {
            let given: Expression = given.parse().unwrap();
            let expected: Expression = expected.parse().unwrap();
            assert_eq!(
                given.evaluate(&context).unwrap(),
                expected.evaluate(&context).unwrap(),
                "{given}"
            );
        }
    }

    #[test]
    fn what_looks_into_the_unknown_is_unknown() {
        let unknown = unknown();
        assert_eq!(
            call("upper", std::slice::from_ref(&unknown)),
            Some(Ok(unknown.clone()))
        );
        let list = Value::Array(vec![unknown.clone()]);
        assert_eq!(
            call("contains", &[list.clone(), "x".into()]),
            Some(Ok(unknown))
        );
        assert_eq!(
            call("concat", &[list.clone(), list])
                .unwrap()
                .unwrap()
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        assert_eq!(call("timestamp", &[]), None);
    }
}
