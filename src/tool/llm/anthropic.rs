//! The dialect of Anthropic: the same messages and parameters, said in its words.

use serde_json::json;

use super::body::model;
use super::openai::{Said, gives_message};
use super::problem;
use super::request::LlmRequest;
use crate::port::Failure;
use crate::value::{Object, Value};

/// Its API wants to be told; long enough for most answers.
const MAX_TOKENS: u32 = 4096;
/// The tool that is made of a `response_format`.
const ANSWER: &str = "answer";

fn given<'p>(parameters: &'p Object, name: &str) -> Option<&'p Value> {
    parameters.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// The body of a request.
pub(super) fn body(request: &LlmRequest<'_>) -> Result<Value, Failure> {
    let parameters = request.parameters;
    let mut body = Object::new();
    body.insert("model".to_owned(), model(parameters)?.into());
    let most =
        given(parameters, "max_tokens").or_else(|| given(parameters, "max_completion_tokens"));
    let most = most.cloned().unwrap_or_else(|| json!(MAX_TOKENS));
    body.insert("max_tokens".to_owned(), most);
    let (system, messages) = conversation(request.messages)?;
    if !system.is_empty() {
        body.insert("system".to_owned(), system.into());
    }
    body.insert("messages".to_owned(), messages.into());
    // Its defaults are its own: newer models refuse both of these at once.
    for name in ["temperature", "top_p"] {
        if let Some(value) = given(parameters, name) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(stop) = given(parameters, "stop") {
        body.insert("stop_sequences".to_owned(), stop.clone());
    }
    if let Some(user) = given(parameters, "user") {
        body.insert("metadata".to_owned(), json!({ "user_id": user }));
    }
    let mut tools = tools(parameters)?;
    let choice = given(parameters, "tool_choice").or_else(|| given(parameters, "function_call"));
    let mut choice = choice.map(tool_choice).transpose()?;
    if let Some(schema) = given(parameters, "response_format").and_then(answer_schema) {
        tools.push(json!({
            "name": ANSWER,
            "description": "Gives the answer.",
            "input_schema": schema,
        }));
        choice = Some(json!({ "type": "tool", "name": ANSWER }));
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
        body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
    }
    let stream = request.stream || parameters.get("stream") == Some(&json!(true));
    body.insert("stream".to_owned(), stream.into());
    Ok(body.into())
}

/// The schema that a `response_format` asks for; plain text asks for none.
fn answer_schema(format: &Value) -> Option<Value> {
    match format.get("type").and_then(Value::as_str) {
        Some("json_schema") => format.pointer("/json_schema/schema").cloned(),
        Some("json_object") => Some(json!({ "type": "object" })),
        _ => None,
    }
}

fn tools(parameters: &Object) -> Result<Vec<Value>, Failure> {
    let list = |name: &str| {
        let list = given(parameters, name).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let of_tools = list("tools").map(|tool| tool.get("function").unwrap_or(tool));
    of_tools
        .chain(list("functions"))
        .map(|function| {
            let name = function.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| Failure::new("a tool among `tools` has no name"))?;
            let mut tool = Object::new();
            tool.insert("name".to_owned(), name.into());
            if let Some(description) = function.get("description") {
                tool.insert("description".to_owned(), description.clone());
            }
            let schema = function.get("parameters").cloned();
            let schema = schema.unwrap_or_else(|| json!({ "type": "object" }));
            tool.insert("input_schema".to_owned(), schema);
            Ok(tool.into())
        })
        .collect()
}

fn tool_choice(choice: &Value) -> Result<Value, Failure> {
    let named = choice
        .pointer("/function/name")
        .or_else(|| choice.get("name"));
    match (choice.as_str(), named.and_then(Value::as_str)) {
        (Some("auto"), _) => Ok(json!({ "type": "auto" })),
        (Some("none"), _) => Ok(json!({ "type": "none" })),
        (Some("required" | "any"), _) => Ok(json!({ "type": "any" })),
        (_, Some(name)) => Ok(json!({ "type": "tool", "name": name })),
        _ => Err(Failure::new(format!("`{choice}` is no choice of a tool"))
            .help("give `auto`, `none`, `required`, or the name of a function")),
    }
}

/// The system's text, and everything else as turns.
fn conversation(messages: &[Value]) -> Result<(String, Vec<Value>), Failure> {
    let mut system: Vec<String> = Vec::new();
    let mut turns = Vec::new();
    for message in messages {
        let content = message.get("content").unwrap_or(&Value::Null);
        match message.get("role").and_then(Value::as_str) {
            Some("system") => system.push(match content {
                Value::String(text) => text.clone(),
                other => texts(other),
            }),
            Some("user") => {
                turns.push(json!({ "role": "user", "content": blocks(content)? }));
            }
            Some("assistant") => turns.push(assistant(message, content)?),
            Some("tool") => turns.push(json!({ "role": "user", "content": [{
                "type": "tool_result",
                "tool_use_id": message.get("tool_call_id").unwrap_or(&Value::Null),
                "content": content,
            }] })),
            other => {
                return Err(Failure::new(format!(
                    "Anthropic knows no messages of the role `{}`",
                    other.unwrap_or_default()
                ))
                .help("use `tool:` with a `tool_call_id`"));
            }
        }
    }
    Ok((system.join("\n\n"), turns))
}

fn texts(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts
        .filter_map(|part| part.get("text")?.as_str())
        .collect();
    texts.join("\n")
}

fn assistant(message: &Value, content: &Value) -> Result<Value, Failure> {
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let Some(calls) = calls else {
        return Ok(json!({ "role": "assistant", "content": blocks(content)? }));
    };
    let mut parts = Vec::new();
    if let Some(text) = content.as_str().filter(|text| !text.is_empty()) {
        parts.push(json!({ "type": "text", "text": text }));
    }
    for call in calls {
        let arguments = call.pointer("/function/arguments").unwrap_or(&Value::Null);
        let input = match arguments {
            Value::String(text) => serde_json::from_str(text).map_err(|_| {
                Failure::new("the arguments of a tool call in the prompt are no JSON")
            })?,
            other => other.clone(),
        };
        parts.push(json!({
            "type": "tool_use",
            "id": call.get("id").unwrap_or(&Value::Null),
            "name": call.pointer("/function/name").unwrap_or(&Value::Null),
            "input": input,
        }));
    }
    Ok(json!({ "role": "assistant", "content": parts }))
}

/// Texts and images.
fn blocks(content: &Value) -> Result<Value, Failure> {
    let Some(parts) = content.as_array() else {
        return Ok(content.clone());
    };
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(url) = part.pointer("/image_url/url").and_then(Value::as_str) else {
            blocks.push(part.clone());
            continue;
        };
        let source = match url.strip_prefix("data:") {
            Some(data) => {
                let Some((mime, data)) = data.split_once(";base64,") else {
                    return Err(Failure::new("an image of the prompt is not in base64"));
                };
                json!({ "type": "base64", "media_type": mime, "data": data })
            }
            None => json!({ "type": "url", "url": url }),
        };
        blocks.push(json!({ "type": "image", "source": source }));
    }
    Ok(blocks.into())
}

