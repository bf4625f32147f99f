//! What an approver signs, and whether a signature holds. Pure: keys that sign are elsewhere.
//!
//! The statement is a decision in RFC 8785 (JCS) form, together with the run it is about. The
//! signature is OpenSSH's SSHSIG in the namespace [`NAMESPACE`], so that `ssh-keygen -Y verify`
//! checks it without us. It proves possession of the key; whose key it is, others must know.

use serde_json::json;

use super::event::{ApprovalDecided, SignedStatement};
use crate::id::RunId;
use crate::value::{Value, canonical};

/// The namespace of the signatures; it keeps them from being taken for anything else, and
/// anything else from being taken for them.
pub const NAMESPACE: &str = "flowctl-decision";

/// The version of the statement.
const VERSION: u32 = 1;

/// The key that a decision was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The public key as one line of `authorized_keys` has it, without a comment.
    pub public_key: String,
}

impl Signer {
    /// How it is known who they are, as records say it.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("ssh-key {}", self.fingerprint)
    }
}

impl ApprovalDecided {
    /// The bytes that are signed: who says what about which digest of which run, and when.
    #[must_use]
    pub fn statement(&self, run: &RunId) -> String {
        let mut statement = json!({
            "v": VERSION,
            "run": run,
            "node": self.node,
            "digest": self.digest,
            "decision": self.decision,
            "by": self.by,
            "at": self.at.to_string(),
            "id": self.id,
            "comment": self.comment,
        });
        // Left out where there is nothing to say, as it was before they were thought of.
        for (key, value) in [
            ("form", self.form.clone().map(Value::Object)),
            ("target", self.target.as_ref().map(|target| json!(target))),
            ("via", self.via.clone().map(Value::String)),
        ] {
            if let Some(value) = value {
                statement[key] = value;
            }
        }
        let bytes = canonical(&statement);
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Who signed the decision; none when nobody did.
    ///
    /// # Errors
    /// Why the signature does not count: a statement that is not this decision's, or a signature
    /// that is not over the statement.
    pub fn signer(&self, run: &RunId) -> Result<Option<Signer>, String> {
        let Some(signed) = &self.signature else {
            return Ok(None);
        };
        // First of all: a good signature over something else is not an answer to this.
        if signed.statement != self.statement(run) {
            return Err("what was signed is not this decision about this run".to_owned());
        }
        verify(signed).map(Some)
    }
}

#[cfg(feature = "sign")]
fn verify(signed: &SignedStatement) -> Result<Signer, String> {
    use ssh_key::{HashAlg, PublicKey, SshSig};
    let signature = SshSig::from_pem(&signed.ssh)
        .map_err(|error| format!("its signature cannot be read: {error}"))?;
    let key = PublicKey::from(signature.public_key().clone());
    if signature.namespace() != NAMESPACE {
        return Err(format!(
            "its signature is for `{}`, and not for `{NAMESPACE}`",
            signature.namespace().escape_debug()
        ));
    }
    key.verify(NAMESPACE, signed.statement.as_bytes(), &signature)
        .map_err(|error| format!("its signature does not verify: {error}"))?;
    let public_key = key
        .to_openssh()
        .map_err(|error| format!("its key cannot be written: {error}"))?;
    Ok(Signer {
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        public_key,
    })
}

#[cfg(not(feature = "sign"))]
fn verify(_: &SignedStatement) -> Result<Signer, String> {
    Err("this flowctl was built without `sign`, and cannot check signatures".to_owned())
}
