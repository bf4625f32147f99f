//! [`Binding`]: the value of an `inputs:` entry, with expressions anywhere in it.

use std::sync::Arc;

use super::reference::{Head, Reference};
use super::scope::{EvalError, Scope};
use super::template::Template;
use super::text::{Part, Text};
use crate::diagnostic::{Diagnostics, Source, Span};
use crate::id::NodeName;
use crate::value::{Object, Value, to_text};
use crate::yaml::{Kind, Node};

/// A value that may hold expressions.
#[derive(Clone, Debug)]
pub enum Binding {
    /// No expression inside.
    Literal(Value),
    /// A string with expressions.
    Text(Text),
    /// A list with expressions in some item.
    List(Vec<Self>),
    /// A mapping with expressions in some value.
    Map(Vec<(String, Self)>),
}

/// Something that a binding reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Use<'a> {
    /// By a reference.
    Reference(&'a Reference),
    /// By a template, as a top-level name.
    Root(&'a str, Span),
    /// By a template, as `nodes.NODE`.
    Node(&'a NodeName, Span),
}

impl Use<'_> {
    /// The node whose output is read, if it is one.
    #[must_use]
    pub fn node(&self) -> Option<NodeName> {
        match self {
            Self::Reference(reference) => match &reference.head {
                Head::Output(node) => Some(node.clone()),
                _ => None,
            },
            Self::Node(node, _) => Some((*node).clone()),
            Self::Root(..) => None,
        }
    }

    /// Whether the item of a `foreach` is read.
    #[must_use]
    pub fn is_item(&self) -> bool {
        match self {
            Self::Reference(reference) => reference.head == Head::Item,
            Self::Root(name, _) => *name == "item",
            Self::Node(..) => false,
        }
    }

    /// Whether a secret is read.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(
            self,
            Self::Reference(Reference {
                head: Head::Secret(_),
                ..
            })
        )
    }

    /// Whether the gate's decision is read.
    #[must_use]
    pub fn is_approval(&self) -> bool {
        match self {
            Self::Reference(reference) => reference.head == Head::Approval,
            Self::Root(name, _) => *name == "approval",
            Self::Node(..) => false,
        }
    }

    /// Where it is read.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Reference(reference) => reference.span,
            Self::Root(_, span) | Self::Node(_, span) => *span,
        }
    }
}

