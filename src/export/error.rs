//! [`Error`]: why an export cannot go on at all. What goes wrong with one file is a `Trouble`.

/// A failure of an export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Local files.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The destination makes no sense.
    #[error("{message}")]
    Destination {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        help: String,
    },
    /// There is nothing to export.
    #[error("there is no evidence in `{0}`")]
    Nothing(String),
    /// The destination does not answer as it should.
    #[error("cannot {action} {place}: {message}")]
    Remote {
        /// What was tried.
        action: &'static str,
        /// Where.
        place: String,
        /// What came back.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}
