//! [`Exit`]: the exit codes, a documented part of the contract.

use std::process::ExitCode;

use crate::engine::Ended;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// The run succeeded; the answer was accepted or queued.
    pub const SUCCESS: Self = Self(0);
    /// Something that should not happen: I/O, a damaged journal.
    pub const UNEXPECTED: Self = Self(1);
    /// Wrong arguments, or no such run.
    pub const USAGE: Self = Self(2);
    /// The flow or its inputs are wrong; nothing ran.
    pub const INVALID: Self = Self(3);
    /// A node or publishing failed.
    pub const FAILED: Self = Self(4);
    /// Gates wait for humans.
    pub const PAUSED: Self = Self(5);
    /// A human said no.
    pub const REJECTED: Self = Self(6);
    /// Another process drives the run.
    pub const LOCKED: Self = Self(7);
    /// The run was cancelled.
    pub const CANCELLED: Self = Self(8);
    /// The answer does not count.
    pub const REFUSED: Self = Self(9);
    /// `evidence verify` found something that is not as it was written.
    pub const NOT_INTACT: Self = Self(10);
    /// The driver was told to stop.
    pub const INTERRUPTED: Self = Self(130);

    /// The code as a number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// The code for a status word, as `show --exit-status` gives it.
    pub(super) fn of_status(status: &str) -> Self {
        match status {
            "succeeded" => Self::SUCCESS,
            "failed" => Self::FAILED,
            "paused" => Self::PAUSED,
            "rejected" => Self::REJECTED,
            "cancelled" => Self::CANCELLED,
            "interrupted" => Self::INTERRUPTED,
            // Somebody drives it right now.
            "running" => Self::LOCKED,
            _ => Self::UNEXPECTED,
        }
    }
}

impl From<Ended> for Exit {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Succeeded => Self::SUCCESS,
            Ended::Failed => Self::FAILED,
            Ended::Paused => Self::PAUSED,
            Ended::Rejected => Self::REJECTED,
            Ended::Cancelled => Self::CANCELLED,
            Ended::Interrupted => Self::INTERRUPTED,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
