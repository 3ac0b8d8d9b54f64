//! Octets on their way: held messages, streams, calls to the next hop.

pub mod held_message;
