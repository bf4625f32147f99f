//! [`Templates`]: the tera engine of one skill, and where its templates came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use tera::{Context, Tera};

use super::TemplateRef;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span};
use crate::expr::{TemplateProblem, engine, first_problem, problem_of, problems_of};
use crate::port::Failure;

/// All templates of a skill.
pub(super) struct Templates {
    engine: Tera,
    sources: BTreeMap<String, Arc<Source>>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Templates")
            .field("sources", &self.sources.keys())
            .finish_non_exhaustive()
    }
}

impl Templates {
    /// Compiles all `.tera` files of a folder, which may include one another.
    pub(super) fn load(
        origin: &str,
        files: &BTreeMap<String, Vec<u8>>,
        problems: &mut Diagnostics,
    ) -> Self {
        let mut sources = BTreeMap::new();
        for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".tera")) {
            match crate::yaml::decode(&format!("{origin}/{path}"), bytes.clone()) {
                Ok(source) => {
                    sources.insert(path.clone(), source);
                }
                Err(broken) => problems.extend(broken),
            }
        }
        let mut engine = engine();
        // One after the other would find more mistakes, but templates may include each other in
        // any order; so each is parsed alone for its own mistakes, then all together.
        let mut broken = false;
        for (path, source) in &sources {
            if let Err(error) = crate::expr::engine().add_raw_template(path, &source.text)
                && matches!(error.kind(), tera::ErrorKind::SyntaxError(_))
            {
                broken = true;
                problems.push(diagnostic(source, problem_of(&error)));
            }
        }
        if !broken {
            let all = sources
                .iter()
                .map(|(path, source)| (path.as_str(), source.text.as_str()));
            if let Err(error) = engine.add_raw_templates(all) {
                let fallback = Arc::new(Source::new(origin, ""));
                let text_of = |file: &str| sources.get(file).map(|source| source.text.as_str());
                for problem in problems_of(&error, text_of) {
                    let source = sources.get(&problem.file).unwrap_or(&fallback);
                    problems.push(diagnostic(source, problem));
                }
            }
        }
        Self { engine, sources }
    }

    /// Adds a template that stands in the manifest; `name` must be unique.
    pub(super) fn add(
        &mut self,
        name: String,
        text: &str,
    ) -> Result<TemplateRef, crate::expr::TemplateProblem> {
        self.engine
            .add_raw_template(&name, text)
            .map_err(|error| first_problem(&error, text))?;
        Ok(TemplateRef(name))
    }

    /// Renders a template; the message of a failure names file, line and column.
    pub(super) fn render(
        &self,
        template: &TemplateRef,
        context: &Context,
    ) -> Result<String, Failure> {
        self.render_name(&template.0, context)
    }

    pub(super) fn render_name(&self, name: &str, context: &Context) -> Result<String, Failure> {
        self.engine.render(name, context).map_err(|error| {
            let problem = problem_of(&error);
            let place = self.sources.get(&problem.file).map_or_else(
                || problem.file.clone(),
                |source| {
                    let at = source.position(problem.start);
                    format!("{}:{}:{}", source.path, at.line, at.column)
                },
            );
            Failure::new(format!("{place}: {}", problem.message))
                .help("correct the template and run again; nothing is compiled")
        })
    }
}

fn diagnostic(source: &Arc<Source>, problem: TemplateProblem) -> Diagnostic {
    let end = problem.end.max(problem.start + 1).min(source.text.len());
    let start = problem.start.min(end);
    Diagnostic::error(
        Code::BadTemplate,
        problem.message,
        source,
        Span::new(start, source.text.ceil_char_boundary(end)),
    )
}
