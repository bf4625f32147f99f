//! [`Reference`]: `${head tail}`, what stands between the braces.

use std::fmt;

use super::path::Path;
use crate::diagnostic::{Code, Span, nearest};
use crate::id::{NodeName, is_name};

/// What a reference begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// `inputs.NAME`: a flow input.
    Input(String),
    /// `NODE.output` or `nodes.NODE.outputs`: a node's output.
    Output(NodeName),
    /// `run.id`.
    RunId,
    /// `approval`: the decision of this node's gate.
    Approval,
    /// `feedback`: what a reviewer said who sent the work back.
    Feedback,
    /// `item`: the item of a `foreach`.
    Item,
    /// `env.NAME`: an environment variable, as it was when the run began.
    Env(String),
    /// `secrets.NAME`: reaches the tool and nothing else.
    Secret(String),
}

/// A parsed reference and the bytes it stands in.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// What it begins with.
    pub head: Head,
    /// What is taken of that.
    pub path: Path,
    /// Where it stands in the flow file; of a wire that flowctl made, the node's name.
    pub span: Span,
}

/// Why a reference cannot be read; `start..end` are bytes of the text between the braces.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) help: Option<String>,
}

impl Reference {
    /// Parses the text between `${` and `}`. The span is filled in by the caller.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let syntax = |message: &str, start: usize, end: usize, help: Option<&str>| Problem {
            code: Code::ExprSyntax,
            message: message.to_owned(),
            start,
            end,
            help: help.map(str::to_owned),
        };
        let trimmed = text.trim();
        let lead = text.len() - text.trim_start().len();
        if trimmed.is_empty() {
            return Err(syntax(
                "the reference is empty",
                0,
                text.len(),
                Some("write `${inputs.NAME}` or `${NODE.output}`"),
            ));
        }
        let (first, rest) = word(trimmed);
        if first.is_empty() {
            let help = "a reference begins with `inputs.NAME`, `NODE.output`, `run.id`, `approval`, `feedback`, `item`, `env.NAME` or `secrets.NAME`";
            return Err(syntax(
                "this is not a reference",
                lead,
                lead + trimmed.len(),
                Some(help),
            ));
        }
        // `.NAME` after a fixed word, and what is left after it.
        let named = |rest: &'_ str| -> Option<(String, usize)> {
            let (name, after) = word(rest.strip_prefix('.')?);
            (!name.is_empty()).then(|| (name.to_owned(), trimmed.len() - after.len()))
        };
        let missing_name = |what: &str| {
            syntax(
                &format!("`{first}` needs the name of {what}"),
                lead,
                lead + trimmed.len(),
                Some(&format!("write `${{{first}.NAME}}`")),
            )
        };
        let (head, tail_at) = match first {
            "inputs" => {
                let (name, at) = named(rest).ok_or_else(|| missing_name("an input"))?;
                (Head::Input(name), at)
            }
            "env" => {
                let (name, at) = named(rest).ok_or_else(|| missing_name("a variable"))?;
                (Head::Env(name), at)
            }
            "secrets" => {
                let (name, at) = named(rest).ok_or_else(|| missing_name("a secret"))?;
                (Head::Secret(name), at)
            }
            "run" => match named(rest) {
                Some((name, at)) if name == "id" => (Head::RunId, at),
                _ => {
                    return Err(syntax(
                        "`run` has an `id` only",
                        lead,
                        lead + trimmed.len(),
                        Some("write `${run.id}`"),
                    ));
                }
            },
            "approval" if !rest.starts_with(".output") => (Head::Approval, first.len()),
            "feedback" if !rest.starts_with(".output") => (Head::Feedback, first.len()),
            "item" if !rest.starts_with(".output") => (Head::Item, first.len()),
            "nodes" if !rest.starts_with(".output.") && rest != ".output" => {
                let help = Some("write `${nodes.NODE.outputs.PORT}` or `${NODE.output.PORT}`");
                let Some((name, at)) = named(rest) else {
                    return Err(missing_name("a node"));
                };
                let (section, after) = word(trimmed[at..].strip_prefix('.').unwrap_or_default());
                if !matches!(section, "outputs" | "output") {
                    return Err(syntax(
                        &format!("`nodes.{name}` has `outputs` only"),
                        lead,
                        lead + trimmed.len(),
                        help,
                    ));
                }
                (
                    Head::Output(NodeName::from(name)),
                    trimmed.len() - after.len(),
                )
            }
            node => {
                let section = rest.strip_prefix('.').map(word);
                let Some(("output" | "outputs", after)) = section else {
                    let wrong = section.map_or("", |(section, _)| section);
                    let mut help =
                        format!("write `${{{node}.output}}` for the output of node `{node}`");
                    if let Some(near) = nearest(
                        node,
                        [
                            "inputs", "env", "secrets", "run", "approval", "feedback", "item",
                            "nodes",
                        ],
                    ) {
                        help = format!("did you mean `{near}`?");
                    } else if !wrong.is_empty() {
                        help = format!(
                            "write `${{{node}.output.{wrong}}}` for the port `{wrong}` of node `{node}`"
                        );
                    }
                    return Err(syntax(
                        &format!("`{trimmed}` is not a reference"),
                        lead,
                        lead + trimmed.len(),
                        Some(&help),
                    ));
                };
                (
                    Head::Output(NodeName::from(node)),
                    trimmed.len() - after.len(),
                )
            }
        };
        let tail = &trimmed[tail_at..];
        let path = Path::parse(tail).map_err(|error| Problem {
            code: Code::ExprBadPath,
            message: error.message,
            start: (lead + tail_at + error.offset).min(lead + trimmed.len().saturating_sub(1)),
            end: lead + trimmed.len(),
            help: error.help,
        })?;
        Ok(Self {
            head,
            path,
            span: Span::default(),
        })
    }
}

