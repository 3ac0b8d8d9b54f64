//! The inspector: mail sessions from accept to close (RFC 5321, RFC 3207, RFC 8314).
//!
//! It accepts what the packet path diverts, calls the next hop, and carries out what the session's state machine asks
//! for. It never decides what a command may do, nor what a message is: that is for `session` and `inspect`.

pub mod admission;
pub mod descriptors;
pub mod forecast;
pub mod original_destination;
pub mod quarantine;
pub mod remedy;
pub mod service;
pub mod setup;
pub mod taker;
pub mod timeouts;

mod alarm;
mod buffer;
pub mod dequeuer;

mod connection;
mod hops;
mod ledger;
mod leg_io;
mod listener;
mod message;
mod relay_io;
pub mod runtime;
mod shutdown;
mod threads;
mod trace_fields;

#[cfg(test)]
mod tests;
