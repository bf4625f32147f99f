//! Prompts: Jinja2 templates, rendered as Prompt Flow renders them.
//!
//! That is Python's Jinja2 in its sandbox, with `trim_blocks` on, the last newline kept, nothing
//! escaped and nothing to include from. Values print, compare and compute as in Python, and lists and
//! dicts can be changed by their methods: prompts collect things by `{% set _ = items.append(x) %}`.
//! That last is why this is no template crate: `minijinja` holds the lists of a template as constants (3.1 with its
//! Python methods gives what Jinja2 gives for 332 of the 480 templates below, this for 473).
//! `scripts/jinja-differential` compares with Jinja2 itself. Pure: no clock, no files, no chance.

mod arguments;
#[cfg(test)]
mod differential;
mod evaluate;
mod expressions;
mod filters;
mod format;
mod globals;
mod lexer;
mod methods;
mod number;
mod operators;
mod parser;
mod print;
mod raised;
mod render;
mod scope;
mod syntax;
mod template;
mod tests;
mod urlize;
mod value;
mod variables;
mod wrap;

pub use template::{Template, literal};
