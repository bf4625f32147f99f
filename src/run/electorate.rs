//! [`Electorate`]: whether who answered may, by `approvers.yaml`. The same for whoever folds an answer
//! in, and for whoever checks years later that it should have counted.

use super::event::ApprovalDecided;
use super::signature::Signer;
use crate::approvers::{FILE, Pinned};
use crate::diagnostic::or_list;

/// Who may answer in a run.
#[derive(Clone, Debug)]
pub struct Electorate {
    /// As it was when the run began.
    pub pinned: Pinned,
    /// Less what was taken away since.
    pub now: Pinned,
    /// The accounts that asked for the run, and those that edited its flow.
    pub hands: Vec<String>,
}

impl Electorate {
    /// Whether a key is one of a server whose word is taken.
    #[must_use]
    pub fn trusts(&self, signer: &Signer) -> bool {
        self.now.is_server(&signer.fingerprint)
    }

    /// Why somebody may not give this answer at a gate of these approvers.
    #[must_use]
    pub fn refusal(
        &self,
        approvers: &[String],
        separation_of_duties: bool,
        decision: &ApprovalDecided,
        signer: Option<&Signer>,
    ) -> Option<String> {
        let user = match self.user(decision, signer) {
            Ok(user) => user,
            Err(reason) => return Some(reason),
        };
        if decision.by != user {
            return Some(format!(
                "it is signed with a key of {user} and says that it is from {}",
                decision.by
            ));
        }
        if !approvers.is_empty() && !self.now.members(approvers).contains(user) {
            return Some(format!(
                "{user} is not among those who may answer here: {}",
                or_list(approvers.iter().map(String::as_str))
            ));
        }
        if separation_of_duties {
            for hand in &self.hands {
                match self.pinned.user_of_account(hand) {
                    None => {
                        return Some(format!(
                            "duties cannot be told apart: `{hand}`, who asked for the run or changed it, is nobody in `{FILE}`"
                        ));
                    }
                    Some(asked) if asked == user => {
                        return Some(format!(
                            "separation of duties: {user} asked for this run or changed it (as `{hand}`), and somebody else must answer"
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        None
    }

    /// Who it is, proven.
    fn user<'a>(
        &'a self,
        decision: &'a ApprovalDecided,
        signer: Option<&Signer>,
    ) -> Result<&'a str, String> {
        let Some(signer) = signer else {
            return Err(format!(
                "`{FILE}` says who may answer, and this answer proves nothing: sign it with `--sign`, or answer on the web page"
            ));
        };
        if let Some(user) = self.now.user_of_key(&signer.fingerprint) {
            return Ok(user);
        }
        if !self.now.is_server(&signer.fingerprint) {
            let was = self.pinned.user_of_key(&signer.fingerprint);
            return Err(match was {
                Some(user) => format!(
                    "the key {} of {user} was taken out of `{FILE}`",
                    signer.fingerprint
                ),
                None => format!(
                    "the key {} is nobody's in `{FILE}` as it was when the run began",
                    signer.fingerprint
                ),
            });
        }
        let by = decision.by.as_str();
        if !self.now.users.contains_key(by) {
            return Err(format!(
                "`{by}` is nobody in `{FILE}` as it was when the run began, or was taken out since"
            ));
        }
        match decision.via.as_deref().and_then(|via| via.split_once(' ')) {
            Some(("token", id)) if self.now.holds_token(by, id) => Ok(by),
            Some(("token", id)) => Err(format!(
                "the token `{id}` of {by} is not in `{FILE}` as it was when the run began, or was revoked since"
            )),
            Some(("proxy", _)) => Ok(by),
            _ => Err("the server does not say how it knew who it was".to_owned()),
        }
    }
}
