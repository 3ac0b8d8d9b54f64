//! Whole sessions in memory: octets from the originator, a next hop that answers, and what got through.

#[path = "../corpus/ends_of_data.rs"]
mod ends_of_data;
#[expect(unreachable_pub, reason = "it is a crate of its own elsewhere")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

mod chance;
mod smuggling;
mod splits;
mod starttls_injection;

// The fuzz crate's modules name each other from their own root.
use fuzz::{checks, dialogue, sink};
