//! Tools: the registry of what nodes can run, skill folders, and commands.
//!
//! Answers the plan's [`crate::plan::Catalog`] and runs single calls. Knows nothing of the
//! scheduler, of runs or of the journal. Which personas exist is said by whoever makes the
//! [`Registry`].

mod builtin;
mod code;
pub mod connection;
pub mod http;
mod left_behind;
mod library;
pub mod llm;
mod log_file;
mod process;
pub mod prompt;
pub mod python;
mod redact;
mod registry;
mod skill;

pub use builtin::{flows as builtin_flows, skills as builtin_skills};
pub use code::{Asked, Surroundings};
pub use left_behind::{RUN_DIR, end_left_behind, run_dir_value};
pub use library::{FoundSkill, Library};
pub use log_file::{LogFile, MAX_LOG, put_aside};
pub use process::{Cancel, Finished, MAX_CAPTURE, ProcessSpec, run_process, secret_variables};
pub use redact::Redactor;
pub use registry::{Contracts, Registration, Registry, Summary};
pub use skill::Skill;
pub(crate) use skill::check_path;