impl Binding {
    /// Compiles a YAML value; strings are searched for expressions at every depth.
    pub(crate) fn compile(node: &Node, source: &Arc<Source>, problems: &mut Diagnostics) -> Self {
        match &node.kind {
            Kind::Scalar(value) => Self::Literal(value.clone()),
            Kind::Text(text) => match Text::compile(node, text, source, problems) {
                Text::Plain(text) => Self::Literal(Value::String(text)),
                text => Self::Text(text),
            },
            Kind::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| Self::compile(item, source, problems))
                    .collect();
                let literals: Option<Vec<_>> = items.iter().map(Self::literal).collect();
                literals.map_or(Self::List(items), |values| {
                    Self::Literal(Value::Array(values))
                })
            }
            Kind::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        (
                            entry.key.clone(),
                            Self::compile(&entry.value, source, problems),
                        )
                    })
                    .collect();
                let literals: Option<Object> = entries
                    .iter()
                    .map(|(key, value)| Some((key.clone(), value.literal()?)))
                    .collect();
                literals.map_or(Self::Map(entries), |values| {
                    Self::Literal(Value::Object(values))
                })
            }
        }
    }

    fn literal(&self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The one reference that this binding is, if it is nothing else.
    #[must_use]
    pub fn whole(&self) -> Option<&Reference> {
        match self {
            Self::Text(Text::Whole(reference)) => Some(reference),
            _ => None,
        }
    }

    /// Everything that the binding reads, in order.
    #[must_use]
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        self.collect(&mut uses);
        uses
    }

    /// Whether something that the binding reads is of a kind.
    pub fn reads(&self, is: impl FnMut(&Use<'_>) -> bool) -> bool {
        let mut is = is;
        match self {
            Self::Literal(_) | Self::Text(Text::Plain(_)) => false,
            // What most bindings are.
            Self::Text(Text::Whole(reference)) => is(&Use::Reference(reference)),
            _ => self.uses().iter().any(is),
        }
    }

    /// Whether a secret is read.
    #[must_use]
    pub fn reads_secret(&self) -> bool {
        self.reads(|used| match used {
            Use::Reference(reference) => matches!(reference.head, Head::Secret(_)),
            Use::Root(..) | Use::Node(..) => false,
        })
    }

    fn collect<'a>(&'a self, uses: &mut Vec<Use<'a>>) {
        match self {
            Self::Literal(_) | Self::Text(Text::Plain(_)) => {}
            Self::Text(Text::Whole(reference)) => uses.push(Use::Reference(reference)),
            Self::Text(Text::Joined(parts)) => collect_parts(parts, uses),
            Self::Text(Text::Template(template)) => template.collect(uses),
            Self::List(items) => items.iter().for_each(|item| item.collect(uses)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.collect(uses)),
        }
    }

    /// The binding as text without places: equal when two bindings mean the same.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::Literal(value) => value.to_string(),
            Self::Text(Text::Plain(text)) => format!("{text:?}"),
            Self::Text(Text::Whole(reference)) => reference.to_string(),
            Self::Text(Text::Joined(parts)) => format!("joined{}", parts_identity(parts)),
            Self::Text(Text::Template(template)) => template.identity(),
            Self::List(items) => format!(
                "[{}]",
                items
                    .iter()
                    .map(Self::identity)
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            Self::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key:?}:{}", value.identity()))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    /// The environment variables that the binding reads.
    #[must_use]
    pub fn env_names(&self) -> Vec<String> {
        match self {
            Self::Literal(_) | Self::Text(Text::Plain(_)) => Vec::new(),
            Self::Text(Text::Template(template)) => template
                .env_names()
                .map(str::to_owned)
                .chain(heads(&template.uses()))
                .collect(),
            Self::Text(_) => heads(&self.uses()).collect(),
            Self::List(items) => items.iter().flat_map(Self::env_names).collect(),
            Self::Map(entries) => entries
                .iter()
                .flat_map(|(_, value)| value.env_names())
                .collect(),
        }
    }

    /// The value over a scope.
    ///
    /// # Errors
    /// The first expression that has no value.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(Text::Plain(text)) => Value::String(text.clone()),
            Self::Text(Text::Whole(reference)) => scope.reference(reference)?,
            Self::Text(Text::Joined(parts)) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Reference(reference) => {
                            text.push_str(&to_text(&scope.reference(reference)?));
                        }
                    }
                }
                Value::String(text)
            }
            Self::Text(Text::Template(template)) => Value::String(template.render(scope)?),
            Self::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.eval(scope))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(entries) => {
                let entries: Result<Object, EvalError> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.eval(scope)?)))
                    .collect();
                Value::Object(entries?)
            }
        })
    }
}

fn parts_identity(parts: &[Part]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => format!("{text:?}"),
            Part::Reference(reference) => reference.to_string(),
        })
        .collect();
    format!("({})", parts.join(","))
}

impl Template {
    /// The template as text without places: equal when two templates mean the same.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("template{:?}{}", self.text(), parts_identity(self.parts()))
    }

    /// Everything that the template reads.
    #[must_use]
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        self.collect(&mut uses);
        uses
    }

    fn collect<'a>(&'a self, uses: &mut Vec<Use<'a>>) {
        collect_parts(self.parts(), uses);
        uses.extend(
            self.spelled_nodes()
                .map(|node| Use::Node(node, self.span())),
        );
        uses.extend(
            self.roots()
                .filter(|root| *root != "nodes")
                .map(|root| Use::Root(root, self.span())),
        );
    }
}

