//! The filters that flowctl adds to tera's own: text of a user never reaches a rendered file unquoted.
//!
//! `json`, `json_pretty`, `yaml`, `hcl` and `markdown` write a value in a language's own quoting;
//! `comment` makes it safe behind a comment sign; `slug`, `uuid` and `sha256` derive names; `where`
//! and `pluck` select from lists. All are pure.
#![expect(clippy::needless_pass_by_value, reason = "the signature is tera's")]

use std::fmt::Write as _;

use serde::Serialize as _;
use serde_json::Value as Json;
use serde_json::ser::{PrettyFormatter, Serializer};
use tera::{Kwargs, State, Tera, TeraResult, Value};
use uuid::Uuid;

use super::hcl;
use crate::slug::Slug;
use crate::value::{Digest, to_text};

/// The namespace of every UUID that a template derives: `flowctl` in the namespace of URLs.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_3f0a_52d9_5c1b_9a5e_0d1f_c0de_f10c);

/// Adds the filters to an engine.
pub(crate) fn register(tera: &mut Tera) {
    tera.register_filter("comment", comment);
    tera.register_filter("hcl", hcl_literal);
    tera.register_filter("json", json);
    tera.register_filter("json_pretty", json_pretty);
    tera.register_filter("markdown", markdown);
    tera.register_filter("pluck", pluck);
    tera.register_filter("sha256", sha256);
    tera.register_filter("slug", slug);
    tera.register_filter("uuid", uuid);
    tera.register_filter("where", select);
    tera.register_filter("yaml", yaml);
}

fn plain(value: &Value) -> TeraResult<Json> {
    // Tera hands a misspelt field on to the filter; quoting it would hide the mistake.
    if value.is_undefined() {
        return Err(tera::Error::message(
            "this has no value: a name or field before the filter is not defined",
        ));
    }
    serde_json::to_value(value).map_err(tera::Error::message)
}

/// Compact JSON.
fn json(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(plain(&value)?.to_string())
}

/// JSON on several lines; `indent` more spaces stand before every line but the first.
fn json_pretty(value: Value, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let indent = kwargs.get::<usize>("indent")?.unwrap_or(0);
    let mut bytes = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"  "));
    plain(&value)?
        .serialize(&mut serializer)
        .map_err(tera::Error::message)?;
    let text = String::from_utf8(bytes).map_err(tera::Error::message)?;
    Ok(text.replace('\n', &format!("\n{}", " ".repeat(indent))))
}

/// A scalar of YAML in double quotes, which every JSON string is; lists and objects in flow style.
fn yaml(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(escape_unprintable(&plain(&value)?.to_string()))
}

/// An HCL literal; with `indent`, lists and maps stand on several lines, closed at that column.
fn hcl_literal(value: Value, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let value = plain(&value)?;
    Ok(match kwargs.get::<usize>("indent")? {
        Some(indent) => hcl::on_lines(&value, indent),
        None => hcl::on_one_line(&value),
    })
}

