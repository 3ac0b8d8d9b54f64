//! The SMTP dialogue between an originator and the next hop it meant to reach, with the gateway in between.
//!
//! Pure logic: no socket, file, clock or task. Whoever runs a session tells [`relay::Relay`] one thing
//! after another that happened ([`input::Input`]) and carries out what it asks for ([`effect::Effect`]).
//!
//! Commands are followed one by one, and passed on only as they were understood. The next hop's replies are matched
//! to them in order. A message is held and judged between its end and the next hop's first octet of it, and the
//! originator's final reply is the next hop's own, so a message is at no time in the gateway's care alone.

pub mod acceptor;
pub mod config;
pub mod effect;
pub mod input;
pub mod relay;

mod client;
pub mod replies;
mod server;
mod transaction;
