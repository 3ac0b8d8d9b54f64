//! Test harness: network namespaces, packets, a gateway under test.
//!
//! Nothing here waits by sleeping: every wait is for an event and has a deadline ([`deadline`]).
//! A test that cannot run on this machine says so and is counted ([`privilege`]); it never passes silently.

pub mod capture;
pub mod command;
pub mod deadline;
pub mod flow_probe;
pub mod gateway;
pub mod netns;
pub mod packets;
pub mod pins;
pub mod privilege;
pub mod program;
pub mod smtp_dialogue;
pub mod topology;
