//! What stands in for keys in a flowctl that was built without the feature `sign`.

use std::path::Path;

const WITHOUT: &str = "this flowctl was built without the feature `sign`";

/// No public key can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    never: std::convert::Infallible,
}

impl PublicKey {
    /// Says that keys cannot be read.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_: &str) -> Result<Self, String> {
        Err(WITHOUT.to_owned())
    }

    /// Never called.
    #[must_use]
    pub fn openssh(&self) -> String {
        match self.never {}
    }

    /// Never called.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self.never {}
    }

    /// Never called.
    #[must_use]
    pub fn name(&self) -> String {
        match self.never {}
    }

    /// Never called.
    #[must_use]
    pub fn is(&self, _: &Self) -> bool {
        match self.never {}
    }

    /// Never called.
    #[must_use]
    pub fn verifies(&self, _: &[u8], _: &[u8]) -> bool {
        match self.never {}
    }
}

/// No private key can be read.
#[derive(Debug)]
pub struct Signer {
    never: std::convert::Infallible,
}

impl Signer {
    /// Says that keys cannot be read.
    ///
    /// # Errors
    /// Always.
    pub fn load(_: &Path) -> Result<Self, String> {
        Err(WITHOUT.to_owned())
    }

    /// Never called.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match self.never {}
    }

    /// Never called.
    #[must_use]
    pub fn sign(&self, _: &[u8]) -> Vec<u8> {
        match self.never {}
    }
}

/// Says that keys cannot be read.
///
/// # Errors
/// Always.
pub fn read_keys(_: &str) -> Result<Vec<PublicKey>, String> {
    Err(WITHOUT.to_owned())
}
