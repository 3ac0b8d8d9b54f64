//! Rules: what they say, how they are written, what they compile to, and what is wrong with them.
//!
//! Pure logic: nothing in here reads a file, a map or a clock. A list of rules ([`packet_rules`]) is
//! compiled ([`compile`]) into everything that must stand in the kernel's tables for them; that image
//! answers for any packet ([`predict`]) exactly as the kernel programs do. Rules on the parts of messages
//! ([`part_rule`]) are asked one after the other, as they stand.

pub mod action;
pub mod compile;
pub mod lint;
pub mod mistake;
pub mod packet_rule;
pub mod packet_rules;
pub mod part_action;
pub mod part_pattern;
pub mod part_rule;
pub mod predict;
pub mod prefix;
pub mod ranges;
pub mod rule_table;
pub mod rule_text;
pub mod service;
pub mod suggest;
pub mod toml_table;