fn usage_of(usage: Option<&Value>) -> Option<Value> {
    let count = |name: &str| usage?.get(name)?.as_u64();
    let read = count("input_tokens")?
        + count("cache_creation_input_tokens").unwrap_or(0)
        + count("cache_read_input_tokens").unwrap_or(0);
    let written = count("output_tokens").unwrap_or(0);
    Some(json!({
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }))
}

/// Reads a whole answer.
pub(super) fn answer(answer: &Value, parameters: &Object) -> Result<Said, Failure> {
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(problem::said(error));
    }
    let content = answer.get("content").and_then(Value::as_array);
    let content = content.ok_or_else(|| problem::unreadable("it has no `content`", answer))?;
    if answer.get("stop_reason").and_then(Value::as_str) == Some("refusal") {
        return Err(Failure::new("the model refused"));
    }
    let mut text = String::new();
    let mut calls = Vec::new();
    for block in content {
        match block.get("type").and_then(Value::as_str) {
            Some("text") => text.push_str(block.get("text").and_then(Value::as_str).unwrap_or("")),
            Some("tool_use") => {
                let input = block.get("input").unwrap_or(&Value::Null);
                let name = block
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if name == ANSWER && given(parameters, "response_format").is_some() {
                    text = input.to_string();
                    continue;
                }
                calls.push(json!({
                    "id": block.get("id").unwrap_or(&Value::Null),
                    "type": "function",
                    "function": { "name": name, "arguments": input.to_string() },
                }));
            }
            // Thinking, and what comes later.
            _ => {}
        }
    }
    let output = if gives_message(parameters) {
        let silent = text.is_empty() && !calls.is_empty();
        let content = if silent { Value::Null } else { text.into() };
        let mut message = json!({ "role": "assistant", "content": content });
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        message
    } else {
        text.into()
    };
    let model = answer.get("model").and_then(Value::as_str);
    Ok((
        output,
        usage_of(answer.get("usage")),
        model.map(str::to_owned),
    ))
}

/// An answer that comes in pieces: put together to a whole one.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    message: Object,
    blocks: Vec<Object>,
    inputs: Vec<String>,
    usage: Object,
    done: bool,
}

