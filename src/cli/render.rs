//! Diagnostics as rustc shows them, and as JSON.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::printable::printable;
use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity};

/// All problems, for people.
pub(crate) fn text(problems: &Diagnostics) -> String {
    let renderer = if super::output::colours() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let sorted = problems.sorted();
    let mut text: Vec<String> = sorted
        .iter()
        .map(|problem| one(&renderer, problem))
        .collect();
    let errors = sorted
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    if errors > 1 {
        text.push(format!("error: {errors} errors"));
    }
    // The colours are the renderer's own; of the author's file it lets through more than terminals should see.
    let text = text.join("\n\n") + "\n";
    let parts: Vec<_> = text.split('\u{1b}').map(printable).collect();
    parts.join("\u{1b}")
}

fn one(renderer: &Renderer, problem: &Diagnostic) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(printable(&problem.message))
        .id(problem.code.slug());
    let source = &problem.primary.source;
    let mut group = if source.text.is_empty() {
        title.element(annotate_snippets::Origin::path(printable(&source.path)))
    } else {
        let mut snippet = Snippet::source(source.text.as_str())
            .path(printable(&source.path))
            .annotation(mark(&problem.primary, AnnotationKind::Primary));
        for label in problem
            .secondary
            .iter()
            .filter(|label| label.source.path == source.path)
        {
            snippet = snippet.annotation(mark(label, AnnotationKind::Context));
        }
        title.element(snippet)
    };
    for help in &problem.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let mut groups = vec![group];
    for label in problem
        .secondary
        .iter()
        .filter(|label| label.source.path != source.path)
    {
        let snippet = Snippet::source(label.source.text.as_str())
            .path(printable(&label.source.path))
            .annotation(mark(label, AnnotationKind::Primary));
        groups.push(
            Level::NOTE
                .secondary_title(printable(&label.text))
                .element(snippet),
        );
    }
    renderer.render(&groups)
}

fn mark(label: &Label, kind: AnnotationKind) -> annotate_snippets::Annotation<'_> {
    let text = &label.source.text;
    let start = label.source.floor(label.span.start);
    let end = text
        .ceil_char_boundary(label.span.end.min(text.len()))
        .max(start);
    // Of a value over several lines, the first says enough.
    let line_end = text[start..end]
        .find('\n')
        .map_or(end, |length| start + length);
    let annotation = kind.span(start..line_end.max(start));
    if label.text.is_empty() {
        annotation
    } else {
        annotation.label(printable(&label.text))
    }
}

/// All problems, for programs.
pub(crate) fn json(problems: &Diagnostics) -> Value {
    problems.sorted().into_iter().map(json_one).collect()
}

fn json_one(problem: &Diagnostic) -> Value {
    let mut object = place(&problem.primary);
    object["code"] = json!(problem.code.slug());
    object["severity"] = json!(match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    });
    object["message"] = json!(problem.message);
    object["help"] = json!(problem.help);
    object["related"] = problem.secondary.iter().map(place).collect();
    object
}

fn place(label: &Label) -> Value {
    let (start, end) = (
        label.source.position(label.span.start),
        label.source.position(label.span.end),
    );
    json!({
        "path": label.source.path, "line": start.line, "column": start.column,
        "end_line": end.line, "end_column": end.column, "label": label.text,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{Code, Source, Span};

    proptest! {
        /// Any place in any text can be shown, also places that do not fit.
        #[test]
        fn every_place_can_be_shown(text in "(\\PC|\n|\t|\u{202e}|\u{9b}){0,60}", start in 0..80_usize, length in 0..20_usize) {
            let source = Arc::new(Source::new("f.yaml", text));
            let span = Span::new(start, start + length);
            let problem = Diagnostic::error(Code::YamlSyntax, "wrong\u{1b}[31m", &source, span)
                .label("here")
                .also(&source, Span::new(length, start + length), "there")
                .help("do \u{202e}better");
            let problems = Diagnostics::from(problem);
            let shown = super::text(&problems);
            let hidden = shown.contains("wrong\u{1b}") || shown.contains(['\u{202e}', '\u{9b}']);
            prop_assert!(!hidden);
            prop_assert!(json(&problems)[0]["line"].as_u64().is_some_and(|line| line > 0));
        }
    }
}
