//! A run as a pure state machine: events in, actions out.
//!
//! [`RunState::apply`] folds an [`Event`] in and is the only place where anything changes, for
//! live runs and replay alike; [`RunState::next`] says what is now to be done. Knows nothing of
//! files, clocks, processes or tokio: whoever drives it carries actions out and brings events
//! back. `docs/design.md` draws the states.

mod apply;
mod electorate;
mod event;
mod instance;
mod next;
mod ready;
mod resume;
mod rewind;
mod settle;
mod signature;
mod state;

#[cfg(test)]
mod simulation;

pub use apply::{Adoption, IllegalTransition};
pub use electorate::Electorate;
pub use event::{
    ApprovalDecided, ApprovalExpired, ApprovalRequested, CancelRequested, ConditionEvaluated,
    Decision, DecisionRefused, Event, External, FailureRecord, FlowChanged, ForeachExpanded,
    NodeBypassed, NodeCancelled, NodeFailed, NodeStarted, NodeSucceeded, Payload, PublishStarted,
    Rewound, RunCancelled, RunFailed, RunPaused, RunRejected, RunResumed, RunSealed, RunStarted,
    RunSucceeded, SignedStatement, StagedFile, Stale, SubflowStarted,
};
pub use instance::{Instance, InstanceId, NodeState, OutputRef, Request};
pub use next::{Action, Next};
pub use rewind::Rewind;
pub use signature::{NAMESPACE, Signer};
pub use state::{RunState, Status};
