//! Who speaks with whom.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The two ends of a session, and by which rule it is inspected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Who sends mail.
    pub originator: SocketAddr,
    /// Whom the originator meant to reach.
    pub next_hop: SocketAddr,
    /// Interface the originator came in by, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its index; 0 if it is not known.
    #[serde(skip)]
    pub interface_index: u32,
    /// Id of the rule.
    pub rule: u16,
    /// Its name.
    pub rule_name: String,
    /// Policy revision it was found in.
    pub policy: u16,
    /// The resource that the rule names.
    pub resource: String,
}
