//! Messages in the gateway's care, on disk: taken in so that they outlast a loss of power, given out, removed.
//!
//! The folder holds a control file for each message in a sub-folder that says how it stands (`active`, `deferred`,
//! `quarantine`), with its octets behind it if they are few, else in `body`; what is being written in `incoming`, and what
//! is damaged in `corrupt`. Small messages that come at the same time share a file in `bundle` until their first attempt
//! ([`bundle`]). A message exists from the moment that the file has its name. The order is always: write beside, sync the
//! file, rename, sync the folder, and only then say so. Nothing here judges or delivers, and what it does not know it never
//! touches.
//!
//! Two processes share the folder, each under a lock of its own: one takes messages in ([`intake`]), the other does
//! everything else ([`store`]). A message changes hands when its file gets its name in `active` or `bundle`. Files in
//! `incoming` say in their names whose they are, and each process clears away its own when it starts.

pub mod body;
pub mod bundle;
pub mod config;
pub mod control;
pub mod error;
pub mod file_system;
pub mod folder;
pub mod former;
pub mod incoming;
pub mod intake;
pub mod news;
pub mod place;
pub mod recovery;
pub mod room;
pub mod store;

mod batch;
mod recent;
mod shared;
mod stored;
mod syncers;
mod writer;

#[cfg(test)]
pub(crate) mod tests;
