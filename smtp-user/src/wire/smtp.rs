//! RFC 5321 and its extensions: command and reply lines, mail data, chunks.
//!
//! Everything that arrives in pieces has a receiver that is fed slices cut anywhere and holds a bounded
//! number of octets: [`mod@line`], [`data`], [`bdat`], [`reply`]. The other modules read whole lines.

pub mod bdat;
pub mod command;
pub mod data;
pub mod extension;
pub mod line;
pub mod mailbox;
pub mod parameter;
pub mod path;
pub mod reply;
