//! Signed decisions as files of the bundle, for `ssh-keygen -Y verify`.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::RunId;
use crate::run::{ApprovalDecided, NAMESPACE};

/// The statements and signatures of a run's signed decisions, by the number of their record, and
/// the keys they were signed with.
///
/// The list of keys is for convenience: an auditor brings their own.
pub(super) fn signed<'a>(
    run: &RunId,
    decisions: impl IntoIterator<Item = (u64, &'a ApprovalDecided)>,
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for (seq, decision) in decisions {
        let Some(signed) = &decision.signature else {
            continue;
        };
        if let Ok(Some(signer)) = decision.signer(run) {
            // A server's key is not that of whoever answered.
            let who = match &decision.via {
                Some(_) => "flowctl-serve".to_owned(),
                None => principal(&decision.by),
            };
            keys.insert(format!(
                "{who} namespaces=\"{NAMESPACE}\" {}\n",
                signer.public_key
            ));
        }
        let name = format!("decisions/{seq}.json");
        files.insert(format!("{name}.sig"), signed.ssh.clone().into_bytes());
        files.insert(name, signed.statement.clone().into_bytes());
    }
    if !keys.is_empty() {
        let list = keys.into_iter().collect::<String>();
        files.insert("decisions/allowed_signers".to_owned(), list.into_bytes());
    }
    files
}

/// A user's name as a principal: in `allowed_signers`, blanks end it, commas part it, and `*`, `?`
/// and `!` are patterns.
fn principal(user: &str) -> String {
    if user.is_empty() {
        return "_".to_owned();
    }
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ':' | '+');
    user.chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_allow_anybody_else() {
        assert_eq!(principal("ada@example.org"), "ada@example.org");
        assert_eq!(
            principal("ada\n* ssh-ed25519 AAAA"),
            "ada___ssh-ed25519_AAAA"
        );
        assert_eq!(
            (principal("*"), principal("")),
            ("_".to_owned(), "_".to_owned())
        );
    }
}
