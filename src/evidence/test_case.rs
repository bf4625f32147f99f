//! [`TestCase`]: what a node tested, as far as a record of it needs to know.

use crate::value::Value;

/// One test of a node that lists tests in its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// Its id.
    pub id: String,
    /// `passed`, `failed` or `not-run`.
    pub status: String,
    /// Why, where it did not pass.
    pub reason: String,
    /// Whether a failure of it fails what is tested; a case that does not say so is.
    pub mandatory: bool,
}

impl TestCase {
    /// The key of such a list.
    pub(super) const LIST: &'static str = "test_cases";

    /// The tests in an output: any value of it that has a list `test_cases`. `None` when there is
    /// no such list.
    #[must_use]
    pub fn of_output(output: &Value) -> Option<Vec<Self>> {
        let cases = output
            .as_object()?
            .values()
            .find_map(|value| value.get(Self::LIST)?.as_array())?;
        let text = |case: &Value, key: &str| {
            let text = case.get(key).and_then(Value::as_str).unwrap_or_default();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        Some(
            cases
                .iter()
                .map(|case| Self {
                    id: text(case, "id"),
                    status: text(case, "status"),
                    reason: text(case, "reason"),
                    mandatory: case
                        .get("mandatory")
                        .and_then(Value::as_bool)
                        .unwrap_or(true),
                })
                .collect(),
        )
    }

    /// Its status for people: `failed (only recommended)` where nothing fails for it.
    #[must_use]
    pub fn verdict(&self) -> String {
        if self.mandatory || self.status != "failed" {
            self.status.clone()
        } else {
            format!("{} (only recommended)", self.status)
        }
    }

    /// Whether it passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.status == "passed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_found_in_outputs() {
        let output = json!({ "qa": { "test_cases": [{ "id": "T1", "status": "not-run", "reason": "no\n tool" }] } });
        let cases = TestCase::of_output(&output).expect("there is a list");
        assert_eq!(
            (cases[0].passed(), cases[0].reason.as_str()),
            (false, "no tool")
        );
        assert_eq!(TestCase::of_output(&json!({ "x": 1 })), None);
    }
}
