//! What is done to a part that may not pass as it is. Pure: octets in, octets out.

pub mod clk;
pub mod extract;
pub mod notice;
pub mod rewrite;
