//! [`Text`]: a string of a flow file, with the references and templates in it.
//!
//! `${x}` is a reference, `$${` a literal `${`, `${{ … }}` belongs to others and stays, and
//! `{{ … }}`, `{% … %}` make the whole string a tera template.

use std::sync::Arc;

use super::reference::{Problem, Reference};
use super::template::Template;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::yaml::Node;

/// A compiled string.
#[derive(Clone, Debug)]
pub enum Text {
    /// No expression inside; escapes are undone.
    Plain(String),
    /// Exactly one reference: the value keeps its type.
    Whole(Reference),
    /// References inside a longer string.
    Joined(Vec<Part>),
    /// A tera template.
    Template(Template),
}

/// A piece of a joined string.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// A reference, as text.
    Reference(Reference),
}

/// A piece as scanned.
enum Piece<'t> {
    Literal(&'t str),
    /// Another system's expression, kept as it is.
    Foreign(&'t str),
    Reference(Reference),
    /// `{{ … }}`, `{% … %}` or `{# … #}` with its byte offset.
    Template(&'t str, usize),
}

impl Text {
    /// Compiles a string node; problems point into the string.
    pub(crate) fn compile(
        node: &Node,
        text: &str,
        source: &Arc<Source>,
        problems: &mut Diagnostics,
    ) -> Self {
        let pieces = scan(node, text, source, problems);
        if pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Template(..)))
        {
            return template(node, text, pieces, source, problems);
        }
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) | Piece::Foreign(text) => match parts.last_mut() {
                    Some(Part::Literal(last)) => last.push_str(text),
                    _ => parts.push(Part::Literal(text.to_owned())),
                },
                Piece::Reference(reference) => parts.push(Part::Reference(reference)),
                Piece::Template(..) => {}
            }
        }
        if parts.len() > 1 {
            return Self::Joined(parts);
        }
        match parts.pop() {
            None => Self::Plain(String::new()),
            Some(Part::Literal(text)) => Self::Plain(text),
            Some(Part::Reference(reference)) => Self::Whole(reference),
        }
    }
}

fn scan<'t>(
    node: &Node,
    text: &'t str,
    source: &Arc<Source>,
    problems: &mut Diagnostics,
) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    // Jumps from one `$` or `{` to the next: everything between is literal.
    while let Some(found) = text[at..].find(['$', '{']) {
        at += found;
        let rest = &text[at..];
        let flush = |pieces: &mut Vec<Piece<'t>>, literal: usize| {
            if literal < at {
                pieces.push(Piece::Literal(&text[literal..at]));
            }
        };
        if rest.starts_with("$${") {
            flush(&mut pieces, literal);
            literal = at + 1;
            at += 3;
        } else if rest.starts_with("${{") {
            flush(&mut pieces, literal);
            let length = rest.find("}}").map_or(rest.len(), |end| end + 2);
            pieces.push(Piece::Foreign(&rest[..length]));
            at += length;
            literal = at;
        } else if let Some(inner) = rest.strip_prefix("${") {
            flush(&mut pieces, literal);
            let Some(end) = closing_brace(inner) else {
                problems.push(
                    Diagnostic::error(
                        Code::ExprUnclosed,
                        "`${` is never closed",
                        source,
                        node.locate(source, at, text.trim_end().len()),
                    )
                    .label("the expression starts here")
                    .help("close it with `}`, or write `$${` for a literal `${`"),
                );
                return pieces;
            };
            match Reference::parse(&inner[..end]) {
                Ok(mut reference) => {
                    reference.span = node.locate(source, at, at + end + 3);
                    pieces.push(Piece::Reference(reference));
                }
                Err(problem) => problems.push(reference_problem(&problem, node, source, at + 2)),
            }
            at += end + 3;
            literal = at;
        } else if let Some(close) = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
            .iter()
            .find(|(open, _)| rest.starts_with(open))
        {
            flush(&mut pieces, literal);
            let length = rest.find(close.1).map_or(rest.len(), |end| end + 2);
            let block = &rest[..length];
            if let Some(inside) = block.find("${") {
                problems.push(
                    Diagnostic::error(
                        Code::ExprSyntax,
                        format!("a `${{…}}` cannot stand inside `{} … {}`", close.0, close.1),
                        source,
                        node.locate(source, at + inside, at + inside + 2),
                    )
                    .help("inside a template the same names are used without `${` and `}`: `{{ inputs.NAME }}`"),
                );
            } else {
                pieces.push(Piece::Template(block, at));
            }
            at += length;
            literal = at;
        } else {
            at += 1;
        }
    }
    if literal < text.len() {
        pieces.push(Piece::Literal(&text[literal..]));
    }
    pieces
}

/// The `}` that closes a reference; one inside quotes does not.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') => return Some(index),
            _ => {}
        }
    }
    // An unbalanced quote must not swallow the rest of a long string.
    text.find('}')
}

fn reference_problem(
    problem: &Problem,
    node: &Node,
    source: &Arc<Source>,
    offset: usize,
) -> Diagnostic {
    let span = if problem.start < problem.end {
        node.locate(source, offset + problem.start, offset + problem.end)
    } else {
        node.locate(source, offset - 2, offset + problem.end + 1)
    };
    let mut diagnostic = Diagnostic::error(problem.code, problem.message.clone(), source, span);
    if let Some(help) = &problem.help {
        diagnostic = diagnostic.help(help.clone());
    }
    if problem.message.ends_with("not a reference") {
        // What is usually meant is a variable of the shell.
        diagnostic = diagnostic.help("for a literal `${` write `$${`");
    }
    diagnostic
}

/// Rewrites the string so that tera sees neither `${…}` nor other systems' expressions: both
/// become variables that only this string has.
fn template(
    node: &Node,
    text: &str,
    pieces: Vec<Piece<'_>>,
    source: &Arc<Source>,
    problems: &mut Diagnostics,
) -> Text {
    let mut rewritten = String::with_capacity(text.len());
    let mut parts = Vec::new();
    let mut places = Vec::new();
    for piece in pieces {
        let part = match piece {
            Piece::Literal(literal) => {
                rewritten.push_str(literal);
                continue;
            }
            Piece::Template(block, at) => {
                places.push((rewritten.len(), at, block.len()));
                rewritten.push_str(block);
                continue;
            }
            Piece::Foreign(foreign) => Part::Literal(foreign.to_owned()),
            Piece::Reference(reference) => Part::Reference(reference),
        };
        rewritten.push_str("{{ ");
        rewritten.push_str(&Template::part_name(parts.len()));
        rewritten.push_str(" }}");
        parts.push(part);
    }
    match Template::compile(&rewritten, parts) {
        Ok(template) => Text::Template(template.at(node.span)),
        Err(problem) => {
            let inside = places
                .iter()
                .find(|(start, _, length)| (*start..=*start + *length).contains(&problem.start));
            let span = inside.map_or(node.span, |(start, at, length)| {
                let begin = at + (problem.start - start);
                let end =
                    (begin + problem.end.saturating_sub(problem.start).max(1)).min(at + length);
                node.locate(source, begin.min(end.saturating_sub(1)), end)
            });
            problems.push(Diagnostic::error(
                Code::BadTemplate,
                problem.message,
                source,
                span,
            ));
            Text::Plain(String::new())
        }
    }
}
