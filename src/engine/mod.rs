//! The local driver: carries a run's actions out on this machine.
//!
//! [`Engine`] knows where things lie and what tools there are; [`Driver`] owns one run: it is the
//! only one that changes its state and writes its journal. Attempts run beside it and report back
//! over a channel. Knows no persona by name and never prints: it tells an [`Observer`].

mod accept;
mod answer;
mod approvers_file;
mod attempt;
mod away;
mod batch;
mod bench;
mod cache;
mod carry;
mod command;
mod compiled;
mod crew;
mod driver;
mod ending;
mod environment;
mod error;
mod evidence;
mod fleet;
mod ground;
mod host;
mod inbox;
mod kept;
mod node_input;
mod notify;
mod observer;
mod open;
mod overview;
mod people;
mod private;
mod publish;
mod report;
mod resolve;
#[cfg(feature = "restate")]
pub mod restate;
mod review;
mod scope;
mod secrets;
#[cfg(feature = "sign")]
mod server_key;
mod start;
mod target;

pub use answer::{Answer, new_id};
pub use approvers_file::{ApproversDraft, ApproversError, ApproversFile};
pub use away::{Away, Distance, Life, is_driven};
pub use batch::{LineError, Lines, Mapping, Results, Row, read_rows};
pub use compiled::Compiled;
pub use driver::{Driver, Ended, Limits};
pub use environment::{Engine, Who};
pub use error::Error;
pub use fleet::{Begin, Fleet, FleetLimits, FleetState, Happened, Lease, Standing};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use inbox::{Judge, judge};
pub use inbox::{Request, Verdict, gate};
pub use node_input::NodeInput;
pub use notify::{Delivered, Notified, notified, tell};
pub use observer::{Notice, Observer};
pub use open::{OpenRun, Told};
pub use overview::Overview;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use people::People;

#[cfg(feature = "web")]
pub(crate) use private::folder as private_folder;
pub use resolve::log_file;
pub use review::{Change, Review, ReviewedFile};
pub use secrets::SecretsFile;
#[cfg(feature = "sign")]
pub use server_key::{ServerKey, ServerKeyError};
