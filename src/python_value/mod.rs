//! JSON values as Python sees them: how it prints, compares and converts them.
//!
//! Prompt Flow is a Python program, and what its files mean hangs on Python's rules: `True == 1`,
//! `str(1e20)` is `1e+20`, `int(" 1_000 ")` is 1000. Pure text and values: nothing here runs Python.
//!
//! What JSON cannot hold goes from node to node as a tagged object,
//! `{"$python": {"type": …, "text": …}}`: integers beyond 64 bits, floats that are not finite, and
//! [live objects](Tagged::Object), which exist only in the process that made them.

mod compare;
mod kind;
mod number;
mod print;
mod tagged;

pub use compare::{equal, truthy};
pub use kind::Kind;
pub use number::{int_of_float, parse_float, parse_int};
pub use print::{repr, to_str};
pub use tagged::{TAG, Tagged};
