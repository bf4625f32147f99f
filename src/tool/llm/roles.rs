//! A prompt to chat messages: `user:` alone on its line begins one.

use serde_json::json;

use super::images::Images;
use super::mask::Mask;
use crate::port::Failure;
use crate::tool::prompt::literal;
use crate::value::{Object, Value};

const ROLES: [&str; 5] = ["system", "user", "assistant", "function", "tool"];

/// A header: where its line begins, which role, and where the content begins.
struct Header<'t> {
    start: usize,
    role: &'t str,
    name_at: usize,
    end: usize,
}

fn skip_spaces(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// The header that begins at the start of a line, if one does. White space may go over lines, as in
/// Prompt Flow; a newline must follow unless `at_end` allows the end of the text.
fn header_at(text: &str, start: usize, at_end: bool) -> Option<Header<'_>> {
    let mut at = skip_spaces(text, start);
    if text[at..].starts_with('#') {
        at = skip_spaces(text, at + 1);
    }
    let name_at = at;
    let role = ROLES.iter().find_map(|role| {
        let name = text.get(at..at + role.len())?;
        name.eq_ignore_ascii_case(role).then_some(name)
    })?;
    at = skip_spaces(text, at + role.len());
    if !text[at..].starts_with(':') {
        return None;
    }
    // Of the white space behind the colon, everything up to its last newline belongs to the header.
    let spaces = &text[at + 1..skip_spaces(text, at + 1)];
    let end = match spaces.rfind('\n') {
        Some(newline) => at + 1 + newline + 1,
        None if at_end && at + 1 + spaces.len() == text.len() => text.len(),
        None => return None,
    };
    Some(Header {
        start,
        role,
        name_at,
        end,
    })
}

fn headers(text: &str, at_end: bool) -> Vec<Header<'_>> {
    let mut found: Vec<Header<'_>> = Vec::new();
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    for start in lines {
        if found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        found.extend(header_at(text, start, at_end));
    }
    found
}

/// Where the names of roles stand that would open messages; also at the very end, because more text may
/// follow there in the prompt.
pub(super) fn role_headers(text: &str) -> Vec<usize> {
    headers(text, true)
        .into_iter()
        .map(|header| header.name_at)
        .collect()
}

/// Cuts a rendered prompt into chat messages.
///
/// # Errors
/// When text stands before the first role, or a message has not the form that its role needs.
pub(super) fn messages(
    prompt: &str,
    images: &Images,
    mask: Option<Mask>,
) -> Result<Vec<Value>, Failure> {
    let show = |text: &str| mask.map_or_else(|| text.to_owned(), |mask| mask.show(text));
    let found = headers(prompt, false);
    let first = found.first().map_or(prompt.len(), |header| header.start);
    let before = prompt[..first].trim();
    if !before.is_empty() {
        let line: String = show(before)
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(80)
            .collect();
        return Err(Failure::new(format!(
            "the prompt of a chat begins with a role; `{line}` stands before the first one"
        ))
        .help("put `system:`, `user:`, `assistant:`, `function:` or `tool:` alone on a line before each message, or use `api: completion`"));
    }
    let mut messages = Vec::with_capacity(found.len());
    for (at, header) in found.iter().enumerate() {
        let end = found.get(at + 1).map_or(prompt.len(), |next| next.start);
        let role = header.role.to_ascii_lowercase();
        let message = message(&role, &prompt[header.end..end], images, &show)?;
        messages.push(Value::Object(message));
    }
    Ok(messages)
}

fn message(
    role: &str,
    content: &str,
    images: &Images,
    show: &dyn Fn(&str) -> String,
) -> Result<Object, Failure> {
    let mut message = Object::new();
    message.insert("role".to_owned(), role.into());
    let shown = |text: &str| images.content(&show(text));
    if role == "tool" {
        let Some((id, rest)) = named(content, "tool_call_id") else {
            return Err(Failure::new("a message of the role `tool` has no `tool_call_id`")
                .help("write `## tool_call_id:`, the id on the next line, then `## content:` and the result"));
        };
        message.insert("tool_call_id".to_owned(), show(&id).into());
        message.insert("content".to_owned(), shown(rest));
        return Ok(message);
    }
    if role == "assistant"
        && let Some(text) = field(content, "tool_calls")
    {
        // A JSON or Python list; what it says is the author's, so it is read, never run.
        let calls = literal(show(text).trim()).filter(Value::is_array);
        let Some(calls) = calls else {
            return Err(
                Failure::new("`tool_calls` of an assistant message is no list")
                    .help("write the list as the model gave it, in JSON"),
            );
        };
        message.insert("content".to_owned(), "".into());
        message.insert("tool_calls".to_owned(), calls);
        return Ok(message);
    }
    match named(content, "name") {
        Some((name, rest)) => {
            message.insert("name".to_owned(), show(&name).into());
            message.insert("content".to_owned(), shown(rest));
        }
        None if role == "function" => {
            return Err(Failure::new("a message of the role `function` has no `name`")
                .help("write `name:`, the function's name on the next line, then `content:` and the result"));
        }
        None => {
            message.insert("content".to_owned(), shown(content));
        }
    }
    Ok(message)
}

