//! Grammar: octets to values and back. Nothing in here knows a socket, a clock or a policy, and nothing panics.

pub mod clamd;
pub mod date_time;
pub mod hex_escape;
pub mod hexadecimal;
pub mod http_response;
pub mod icap;
pub mod mime;
pub mod mta_sts;
pub mod smtp;
