//! The skills and flows inside the binary.

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Built-in skill files, by path below `skills/`.
#[must_use]
pub fn skills() -> &'static [(&'static str, &'static [u8])] {
    SKILLS
}

/// Built-in flow files, by path below `flows/`.
#[must_use]
pub fn flows() -> &'static [(&'static str, &'static [u8])] {
    FLOWS
}
