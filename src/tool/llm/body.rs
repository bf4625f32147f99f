//! The body of a request without its prompt: the parameters, as they are sent.

use super::parameters::Api;
use crate::port::Failure;
use crate::value::{Object, Value};

/// Which model is asked for: `deployment_name` or `model`, the same thing under two names.
pub(super) fn model(parameters: &Object) -> Result<String, Failure> {
    ["model", "deployment_name"]
        .iter()
        .filter_map(|name| parameters.get(*name)?.as_str())
        .find(|name| !name.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new("neither `model` nor `deployment_name` says which model is asked")
                .help("give one of them among the inputs of the node")
        })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

/// The body of a request without its prompt: what is given, and the two defaults that Prompt Flow sends.
pub(super) fn body(api: Api, parameters: &Object, stream: bool) -> Result<Object, Failure> {
    let mut body = Object::new();
    body.insert("model".to_owned(), model(parameters)?.into());
    for (name, _) in api.parameters() {
        if matches!(*name, "deployment_name" | "model" | "stream") {
            continue;
        }
        let given = parameters.get(*name).filter(|value| !is_empty(value));
        let value = match (*name, given) {
            (_, Some(value)) => value.clone(),
            ("temperature" | "top_p", None) => 1.0.into(),
            _ => continue,
        };
        body.insert((*name).to_owned(), value);
    }
    let stream = stream || parameters.get("stream") == Some(&Value::Bool(true));
    body.insert("stream".to_owned(), stream.into());
    // A choice without something to choose from is refused by the servers.
    for (choice, among) in [("tool_choice", "tools"), ("function_call", "functions")] {
        if !body.contains_key(among) {
            body.shift_remove(choice);
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_is_sent_and_what_is_empty_is_not() {
        let given = json!({"model": "m", "temperature": "0.7", "stop": []});
        assert_eq!(
            json!(body(Api::Chat, given.as_object().unwrap(), false).unwrap()),
            json!({"model": "m", "temperature": "0.7", "top_p": 1.0, "stream": false})
        );
    }

    #[test]
    fn a_request_names_its_model() {
        assert!(body(Api::Chat, &Object::new(), false).is_err());
        let both =
            json!({"deployment_name": "d", "model": "", "stream": true, "tool_choice": "auto"});
        assert_eq!(
            json!(body(Api::Completion, both.as_object().unwrap(), false).unwrap()),
            json!({"model": "d", "temperature": 1.0, "top_p": 1.0, "stream": true})
        );
    }
}
