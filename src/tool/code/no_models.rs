//! What a program without the feature `llm` says to whoever wants a model.

use super::around::Around;
use super::find::Finder;
use crate::diagnostic::Code as Problem;
use crate::flow::ModelDecl;
use crate::plan::{Found, ToolInfo};

impl Finder<'_> {
    pub(super) fn model(&self) -> Found {
        without(&self.around, "nodes of `type: llm`")
    }
}

/// Finds nothing.
pub(super) fn find(around: &Around<'_>, _model: &ModelDecl, _persona: ToolInfo) -> Found {
    without(around, "models of personas")
}

fn without(around: &Around<'_>, what: &str) -> Found {
    around.broken(
        Problem::NotSupported,
        format!("{what} do not run: this flowctl was built without models"),
        around.node.name.span,
        "build it with `cargo install --path . --features llm`",
    )
}
