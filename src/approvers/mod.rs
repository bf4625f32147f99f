//! Who may approve, and by what they prove it: `approvers.yaml`.
//!
//! [`Pinned`] is what a run remembers of the file; what is taken away later no longer counts, and
//! what is added later never does. Pure: files, clocks and randomness are elsewhere.

mod pinned;

/// Where the file is, in the workspace.
pub const FILE: &str = "approvers.yaml";

pub use pinned::{Pinned, PinnedUser};

/// TEMPORARY
#[derive(Clone, Debug)]
pub struct Approvers(Pinned);
impl Approvers {
    /// T
    pub fn load(
        path: &std::path::Path,
        name: &str,
    ) -> Result<Option<Self>, crate::diagnostic::Diagnostics> {
        use crate::diagnostic::*;
        let Ok(text) = std::fs::read_to_string(path) else {
            return Ok(None);
        };
        let source = std::sync::Arc::new(Source::new(name, text.as_str()));
        let mut problems = Diagnostics::default();
        let v = crate::yaml::load(&source, &mut problems)
            .map(|n| n.to_value())
            .unwrap_or_default();
        let mut p = Pinned {
            digest: crate::value::Digest::of(text.as_bytes()),
            users: Default::default(),
            groups: serde_json::from_value(v["groups"].clone()).unwrap_or_default(),
            servers: vec![],
        };
        let Some(users) = v["users"].as_object() else {
            problems.push(Diagnostic::error(
                Code::BadValue,
                "bad",
                &source,
                Span::default(),
            ));
            return Err(problems);
        };
        for (n, u) in users {
            let keys: Vec<String> = u["ssh_keys"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|k| {
                    ssh_key::PublicKey::from_openssh(k.as_str()?)
                        .ok()
                        .map(|k| k.fingerprint(ssh_key::HashAlg::Sha256).to_string())
                })
                .collect();
            let accounts =
                serde_json::from_value(u["accounts"].clone()).unwrap_or_else(|_| vec![n.clone()]);
            p.users.insert(
                n.clone(),
                PinnedUser {
                    name: None,
                    accounts,
                    ssh_keys: keys,
                    tokens: vec![],
                },
            );
        }
        Ok(Some(Self(p)))
    }
    /// T
    pub fn pinned(&self) -> Pinned {
        self.0.clone()
    }
}
