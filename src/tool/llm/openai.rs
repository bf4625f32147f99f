//! The dialect of OpenAI, Azure OpenAI and those who are compatible with them.

use serde_json::json;

use super::body;
use super::parameters::Api;
use super::problem;
use super::request::LlmRequest;
use crate::port::Failure;
use crate::value::{Object, Value};

/// The body of a request.
pub(super) fn body(request: &LlmRequest<'_>) -> Result<Value, Failure> {
    let rest = body::body(request.api, request.parameters, request.stream)?;
    let mut body = Object::new();
    match request.api {
        Api::Chat => body.insert("messages".to_owned(), request.messages.into()),
        Api::Completion => body.insert("prompt".to_owned(), request.prompt.into()),
    };
    body.extend(rest);
    Ok(body.into())
}

/// Text, or the message when it may hold calls of tools.
pub(super) fn gives_message(parameters: &Object) -> bool {
    ["tools", "functions"].iter().any(|name| {
        parameters
            .get(*name)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    })
}

/// What an answer says: output, usage, model.
pub(super) type Said = (Value, Option<Value>, Option<String>);

/// Reads a whole answer.
pub(super) fn answer(api: Api, answer: &Value, with_message: bool) -> Result<Said, Failure> {
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(problem::said(error));
    }
    let choice = answer.pointer("/choices/0").filter(|it| it.is_object());
    let choice = choice.ok_or_else(|| problem::unreadable("it has no `choices`", answer))?;
    let withheld = choice.get("finish_reason").and_then(Value::as_str) == Some("content_filter");
    let output = match api {
        Api::Completion => choice.get("text").cloned(),
        Api::Chat => {
            let message = choice.get("message").filter(|message| message.is_object());
            let message = message
                .ok_or_else(|| problem::unreadable("its choice has no `message`", answer))?;
            if with_message {
                Some(message.clone())
            } else {
                refused(message)?;
                message.get("content").cloned()
            }
        }
    };
    let output = output.unwrap_or(Value::Null);
    if withheld && (output.is_null() || output == json!("")) {
        return Err(problem::filtered());
    }
    let output = if output.is_null() { json!("") } else { output };
    let usage = answer
        .get("usage")
        .filter(|usage| usage.is_object())
        .cloned();
    let model = answer.get("model").and_then(Value::as_str);
    Ok((output, usage, model.map(str::to_owned)))
}

fn refused(message: &Value) -> Result<(), Failure> {
    let has_content = message
        .get("content")
        .is_some_and(|content| !content.is_null());
    match message.get("refusal").and_then(Value::as_str) {
        Some(refusal) if !has_content && !refusal.is_empty() => {
            Err(Failure::new(format!("the model refused: {refusal}")))
        }
        _ => Ok(()),
    }
}

/// An answer that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    text: String,
    role: Option<Value>,
    calls: Vec<Object>,
    function: Option<Object>,
    usage: Option<Value>,
    model: Option<String>,
    finish: Option<String>,
    done: bool,
}

