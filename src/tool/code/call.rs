//! [`Asked`]: one call of code that is waited for.

use crate::tool::{LogFile, Redactor};
use crate::value::{Object, Value};

/// One call of something that answers from outside of this process.
#[derive(Debug)]
pub struct Asked {
    /// The resolved inputs.
    pub inputs: Object,
    /// The decision of the node's own gate, when it has one.
    pub approval: Option<Value>,
    /// The same for every attempt of this node in this round.
    pub key: String,
    /// Where what is printed goes.
    pub log: Option<LogFile>,
    /// What must not be in anything that is written down.
    pub redactor: Redactor,
    /// The line of a batch; 0 without one.
    pub line: u64,
}
