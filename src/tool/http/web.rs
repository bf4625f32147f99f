//! [`Web`]: the way out, as whoever calls tools holds it: there or, without the feature `llm`, not.

use jiff::Timestamp;

#[cfg(feature = "llm")]
use super::client::Client;
use crate::port::{Failure, Outcome};
use crate::tool::Asked;

/// Sends requests, if this program can. Making one opens nothing.
#[derive(Clone, Debug)]
pub struct Web {
    #[cfg(feature = "llm")]
    client: Client,
}

/// Whether this program can send requests.
pub const BUILT_IN: bool = cfg!(feature = "llm");

impl Default for Web {
    fn default() -> Self {
        Self::new(|_| None, Timestamp::now)
    }
}

impl Web {
    /// A way out that reads variables and the time by these functions.
    #[must_use]
    #[cfg_attr(
        not(feature = "llm"),
        expect(unused_variables, reason = "nothing is sent without the feature")
    )]
    pub fn new(variable: fn(&str) -> Option<String>, clock: fn() -> Timestamp) -> Self {
        Self {
            #[cfg(feature = "llm")]
            client: Client::new(variable, clock),
        }
    }

    /// The client.
    #[cfg(feature = "llm")]
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Does what an `http` node says.
    ///
    /// # Errors
    /// No answer, or one that is not as expected.
    #[cfg(feature = "llm")]
    pub async fn call(&self, asked: &Asked) -> Result<Outcome, Failure> {
        super::node::call(&self.client, asked).await
    }

    /// Says that this program cannot.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "llm"))]
    #[expect(clippy::unused_async, reason = "the same as with the feature")]
    pub async fn call(&self, _asked: &Asked) -> Result<Outcome, Failure> {
        Err(Failure::new("this flowctl was built without HTTP")
            .help("build it with `cargo install --path . --features llm`"))
    }
}
