//! [`ConnectionProblem`]: why a connection cannot be used.

/// Why a connection cannot be used, and what to do. Names fields and variables, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionProblem {
    /// A lower-case sentence without a full stop.
    pub message: String,
    /// What to do next, one action a line.
    pub help: Vec<String>,
}

impl std::fmt::Display for ConnectionProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ConnectionProblem {}
