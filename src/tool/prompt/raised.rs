//! [`Raised`]: what Python would raise.

use crate::diagnostic::Span;

/// An exception, with the place in the template once it is known.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    pub(super) class: &'static str,
    pub(super) message: String,
    pub(super) span: Option<Span>,
    pub(super) help: Option<String>,
}

impl Raised {
    pub(super) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            span: None,
            help: None,
        }
    }

    pub(super) fn type_error(message: impl Into<String>) -> Self {
        Self::new("TypeError", message)
    }

    pub(super) fn value_error(message: impl Into<String>) -> Self {
        Self::new("ValueError", message)
    }

    /// Says where, unless an inner place is known.
    pub(super) fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// No text of a render may be longer: 16 MiB.
pub(super) const LONGEST: usize = 16 << 20;

/// Refuses a text or list that would be longer than [`LONGEST`], before it is made.
pub(super) fn check_length(length: usize) -> Result<(), Raised> {
    if length > LONGEST {
        return Err(Raised::new(
            "MemoryError",
            format!("a text of more than {} MiB", LONGEST >> 20),
        )
        .help("a prompt is far shorter; look for a loop or a repetition that grows"));
    }
    Ok(())
}
