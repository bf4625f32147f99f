//! [`Evaluator`]: the Rego of a pack, run by regorus.
//!
//! The one place that knows the evaluator; without the feature `rego` there is none, and what would
//! have been evaluated is `not-run`.

/// What a rule holds against a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breach {
    /// The rule's name.
    pub(super) rule: String,
    /// The resource's address and what is wrong with it.
    pub(super) message: String,
}

/// Why nothing can be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is nothing that could.
    #[cfg_attr(
        feature = "rego",
        expect(dead_code, reason = "without the feature only")
    )]
    NoEvaluator(&'static str),
    /// The pack is wrong.
    Broken(String),
}

impl Refusal {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::NoEvaluator(reason) => reason,
            Self::Broken(reason) => reason,
        }
    }
}

#[cfg(feature = "rego")]
pub(super) use with_regorus::Evaluator;

#[cfg(feature = "rego")]
mod with_regorus {
    use std::num::NonZeroU32;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use regorus::utils::limits::ExecutionTimerConfig;
    use regorus::{Engine, Rc};

    use super::{Breach, Refusal};
    use crate::value::{Digest, Value};

    /// How long one evaluation may take: a pack is somebody's text.
    const LIMIT: Duration = Duration::from_secs(20);

    /// How the tests of a pack ended: how many passed, and which did not.
    type Tested = Result<(usize, Vec<String>), String>;

    /// The packs whose tests ran to their end in this process, by digest of their text, with what they
    /// said: it is a function of that text, and takes longer than judging a stack does.
    static TESTED: Mutex<Vec<(Digest, (usize, Vec<String>))>> = Mutex::new(Vec::new());
    /// One per set of clouds that a process is likely to see.
    const MOST_TESTED: usize = 16;

    /// A compiled pack.
    pub(in crate::personas::qa_verification) struct Evaluator {
        engine: Engine,
        /// The package of the rules, as `data.…`.
        package: String,
        /// Of the text of all sources.
        digest: Digest,
        /// Packages of tests, each with the names of its tests.
        tests: Vec<(String, Vec<String>)>,
    }

    impl Evaluator {
        /// Compiles a pack, given as path and text of its `.rego` files: one package of rules, and
        /// packages of tests, whose names end in `_test`.
        pub(in crate::personas::qa_verification) fn compile(
            sources: &[(String, String)],
        ) -> Result<Self, Refusal> {
            let mut engine = Engine::new();
            engine.set_execution_timer_config(ExecutionTimerConfig {
                limit: LIMIT,
                check_interval: NonZeroU32::MIN.saturating_add(9_999),
            });
            let (mut packages, mut tests) = (Vec::new(), Vec::<(String, Vec<String>)>::new());
            for (path, text) in sources {
                let package = engine
                    .add_policy(path.clone(), text.clone())
                    .map_err(|error| Refusal::Broken(format!("{path}: {}", one_line(&error))))?;
                if package.ends_with("_test") {
                    tests.push((package, test_names(text)));
                } else if !packages.contains(&package) {
                    packages.push(package);
                }
            }
            match packages.as_slice() {
                [package] => Ok(Self {
                    package: package.clone(),
                    digest: Digest::of_parts(sources.iter().map(|(_, text)| text.as_bytes())),
                    engine,
                    tests,
                }),
                [] => Err(Refusal::Broken(
                    "the pack has no package of rules".to_owned(),
                )),
                [first, second, ..] => Err(Refusal::Broken(format!(
                    "the pack has two packages of rules, {first} and {second}"
                ))),
            }
        }

        /// Runs the pack's own tests: how many passed, and which did not.
        pub(in crate::personas::qa_verification) fn own_tests(&mut self) -> Tested {
            let tested = || TESTED.lock().unwrap_or_else(PoisonError::into_inner);
            let known = tested()
                .iter()
                .find(|(digest, _)| *digest == self.digest)
                .map(|(_, said)| said.clone());
            if let Some(said) = known {
                return Ok(said);
            }
            // What did not run to its end, for lack of time perhaps, is tried again.
            let said = self.run_own_tests()?;
            let mut tested = tested();
            if tested.len() >= MOST_TESTED {
                tested.remove(0);
            }
            tested.push((self.digest, said.clone()));
            Ok(said)
        }

        fn run_own_tests(&mut self) -> Tested {
            let (mut passed, mut failed) = (0, Vec::new());
            for (package, names) in self.tests.clone() {
                for name in names {
                    let result = self.engine.eval_rule(format!("{package}.{name}"));
                    let value = result.map_err(|error| format!("{name}: {}", one_line(&error)))?;
                    if value == regorus::Value::Bool(true) {
                        passed += 1;
                    } else {
                        failed.push(format!("{name} does not hold"));
                    }
                }
            }
            Ok((passed, failed))
        }