/// What stands behind `key:` on a line of its own at the beginning, with up to two `#` before it.
fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let rest = text.trim_start_matches('\n');
    let rest = rest.strip_prefix('#').unwrap_or(rest);
    let rest = rest.strip_prefix('#').unwrap_or(rest).trim_start();
    let rest = rest.strip_prefix(key)?.trim_start().strip_prefix(':')?;
    let spaces = &rest[..rest.len() - rest.trim_start().len()];
    spaces.contains('\n').then(|| rest.trim_start())
}

/// `key:`, a word on the next line, `content:` and the rest.
fn named<'t>(text: &'t str, key: &str) -> Option<(String, &'t str)> {
    let rest = field(text, key)?;
    let end = rest.find(char::is_whitespace)?;
    let (word, rest) = rest.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('#').unwrap_or(rest);
    let rest = rest.strip_prefix('#').unwrap_or(rest).trim_start();
    let rest = rest
        .strip_prefix("content")?
        .trim_start()
        .strip_prefix(':')?;
    Some((word.to_owned(), rest))
}

/// The message that a completion's text would be in a chat; for providers that have only chat.
pub(super) fn one_message(prompt: &str) -> Vec<Value> {
    vec![json!({ "role": "user", "content": prompt })]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(prompt: &str) -> Value {
        messages(prompt, &Images::default(), None).unwrap().into()
    }

    #[test]
    fn roles_open_messages() {
        let simple = json!([
            {"role": "system", "content": "S"}, {"role": "user", "content": "hi"}
        ]);
        for prompt in [
            "# system:\nS\n\n# user:\nhi",
            "System:\nS\nUSER :\nhi\n",
            "  # system:\n  S\n  # user:\n  hi",
            "\n\nsystem:\n\n\nS\n\n\nuser  :  \n  hi  ",
        ] {
            assert_eq!(cut(prompt), simple, "{prompt}");
        }
        assert_eq!(
            cut("system:\n\nuser:\nhi"),
            json!([{"role": "system", "content": ""}, {"role": "user", "content": "hi"}])
        );
        assert_eq!(
            cut("user:\na user: b\n## user:\nc"),
            json!([{"role": "user", "content": "a user: b\n## user:\nc"}])
        );
        assert_eq!(cut(""), json!([]));
    }

    #[test]
    fn messages_can_have_names_calls_and_results() {
        assert_eq!(
            cut("user:\nname:\nbob\ncontent:\nhi\nfunction:\n## name:\nfn\n## content:\n{\"a\":1}"),
            json!([
                {"role": "user", "name": "bob", "content": "hi"},
                {"role": "function", "name": "fn", "content": "{\"a\":1}"}
            ])
        );
        assert_eq!(
            cut(
                "assistant:\n## tool_calls:\n[{'id': 'c1', 'type': 'function', 'function': {'name': 'f', 'arguments': '{}'}}]\ntool:\n## tool_call_id:\nc1\n## content:\nok"
            ),
            json!([
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "ok"}
            ])
        );
    }

    #[test]
    fn what_is_no_chat_says_so() {
        for (prompt, message) in [
            (
                "system: You are S.\nuser:\nx",
                "the prompt of a chat begins with a role; `system: You are S.` stands before the first one",
            ),
            (
                "## system:\nS\n## user:\nhi",
                "the prompt of a chat begins with a role; `## system:` stands before the first one",
            ),
            (
                "function:\nx",
                "a message of the role `function` has no `name`",
            ),
            (
                "tool:\nx",
                "a message of the role `tool` has no `tool_call_id`",
            ),
            (
                "assistant:\ntool_calls:\nnot a list",
                "`tool_calls` of an assistant message is no list",
            ),
        ] {
            let failure = messages(prompt, &Images::default(), None).unwrap_err();
            assert_eq!(failure.message, message);
        }
    }
}
