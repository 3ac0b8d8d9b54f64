//! The packet path seen from user space: the only place that talks to the kernel.
//!
//! Everything that outlives a process stands in pinned maps, programs and links under one folder of a BPF file
//! system ([`maps::Maps`]). The daemon ([`loader`], [`attach`]) makes them and keeps them in order; every command
//! can read and change them whether or not the daemon runs.

pub mod attach;
pub mod bans;
pub mod clock;
pub mod divert;
pub mod error;
pub mod events;
pub mod flows;
pub mod inspections;
pub mod interface;
pub mod loader;
pub mod map_bans;
pub mod maps;
pub mod neighbours;
pub mod object;
pub mod pins;
pub mod ports;
pub mod rule_base;
pub mod stats;
