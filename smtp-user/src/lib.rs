//! Postern's user space.
//!
//! Modules stand on layers; a module imports only from lower ones (`cargo xtask lint` checks it):
//!
//! | layer | modules | what they are |
//! |---|---|---|
//! | 7 | `cli`, `app` | composition, process life, commands |
//! | 5 | `inspect` | judges one message |
//! | 5 | `delivery` | delivers one message, and says when |
//! | 4 | `packet_path`, `audit` | the kernel; the record files |
//! | 6 | `gateway` | the inspector as a service: sessions from accept to close |
//! | 4 | `dns` | mail exchangers and addresses |
//! | 4 | `tls` | TLS on both legs, and the inspection CA |
//! | 4 | `transport`, `engine` | streams, calls, held messages; what looks for something in them |
//! | 4 | `worker` | processes without rights that unpack what came in |
//! | 4 | `spool` | messages in the gateway's care, on disk |
//! | 4 | `quarantine` | mail that was accepted and not sent on, on disk |
//! | 3 | `policy` | pure logic: rules, their compilation, what they say |
//! | 3 | `action` | pure: what is done to a part that may not pass as it is |
//! | 3 | `session` | pure logic: the SMTP dialogue between an originator and its next hop |
//! | 2 | `model`, `event` | shared nouns and typed events, plain data |
//! | 1 | `wire`, `limits` | grammar: octets to values and back; every bound, with its source |
//! | 1 | `content` | types by content, and one bounded walk over archives and documents |
//! | 0 | `smtp_common` | the contract with the kernel programs |
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod action;
pub mod app;
pub mod audit;
pub mod cli;
pub mod content;
pub mod delivery;
pub mod dns;
pub mod engine;
pub mod event;
pub mod gateway;
pub mod inspect;
pub mod limits;
pub mod model;
pub mod packet_path;
pub mod policy;
pub mod quarantine;
pub mod session;
pub mod spool;
pub mod tls;
pub mod transport;
pub mod wire;
pub mod worker;
