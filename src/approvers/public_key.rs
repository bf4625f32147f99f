//! [`PublicKey`]: a line of a `.pub` file, and what people and records call it.

/// A public key by which somebody is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// What its line calls it; may be empty.
    pub comment: String,
}

/// The fingerprint of a public key, from a line as `ssh-add -L` or a `.pub` file has it; never known
/// without the feature `sign`.
#[must_use]
pub fn fingerprint(line: &str) -> Option<String> {
    #[cfg(feature = "sign")]
    {
        let key = ssh_key::PublicKey::from_openssh(line).ok()?;
        Some(key.fingerprint(ssh_key::HashAlg::Sha256).to_string())
    }
    #[cfg(not(feature = "sign"))]
    {
        _ = line;
        None
    }
}

#[cfg(feature = "sign")]
impl PublicKey {
    /// The fewest bits of an RSA key; fewer can be factored.
    const RSA_BITS: u32 = 2048;

    /// Reads a key that may prove who somebody is.
    ///
    /// # Errors
    /// A sentence fragment that says why it may not.
    pub fn parse(line: &str) -> Result<Self, String> {
        use ssh_key::public::KeyData;
        if line.contains("PRIVATE KEY") {
            return Err(
                "this is a private key, and now known to whoever reads the file".to_owned(),
            );
        }
        let key = ssh_key::PublicKey::from_openssh(line.trim())
            .map_err(|error| format!("this is no OpenSSH public key: {error}"))?;
        match key.key_data() {
            KeyData::Ed25519(_)
            | KeyData::Ecdsa(_)
            | KeyData::SkEd25519(_)
            | KeyData::SkEcdsaSha2NistP256(_) => {}
            KeyData::Rsa(rsa) if rsa.key_size() >= Self::RSA_BITS => {}
            KeyData::Rsa(rsa) => {
                return Err(format!(
                    "an RSA key of {} bits can be forged; {} are needed",
                    rsa.key_size(),
                    Self::RSA_BITS
                ));
            }
            _ => {
                return Err(format!(
                    "signatures of `{}` keys are not checked",
                    key.algorithm()
                ));
            }
        }
        Ok(Self {
            fingerprint: key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
            comment: key.comment().to_string(),
        })
    }
}
