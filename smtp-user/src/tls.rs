//! TLS on both legs (RFC 3207, RFC 8314): toward the originator with an imported certificate or a minted leaf,
//! toward the next hop with as much verification as the resource, its TLSA records (RFC 7672) or its domain's MTA-STS policy ask for.
//!
//! TLS 1.2 and 1.3, no early data. A session is resumed only where it was made: tickets are bound to the resource
//! and to the certificate that was shown, and sessions with one next hop are never offered to another.

mod acceptor;
pub mod authority;
pub mod authority_store;
mod bounded_cache;
pub mod certificate_facts;
pub mod config;
mod connector;
pub mod context;
pub mod dane;
mod der;
pub mod error;
mod facts;
pub mod identity;
mod mint;
pub mod mta_sts;
pub mod next_hop_certificate;
mod provider;
pub mod setup_error;
pub mod trust;
mod verifier;
pub mod web;

#[cfg(test)]
pub(crate) mod test_certificates;
#[cfg(test)]
mod tests;
