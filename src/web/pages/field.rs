//! One field of a form, made of a JSON Schema.

use maud::{Markup, html};

use crate::value::Value;

/// A field of the form.
pub(super) fn field(name: &str, schema: &Value, value: Option<&Value>, required: bool) -> Markup {
    let id = format!("form.{name}");
    let label = schema["title"].as_str().unwrap_or(name);
    let hint = schema["description"].as_str().unwrap_or_default();
    let text = value.map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    html! {
        @if schema["type"] == "boolean" {
            label.box {
                input type="checkbox" name=(id) value="true" checked[value == Some(&Value::Bool(true))];
                " " (label) @if !hint.is_empty() { span.hint { " " (hint) } }
            }
        } @else {
            label for=(id) { (label) @if !hint.is_empty() { span.hint { " " (hint) } } }
            @if let Some(choices) = schema["enum"].as_array() {
                select id=(id) name=(id) required[required] {
                    @for choice in choices {
                        @let choice_text = choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
                        option value=(choice_text) selected[value == Some(choice)] { (choice_text) }
                    }
                }
            } @else if schema["type"] == "integer" || schema["type"] == "number" {
                input id=(id) type="number" name=(id) value=[text] required[required]
                    step=(if schema["type"] == "integer" { "1" } else { "any" })
                    min=[schema["minimum"].as_f64()] max=[schema["maximum"].as_f64()];
            } @else {
                input id=(id) type=(if schema["format"] == "date" { "date" } else { "text" }) name=(id) value=[text]
                    required[required] pattern=[schema["pattern"].as_str()]
                    minlength=[schema["minLength"].as_u64()] maxlength=[schema["maxLength"].as_u64()];
            }
        }
    }
}
