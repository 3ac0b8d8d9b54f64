//! Octets on their way: held messages, streams, calls to the next hop.

pub mod dial;
pub mod held_message;
pub mod https_get;
pub mod own_addresses;
pub mod stream;