/// Splits a leading name off.
fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(text.len());
    if is_name(&text[..end]) {
        text.split_at(end)
    } else {
        ("", text)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(name) => write!(formatter, "inputs.{name}"),
            Self::Output(node) => write!(formatter, "{node}.output"),
            Self::RunId => formatter.write_str("run.id"),
            Self::Approval => formatter.write_str("approval"),
            Self::Feedback => formatter.write_str("feedback"),
            Self::Item => formatter.write_str("item"),
            Self::Env(name) => write!(formatter, "env.{name}"),
            Self::Secret(name) => write!(formatter, "secrets.{name}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "${{{}{}}}", self.head, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads() {
        for (text, shown) in [
            ("inputs.x", "${inputs.x}"),
            ("inputs.x-y.z[0]", "${inputs.x-y.z[0]}"),
            (" QA.output ", "${QA.output}"),
            ("QA.output.a['b c']", "${QA.output.a['b c']}"),
            ("nodes.QA.outputs.a", "${QA.output.a}"),
            ("nodes.output.a", "${nodes.output.a}"),
            ("run.id", "${run.id}"),
            ("approval.by", "${approval.by}"),
            ("approval.output.x", "${approval.output.x}"),
            ("feedback", "${feedback}"),
            ("item.path", "${item.path}"),
            ("env.HOME", "${env.HOME}"),
            ("secrets.TOKEN", "${secrets.TOKEN}"),
        ] {
            let reference = Reference::parse(text)
                .unwrap_or_else(|problem| panic!("{text}: {}", problem.message));
            assert_eq!(reference.to_string(), shown);
        }
    }

    #[test]
    fn wrong_references() {
        for text in [
            "",
            "  ",
            "inputs",
            "inputs.",
            "run.name",
            "QA",
            "QA.result",
            "nodes.QA",
            "nodes.QA.x",
            "1.output",
            "QA.output.",
            "a b",
        ] {
            let problem = Reference::parse(text).expect_err(text);
            assert!(
                problem.start <= problem.end && problem.end <= text.len(),
                "{text}: {problem:?}"
            );
        }
        assert_eq!(
            Reference::parse("QA.summary")
                .expect_err("no section")
                .help
                .as_deref(),
            Some("write `${QA.output.summary}` for the port `summary` of node `QA`")
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = Reference::parse(&text).is_ok();
        }

        #[test]
        fn round_trips(node in "[A-Za-z_][A-Za-z0-9_-]{0,8}", keys in prop::collection::vec("[a-z_][a-z0-9_]{0,5}", 0..4), index in -3_i64..9) {
            let tail: String = keys.iter().flat_map(|key| [".", key]).collect();
            let text = format!("nodes.{node}.outputs{tail}[{index}]");
            let first = Reference::parse(&text).expect("it is well formed");
            let shown = first.to_string();
            let second = Reference::parse(&shown[2..shown.len() - 1]);
            // A node may carry the name of a head; then only the `nodes.` spelling names it.
            if !["inputs", "env", "secrets", "run"].contains(&node.as_str()) {
                prop_assert_eq!(second.expect("what is shown parses"), first);
            }
        }
    }
}
