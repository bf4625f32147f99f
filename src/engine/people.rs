//! Who may answer: `approvers.yaml` as it was when a run began, less what was taken away since.

use std::collections::BTreeSet;

use super::approvers_file::ApproversFile;
use super::environment::Engine;
use super::error::Error;
use super::open::Told;
use crate::approvers::{Approvers, FILE, Pinned};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, or_list};
use crate::flow::ApprovalDecl;
use crate::plan::{Plan, PlanNode, Scope};
use crate::run::{ApprovalDecided, Electorate, RunStarted, Signer};

/// Who may answer in a run.
pub(crate) enum People {
    /// Nobody is told apart: whoever works here decides.
    Anybody,
    /// Those of the file.
    Known(Box<Electorate>),
    /// The run had a file that cannot be read any more.
    Unreadable(String),
}

impl People {
    /// Whether a key is one of a server whose word is taken.
    pub(super) fn trusts(&self, signer: &Signer) -> bool {
        matches!(self, Self::Known(known) if known.trusts(signer))
    }

    /// Why somebody may not give this answer.
    pub(super) fn refusal(
        &self,
        gate: &ApprovalDecl,
        decision: &ApprovalDecided,
        signer: Option<&Signer>,
    ) -> Option<String> {
        match self {
            Self::Anybody => None,
            Self::Unreadable(why) => Some(format!(
                "who may answer is not known, because {why}; correct that and answer again"
            )),
            Self::Known(known) => {
                known.refusal(&gate.approvers, gate.separation_of_duties, decision, signer)
            }
        }
    }
}

impl Engine {
    /// Who may approve, by the workspace's `approvers.yaml` as it is now; none without one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn approvers(&self) -> Result<Option<Approvers>, Error> {
        let read = ApproversFile::of(&self.layout).read();
        Ok(read
            .map_err(Error::Invalid)?
            .map(|(approvers, _)| approvers))
    }

    /// Who may answer in a run.
    pub(super) fn people(&self, started: &RunStarted, told: &Told) -> People {
        let Some(pinned) = &started.approvers else {
            return People::Anybody;
        };
        match self.approvers() {
            Ok(Some(now)) => People::Known(Box::new(Electorate {
                now: pinned.narrowed(&now.pinned()),
                pinned: (**pinned).clone(),
                hands: told.hands.clone(),
            })),
            Ok(None) => People::Unreadable(format!("`{FILE}` is gone")),
            Err(error) => {
                let why = match &error {
                    Error::Invalid(problems) => problems
                        .iter()
                        .next()
                        .map_or_else(String::new, |problem| problem.message.clone()),
                    other => other.to_string(),
                };
                People::Unreadable(format!("`{FILE}` cannot be read ({why})"))
            }
        }
    }

    /// Holds the policy of a flow's gates against who there is.
    ///
    /// # Errors
    /// Policy that nobody could satisfy, each with its place; an `approvers.yaml` that is wrong.
    pub fn check_policy(&self, plan: &Plan) -> Result<Option<Pinned>, Error> {
        let pinned = self.approvers()?.map(|approvers| approvers.pinned());
        check_gates(plan, pinned.as_ref()).map_err(Error::Invalid)?;
        Ok(pinned)
    }

    /// The same for a run that is about to begin: who asks for it must be known where duties are
    /// kept apart.
    pub(super) fn pin(&self, plan: &Plan) -> Result<Option<Box<Pinned>>, Error> {
        let Some(pinned) = self.check_policy(plan)? else {
            return Ok(None);
        };
        let by = &self.who.user;
        if pinned.user_of_account(by).is_some() {
            return Ok(Some(Box::new(pinned)));
        }
        let mut problems = Diagnostics::default();
        for scope in plan.scopes() {
            for node in &scope.nodes {
                if node
                    .gate
                    .as_ref()
                    .is_some_and(|gate| gate.separation_of_duties)
                {
                    problems.push(
                        Diagnostic::error(
                            Code::ApproversNeeded,
                            format!("`{by}` asks for this run and is nobody in `{FILE}`"),
                            &scope.source,
                            node.gate_span,
                        )
                        .label("nobody could say that an approver is somebody else")
                        .help(format!(
                            "add `accounts: [{by}]` to whose account it is, in `{FILE}`"
                        )),
                    );
                }
            }
        }
        if problems.has_errors() {
            return Err(Error::Invalid(problems));
        }
        Ok(Some(Box::new(pinned)))
    }
}

/// Holds the policy of gates against who there is.
pub(super) fn check_gates(plan: &Plan, pinned: Option<&Pinned>) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::default();
    for scope in plan.scopes() {
        for node in &scope.nodes {
            check_gate(scope, node, pinned, &mut problems);
        }
    }
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(())
}

fn check_gate(scope: &Scope, node: &PlanNode, pinned: Option<&Pinned>, problems: &mut Diagnostics) {
    let Some(gate) = node.gate.as_ref().filter(|gate| gate.names_people()) else {
        return;
    };
    let problem = |message: String| {
        Diagnostic::error(
            Code::ApproversNeeded,
            message,
            &scope.source,
            node.gate_span,
        )
    };
    let Some(pinned) = pinned else {
        let mut keys = Vec::new();
        if !gate.approvers.is_empty() {
            keys.push("approvers");
        }
        if gate.quorum > 1 {
            keys.push("quorum");
        }
        if gate.separation_of_duties {
            keys.push("separation_of_duties");
        }
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let (keys, verb) = (
            keys.join(" and "),
            if keys.len() > 1 { "need" } else { "needs" },
        );
        problems.push(
            problem(format!("{keys} {verb} an `{FILE}`"))
                .label("nobody could be told apart")
                .help("`flowctl approvers init` begins one; without it the operating-system user decides, recorded as `unverified`"),
        );
        return;
    };
    let mut all_known = true;
    for name in &gate.approvers {
        let known = match name.strip_prefix('@') {
            Some(group) => pinned.groups.contains_key(group),
            None => pinned.users.contains_key(name),
        };
        if !known {
            all_known = false;
            let (what, names): (_, Vec<String>) = if name.starts_with('@') {
                (
                    "group",
                    pinned
                        .groups
                        .keys()
                        .map(|name| format!("@{name}"))
                        .collect(),
                )
            } else {
                ("user", pinned.users.keys().cloned().collect())
            };
            let mut diagnostic = problem(format!("`{FILE}` has no {what} `{name}`"))
                .did_you_mean(name, names.iter().map(String::as_str));
            if diagnostic.help.is_empty() {
                diagnostic = diagnostic.help(if names.is_empty() {
                    format!("it has no {what}s")
                } else {
                    format!("it has {}", or_list(names.iter().map(String::as_str)))
                });
            }
            problems.push(diagnostic);
        }
    }
    let able: BTreeSet<&str> = if gate.approvers.is_empty() {
        pinned.users.keys().map(String::as_str).collect()
    } else {
        pinned.members(&gate.approvers)
    };
    let needed = gate.quorum as usize;
    if all_known && able.len() < needed {
        let who = if able.is_empty() {
            "nobody".to_owned()
        } else {
            able.iter().copied().collect::<Vec<_>>().join(", ")
        };
        problems.push(
            problem(format!(
                "{needed} must say yes to `{}`, and {} may",
                node.name,
                able.len()
            ))
            .label(format!("who may: {who}"))
            .help("lower `quorum`, or name more `approvers`"),
        );
    }
}
