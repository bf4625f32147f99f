//! The prompts against Jinja2 itself: `scripts/jinja-differential` writes what Jinja2 gives.

use serde_json::Value;

use super::Template;

/// What differs on purpose, or not worth the weight, and why; `docs/llm.md` lists them for users.
const DIFFERENCES: [(&str, &str); 7] = [
    (
        "{{5|items}}",
        "a generator fails when it is used, and this one is only printed",
    ),
    (
        "{{ 2 ** 1000 }}",
        "integers have 128 bits, and more is an error",
    ),
    (
        "{{ (-8) ** 0.5 }}",
        "there are no complex numbers, and one is an error",
    ),
    (
        "{{ 'abc'.encode() }}",
        "there are no bytes, and making some is an error",
    ),
    ("{{ '٣'|int }}", "numbers are read from ASCII digits"),
    (
        "{{ 1 is odd if true else 2 }}",
        "`if` behind a test without arguments is no argument: here it works, and there it does not",
    ),
    (
        "{#",
        "a comment that is never closed is an error also at the very end",
    ),
];

/// Without the addresses and the names of what prints by them.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" at 0x") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 6..];
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    plain.push_str(rest);
    plain.replace("<generator object sync_do_map>", "<generator object>")
}

fn outcome(template: &str, context: &Value) -> String {
    match Template::load("t", template) {
        Err(_) => "load".to_owned(),
        Ok(template) => match template.render(context.as_object().unwrap()) {
            Ok(text) => format!("text {text}"),
            Err(failure) => {
                let message = failure
                    .message
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let class = message.split(": ").find(|part| !part.contains(':'));
                format!("raises {}", class.unwrap_or_default())
            }
        },
    }
}

#[test]
fn prompts_are_as_jinja2_renders_them() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jinja/expected.json");
    let expected = std::fs::read_to_string(file).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let context = &expected["context"];
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() > 200, "the corpus was read");
    let mut differ = Vec::new();
    for case in cases {
        let template = case["template"].as_str().unwrap();
        let theirs = match (case["text"].as_str(), case["raises"].as_str()) {
            (Some(text), _) => format!("text {}", plain(text)),
            (_, Some(class)) => format!("raises {class}"),
            _ => "load".to_owned(),
        };
        let ours = outcome(template, context);
        let known = DIFFERENCES.iter().any(|(known, _)| *known == template);
        assert!(!(known && ours == theirs), "no longer differs: {template}");
        if ours != theirs && !known {
            differ.push(format!("{template}\n  jinja2: {theirs}\n  ours:   {ours}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        cases.len(),
        differ.join("\n")
    );
}
