//! [`Scope`]: what references and templates are evaluated over.

use std::borrow::Cow;

use super::reference::{Head, Reference};
use super::template::node_root;
use crate::id::NodeName;
use crate::value::Value;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A path leads nowhere.
    #[error("`{reference}`: {message}")]
    Path {
        /// The reference as written.
        reference: String,
        /// What is missing, and what there is.
        message: String,
    },
    /// The scope does not have what the reference begins with.
    #[error("`{head}` has no value here: {message}")]
    Missing {
        /// What the reference begins with.
        head: String,
        /// Why.
        message: String,
    },
    /// A template cannot be rendered.
    #[error("the template cannot be rendered: {message}")]
    Template {
        /// What tera says.
        message: String,
    },
}

/// How secrets are given: to the tool itself, or to anything that is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// The value, for the tool only.
    Reveal,
    /// The reference itself, for fingerprints, requests and logs.
    Name,
}

impl Reference {
    /// What it is of the value that its head stands for.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn of(&self, value: &Value) -> Result<Value, EvalError> {
        let lenient = !self.path.is_property();
        if lenient && value.is_null() && matches!(self.head, Head::Output(_)) {
            // A bypassed node has no output; what is taken of nothing is nothing. To Prompt Flow
            // that is an error.
            return Ok(Value::Null);
        }
        self.path.apply(value).map_err(|message| EvalError::Path {
            reference: self.to_string(),
            message,
        })
    }
}

/// Gives the values that heads stand for.
pub trait Scope {
    /// The value of a head. An output of a node that did not run is `null`.
    ///
    /// # Errors
    /// [`EvalError::Missing`] when there is no such value here.
    fn head(&self, head: &Head) -> Result<Cow<'_, Value>, EvalError>;

    /// The value of a reference.
    ///
    /// # Errors
    /// When the head has no value or the path leads nowhere.
    fn reference(&self, reference: &Reference) -> Result<Value, EvalError> {
        let value = self.head(&reference.head)?;
        reference.of(&value)
    }

    /// The output of a node.
    ///
    /// # Errors
    /// As [`Scope::head`].
    fn output(&self, node: &NodeName) -> Result<Value, EvalError> {
        self.head(&Head::Output(node.clone())).map(Cow::into_owned)
    }

    /// A top-level name of a template; `None` when a template may find it undefined.
    ///
    /// # Errors
    /// As [`Scope::head`].
    fn root(&self, name: &str) -> Result<Option<Value>, EvalError> {
        Ok(match name {
            "inputs" => Some(self.inputs()),
            "env" => Some(self.env()),
            "run" => Some(serde_json::json!({ "id": self.head(&Head::RunId)? })),
            "approval" => self.head(&Head::Approval).ok().map(Cow::into_owned),
            "feedback" => self.head(&Head::Feedback).ok().map(Cow::into_owned),
            "item" => self.head(&Head::Item).ok().map(Cow::into_owned),
            // Functions and loop helpers of tera's own.
            "__tera_context" | "loop" => None,
            node => Some(node_root(&self.output(&NodeName::from(node))?)),
        })
    }

    /// All flow inputs, as one object.
    fn inputs(&self) -> Value;

    /// The recorded environment variables, as one object.
    fn env(&self) -> Value;
}