fn heads(uses: &[Use<'_>]) -> impl Iterator<Item = String> {
    let names: Vec<String> = uses
        .iter()
        .filter_map(|used| match used {
            Use::Reference(Reference {
                head: Head::Env(name),
                ..
            }) => Some(name.clone()),
            _ => None,
        })
        .collect();
    names.into_iter()
}

fn collect_parts<'a>(parts: &'a [Part], uses: &mut Vec<Use<'a>>) {
    uses.extend(parts.iter().filter_map(|part| match part {
        Part::Reference(reference) => Some(Use::Reference(reference)),
        Part::Literal(_) => None,
    }));
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::diagnostic::Code;
    use crate::yaml;
    use serde_json::json;

    struct Fixed;

    impl Scope for Fixed {
        fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError> {
            Ok(Cow::Owned(match head {
                Head::Input(name) if name == "n" => json!(7),
                Head::Output(node) if node.as_str() == "QA" => json!({"list": [1, 2], "name": "q"}),
                Head::Output(_) => Value::Null,
                Head::RunId => json!("r1"),
                other => {
                    return Err(EvalError::Missing {
                        head: other.to_string(),
                        message: "not in this test".to_owned(),
                    });
                }
            }))
        }

        fn inputs(&self) -> Value {
            json!({"n": 7})
        }

        fn env(&self) -> Value {
            json!({})
        }
    }

    fn compile(text: &str) -> (Binding, Vec<Code>, Vec<String>) {
        let source = Arc::new(Source::new("t.yaml", text));
        let mut problems = Diagnostics::default();
        let node = yaml::load(&source, &mut problems).expect("it is YAML");
        let binding = Binding::compile(&node, &source, &mut problems);
        let codes = problems.iter().map(|problem| problem.code).collect();
        let places = problems
            .iter()
            .map(|problem| source.slice(problem.primary.span).to_owned())
            .collect();
        (binding, codes, places)
    }

    fn eval(text: &str) -> Value {
        let (binding, problems, _) = compile(text);
        assert_eq!(problems, [], "{text}");
        binding
            .eval(&Fixed)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn strings() {
        assert_eq!(eval("${inputs.n}"), json!(7));
        assert_eq!(
            eval("n=${inputs.n} l=${QA.output.list} ${QA.output.name}"),
            json!("n=7 l=[1,2] q")
        );
        assert_eq!(eval("$${inputs.n}"), json!("${inputs.n}"));
        assert_eq!(
            eval("'${{ parameters.x }} ${inputs.n}'"),
            json!("${{ parameters.x }} 7")
        );
        assert_eq!(eval("cost $5 {x} $"), json!("cost $5 {x} $"));
        assert_eq!(
            eval("'{{ inputs.n + 1 }} ${run.id} ${{ y }} {{ QA.output.name }}'"),
            json!("8 r1 ${{ y }} q")
        );
        assert_eq!(eval("'{{ nodes.QA.outputs.name }}'"), json!("q"));
        assert_eq!(
            eval("'{% for i in QA.output.list %}{{ i }};{% endfor %}'"),
            json!("1;2;")
        );
        assert_eq!(
            eval("[a, {b: '${QA.output.list[1]}'}]"),
            json!(["a", {"b": 2}])
        );
        assert_eq!(eval("${gone.output.x.y}"), json!(null));
    }

    #[test]
    fn problems_point_into_the_string() {
        for (text, code, place) in [
            ("a ${QA.result} b", Code::ExprSyntax, "QA.result"),
            ("a ${QA.output.x-y} b", Code::ExprBadPath, "x-y"),
            ("a ${QA.output", Code::ExprUnclosed, "${QA.output"),
            ("'{{ ${inputs.n} }}'", Code::ExprSyntax, "${"),
            ("'x {{ 1 + }} y'", Code::BadTemplate, "}}"),
        ] {
            let (_, codes, places) = compile(text);
            assert_eq!(codes.first(), Some(&code), "{text}");
            assert_eq!(places[0], place, "{text}");
        }
    }

    #[test]
    fn uses_name_nodes_and_roots() {
        let (binding, _, _) =
            compile("'{{ inputs.n }} {{ QA.output.name }} {{ nodes.B.outputs.c }} ${C.output}'");
        let shown: Vec<String> = binding
            .uses()
            .iter()
            .map(|used| match used {
                Use::Reference(reference) => reference.to_string(),
                Use::Root(name, _) => (*name).to_owned(),
                Use::Node(node, _) => format!("nodes.{node}"),
            })
            .collect();
        assert_eq!(shown, ["${C.output}", "nodes.B", "QA", "inputs"]);
    }
}
