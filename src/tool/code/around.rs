//! [`Around`]: what lies around a node: its flow, the files beside it, its connections.

use std::sync::Arc;

use super::home::Home;
use super::{Codes, Surroundings};
#[cfg(feature = "llm")]
use crate::diagnostic::or_list;
use crate::diagnostic::{Code as Problem, Diagnostic, Span};
use crate::flow::{Flow, NodeDecl, Spanned};
use crate::plan::Found;
use crate::tool::library::Library;
#[cfg(feature = "llm")]
use crate::tool::llm;

/// A node and what lies around it.
pub(super) struct Around<'a> {
    pub(super) codes: &'a Codes,
    pub(super) library: &'a Library,
    pub(super) surroundings: &'a Surroundings,
    pub(super) flow: &'a Flow,
    pub(super) node: &'a NodeDecl,
}

impl Around<'_> {
    pub(super) fn broken(&self, code: Problem, message: String, span: Span, help: &str) -> Found {
        let problem = Diagnostic::error(code, message, &self.flow.source, span);
        Found::Broken(problem.help(help).into())
    }

    pub(super) fn home(&self) -> Arc<Home> {
        let mut homes = self.codes.homes.lock().expect("no holder panics");
        let home = homes
            .entry(self.flow.source.path.clone())
            .or_insert_with(|| {
                let kept = self.library.kept_below(&self.prefix());
                Arc::new(Home::of(self.flow, kept, self.surroundings))
            });
        Arc::clone(home)
    }

    /// What paths of the flow's folder begin with where files are kept.
    pub(super) fn prefix(&self) -> String {
        let path = &self.flow.source.path;
        let end = path.rfind('/').map_or(0, |at| at + 1);
        path[..end].to_owned()
    }

    /// A file of the flow's folder; kept with the run.
    pub(super) fn file(&self, path: &Spanned<String>) -> Result<Vec<u8>, Found> {
        let home = self.home();
        let key = format!("{}{}", self.prefix(), path.value);
        self.library
            .asset(&key, &home.locate(&path.value))
            .map_err(|message| {
                self.broken(
                    Problem::FileUnreadable,
                    format!("cannot read `{}`: {message}", path.value),
                    path.span,
                    "the path is relative to the flow's folder",
                )
            })
    }

    pub(super) fn text(&self, path: &Spanned<String>) -> Result<String, Found> {
        String::from_utf8(self.file(path)?).map_err(|_| {
            self.broken(
                Problem::FileNotUtf8,
                format!("`{}` is not UTF-8", path.value),
                path.span,
                "save it as UTF-8",
            )
        })
    }

    /// Whether there is such a connection, and a model may be asked through it. When the run has
    /// begun, only whoever drives it needs it.
    #[cfg(feature = "llm")]
    pub(super) fn check_model_connection(&self, name: &Spanned<String>) -> Result<(), Found> {
        if self.library.is_kept() {
            return Ok(());
        }
        let known = self.check_connection(&name.value, &[]);
        let known = known.and_then(|kind| {
            if llm::providers().contains(&kind) {
                return Ok(());
            }
            let types = or_list(llm::providers().iter().copied());
            Err((
                format!(
                    "`{}` is of type `{kind}`, and models are not asked through one",
                    name.value
                ),
                vec![format!("the types are {types}")],
            ))
        });
        known.map_err(|(message, help)| {
            let help = help.join("; ");
            self.broken(Problem::UnknownConnection, message, name.span, &help)
        })
    }

    pub(super) fn check_connection(
        &self,
        name: &str,
        classes: &[String],
    ) -> Result<&'static str, (String, Vec<String>)> {
        let home = self.home();
        let all = home.connections().map_err(|problems| {
            let first = problems.iter().next();
            let message = first.map_or("", |problem| problem.message.as_str());
            (
                format!("the connections cannot be read: {message}"),
                vec!["`flowctl connection list` shows what is wrong".to_owned()],
            )
        })?;
        let connection = all
            .get(name)
            .map_err(|problem| (problem.message, problem.help))?;
        let class = connection.class();
        // A strong type of the author's is a custom connection where it is kept.
        let fits = classes.is_empty()
            || classes.iter().any(|wanted| wanted == class)
            || class == "CustomConnection"
            || classes.iter().any(|wanted| wanted == "object");
        if fits {
            return Ok(connection.kind.word);
        }
        Err((
            format!(
                "`{name}` is of the class `{class}`, and the tool takes `{}`",
                classes.join("` or `")
            ),
            vec![
                "name a connection of that class; `flowctl connection list` shows them".to_owned(),
            ],
        ))
    }
}
