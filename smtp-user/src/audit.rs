//! The records: one JSON line for every fact, written by one thread into files that are bounded in number. The dequeuer
//! writes files of its own, in a folder within that of all; readers see both.
//!
//! Every session that was opened gets exactly one account, also when the daemon is killed: the next one closes
//! what was left open. Records never hold what a client authenticates with: events have no field for it.

pub mod config;
pub mod error;
pub mod folder;
pub mod reader;
pub mod recorder;
pub mod sessions;
pub mod timestamp;

mod ledger;
mod line;
mod log;
mod queue;
mod recovery;
mod track;
mod writer;

#[cfg(test)]
pub(crate) mod fixture;