impl Pieces {
    /// Takes the data of an event.
    pub(super) fn take(&mut self, data: &str) -> Result<(), Failure> {
        if self.done {
            return Ok(());
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data)
            .map_err(|_| problem::unreadable("an event of it is no JSON", &json!(data)))?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(problem::said(error));
        }
        if let Some(model) = chunk.get("model").and_then(Value::as_str)
            && !model.is_empty()
        {
            self.model = Some(model.to_owned());
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.usage = Some(usage.clone());
        }
        // Azure begins with a chunk about its filters, which has no choices.
        let Some(choice) = chunk.pointer("/choices/0") else {
            return Ok(());
        };
        if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish = Some(finish.to_owned());
        }
        if let Some(text) = choice.get("text").and_then(Value::as_str) {
            self.text.push_str(text);
        }
        let Some(delta) = choice.get("delta").and_then(Value::as_object) else {
            return Ok(());
        };
        if let Some(text) = delta.get("content").and_then(Value::as_str) {
            self.text.push_str(text);
        }
        if let Some(role) = delta.get("role").filter(|role| role.is_string()) {
            self.role = Some(role.clone());
        }
        if let Some(function) = delta.get("function_call").and_then(Value::as_object) {
            merge(self.function.get_or_insert_default(), function);
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array);
        for call in calls.into_iter().flatten().filter_map(Value::as_object) {
            let at = call.get("index").and_then(Value::as_u64).unwrap_or(0);
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            // Calls come one after another.
            if at > self.calls.len() {
                return Err(problem::unreadable("its tool calls have gaps", &chunk));
            }
            if at == self.calls.len() {
                self.calls.push(Object::new());
            }
            merge(&mut self.calls[at], call);
        }
        Ok(())
    }

    /// Whether everything came.
    pub(super) fn is_whole(&self) -> bool {
        self.done || self.finish.is_some()
    }

    /// What came.
    pub(super) fn finish(self, with_message: bool) -> Result<Said, Failure> {
        if self.finish.as_deref() == Some("content_filter") && self.text.is_empty() {
            return Err(problem::filtered());
        }
        let output = if with_message {
            let mut message = Object::new();
            let role = self.role.unwrap_or_else(|| json!("assistant"));
            message.insert("role".to_owned(), role);
            let silent =
                self.text.is_empty() && (!self.calls.is_empty() || self.function.is_some());
            let content = if silent {
                Value::Null
            } else {
                self.text.into()
            };
            message.insert("content".to_owned(), content);
            if !self.calls.is_empty() {
                let calls = self.calls.into_iter().map(|mut call| {
                    call.shift_remove("index");
                    Value::Object(call)
                });
                message.insert("tool_calls".to_owned(), calls.collect());
            }
            if let Some(function) = self.function {
                message.insert("function_call".to_owned(), function.into());
            }
            message.into()
        } else {
            self.text.into()
        };
        Ok((output, self.usage, self.model))
    }
}

/// Adds the pieces of a call: texts grow, everything else is what came last.
fn merge(into: &mut Object, from: &Object) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more)) if key == "arguments" => {
                text.push_str(more);
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (_, Value::Null) => {}
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_texts_or_messages() {
        let whole = json!({"model": "m-1", "usage": {"total_tokens": 8}, "choices": [
            {"finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
        ]});
        assert_eq!(
            answer(Api::Chat, &whole, false).unwrap(),
            (
                json!("hi"),
                Some(json!({"total_tokens": 8})),
                Some("m-1".to_owned())
            )
        );
        assert_eq!(
            answer(Api::Chat, &whole, true).unwrap().0,
            json!({"role": "assistant", "content": "hi"})
        );
        let text = json!({"choices": [{"text": "t"}]});
        assert_eq!(answer(Api::Completion, &text, false).unwrap().0, json!("t"));
        for (wrong, message) in [
            (json!({}), "the answer cannot be read: it has no `choices`"),
            (json!([1]), "the answer cannot be read: it has no `choices`"),
            (
                json!({"choices": [{}]}),
                "the answer cannot be read: its choice has no `message`",
            ),
            (
                json!({"error": {"message": "overloaded"}}),
                "the server says: overloaded",
            ),
            (
                json!({"choices": [{"finish_reason": "content_filter", "message": {"content": null}}]}),
                "the server's content filter withheld the answer",
            ),
            (
                json!({"choices": [{"message": {"content": null, "refusal": "no"}}]}),
                "the model refused: no",
            ),
        ] {
            assert_eq!(
                answer(Api::Chat, &wrong, false).unwrap_err().message,
                message
            );
        }
    }

    #[test]
    fn pieces_become_an_answer() {
        let mut pieces = Pieces::default();
        for delta in [
            json!({"role": "assistant", "content": null}),
            json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        ] {
            let chunk = json!({"model": "m", "choices": [{"delta": delta}]});
            pieces.take(&chunk.to_string()).unwrap();
        }
        assert!(!pieces.is_whole());
        pieces.take("[DONE]").unwrap();
        assert!(pieces.is_whole());
        assert_eq!(
            pieces.finish(true).unwrap().0,
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}
            ]})
        );
        let mut wrong = Pieces::default();
        assert!(wrong.take("{nope").is_err());
        let gap = json!({"choices": [{"delta": {"tool_calls": [{"index": 99_999_999}]}}]});
        assert!(wrong.take(&gap.to_string()).is_err());
        let said = json!({"error": {"message": "too slow"}});
        assert_eq!(
            wrong.take(&said.to_string()).unwrap_err().message,
            "the server says: too slow"
        );
    }
}
