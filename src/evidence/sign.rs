//! Keys: ed25519, as OpenSSH and OpenSSL write them.

use std::path::Path;

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ssh_key::public::{Ed25519PublicKey, KeyData};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    name: String,
}

impl PublicKey {
    /// Reads a line as `ssh-keygen` writes it into a `.pub` file; what follows the key is its name.
    ///
    /// # Errors
    /// A sentence fragment that says why it is no such line.
    pub fn parse(line: &str) -> Result<Self, String> {
        let key = ssh_key::PublicKey::from_openssh(line.trim())
            .map_err(|error| format!("it is no OpenSSH public key: {error}"))?;
        let KeyData::Ed25519(Ed25519PublicKey(bytes)) = key.key_data() else {
            return Err(format!(
                "it is a key for {}, not for ed25519",
                key.algorithm()
            ));
        };
        let verifying = VerifyingKey::from_bytes(bytes)
            .map_err(|error| format!("it is no ed25519 key: {error}"))?;
        Ok(Self {
            key: verifying,
            name: key.comment().to_string(),
        })
    }

    fn ssh(&self) -> KeyData {
        KeyData::Ed25519(Ed25519PublicKey(self.key.to_bytes()))
    }

    /// The key as OpenSSH writes it, without a name.
    #[must_use]
    pub fn openssh(&self) -> String {
        ssh_key::PublicKey::new(self.ssh(), "")
            .to_openssh()
            .map(|text| text.trim_end().to_owned())
            .unwrap_or_default()
    }

    /// The fingerprint as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.ssh().fingerprint(ssh_key::HashAlg::Sha256).to_string()
    }

    /// What people call the key, or its fingerprint.
    #[must_use]
    pub fn name(&self) -> String {
        if self.name.is_empty() {
            self.fingerprint()
        } else {
            self.name.clone()
        }
    }

    /// Whether it is the same key, whatever it is called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Whether a signature over a message is by this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

/// A private key.
pub struct Signer {
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Signer({})", self.public().fingerprint())
    }
}

impl Signer {
    /// Reads a private key: OpenSSH's format, or PKCS#8 in PEM.
    ///
    /// # Errors
    /// A sentence fragment that says why it cannot be used, and what to do.
    pub fn load(path: &Path) -> Result<Self, String> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(format!(
                    "others may read it (mode {mode:04o}): `chmod 600 {}`",
                    path.display()
                ));
            }
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains("BEGIN OPENSSH PRIVATE KEY") {
            let key = ssh_key::PrivateKey::from_openssh(text.trim())
                .map_err(|error| format!("it is no OpenSSH private key: {error}"))?;
            if key.is_encrypted() {
                return Err("it has a passphrase, and flowctl cannot ask for one: keep a key without one for this purpose (`ssh-keygen -t ed25519 -N ''`)".to_owned());
            }
            let Some(pair) = key.key_data().ed25519() else {
                return Err(format!(
                    "it is a key for {}, not for ed25519 (`ssh-keygen -t ed25519`)",
                    key.algorithm()
                ));
            };
            return Ok(Self {
                key: SigningKey::from_bytes(&pair.private.to_bytes()),
            });
        }
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
            return Err("it has a passphrase, and flowctl cannot ask for one: keep a key without one for this purpose".to_owned());
        }
        if text.contains("BEGIN PRIVATE KEY") {
            // `openssl` writes the private part alone, others both.
            let key = SigningKey::from_pkcs8_pem(text.trim())
                .map_err(|error| format!("it is no ed25519 key in PKCS#8: {error}"))?;
            return Ok(Self { key });
        }
        Err("it is neither an OpenSSH private key nor PKCS#8 in PEM; `ssh-keygen -t ed25519` makes one".to_owned())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey {
            key: self.key.verifying_key(),
            name: String::new(),
        }
    }

    /// Signs; the same message always gives the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }
}

/// Reads the keys of a file: OpenSSH lines, or PEM blocks whose name is in a `#` line above them.
///
/// # Errors
/// A sentence that names the line.
pub fn read_keys(text: &str) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    let mut name = String::new();
    let mut block: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let (number, line) = (number + 1, line.trim());
        if let Some((start, mut pem)) = block.take() {
            pem.push_str(line);
            pem.push('\n');
            if line.starts_with("-----END") {
                let key = VerifyingKey::from_public_key_pem(&pem).map_err(|error| {
                    format!("line {start}: it is no ed25519 public key in PEM: {error}")
                })?;
                keys.push(PublicKey {
                    key,
                    name: std::mem::take(&mut name),
                });
            } else {
                block = Some((start, pem));
            }
        } else if line.starts_with("-----BEGIN") {
            block = Some((number, format!("{line}\n")));
        } else if let Some(comment) = line.strip_prefix('#') {
            comment.trim().clone_into(&mut name);
        } else if !line.is_empty() {
            name.clear();
            keys.push(PublicKey::parse(line).map_err(|error| format!("line {number}: {error}"))?);
        }
    }
    match block {
        Some((start, _)) => Err(format!("line {start}: the PEM block does not end")),
        None => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3, and the public key that belongs to it.
    const PKCS8: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const SPKI: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_of_openssl_and_openssh_are_the_same_keys() {
        let signer = Signer::parse(PKCS8).expect("a key");
        let line = signer.public().openssh();
        assert!(line.starts_with("ssh-ed25519 AAAA"), "{line}");
        let text = format!("# Ada\n{SPKI}\n{line} ada@home\n");
        let keys = read_keys(&text).expect("keys");
        assert_eq!(
            keys.iter().map(PublicKey::name).collect::<Vec<_>>(),
            ["Ada", "ada@home"]
        );
        let signature = signer.sign(b"text");
        for key in keys {
            assert!(key.is(&signer.public()));
            assert!(key.verifies(b"text", &signature));
            assert!(!key.verifies(b"texts", &signature));
            assert!(key.fingerprint().starts_with("SHA256:"));
        }
        assert_eq!(signature, signer.sign(b"text"));
    }

    #[test]
    fn what_is_no_key_is_said_so() {
        for text in [
            "",
            "hello",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
        ] {
            assert!(Signer::parse(text).is_err(), "{text}");
        }
        let error = read_keys("\nssh-rsa AAAAB3NzaC1yc2E= x\n").expect_err("it is no key");
        assert!(error.starts_with("line 2: "), "{error}");
        let error = read_keys("-----BEGIN PUBLIC KEY-----\nAAAA\n").expect_err("it does not end");
        assert!(error.starts_with("line 1: "), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key");
        std::fs::write(&path, PKCS8).expect("it is written");
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        };
        mode(0o640);
        let error = Signer::load(&path).expect_err("it is refused");
        assert!(
            error.contains("0640") && error.contains("chmod 600"),
            "{error}"
        );
        mode(0o600);
        assert!(Signer::load(&path).is_ok());
        assert!(Signer::load(dir.path()).is_err());
    }
}
