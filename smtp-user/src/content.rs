//! What octets are, whatever they are called, and what is in them: types by content, and one bounded walk
//! over archives, documents and messages within each other.
//!
//! Octets go in and values come out: no file is read or written, no clock is asked. Everything here is
//! written for octets that somebody made to be misunderstood. Where two readers may see different things,
//! both are looked at and the difference is named; what cannot be read is said, never passed over.

pub mod container;
pub mod detect;
pub mod finding;
#[cfg(test)]
pub(crate) mod fixture;
pub mod kind;
mod kind_word;
pub mod limits;
pub mod links;
pub mod marker;
pub mod password;

pub use container::{Contents, Member, MemberContent, Subject, walk};
pub use finding::{Finding, Limit, Technique, Trait};
pub use kind::Kind;
pub use limits::ContentLimits;
