//! Processes that unpack and decode what somebody may have made to break a decoder.
//!
//! A worker is this program again, without rights: no files, no network, no other process, bounded memory. One that
//! dies takes nothing along but the answer about the part it was at; what kills two is not given to a third.

pub mod error;
pub mod poison;
pub mod pool;
pub mod process;
pub mod protocol;
mod sandbox;
pub mod unpack;
