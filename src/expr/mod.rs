//! Expressions: `${head tail}` references, JSONPath tails, strings that hold them, tera templates.
//!
//! Everything is parsed once, at load, and checked there; evaluation takes a [`Scope`] and gives
//! values. Knows nothing of flows: which nodes and inputs exist is for the caller to say.
//! Main types: [`Reference`], [`Binding`], [`Template`], [`Scope`].

mod binding;
mod filters;
mod hcl;
mod path;
mod property;
mod reference;
mod scope;
mod template;
mod text;

pub use binding::{Binding, Use};
pub use path::Path;
pub use reference::{Head, Reference};
pub use scope::{EvalError, Scope, Secrets};
pub use template::Template;
pub use text::Text;

pub(crate) use template::{TemplateProblem, engine, first_problem, problem_of, problems_of};
