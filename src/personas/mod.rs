//! The eight personas of the infrastructure product flow.
//!
//! Each is a plain function over the contracts, one file each, registered once in [`all`]. They know
//! nothing of flows and runs; files are rendered through [`crate::port::Host`] by the skills. All are
//! pure but QA and Approvals' shared tool, which runs programs and reads the clock.

mod backstage_publisher;
mod cloud_architect;
#[cfg(test)]
mod documents;
mod entities;
mod evidence_sink;
mod iac_engineer;
mod input;
mod names;
mod oscal;
mod persona;
#[cfg(test)]
mod pipeline;
mod product_manager;
mod qa_verification;
mod security_compliance;
#[cfg(test)]
mod skills;
#[cfg(test)]
mod testing;

pub use persona::{Persona, all};
