//! Judges one message: what is in it, what the engines say, what follows.
//!
//! An [`Inspection`](inspection::Inspection) takes the octets of a message while they stream in, and gives
//! a [`Judgement`](judgement::Judgement) at its end. It never changes a message and never sees a socket of
//! a session.

mod cache;
pub mod combine;
pub mod config;
mod content_scan;
mod contents;
mod copying;
pub mod inspection;
pub mod inspector;
pub mod judgement;
mod link_scan;
pub mod located;
mod memory;
mod message_digest;
pub mod part_scan;
pub mod ruled;
mod second_reading;
pub mod stage;

pub use config::Config;
pub use inspection::Inspection;
pub use inspector::Inspector;
pub use judgement::Judgement;
