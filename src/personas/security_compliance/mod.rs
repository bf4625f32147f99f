//! `SecurityCompliance`: selects guardrails by classification and maps them to controls.
//!
//! [`guardrails`] is the catalogue (data, one entry per guardrail with its enforcement points per
//! cloud), [`controls`] the titles of NIST SP 800-53 revision 5, [`policies`] the files of the policy
//! pack. `docs/controls.md` shows the same mapping to people, and a test keeps the two in step.

mod catalogue;
mod controls;
mod guardrails;
mod persona;
mod policies;

pub(super) use persona::PERSONA;
