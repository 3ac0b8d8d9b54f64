//! The dequeuer as a process of its own: either of the two may die, and the other one goes on.
//!
//! The daemon starts it, looks after it, and tells it on a socket in the spool's folder what it has taken in and what the
//! configuration is. A dequeuer whose daemon is gone works on, and the next daemon finds it there. There is never a second
//! one, since whoever works on messages holds the spool's lock.

mod former;
pub mod link;
mod process;
mod rights;
pub mod supervisor;

pub use process::{DequeuerArgs, run};
