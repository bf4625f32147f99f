//! Which inputs of an LLM node are parameters of the call; the others are variables of its prompt.

use crate::python_value::Kind;
use crate::value::{Object, Value};

/// Which call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Messages in, a message out.
    Chat,
    /// A text in, a text out.
    Completion,
}

impl Api {
    /// The API that a flow's word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "chat" => Some(Self::Chat),
            "completion" => Some(Self::Completion),
            _ => None,
        }
    }

    pub(super) fn parameters(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Chat => &CHAT,
            Self::Completion => &COMPLETION,
        }
    }
}

/// The parameters in the order in which they are sent, and what a literal is made to be.
const CHAT: [(&str, Kind); 19] = [
    ("deployment_name", Kind::String),
    ("model", Kind::String),
    ("temperature", Kind::Double),
    ("top_p", Kind::Double),
    ("stop", Kind::List),
    ("max_tokens", Kind::Int),
    ("max_completion_tokens", Kind::Int),
    ("presence_penalty", Kind::Double),
    ("frequency_penalty", Kind::Double),
    ("logit_bias", Kind::Object),
    ("user", Kind::String),
    ("function_call", Kind::Object),
    ("functions", Kind::List),
    ("tool_choice", Kind::Object),
    ("tools", Kind::List),
    ("response_format", Kind::Object),
    ("seed", Kind::Int),
    ("n", Kind::Int),
    ("stream", Kind::Bool),
];
const COMPLETION: [(&str, Kind); 17] = [
    ("deployment_name", Kind::String),
    ("model", Kind::String),
    ("suffix", Kind::String),
    ("temperature", Kind::Double),
    ("top_p", Kind::Double),
    ("stop", Kind::List),
    ("max_tokens", Kind::Int),
    ("n", Kind::Int),
    ("logprobs", Kind::Int),
    ("echo", Kind::Bool),
    ("presence_penalty", Kind::Double),
    ("frequency_penalty", Kind::Double),
    ("best_of", Kind::Int),
    ("logit_bias", Kind::Object),
    ("user", Kind::String),
    ("seed", Kind::Int),
    ("stream", Kind::Bool),
];

/// The kind of a parameter; nothing for a variable of the prompt.
#[must_use]
pub fn parameter(api: Api, name: &str) -> Option<Kind> {
    let known = api.parameters().iter();
    known
        .copied()
        .find_map(|(parameter, kind)| (parameter == name).then_some(kind))
}

/// A literal made to be what its parameter takes; nothing when it is left out: null and empty text are.
///
/// # Errors
/// The kind that it should have been.
pub fn coerce_literal(kind: Kind, value: &Value) -> Result<Option<Value>, String> {
    if value.is_null() || value.as_str() == Some("") {
        return Ok(None);
    }
    kind.coerce(value).map(Some)
}

/// The inputs of a node, taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Split {
    /// What goes into the request.
    pub parameters: Object,
    /// What the template sees.
    pub variables: Object,
}

impl Split {
    /// Takes the inputs apart.
    #[must_use]
    pub fn of(api: Api, inputs: Object) -> Self {
        let mut split = Self::default();
        for (name, value) in inputs {
            if parameter(api, &name).is_some() {
                split.parameters.insert(name, value);
            } else {
                split.variables.insert(name, value);
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_are_parameters_or_variables() {
        let inputs = json!({"model": "m", "temperature": "0.7", "q": "lit", "stop": []});
        let split = Split::of(Api::Chat, inputs.as_object().unwrap().clone());
        assert_eq!(json!(split.variables), json!({"q": "lit"}));
        assert_eq!(
            json!(split.parameters),
            json!({"model": "m", "temperature": "0.7", "stop": []})
        );
    }

    #[test]
    fn literals_become_what_their_parameter_takes() {
        let coerce =
            |name: &str, value: Value| coerce_literal(parameter(Api::Chat, name).unwrap(), &value);
        assert_eq!(coerce("top_p", json!("0.5")), Ok(Some(json!(0.5))));
        assert_eq!(coerce("max_tokens", json!("64")), Ok(Some(json!(64))));
        assert_eq!(coerce("stop", json!("[\"a\"]")), Ok(Some(json!(["a"]))));
        assert_eq!(coerce("temperature", json!("")), Ok(None));
        assert_eq!(
            coerce("response_format", json!("{\"type\": \"text\"}")),
            Ok(Some(json!({"type": "text"})))
        );
        assert!(coerce("stop", json!("a,b")).is_err());
        assert!(coerce("temperature", json!("hot")).is_err());
        assert_eq!(parameter(Api::Chat, "q"), None);
    }
}
