//! [`Template`]: a compiled tera template over the names of a flow.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use tera::{Context, ErrorKind, Tera};

use super::scope::{EvalError, Scope};
use super::text::Part;
use crate::diagnostic::Span;
use crate::id::NodeName;
use crate::value::Value;

const NAME: &str = "template";

/// A compiled template and the names it reads.
#[derive(Clone, Debug)]
pub struct Template {
    engine: Arc<Tera>,
    text: Arc<str>,
    /// The pieces that stand in the template as variables of their own.
    pub(super) parts: Vec<Part>,
    /// The top-level names that it reads: node names, `inputs`, `run`, …
    roots: BTreeSet<String>,
    /// The nodes that it names as `nodes.NODE`.
    spelled: BTreeSet<NodeName>,
    /// The environment variables named as `env.NAME`.
    env: BTreeSet<String>,
    /// The whole string in the flow file.
    pub(super) span: Span,
}

/// Why a template cannot be compiled or rendered; `start..end` are bytes of its source.
#[derive(Debug)]
pub(crate) struct TemplateProblem {
    pub(crate) message: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The template's name, as it was added; empty when the engine did not say.
    pub(crate) file: String,
}

/// A tera engine as flowctl uses it: no escaping, and flowctl's filters.
pub(crate) fn engine() -> Tera {
    // Filters are registered once and copied: `Tera::default()` alone costs more than a render.
    static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
        let mut tera = Tera::default();
        tera.autoescape_on(Vec::<&'static str>::new());
        super::filters::register(&mut tera);
        tera
    });
    ENGINE.clone()
}

impl Template {
    pub(super) fn part_name(index: usize) -> String {
        format!("__part_{index}")
    }

    pub(super) fn compile(text: &str, parts: Vec<Part>) -> Result<Self, TemplateProblem> {
        let mut engine = engine();
        engine
            .add_raw_template(NAME, text)
            .map_err(|error| first_problem(&error, text))?;
        let variables = engine
            .get_template_variables(NAME)
            .map_err(|error| problem_of(&error))?;
        let roots: BTreeSet<String> = variables
            .into_iter()
            .filter(|name| !name.starts_with("__part_"))
            .map(str::to_owned)
            .collect();
        let named = |root: &str| {
            if roots.contains(root) {
                spelled(root, text)
            } else {
                BTreeSet::new()
            }
        };
        let env = named("env");
        let spelled = named("nodes").into_iter().map(NodeName::from).collect();
        Ok(Self {
            engine: Arc::new(engine),
            text: Arc::from(text),
            parts,
            roots,
            spelled,
            env,
            span: Span::default(),
        })
    }

    /// Compiles the expression of a `when:`.
    pub(crate) fn condition(expression: &str) -> Result<Self, TemplateProblem> {
        const BEFORE: &str = "{% if ";
        Self::compile(
            &format!("{BEFORE}{expression} %}}true{{% endif %}}"),
            Vec::new(),
        )
        .map_err(|mut problem| {
            problem.start = problem
                .start
                .saturating_sub(BEFORE.len())
                .min(expression.len());
            problem.end = problem
                .end
                .saturating_sub(BEFORE.len())
                .min(expression.len());
            // The frame is ours, and nobody wrote its `%}`.
            problem.message = problem
                .message
                .replace("found `%}`", "found the end of the expression");
            problem
        })
    }

    pub(crate) fn at(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Where the template stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The top-level names that the template reads, without those it sets itself.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(String::as_str)
    }

