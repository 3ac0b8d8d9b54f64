//! Test harness: network namespaces, packets, mail at both ends, a gateway under test.
//!
//! Nothing here waits by sleeping: every wait is for an event and has a deadline ([`deadline`]).
//! A test that cannot run on this machine says so and is counted ([`privilege`]); it never passes silently.

mod accepting;
pub mod capture;
pub mod certificate;
pub mod chance;
pub mod channel;
pub mod command;
pub mod control_group;
pub mod crowd;
pub mod daemon;
pub mod deadline;
pub mod depth;
mod door;
pub mod exim;
pub mod fake_clamd;
pub mod fake_icap;
pub mod flow_probe;
pub mod gateway;
pub mod mail;
pub mod mail_scene;
pub mod netns;
pub mod next_hop;
pub mod originator;
pub mod packed;
pub mod packets;
pub mod pins;
pub mod postfix;
pub mod privilege;
pub mod process;
pub mod program;
pub mod real_clamd;
pub mod real_icap;
pub mod records;
pub mod small_disk;
pub mod smtp_dialogue;
pub mod topology;
pub mod unbound;
pub mod web_server;
