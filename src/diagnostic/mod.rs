//! Diagnostics: what is wrong with an author's files, where, and what to do next.
//!
//! Pure data, found by loaders and checks and rendered by the command line. A [`Diagnostic`] has a
//! stable [`Code`], one primary [`Label`], other labels, and help; [`Diagnostics`] collects every
//! problem of a load. Knows nothing of terminals.

mod code;
mod source;
mod suggestion;

pub use code::Code;
pub use source::{Position, Source, Span};
pub use suggestion::{nearest, or_list};

use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing will run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
}

/// A marked part of a source file.
#[derive(Clone, Debug)]
pub struct Label {
    /// The file.
    pub source: Arc<Source>,
    /// The marked bytes.
    pub span: Span,
    /// What the mark says; may be empty.
    pub text: String,
}

/// One problem in an author's file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The stable name of the kind of problem.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// A lower-case sentence without a full stop.
    pub message: String,
    /// Where it is.
    pub primary: Label,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// What to do next, one action a line.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, message: impl Into<String>, source: &Arc<Source>, span: Span) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label {
                source: Arc::clone(source),
                span,
                text: String::new(),
            },
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(
        code: Code,
        message: impl Into<String>,
        source: &Arc<Source>,
        span: Span,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, source, span)
        }
    }

    /// The same, with a text at the primary mark.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// The same, with another marked place.
    #[must_use]
    pub fn also(mut self, source: &Arc<Source>, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            source: Arc::clone(source),
            span,
            text: text.into(),
        });
        self
    }

    /// The same, with one more line of help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// The same, with "did you mean" when one of the candidates is near.
    #[must_use]
    pub fn did_you_mean<'a>(
        self,
        wrong: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(wrong, candidates) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// Every problem found in one load, in the order found.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether anything forbids a run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by file and position.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by(|a, b| {
            (&a.primary.source.path, a.primary.span.start)
                .cmp(&(&b.primary.source.path, b.primary.span.start))
        });
        all
    }

    /// All of them, in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
