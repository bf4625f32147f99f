//! [`Template`]: a prompt.

use std::sync::Arc;

use super::lexer::Problem;
use super::parser::{Tree, parse};
use super::raised::Raised;
use super::render::Render;
use super::value::Py;
use super::variables::undeclared;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source};
use crate::port::Failure;
use crate::value::{Digest, Object, Value};

/// A Jinja2 template, read and checked.
#[derive(Debug)]
pub struct Template {
    source: Arc<Source>,
    tree: Tree,
}

impl Template {
    /// Reads a template. `path` is for messages.
    ///
    /// # Errors
    /// With the place, when it is no template, or names a filter or test that Jinja2 has not.
    pub fn load(path: &str, text: &str) -> Result<Self, Diagnostics> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let source = Arc::new(Source::new(path, text));
        match parse(&source.text) {
            Ok(tree) => Ok(Self { source, tree }),
            Err(Problem {
                message,
                span,
                help,
            }) => {
                let diagnostic = Diagnostic::error(Code::BadTemplate, message, &source, span);
                Err(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                }
                .into())
            }
        }
    }

    /// The text, with `\n` at the ends of lines.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The variables that must come from outside, in the order of first use.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        undeclared(&self.tree.body)
    }

    /// Renders the template over these variables.
    ///
    /// # Errors
    /// What Python would raise, with file, line, column and the line itself.
    pub fn render(&self, variables: &Object) -> Result<String, Failure> {
        let given = variables
            .iter()
            .map(|(name, value)| (name.clone(), Py::from_json(value)));
        let mut render = Render::new(&self.tree.blocks, given, self.seed(variables));
        render
            .template(&self.tree.body)
            .map_err(|raised| self.failure(raised))
    }

    /// What `random` draws from: only a template that says the word has to know.
    fn seed(&self, variables: &Object) -> u64 {
        if !self.source.text.contains("random") {
            return 0;
        }
        let bytes = serde_json::to_vec(variables).unwrap_or_default();
        let digest = Digest::of_parts([self.source.text.as_bytes(), &bytes]);
        u64::from_str_radix(&digest.hex()[..16], 16).unwrap_or(0)
    }

    fn failure(&self, raised: Raised) -> Failure {
        let mut message = format!("{}: {}", raised.class, raised.message);
        if let Some(span) = raised.span {
            let position = self.source.position(span.start);
            let line = self
                .source
                .text
                .lines()
                .nth(position.line - 1)
                .unwrap_or_default()
                .trim();
            let line: String = line.chars().take(200).collect();
            message = format!(
                "{}:{}:{}: {message}\n  {line}",
                self.source.path, position.line, position.column
            );
        }
        let failure = Failure::new(message);
        match raised.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// Reads a literal as Python or JSON writes it: a list, a dict, a text, a number.
#[must_use]
pub fn literal(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    // An expression over nothing is a literal, and has no effect if it is not.
    let template = parse(&format!("{{{{ [{text}\n]|tojson }}}}")).ok()?;
    if !undeclared(&template.body).is_empty() {
        return None;
    }
    let json = Render::new(&template.blocks, [], 0)
        .template(&template.body)
        .ok()?;
    let list: Vec<Value> = serde_json::from_str(&json).ok()?;
    <[Value; 1]>::try_from(list).ok().map(|[value]| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn render(text: &str, variables: &serde_json::Value) -> Result<String, String> {
        let template = Template::load("p.jinja2", text).map_err(|problems| {
            let problem = problems.iter().next().unwrap();
            problem.message.clone()
        })?;
        template
            .render(variables.as_object().unwrap())
            .map_err(|failure| failure.message)
    }

    #[test]
    fn a_failure_says_where_and_shows_the_line() {
        assert_eq!(
            render("a\n  {{ b.c.d }}\n", &json!({"b": {}})).unwrap_err(),
            "p.jinja2:2:6: UndefinedError: 'dict object' has no attribute 'c'\n  {{ b.c.d }}"
        );
        let problems = Template::load("p.jinja2", "a\n{% if x %}b").unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!(problem.message, "this `if` is never ended");
        assert_eq!(
            problem
                .primary
                .source
                .position(problem.primary.span.start)
                .line,
            2
        );
        assert_eq!(problem.help, ["end it with `{% endif %}`"]);
    }

    #[test]
    fn variables_come_in_the_order_of_their_use() {
        let text = "{{ b }}{% set c = a %}{{ c }}{% for i in l %}{{ i }}{{ loop.index }}{% endfor %}\
            {% macro m(p, q=d) %}{{ p }}{{ caller() }}{% endmacro %}{{ m(b) }}{{ range(3) }}\
            {% if x %}{% set y = 1 %}{% endif %}{{ y }}{{ i }}{% with w = 1 %}{{ w }}{% endwith %}{{ a.z|join(k) }}";
        let template = Template::load("p", text).unwrap();
        assert_eq!(
            template.variables(),
            ["b", "a", "l", "d", "x", "y", "i", "k"]
        );
    }

    #[test]
    fn what_python_holds_and_json_does_not_prints_as_there() {
        let variables = json!({
            "big": {"$python": {"type": "int", "text": "123456789012345678901234567890"}},
            "huge": {"$python": {"type": "int", "text": "1".repeat(60)}},
            "nan": {"$python": {"type": "float", "text": "nan"}},
            "live": {"$python": {"type": "a.B", "text": "<B at 1>", "handle": 1}},
        });
        let text = "{{ big + 1 }} {{ huge }} {{ [nan] }} {{ live }} {{ live|tojson if false }}";
        assert_eq!(
            render(text, &variables).unwrap(),
            format!(
                "123456789012345678901234567891 {} [nan] <B at 1> ",
                "1".repeat(60)
            )
        );
    }

    #[test]
    fn a_template_cannot_hang_or_fill_the_memory() {
        for (text, class) in [
            (
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                "TimeoutError",
            ),
            ("{{ 'a' * 1000000000 }}", "MemoryError"),
            ("{{ 'a'|center(999999999) }}", "MemoryError"),
            ("{{ '%999999999d' % 1 }}", "MemoryError"),
            (
                "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                "MemoryError",
            ),
            (
                "{% set a = ['a' * 1000000] %}{% for i in range(9999) %}{% set _ = a.append('b' ~ a[0]) %}{% endfor %}",
                "TimeoutError",
            ),
            (
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "RecursionError",
            ),
        ] {
            let message = render(text, &json!({})).unwrap_err();
            assert!(message.contains(class), "{text}: {message}");
        }
        let deep = "(".repeat(5000) + "1" + &")".repeat(5000);
        assert!(render(&format!("{{{{ {deep} }}}}"), &json!({})).is_err());
        let long = "1".to_owned() + &" + 1".repeat(5000);
        assert!(render(&format!("{{{{ {long} }}}}"), &json!({})).is_err());
        let own = "{% set a = [] %}{% set _ = a.append(a) %}{{ a == a }}{{ a|length }}";
        assert_eq!(render(own, &json!({})).unwrap(), "True1");
    }

    #[test]
    fn random_chooses_the_same_for_the_same_inputs() {
        let variables = json!({"l": [1, 2, 3, 4, 5, 6, 7, 8, 9]});
        let text = "{{ l|random }}{{ l|random }}{{ l|random }}";
        let first = render(text, &variables).unwrap();
        assert_eq!(render(text, &variables).unwrap(), first);
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn literals_are_read_as_python_or_json_writes_them() {
        assert_eq!(
            literal("[{'a': None, \"b\": True}]"),
            Some(json!([{"a": null, "b": true}]))
        );
        assert_eq!(literal("[null, 1]"), Some(json!([null, 1])));
        assert_eq!(literal("'<x>'"), Some(json!("<x>")));
        for text in ["", "x", "1, 2", "] + [1", "range(3", "__import__('os')"] {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn no_template_panics(parts in proptest::collection::vec(
            prop_oneof![
                "[a-z{}%#\\-+ \n'\"|.()\\[\\]~*/0-9,:=<>é]{0,6}",
                proptest::sample::select(vec![
                    "{% for i in l %}", "{% endfor %}", "{% if x %}", "{% else %}", "{% endif %}", "{{ x|",
                    "upper", " }}", "{{ l[", "-1:", "::-1]", "{{ loop.index }}", "{% set x = ", " %}", "wordwrap(3)",
                    "{{ 'é%s'|format(x) }}", "{% raw %}", "{% endraw %}", "{# ", " #}", "{% macro m(a) %}",
                    "{% endmacro %}", "{{ m(1) }}", "truncate(3)", "tojson", ".split('a')", " is defined ", " in ",
                ]).prop_map(str::to_owned),
            ],
            0..12,
        )) {
            let text = parts.concat();
            if let Ok(template) = Template::load("p", &text) {
                drop(template.variables());
                let variables = json!({"x": "é a", "l": [1, "b", null], "d": {"k": 2.5}});
                drop(template.render(variables.as_object().unwrap()));
            }
        }
    }
}
