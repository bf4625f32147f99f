//! Evidence somewhere else: every file once, under a name that never has to be written over.
//!
//! [`Destination`] says where to, [`Inventory`] what there is and under which name, [`Target`] is
//! what can list, digest and create, and [`export`] brings the two together. Azure Data Explorer
//! takes rows, not files, and has a way of its own, [`Adx`]. Knows the layout of the evidence folder
//! and nothing of how evidence is made; `docs/export.md` is the reference.

#[cfg(feature = "export")]
mod adx;
#[cfg(feature = "export")]
mod cloud;
mod destination;
mod error;
mod folder;
mod inventory;
mod report;
mod segment;
mod target;
#[cfg(feature = "export")]
mod token;
mod transfer;

#[cfg(feature = "export")]
pub use adx::Adx;
#[cfg(feature = "restate")]
pub(crate) use cloud::{Bucket, choose_tls};
pub use destination::{Destination, Place};
pub use error::Error;
pub use inventory::Inventory;
pub use report::{Observer, Outcome, Report, Trouble};
pub use target::Target;
pub use transfer::{Options, export};
