//! [`Persona`] and the one list of them.

use crate::port::{Effect, Function, Signature};

/// A persona: a registered name for a tool function and its ports.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// The name that `persona:` (or the node's own name) refers to.
    pub name: &'static str,
    /// The tool's name, as a runbook writes it.
    pub tool: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Whether it is pure.
    pub effect: Effect,
    /// The skills that it renders.
    pub skills: &'static [&'static str],
    /// Its ports.
    pub signature: fn() -> Signature,
    /// What it does.
    pub function: Function,
}

/// Every persona, in the order of the flagship flow.
#[must_use]
pub fn all() -> &'static [Persona] {
    &[
        super::product_manager::PERSONA,
        super::cloud_architect::PERSONA,
        super::security_compliance::PERSONA,
    ]
}
