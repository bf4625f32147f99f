//! Decoding of `activate`, `retry`, `approval` and `on_error`.

use std::time::Duration;

use indexmap::IndexMap;

use super::cursor::Cursor;
use super::input::InputDecl;
use super::keys;
use super::model::{
    Activate, ApprovalDecl, Backoff, Expiry, Field, GateScope, OnError, Retry, RetryOn, Spanned,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::expr::Binding;
use crate::id::NodeName;
use crate::value::Value;
use crate::yaml::{Kind, Node};

pub(super) fn activate(cursor: &mut Cursor<'_, '_>) -> Option<Activate> {
    let node = cursor.get("activate")?;
    let source = cursor.source;
    let mut inner = Cursor::open(
        node,
        "`activate`",
        &[keys::ACTIVATE],
        source,
        cursor.problems,
    )?;
    for key in ["when", "is"] {
        if inner.get(key).is_none() {
            inner.missing(
                "`activate`",
                key,
                "write `activate: { when: ${NODE.output.PORT}, is: VALUE }`",
            );
        }
    }
    let (when, is) = (inner.get("when")?, inner.get("is")?);
    Some(Activate {
        when: Binding::compile(when, source, inner.problems),
        is: is.to_value(),
    })
}

pub(super) fn retry(cursor: &mut Cursor<'_, '_>) -> Option<Retry> {
    let node = cursor.get("retry")?;
    let source = cursor.source;
    let mut inner = Cursor::open(node, "`retry`", &[keys::RETRY], source, cursor.problems)?;
    let attempts = match inner.get("attempts") {
        None => {
            inner.missing(
                "`retry`",
                "attempts",
                "write `retry: { attempts: 3 }`; the first attempt counts",
            );
            None
        }
        Some(node) => integer(node, 1..=1000).or_else(|| {
            inner.problems.push(
                Diagnostic::error(
                    Code::BadValue,
                    "`attempts` must be a whole number from 1 to 1000",
                    source,
                    node.span,
                )
                .help("the first attempt counts: `attempts: 3` is one attempt and two retries"),
            );
            None
        }),
    };
    let on = inner.list("on").map(|items| {
        let mut on = RetryOn {
            error: false,
            timeout: false,
        };
        for item in items {
            match &item.kind {
                Kind::Text(word) if word == "error" => on.error = true,
                Kind::Text(word) if word == "timeout" => on.timeout = true,
                _ => inner.problems.push(
                    Diagnostic::error(
                        Code::BadValue,
                        "`on` names kinds of failure",
                        source,
                        item.span,
                    )
                    .help("write `error`, `timeout` or both"),
                ),
            }
        }
        if items.is_empty() {
            inner.problems.push(Diagnostic::error(
                Code::BadValue,
                "`on` is empty, so nothing is repeated",
                source,
                node.span,
            ));
        }
        on
    });
    let mut backoff = Backoff::default();
    if let Some(node) = inner.get("backoff")
        && let Some(mut inner) =
            Cursor::open(node, "`backoff`", &[keys::BACKOFF], source, inner.problems)
    {
        if let Some(initial) = inner.duration("initial") {
            backoff.initial = initial;
            backoff.max = backoff.max.max(initial);
        }
        if let Some(max) = inner.duration("max") {
            backoff.max = max;
        }
        if let Some(node) = inner.get("factor") {
            match &node.kind {
                Kind::Scalar(Value::Number(number))
                    if number.as_f64().is_some_and(|n| (1.0..=100.0).contains(&n)) =>
                {
                    backoff.factor = number.as_f64().unwrap_or(backoff.factor);
                }
                _ => inner.problems.push(Diagnostic::error(
                    Code::BadValue,
                    "`factor` must be a number from 1 to 100",
                    source,
                    node.span,
                )),
            }
        }
    }
    let attempts = u32::try_from(attempts?).ok()?;
    Some(Retry {
        attempts,
        backoff,
        on: on.unwrap_or(RetryOn {
            error: true,
            timeout: true,
        }),
    })
}

impl Backoff {
    /// The wait after a failed attempt, counted from 1.
    #[must_use]
    pub fn wait(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(self.max)
            .min(self.max)
    }
}

pub(super) fn approval(cursor: &mut Cursor<'_, '_>) -> Option<Spanned<ApprovalDecl>> {
    let entry = cursor.entry("approval");
    let is_gate = matches!(cursor.get("type"), Some(Node { kind: Kind::Text(word), .. }) if word == "approval");
    let Some(entry) = entry else {
        return is_gate.then(|| Spanned {
            value: ApprovalDecl::default(),
            span: cursor.span,
        });
    };
    let span = entry.key_span;
    if entry.value.is_null() {
        return Some(Spanned {
            value: ApprovalDecl::default(),
            span,
        });
    }
    let source = cursor.source;
    let mut inner = Cursor::open(
        &entry.value,
        "`approval`",
        &[keys::APPROVAL],
        source,
        cursor.problems,
    )?;
    let value = ApprovalDecl {
        scope: inner
            .word(
                "scope",
                &[
                    ("following", GateScope::Following),
                    ("dependants", GateScope::Dependants),
                ],
            )
            .unwrap_or_default(),
        timeout: inner.duration("timeout"),
        on_timeout: inner
            .word(
                "on_timeout",
                &[("reject", Expiry::Reject), ("fail", Expiry::Fail)],
            )
            .unwrap_or_default(),
        approvers: approvers(&mut inner),
        quorum: quorum(&mut inner).unwrap_or(1),
        separation_of_duties: inner.boolean("separation_of_duties").unwrap_or(false),
        form: form(&mut inner),
    };
    if inner.get("on_timeout").is_some() && inner.get("timeout").is_none() {
        let node = inner.get("on_timeout").expect("it was just found");
        inner.problems.push(
            Diagnostic::warning(
                Code::Conflict,
                "`on_timeout` without `timeout` never happens",
                source,
                node.span,
            )
            .help("add `timeout: 72h`"),
        );
    }
    Some(Spanned { value, span })
}

/// Who may answer: names and `@groups`, each once.
fn approvers(cursor: &mut Cursor<'_, '_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in cursor.list("approvers").unwrap_or_default() {
        let Kind::Text(name) = &item.kind else {
            cursor.wrong_type(item, "an approver", "a string");
            continue;
        };
        let bare = name.strip_prefix('@').unwrap_or(name);
        if bare.is_empty() || bare.contains(char::is_whitespace) {
            let message = format!("`{name}` is no name of a user or group");
            cursor.problems.push(
                Diagnostic::error(Code::BadValue, message, cursor.source, item.span).help(
                    "write names of `approvers.yaml`: `ada` for a user, `'@security'` for a group",
                ),
            );
        } else if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn quorum(cursor: &mut Cursor<'_, '_>) -> Option<u32> {
    let node = cursor.get("quorum")?;
    let quorum = integer(node, 1..=1_000).and_then(|quorum| u32::try_from(quorum).ok());
    if quorum.is_none() {
        cursor.wrong_type(node, "`quorum`", "a whole number from 1 to 1000");
    }
    quorum
}

/// What a yes fills in: fields in the form of the flow's inputs.
fn form(cursor: &mut Cursor<'_, '_>) -> IndexMap<String, Field> {
    let mut fields = IndexMap::new();
    let Some(node) = cursor.get("form") else {
        return fields;
    };
    let Kind::Map(entries) = &node.kind else {
        cursor.wrong_type(node, "`form`", "a mapping of fields");
        return fields;
    };
    for entry in entries {
        if let Some(input) = InputDecl::decode_as("field", entry, cursor.source, cursor.problems) {
            let field = Field {
                input_type: input.input_type,
                schema: input.schema,
                default: input.default,
            };
            fields.insert(entry.key.clone(), field);
        }
    }
    fields
}

pub(super) fn on_error(cursor: &mut Cursor<'_, '_>) -> OnError {
    match cursor.text("on_error") {
        None => OnError::Fail,
        Some(word) => match word.value.as_str() {
            "fail" => OnError::Fail,
            "continue" => OnError::Continue,
            node => OnError::Fallback(Spanned {
                value: NodeName::from(node),
                span: word.span,
            }),
        },
    }
}

fn integer(node: &Node, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    match &node.kind {
        Kind::Scalar(Value::Number(number)) => {
            number.as_i64().filter(|number| range.contains(number))
        }
        _ => None,
    }
}