        /// What the rules hold against a plan: `deny` and `warn` together, in order.
        pub(in crate::personas::qa_verification) fn breaches(
            &mut self,
            plan: &Value,
        ) -> Result<Vec<Breach>, String> {
            let input = serde_json::from_value(plan.clone())
                .map_err(|error| format!("the plan is no input: {error}"))?;
            self.engine.set_input(input);
            // Both in one query: what they have in common is evaluated once.
            let query = format!("[{0}.deny, {0}.warn]", self.package);
            let results = self
                .engine
                .eval_query(query, false)
                .map_err(|error| one_line(&error))?;
            let sets = results
                .result
                .first()
                .and_then(|row| row.expressions.first());
            let sets = sets.and_then(|expression| expression.value.as_array().ok());
            let sets = sets.ok_or_else(|| {
                format!("{} does not define both `deny` and `warn`", self.package)
            })?;
            let mut breaches = Vec::new();
            for set in sets {
                let found = set.as_set().map_err(|_| {
                    format!(
                        "`deny` or `warn` of {} is not a set of breaches",
                        self.package
                    )
                })?;
                for breach in found {
                    breaches.push(read(breach).ok_or_else(|| {
                        format!("`deny` or `warn` holds {breach}, which has no `rule`, `resource` and `message`")
                    })?);
                }
            }
            Ok(breaches)
        }
    }

    fn read(breach: &regorus::Value) -> Option<Breach> {
        let fields = breach.as_object().ok()?;
        let text = |name: &str| -> Option<Rc<str>> {
            fields
                .get(&regorus::Value::from(name))?
                .as_string()
                .ok()
                .cloned()
        };
        Some(Breach {
            rule: text("rule")?.to_string(),
            message: format!("{}: {}", text("resource")?, text("message")?),
        })
    }

    /// The names of the tests in a source: regorus does not list rules.
    fn test_names(text: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| line.starts_with("test_")) {
            let end = line
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(line.len());
            if !names.iter().any(|name| *name == line[..end]) {
                names.push(line[..end].to_owned());
            }
        }
        names
    }

    /// regorus draws its errors over several lines; the last words are the message.
    fn one_line(error: &impl std::fmt::Display) -> String {
        let text = error.to_string();
        let lines = text.lines().map(str::trim);
        let told: Vec<&str> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('|') && !line.ends_with('|'))
            .collect();
        told.join(" ")
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use serde_json::json;

        const RULES: &str = r#"package flowctl.p
import rego.v1
deny contains {"rule": "no_x", "resource": r.address, "message": "x is on"} if {
	some r in input.resource_changes
	r.change.after.x
}
warn := set()
"#;
        const TESTS: &str = r#"package flowctl.p_test
import rego.v1
import data.flowctl.p
test_good if count(p.deny) == 0 with input as {"resource_changes": []}
test_bad if count(p.deny) == 7 with input as {"resource_changes": []}
"#;

        fn compile(sources: &[(&str, &str)]) -> Result<Evaluator, Refusal> {
            let sources: Vec<(String, String)> = sources
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
                .collect();
            Evaluator::compile(&sources)
        }

        #[test]
        fn rules_judge_plans_and_tests_judge_rules() {
            let mut evaluator = compile(&[("a.rego", RULES), ("a_test.rego", TESTS)])
                .ok()
                .unwrap();
            let plan = json!({ "resource_changes": [
                { "address": "a.b", "change": { "after": { "x": true } } },
                { "address": "a.c", "change": { "after": { "x": false } } },
            ]});
            let expected = Breach {
                rule: "no_x".to_owned(),
                message: "a.b: x is on".to_owned(),
            };
            assert_eq!(evaluator.breaches(&plan), Ok(vec![expected]));
            assert_eq!(
                evaluator.own_tests(),
                Ok((1, vec!["test_bad does not hold".to_owned()]))
            );
        }

        #[test]
        fn a_pack_that_is_wrong_is_refused_with_its_place() {
            let refused =
                |sources: &[(&str, &str)]| compile(sources).err().unwrap().text().to_owned();
            assert_eq!(refused(&[]), "the pack has no package of rules");
            let message = refused(&[("a.rego", "package p\nimport rego.v1\ndeny contains if {")]);
            assert!(
                message.starts_with("a.rego:") && message.contains("3:"),
                "{message}"
            );
            let mut other = compile(&[(
                "a.rego",
                "package p\nimport rego.v1\ndeny contains 1 if true\nwarn := set()\n",
            )])
            .ok()
            .unwrap();
            let message = other.breaches(&json!({})).unwrap_err();
            assert!(
                message.contains("holds 1, which has no `rule`"),
                "{message}"
            );
        }
    }
}

#[cfg(not(feature = "rego"))]
pub(super) enum Evaluator {}

#[cfg(not(feature = "rego"))]
impl Evaluator {
    pub(super) fn compile(_: &[(String, String)]) -> Result<Self, Refusal> {
        Err(Refusal::NoEvaluator(
            "this flowctl was built without the feature `rego`",
        ))
    }

    pub(super) fn own_tests(&mut self) -> Result<(usize, Vec<String>), String> {
        match *self {}
    }

    pub(super) fn breaches(&mut self, _: &crate::value::Value) -> Result<Vec<Breach>, String> {
        match *self {}
    }
}