impl Pieces {
    /// Takes the data of an event.
    pub(super) fn take(&mut self, data: &str) -> Result<(), Failure> {
        let event: Value = serde_json::from_str(data)
            .map_err(|_| problem::unreadable("an event of it is no JSON", &json!(data)))?;
        let at = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.message = object(event.get("message")).unwrap_or_default();
                self.usage
                    .extend(object(self.message.get("usage")).unwrap_or_default());
            }
            Some("content_block_start") => {
                if at != self.blocks.len() {
                    return Err(problem::unreadable("its blocks have gaps", &event));
                }
                let block = object(event.get("content_block")).unwrap_or_default();
                self.blocks.push(block);
                self.inputs.push(String::new());
            }
            Some("content_block_delta") => {
                let Some(block) = self.blocks.get_mut(at) else {
                    return Err(problem::unreadable("its blocks have gaps", &event));
                };
                let more = |name: &str| event.pointer(&format!("/delta/{name}"))?.as_str();
                if let Some(more) = more("text") {
                    match block.get_mut("text") {
                        Some(Value::String(text)) => text.push_str(more),
                        _ => drop(block.insert("text".to_owned(), more.into())),
                    }
                }
                if let Some(more) = more("partial_json") {
                    self.inputs[at].push_str(more);
                }
            }
            Some("message_delta") => {
                if let Some(reason) = event.pointer("/delta/stop_reason") {
                    self.message
                        .insert("stop_reason".to_owned(), reason.clone());
                }
                self.usage
                    .extend(object(event.get("usage")).unwrap_or_default());
            }
            Some("message_stop") => self.done = true,
            Some("error") => return Err(problem::said(event.get("error").unwrap_or(&event))),
            _ => {}
        }
        Ok(())
    }

    /// Whether everything came.
    pub(super) fn is_whole(&self) -> bool {
        self.done
    }

    /// What came.
    pub(super) fn finish(mut self, parameters: &Object) -> Result<Said, Failure> {
        let mut content = Vec::with_capacity(self.blocks.len());
        for (mut block, input) in self.blocks.into_iter().zip(self.inputs) {
            if !input.is_empty() {
                let input: Value = serde_json::from_str(&input).map_err(|_| {
                    problem::unreadable("the input of a tool is no JSON", &json!(input))
                })?;
                block.insert("input".to_owned(), input);
            }
            content.push(Value::Object(block));
        }
        self.message.insert("content".to_owned(), content.into());
        self.message.insert("usage".to_owned(), self.usage.into());
        answer(&self.message.into(), parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{connection, request};
    use super::*;

    #[test]
    fn messages_and_parameters_are_said_in_its_words() {
        let connection = connection("anthropic", &[("api_key", "k")]);
        let parameters = json!({
            "model": "claude", "temperature": 0.5, "stop": ["END"], "user": "u",
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        });
        let messages = [
            json!({"role": "system", "content": "S"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ]}),
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}
            ]}),
            json!({"role": "tool", "tool_call_id": "c", "content": "ok"}),
        ];
        let mut request = request(&connection, parameters.as_object().unwrap());
        request.messages = &messages;
        assert_eq!(
            body(&request).unwrap(),
            json!({
                "model": "claude", "max_tokens": 4096, "system": "S", "temperature": 0.5, "stream": false,
                "stop_sequences": ["END"], "metadata": {"user_id": "u"},
                "tools": [{"name": "f", "input_schema": {"type": "object"}}],
                "tool_choice": {"type": "tool", "name": "f"},
                "messages": [
                    {"role": "user", "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                    ]},
                    {"role": "assistant", "content": [
                        {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}
                    ]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "c", "content": "ok"}
                    ]},
                ],
            })
        );
    }

    #[test]
    fn answers_are_read_whole_and_in_pieces() {
        let none = Object::new();
        let whole = json!({
            "model": "claude-1", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "hi"}],
            "usage": {"input_tokens": 3, "output_tokens": 5},
        });
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8});
        let said = (json!("hi"), Some(usage), Some("claude-1".to_owned()));
        assert_eq!(answer(&whole, &none).unwrap(), said);
        let mut pieces = Pieces::default();
        for event in [
            json!({"type": "message_start", "message": {"model": "claude-1", "usage": {"input_tokens": 3, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "ping"}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "i"}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}),
            json!({"type": "message_stop"}),
        ] {
            assert!(!pieces.is_whole());
            pieces.take(&event.to_string()).unwrap();
        }
        assert!(pieces.is_whole());
        assert_eq!(pieces.finish(&none).unwrap(), said);
        let format = json!({"response_format": {"type": "json_object"}});
        let tool = json!({"content": [{"type": "tool_use", "name": "answer", "input": {"a": 1}}]});
        assert_eq!(
            answer(&tool, format.as_object().unwrap()).unwrap().0,
            json!("{\"a\":1}")
        );
        for wrong in [
            json!({}),
            json!({"content": [], "stop_reason": "refusal"}),
            json!({"type": "error", "error": {"message": "overloaded"}}),
        ] {
            assert!(answer(&wrong, &none).is_err());
        }
    }
}