    /// The nodes named as `nodes.NODE.outputs` or `nodes["NODE"].outputs`.
    pub fn spelled_nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.spelled.iter()
    }

    /// The environment variables that the template names.
    pub fn env_names(&self) -> impl Iterator<Item = &str> {
        self.env.iter().map(String::as_str)
    }

    /// Renders the template over a scope.
    pub(super) fn render(&self, scope: &dyn Scope) -> Result<String, EvalError> {
        let mut context = Context::new();
        for root in &self.roots {
            if root == "nodes" {
                let mut nodes = serde_json::Map::new();
                for node in &self.spelled {
                    let output = scope.output(node)?;
                    nodes.insert(
                        node.to_string(),
                        serde_json::json!({ "outputs": output, "output": output }),
                    );
                }
                context.insert("nodes", &nodes);
            } else if let Some(value) = scope.root(root)? {
                context.insert(root.clone(), &value);
            }
        }
        for (index, part) in self.parts.iter().enumerate() {
            let text = match part {
                Part::Literal(text) => text.clone(),
                Part::Reference(reference) => crate::value::to_text(&scope.reference(reference)?),
            };
            context.insert(Self::part_name(index), &text);
        }
        self.engine
            .render(NAME, &context)
            .map_err(|error| EvalError::Template {
                message: problem_of(&error).message,
            })
    }

    /// Evaluates a condition made by `Template::condition`.
    ///
    /// # Errors
    /// When a name or field is missing, or an operator does not fit.
    pub fn holds(&self, scope: &dyn Scope) -> Result<bool, EvalError> {
        self.render(scope).map(|text| text == "true")
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// Finds `ROOT.NAME` and `ROOT["NAME"]` in a template's text.
fn spelled(root: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, matched) in text.match_indices(root) {
        let rest = &text[index + matched.len()..];
        let name = if let Some(rest) = rest.strip_prefix('.') {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
        } else if let Some(rest) = rest.strip_prefix("[\"").or_else(|| rest.strip_prefix("['")) {
            rest.split(['"', '\'']).next()
        } else {
            None
        };
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            found.insert(name.to_owned());
        }
    }
    found
}

/// The first of [`problems_of`], for a template that stands alone.
pub(crate) fn first_problem(error: &tera::Error, text: &str) -> TemplateProblem {
    let mut all = problems_of(error, |_| Some(text));
    all.truncate(1);
    all.pop().unwrap_or_else(|| problem_of(error))
}

/// Turns an engine error into messages and places. Unknown filters, tests and functions come
/// as rendered reports, one after the other; their places are read back out of them.
pub(crate) fn problems_of<'t>(
    error: &tera::Error,
    text_of: impl Fn(&str) -> Option<&'t str>,
) -> Vec<TemplateProblem> {
    let ErrorKind::Msg(message) = error.kind() else {
        return vec![problem_of(error)];
    };
    let found: Vec<_> = format!("\n{message}")
        .split("\nerror: ")
        .skip(1)
        .filter_map(|report| reported(report, &text_of))
        .collect();
    if found.is_empty() {
        vec![problem_of(error)]
    } else {
        found
    }
}

fn reported<'t>(
    report: &str,
    text_of: impl Fn(&str) -> Option<&'t str>,
) -> Option<TemplateProblem> {
    let (message, rest) = report.split_once('\n')?;
    let mut lines = rest.lines();
    let mut place = lines
        .find_map(|line| line.trim_start().strip_prefix("--> "))?
        .trim_end()
        .rsplitn(3, ':');
    let column: usize = place.next()?.parse().ok()?;
    let line: usize = place.next()?.parse().ok()?;
    let file = place.next()?;
    let text = text_of(file)?;
    let width = lines
        .map(|line| line.matches('^').count())
        .find(|width| *width > 0)?;
    let from: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = text.get(from..)?;
    let at = |column: usize| {
        let offset = rest.char_indices().nth(column).map(|(offset, _)| offset);
        from + offset.unwrap_or(rest.len())
    };
    Some(TemplateProblem {
        message: lower_first(message),
        start: at(column.checked_sub(1)?),
        end: at(column - 1 + width),
        file: file.to_owned(),
    })
}

/// Turns an engine error into a message and a place.
pub(crate) fn problem_of(error: &tera::Error) -> TemplateProblem {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateProblem {
            message: lower_first(report.message()),
            start: report.span().range.start,
            end: report.span().range.end,
            file: report.filename().to_owned(),
        },
        _ => TemplateProblem {
            message: lower_first(&error.to_string()),
            start: 0,
            end: 0,
            file: String::new(),
        },
    }
}

fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A value of the scope, as tera sees a node.
pub(super) fn node_root(output: &Value) -> Value {
    serde_json::json!({ "output": output })
}
