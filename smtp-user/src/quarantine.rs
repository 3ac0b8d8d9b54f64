//! Mail that was accepted and not sent on, and originals of mail that was rewritten.
//!
//! ```text
//! <data_dir>/quarantine/entry/<message id>   envelope, trace, decision, parts, how far its release is; under a checksum
//!                      /body/<message id>    octets as received
//!                      /incoming             what is being written
//! ```
//!
//! A message is there from the moment that its entry has its name, and the order is always: write beside, sync the file,
//! rename, sync the folder, and only then say so. Names are made from a message's id, never from a text, so that none leads
//! elsewhere. What is not the quarantine's is named and left alone. Whoever releases or deletes a message claims it first:
//! the claim is a lock on the octets, so the daemon and any number of commands work on the same folder.

pub mod claim;
pub mod entry;
pub mod error;
pub mod found;
pub mod store;

mod form;
mod opening;
mod writing;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

/// Folder of the quarantine, within the data folder.
pub const FOLDER: &str = "quarantine";
/// Where the daemon takes orders, within that folder.
pub const SOCKET: &str = "socket";
