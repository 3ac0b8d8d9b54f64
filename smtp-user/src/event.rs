//! Typed events: one for every fact, said once. Log line, counter and record are made from the same value.

pub mod sentence;
pub mod session_event;
