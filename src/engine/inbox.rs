//! Requests from outside: decisions and cancellations, and whether they count.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::people::People;
use crate::flow::{ApprovalDecl, Field};
use crate::id::{NodePath, RunId};
use crate::plan::Plan;
use crate::port::Schema;
use crate::run::{
    ApprovalDecided, ApprovalExpired, CancelRequested, Decision, DecisionRefused, InstanceId,
    NodeState, Payload, RunState, SignedStatement, Signer, Status,
};
use crate::tool::Redactor;
use crate::value::{Object, Value};

/// How far the clocks of two machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What somebody asks of a run; one file of its inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// An answer to a gate.
    Decision {
        /// The answer.
        decision: Box<ApprovalDecided>,
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

/// What a request is judged by.
pub(crate) struct Judge<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) state: &'a RunState,
    pub(crate) run: &'a RunId,
    pub(crate) redactor: &'a Redactor,
    /// Who may answer.
    pub(crate) people: &'a People,
}

/// Judges a request: the events that follow from it, in order.
pub(crate) fn judge(by: &Judge<'_>, request: &Request, now: Timestamp) -> Vec<Payload> {
    let state = by.state;
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
            let mut decision = (**decision).clone();
            // What a request says of itself is no proof: who it is from is found out here. And the
            // signature comes first, so that one that does not hold moves nothing at all.
            let refused = match decision.signer(by.run) {
                Ok(signer) => {
                    let server = signer
                        .as_ref()
                        .is_some_and(|signer| by.people.trusts(signer));
                    decision.identity = identity(signer.as_ref(), &decision, server);
                    told(&decision, by.redactor)
                        .or_else(|| by.refusal(&decision, signer.as_ref(), now, &mut events))
                }
                Err(reason) => {
                    decision.identity = identity(None, &decision, false);
                    Some(reason)
                }
            };
            hide(&mut decision, by.redactor);
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

/// How it is known who answered.
fn identity(signer: Option<&Signer>, decision: &ApprovalDecided, server: bool) -> String {
    match (signer, &decision.via) {
        (Some(signer), Some(via)) if server => format!("server {} {via}", signer.fingerprint),
        (Some(signer), _) => signer.identity(),
        (None, _) => "unverified".to_owned(),
    }
}

impl Judge<'_> {
    /// Why a decision does not count.
    fn refusal(
        &self,
        decision: &ApprovalDecided,
        signer: Option<&Signer>,
        now: Timestamp,
        events: &mut Vec<Payload>,
    ) -> Option<String> {
        let (state, node) = (self.state, &decision.node);
        if state.status().ended() {
            return Some(format!(
                "the run has ended: it is {}",
                state.status().word()
            ));
        }
        if state.cancelling().is_some() || state.rejection().is_some() {
            return Some("the run is about to end".to_owned());
        }
        if let Some(back) = state.sent_back() {
            return Some(format!(
                "{} has just sent the work back; look again when it comes anew",
                back.by
            ));
        }
        let Some(id) = state.find(node) else {
            return Some(format!("there is no node `{node}` in this run"));
        };
        let Some(gate) = &state.node(self.plan, id).gate else {
            return Some(format!("`{node}` is no gate"));
        };
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
        // Before the clock is looked at: a time that anybody could write decides nothing.
        if let Some(reason) = self.people.refusal(gate, decision, signer) {
            return Some(reason);
        }
        // When this machine's own clock was set back, it is that clock which counts.
        let asked = request.asked.min(now);
        if decision.at.duration_until(asked) > SKEW {
            return Some(format!(
                "the decision is of {}, and it was asked for at {}: nobody can have answered before; set the clock of the machine it came from, and answer again",
                decision.at, request.asked
            ));
        }
        if now.duration_until(decision.at) > SKEW {
            return Some(format!(
                "the decision is of {}, and it is {now} here; set the clock of the machine it came from, and answer again",
                decision.at
            ));
        }
        // The time at which the decision is folded counts too, or a backdated one would slip in.
        if let Some(deadline) = request.deadline
            && (deadline < decision.at || deadline < now)
        {
            events.push(
                ApprovalExpired {
                    node: node.clone(),
                    deadline,
                    on_timeout: request.on_timeout,
                }
                .into(),
            );
            return Some(format!("the time to answer was up at {deadline}"));
        }
        if let Some(own) = request.yeses.iter().find(|yes| yes.by == decision.by) {
            return Some(format!(
                "{} said yes at {} already, and one person counts once; another may still say no, or send the work back",
                own.by, own.at
            ));
        }
        match decision.decision {
            Decision::Approved => filled_in(gate, &request.yeses, decision),
            Decision::Rejected => None,
            Decision::SentBack => self.back(id, decision),
        }
    }

    /// Why work cannot be sent back so.
    fn back(&self, gate: InstanceId, decision: &ApprovalDecided) -> Option<String> {
        if decision
            .comment
            .as_ref()
            .is_none_or(|said| said.trim().is_empty())
        {
            return Some("it does not say what is to be changed".to_owned());
        }
        let targets = self.state.targets(self.plan, gate);
        let paths = targets.iter().map(|id| &self.state.instance(*id).path);
        let names: Vec<&str> = paths.map(NodePath::as_str).collect();
        if names.is_empty() {
            return Some(format!("nothing comes before `{}`", decision.node));
        }
        match &decision.target {
            Some(target) if names.contains(&target.as_str()) => None,
            Some(target) => Some(format!(
                "work cannot be sent back to `{target}`, which is not before `{}`; it can to {}",
                decision.node,
                crate::diagnostic::or_list(names)
            )),
            None => Some(format!(
                "it does not say to which node work is sent back: {}",
                crate::diagnostic::or_list(names)
            )),
        }
    }
}

/// Why what a yes filled in does not do.
fn filled_in(
    gate: &ApprovalDecl,
    yeses: &[ApprovalDecided],
    decision: &ApprovalDecided,
) -> Option<String> {
    let empty = Object::new();
    let form = decision.form.as_ref().unwrap_or(&empty);
    let Some(schema) = gate.form_schema() else {
        return (!form.is_empty()).then(|| "the gate has no form to fill in".to_owned());
    };
    let problems: Vec<String> = match Schema::compile(&schema) {
        Ok(schema) => schema
            .check(&Value::Object(form.clone()))
            .into_iter()
            .map(|violation| violation.to_string())
            .collect(),
        Err(error) => vec![error],
    };
    if !problems.is_empty() {
        return Some(format!(
            "the form is not filled in right: {}",
            problems.join("; ")
        ));
    }
    let with_defaults = |form: &Object| -> Vec<Option<Value>> {
        let value =
            |(name, field): (&String, &Field)| form.get(name).or(field.default.as_ref()).cloned();
        gate.form.iter().map(value).collect()
    };
    // What several people say yes to is one thing.
    let first = yeses.first()?;
    let before = first.form.as_ref().unwrap_or(&empty);
    (with_defaults(before) != with_defaults(form)).then(|| {
        format!(
            "{} said yes with other values in the form ({}); say yes to the same, or send the work back",
            first.by,
            Value::Object(before.clone())
        )
    })
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
