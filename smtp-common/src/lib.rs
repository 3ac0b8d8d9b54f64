//! The contract between Postern's kernel programs and its user space.
//!
//! Rules for a type that both sides share:
//!
//! * fixed-width integers and byte arrays only, no `bool`, no Rust `enum`, no `Option`: a map value
//!   may hold any bit pattern that another version wrote;
//! * padding is a named field, so that two equal values are equal octet for octet;
//! * size, alignment and the offsets the kernel side relies on are asserted in [`layout`];
//! * any change of a layout or of a meaning raises [`abi::ABI_VERSION`].
//!
//! Everything that decides is a pure function in here and is tested on the host:
//! [`classify`] (what happens to a packet), [`flow`] (which entry is meant and when it ends),
//! [`rule`] (which rule matches), [`stage`] (where an SMTP dialogue stands).
#![cfg_attr(not(test), no_std)]

pub mod abi;
pub mod ban;
pub mod classify;
pub mod flow;
pub mod heartbeat;
pub mod inspection;
pub mod layout;
pub mod next_hop;
pub mod packet_event;
pub mod packet_path;
pub mod port;
pub mod rule;
pub mod settings;
pub mod stage;
pub mod stats;
pub mod tick;
pub mod verdict;
pub mod walk;
