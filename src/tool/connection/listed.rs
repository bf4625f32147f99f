//! [`Listed`]: a connection as people may see it.

use serde_json::json;

use super::kind::Kind;
use super::problem::ConnectionProblem;
use crate::value::Value;

/// A connection as people may see it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static Kind,
    /// Where it was found.
    pub origin: String,
    /// Where it was found as well; what is there fills in what is open here.
    pub hidden: Vec<String>,
    /// Its fields.
    pub fields: Vec<ListedField>,
    /// Why it cannot be used.
    pub problem: Option<ConnectionProblem>,
}

/// A field as people may see it.
#[derive(Clone, Debug)]
pub struct ListedField {
    /// Its name.
    pub name: String,
    /// Whether nobody may see its value.
    pub secret: bool,
    /// The value of a config; of a secret, nothing.
    pub value: Option<String>,
    /// The variable that it comes from.
    pub variable: Option<String>,
    /// Whether there is a value.
    pub set: bool,
}

impl Listed {
    /// As `--json` gives it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let fields: serde_json::Map<String, Value> = self
            .fields
            .iter()
            .map(|field| {
                let mut told = json!({ "secret": field.secret, "set": field.set });
                if let Some(value) = &field.value {
                    told["value"] = json!(value);
                }
                if let Some(variable) = &field.variable {
                    told["variable"] = json!(variable);
                }
                (field.name.clone(), told)
            })
            .collect();
        json!({
            "name": self.name,
            "type": self.kind.word,
            "class": self.kind.class,
            "origin": self.origin,
            "also": self.hidden,
            "fields": fields,
            "usable": self.problem.is_none(),
            "problem": self.problem.as_ref().map(|problem| &problem.message),
        })
    }
}
