//! Processes that unpack, decode and copy what somebody may have made to break a decoder.
//!
//! A worker is this program again, without rights: no files, no network, no other process, bounded memory. One that
//! dies takes nothing along but the answer about the part it was at; what kills two is not given to a third. One that takes
//! long goes on with what time the others leave it, and stands still for a part of that.

#[cfg(debug_assertions)]
mod chaos;
pub mod copy;
pub mod error;
pub mod lane;
mod line;
pub mod poison;
pub mod pool;
pub mod process;
pub mod protocol;
mod sandbox;
mod starter;
mod turns;
pub mod unpack;
