//! [`ServerKey`]: with which a server signs what people tell it on the web.
//!
//! `approvers.yaml` says whose word is taken (`servers`), so that nobody who can only write into a run's
//! inbox can claim that somebody approved on the web.

use std::path::{Path, PathBuf};

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::private;
use crate::store::{self, create_private, open_regular};

/// The key of a server: ed25519, as OpenSSH writes it.
pub struct ServerKey {
    key: PrivateKey,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeyError {
    /// Others can have it.
    #[error("others may read `{path}` (mode {mode:04o})")]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key of ours.
    #[error("`{path}` is no key of a server: {message}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The system has no random bytes to give.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    /// It cannot sign.
    #[error("the server's key cannot sign: {0}")]
    Sign(String),
    /// The file system said no.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ServerKey({})", self.fingerprint())
    }
}

impl ServerKey {
    /// Loads the key of a folder ([`crate::store::Layout::serve`]); makes it when there is none. Whoever
    /// comes first makes it, and all others get the same one.
    ///
    /// # Errors
    /// When the file cannot be used, read or written.
    pub fn load_or_make(dir: &Path, host: &str) -> Result<Self, ServerKeyError> {
        private::folder(dir)?;
        let path = dir.join("key");
        if !path.exists() {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed)
                .map_err(|error| ServerKeyError::Random(error.to_string()))?;
            let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
            key.set_comment(format!("flowctl serve at {host}"));
            let pem = key
                .to_openssh(LineEnding::LF)
                .map_err(|error| ServerKeyError::Sign(error.to_string()))?;
            create_private(&path, pem.as_bytes())?;
        }
        // Even the one just made: somebody else may have been faster.
        Self::load(&path)
    }

    fn load(path: &Path) -> Result<Self, ServerKeyError> {
        use std::io::Read as _;
        use std::os::unix::fs::MetadataExt as _;
        let unusable = |message: String| ServerKeyError::Unusable {
            path: path.to_owned(),
            message,
        };
        let file = open_regular(path).map_err(store::Error::io("open", path))?;
        let found = file.metadata().map_err(store::Error::io("open", path))?;
        if found.mode() & 0o077 != 0 {
            return Err(ServerKeyError::Exposed {
                path: path.to_owned(),
                mode: found.mode() & 0o7777,
            });
        }
        let mut text = String::new();
        file.take(64 * 1024)
            .read_to_string(&mut text)
            .map_err(store::Error::io("read", path))?;
        let key =
            PrivateKey::from_openssh(text.trim()).map_err(|error| unusable(error.to_string()))?;
        if key.key_data().ed25519().is_none() {
            return Err(unusable(if key.is_encrypted() {
                "it has a passphrase, and a server cannot ask for it".to_owned()
            } else {
                format!("it is for {}, and not for ed25519", key.algorithm())
            }));
        }
        Ok(Self { key })
    }

    /// Signs as `ssh-keygen -Y sign` does; the namespace keeps the signature from being taken for one over
    /// something else.
    ///
    /// # Errors
    /// When the namespace is empty.
    pub fn sign(&self, bytes: &[u8], namespace: &str) -> Result<String, ServerKeyError> {
        self.key
            .sign(namespace, HashAlg::Sha512, bytes)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| ServerKeyError::Sign(error.to_string()))
    }

    /// The public key as one line of a `.pub` file.
    #[must_use]
    pub fn public_line(&self) -> String {
        let line = self.key.public_key().to_openssh();
        line.map(|line| line.trim_end().to_owned())
            .unwrap_or_default()
    }

    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn whoever_comes_first_makes_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let serve = dir.path().join(".flowctl/serve");
        let found: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| ServerKey::load_or_make(&serve, "here").unwrap()))
                .collect();
            let keys = threads.into_iter().map(|thread| thread.join().unwrap());
            keys.map(|key| key.fingerprint()).collect()
        });
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&serve), mode(&serve.join("key"))), (0o700, 0o600));
        let ignored = std::fs::read_to_string(serve.join(".gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }

    #[test]
    fn a_signature_is_the_keys_over_these_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let key = ServerKey::load_or_make(dir.path(), "here").unwrap();
        let line = key.public_line();
        assert!(line.ends_with("flowctl serve at here"), "{line}");
        assert_eq!(
            crate::approvers::fingerprint(&line),
            Some(key.fingerprint())
        );
        let public = ssh_key::PublicKey::from_openssh(&line).unwrap();
        let signature = ssh_key::SshSig::from_pem(key.sign(b"text", "flowctl-decision").unwrap());
        let signature = signature.unwrap();
        assert!(
            public
                .verify("flowctl-decision", b"text", &signature)
                .is_ok()
        );
        assert!(
            public
                .verify("flowctl-decision", b"tixt", &signature)
                .is_err()
        );
        assert!(public.verify("file", b"text", &signature).is_err());
        assert!(key.sign(b"text", "").is_err());
    }

    #[test]
    fn a_key_that_others_have_signs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        ServerKey::load_or_make(dir.path(), "here").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = ServerKey::load_or_make(dir.path(), "here").unwrap_err();
        assert!(error.to_string().contains("(mode 0640)"), "{error}");
        std::fs::remove_file(&path).unwrap();
        store::replace_private(&path, b"no key").unwrap();
        let error = ServerKey::load_or_make(dir.path(), "here").unwrap_err();
        assert!(
            error.to_string().contains("is no key of a server"),
            "{error}"
        );
    }
}
