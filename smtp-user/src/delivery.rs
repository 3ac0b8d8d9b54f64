//! Delivers the messages that the gateway has accepted: whom to call and when, the dialogue with the next hop, and
//! the reports to those who sent what cannot be delivered.

pub mod destination;
pub mod dsn;
pub mod failure;
pub mod letter;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod session;
pub mod settings;
pub mod sts;

#[cfg(test)]
pub(crate) mod fixture;
