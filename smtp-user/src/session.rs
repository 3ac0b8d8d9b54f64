//! The SMTP dialogue between an originator and the next hop it meant to reach, with the gateway in between.
//!
//! Pure logic: no socket, file, clock or task. Whoever runs a session tells [`relay::Relay`] one thing
//! after another that happened ([`input::Input`]) and carries out what it asks for ([`effect::Effect`]).

pub mod config;
pub mod effect;
pub mod input;
pub mod relay;
