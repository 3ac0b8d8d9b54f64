//! What is done to a part that may not pass as it is. Pure: octets in, octets out.

pub mod clk;
pub mod envelope;
pub mod extract;
pub mod header;
pub mod notice;
pub mod rewrite;
pub mod substitution;
