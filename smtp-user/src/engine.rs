//! What looks for something in a message: in this process, or in another one that is asked.
//!
//! Engines see octets and say what they are; what follows from it is decided above.

mod breaker;
mod clamd;
pub mod config;
pub mod eicar;
pub mod hash_list;
mod icap;
mod known_version;
pub mod link_list;
pub mod outcome;
pub mod remote;
pub mod slots;
#[cfg(feature = "yara")]
mod yara;
