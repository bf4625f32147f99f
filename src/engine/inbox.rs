//! Requests from outside: decisions and cancellations, and whether they count.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{NodePath, RunId};
use crate::plan::Plan;
use crate::run::{
    ApprovalDecided, ApprovalExpired, CancelRequested, DecisionRefused, NodeState, Payload,
    RunState, SignedStatement, Signer, Status,
};
use crate::tool::Redactor;

/// How far the clocks of two machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What somebody asks of a run; one file of its inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// An answer to a gate.
    Decision {
        /// The answer.
        decision: ApprovalDecided,
    },
    /// The run is to be cancelled.
    Cancel {
        /// The request's own id.
        id: String,
        /// Who asks.
        by: String,
    },
}

impl Request {
    /// The request's own id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Decision { decision } => &decision.id,
            Self::Cancel { id, .. } => id,
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is journaled and counts.
    Accepted,
    /// It is journaled and does not count.
    Refused(String),
    /// Somebody else drives the run and has not taken it yet.
    Queued,
}

/// Judges a request: the events that follow from it, in order.
pub(crate) fn judge(
    plan: &Plan,
    state: &RunState,
    run: &RunId,
    request: &Request,
    now: Timestamp,
    redactor: &Redactor,
) -> Vec<Payload> {
    match request {
        Request::Cancel { id, by } => {
            if state.status().ended() || state.cancelling().is_some() {
                return Vec::new();
            }
            vec![
                CancelRequested {
                    id: id.clone(),
                    by: by.clone(),
                }
                .into(),
            ]
        }
        Request::Decision { decision } => {
            let mut events: Vec<Payload> = Vec::new();
            let mut decision = decision.clone();
            // What a request says of itself is no proof: who it is from is found out here. And the
            // signature comes first, so that one that does not hold moves nothing at all.
            let refused = match decision.signer(run) {
                Ok(signer) => {
                    decision.identity = identity(signer.as_ref());
                    told(&decision, redactor)
                        .or_else(|| refusal(plan, state, &decision, now, &mut events))
                }
                Err(reason) => {
                    decision.identity = identity(None);
                    Some(reason)
                }
            };
            hide(&mut decision, redactor);
            events.push(match refused {
                None => decision.into(),
                Some(reason) => DecisionRefused { decision, reason }.into(),
            });
            events
        }
    }
}

/// A signed answer that tells a secret does not count: it cannot be written down, and without the secret it
/// is not what was signed.
fn told(decision: &ApprovalDecided, redactor: &Redactor) -> Option<String> {
    let signed = decision.signature.as_ref()?;
    let tells = redactor.finds(signed.statement.as_bytes());
    tells.then(|| {
        "what was signed holds a secret of the run; answer again without it, and give the secret up: it was written into the inbox".to_owned()
    })
}

/// Takes the run's secrets out of what people wrote.
fn hide(decision: &mut ApprovalDecided, redactor: &Redactor) {
    if let Some(comment) = &mut decision.comment {
        *comment = redactor.text(comment);
    }
    let tells = |signed: &SignedStatement| {
        redactor.finds(signed.statement.as_bytes()) || redactor.finds(signed.ssh.as_bytes())
    };
    if decision.signature.as_ref().is_some_and(tells) {
        decision.signature = None;
    }
}

/// How it is known who answered. Whose key it is will be asked of `approvers.yaml`, here.
fn identity(signer: Option<&Signer>) -> String {
    match signer {
        Some(signer) => signer.identity(),
        None => "unverified".to_owned(),
    }
}

fn refusal(
    plan: &Plan,
    state: &RunState,
    decision: &ApprovalDecided,
    now: Timestamp,
    events: &mut Vec<Payload>,
) -> Option<String> {
    let node = &decision.node;
    if state.status().ended() {
        return Some(format!(
            "the run has ended: it is {}",
            state.status().word()
        ));
    }
    if state.cancelling().is_some() || state.rejection().is_some() {
        return Some("the run is about to end".to_owned());
    }
    let Some(id) = state.find(node) else {
        return Some(format!("there is no node `{node}` in this run"));
    };
    if state.node(plan, id).gate.is_none() {
        return Some(format!("`{node}` is no gate"));
    }
    let instance = state.instance(id);
    let request = match (&instance.state, &instance.request) {
        (NodeState::Waiting, Some(request)) => request,
        (_, Some(request)) if request.decision.is_some() => {
            return Some(format!("`{node}` has been answered already"));
        }
        _ => return Some(format!("`{node}` does not wait for an answer yet")),
    };
    if request.digest != decision.digest {
        return Some(format!(
            "the decision is about {}, and what waits is {}: look again with `flowctl review`",
            decision.digest, request.digest
        ));
    }
    // When this machine's own clock was set back, it is that clock which counts.
    let asked = request.asked.min(now);
    if decision.at.duration_until(asked) > SKEW {
        return Some(format!(
            "the decision is of {}, and it was asked for at {}: nobody can have answered before; set the clock of the machine it came from, and answer again",
            decision.at, request.asked
        ));
    }
    match request.deadline {
        // The time at which the decision is folded counts too, or a backdated one would slip in.
        Some(deadline) if deadline < decision.at || deadline < now => {
            events.push(
                ApprovalExpired {
                    node: node.clone(),
                    deadline,
                    on_timeout: request.on_timeout,
                }
                .into(),
            );
            Some(format!("the time to answer was up at {deadline}"))
        }
        _ => None,
    }
}

/// The gate that a person means: the one that is named, or the only one that waits.
///
/// # Errors
/// A sentence that says which gates there are.
pub fn gate(state: &RunState, wanted: Option<&str>) -> Result<NodePath, String> {
    let waiting: Vec<&NodePath> = state.waiting().map(|id| &state.instance(id).path).collect();
    if let Some(wanted) = wanted {
        return Ok(NodePath::from(wanted));
    }
    match waiting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(match state.status() {
            Status::Running | Status::Paused => "no gate of the run waits for an answer".to_owned(),
            ended => format!("no gate waits: the run is {}", ended.word()),
        }),
        many => {
            let names = crate::diagnostic::or_list(many.iter().map(|path| path.as_str()));
            Err(format!("several gates wait; say which: {names}"))
        }
    }
}