/// Text on one line, for behind a comment sign.
fn comment(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let text = to_text(&plain(&value)?);
    let visible = text
        .chars()
        .map(|c| if is_unprintable(c) { ' ' } else { c })
        .collect::<String>();
    Ok(visible.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Text within a line of Markdown, with no meaning of its own.
fn markdown(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let mut escaped = String::new();
    for character in to_text(&plain(&value)?).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '!' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    Ok(escaped)
}

/// The slug of a name.
fn slug(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(Slug::of(&to_text(&plain(&value)?)).to_string())
}

/// The UUID (version 5) of a text: the same text has the same one everywhere.
fn uuid(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let text = to_text(&plain(&value)?);
    Ok(Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string())
}

/// The SHA-256 of a text (64 hex digits), or of the canonical JSON of another value.
fn sha256(value: Value, _: Kwargs, _: &State) -> TeraResult<String> {
    Ok(match plain(&value)? {
        Json::String(text) => Digest::of(text.as_bytes()).hex(),
        other => Digest::of_json(&other).hex(),
    })
}

/// The elements whose `attribute` (dotted path) equals `value` or is a list that contains it;
/// without `value`, those that have the attribute and whose attribute is neither null nor empty.
fn select(list: Vec<Value>, kwargs: Kwargs, _: &State) -> TeraResult<Vec<Value>> {
    let attribute = kwargs.must_get::<&str>("attribute")?;
    let wanted = kwargs.get::<Value>("value")?;
    let fits = |element: &Value| {
        let Some(found) = element.get_from_path(attribute) else {
            return false;
        };
        match &wanted {
            None => !found.is_none() && !found.is_undefined() && found.len() != Some(0),
            Some(wanted) => {
                found == wanted || found.as_array().is_some_and(|items| items.contains(wanted))
            }
        }
    };
    Ok(list.into_iter().filter(fits).collect())
}

/// The `attribute` (dotted path) of every element that has it; lists are joined into one.
fn pluck(list: Vec<Value>, kwargs: Kwargs, _: &State) -> TeraResult<Vec<Value>> {
    let attribute = kwargs.must_get::<&str>("attribute")?;
    let mut found = Vec::new();
    for element in &list {
        match element.get_from_path(attribute) {
            Some(value) if value.is_undefined() => {}
            Some(value) => match value.as_array() {
                Some(items) => found.extend_from_slice(items),
                None => found.push(value.clone()),
            },
            None => {}
        }
    }
    Ok(found)
}

/// Characters that YAML does not take unescaped, or that break a line.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn escape_unprintable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unprintable(character) {
            write!(text, "\\u{:04x}", character as u32).expect("writing to a String cannot fail");
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(template: &str, value: Json) -> String {
        let mut tera = Tera::default();
        tera.autoescape_on(Vec::<&'static str>::new());
        register(&mut tera);
        let mut context = tera::Context::new();
        context.insert("v", &value);
        tera.add_raw_template("t", template).unwrap();
        tera.render("t", &context).unwrap()
    }

    #[test]
    fn misspelt_fields_are_no_empty_values() {
        for filter in ["json", "yaml", "hcl", "slug", "comment"] {
            let mut tera = Tera::default();
            register(&mut tera);
            let mut context = tera::Context::new();
            context.insert("v", &json!({ "name": "x" }));
            tera.add_raw_template("t", &format!("{{{{ v.nam | {filter} }}}}"))
                .unwrap();
            assert!(tera.render("t", &context).is_err(), "{filter}");
        }
    }

    #[test]
    fn json_keeps_order_and_indents() {
        assert_eq!(
            render("{{ v | json }}", json!({"b": 1, "a": "\"<x>"})),
            r#"{"b":1,"a":"\"<x>"}"#
        );
        assert_eq!(
            render("x: {{ v | json_pretty(indent=2) }}", json!({"b": [1]})),
            "x: {\n    \"b\": [\n      1\n    ]\n  }"
        );
    }

    #[test]
    fn yaml_reads_back_what_was_written() {
        for text in [
            "a: b # c",
            "yes",
            "\"q\" 'q' \\",
            "${{ x }} {{ x }}",
            "🚀",
            "a\u{7f}\u{85}\u{2028}b\n",
            "- x",
            "",
        ] {
            let written = render("k: {{ v | yaml }}\n", json!(text));
            assert!(written.lines().count() == 1, "{written}");
            let read: Json = serde_yaml::from_str(&written).unwrap();
            assert_eq!(read["k"], json!(text));
        }
        assert_eq!(
            render("{{ v | yaml }}", json!(["a", true, 1])),
            r#"["a",true,1]"#
        );
    }

    #[test]
    fn comments_stay_on_their_line() {
        assert_eq!(
            render("# {{ v | comment }}", json!("a\nb\r\u{2028}c  d")),
            "# a b c d"
        );
    }

    #[test]
    fn markdown_has_no_meaning() {
        assert_eq!(
            render("{{ v | markdown }}", json!("<b> *x* `y` | [z](u) ${{ a }}")),
            r"&lt;b&gt; \*x\* \`y\` \| \[z\](u) \$\{\{ a \}\}"
        );
    }

    #[test]
    fn derived_names_are_stable() {
        let id = render("{{ v | uuid }}", json!("component"));
        assert_eq!(id, render("{{ v | uuid }}", json!("component")));
        assert_ne!(id, render("{{ v | uuid }}", json!("Component")));
        assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 5);
        assert_eq!(
            render("{{ v | slug }}", json!("Ünïcode Storage/..")),
            "unicode-storage"
        );
        assert_eq!(render("{{ v | sha256 }}", json!("")).len(), 64);
    }

    #[test]
    fn lists_are_selected_from() {
        let list = json!([
            {"n": "a", "on": true, "in": ["x", "y"], "d": {"e": 1}},
            {"n": "b", "on": false, "in": []},
            {"n": "c", "on": true, "in": ["y"], "d": {"e": null}},
        ]);
        let names = |call: &str| {
            render(
                &format!("{{{{ v | {call} | pluck(attribute='n') | json }}}}"),
                list.clone(),
            )
        };
        assert_eq!(names("where(attribute='on', value=true)"), r#"["a","c"]"#);
        assert_eq!(names("where(attribute='in', value='y')"), r#"["a","c"]"#);
        assert_eq!(names("where(attribute='in')"), r#"["a","c"]"#);
        assert_eq!(names("where(attribute='d.e')"), r#"["a"]"#);
        assert_eq!(
            render("{{ v | pluck(attribute='in') | json }}", list),
            r#"["x","y","y"]"#
        );
    }
}
