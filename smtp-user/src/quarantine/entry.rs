//! What is known of a message in quarantine.

use serde::{Deserialize, Serialize};

use crate::event::session_event::{PartRecord, SessionEvent};
use crate::model::decision::Decision;
use crate::model::peers::Peers;
use crate::model::queued_message::{QueuedRecipient, QueuedSender};
use crate::model::session_id::MessageId;

/// What is known of a message in quarantine. Times are microseconds since 1970 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, also in the records.
    pub id: MessageId,
    /// Another form of it went on, and this is how it was.
    pub original: bool,
    /// When it was put here.
    pub kept: u64,
    /// When it is forgotten.
    pub expires: u64,
    /// Who sent it, by which rule it was inspected, and whom the originator meant to reach.
    pub peers: Peers,
    /// Where it would have gone; the gateway's own `0.0.0.0:0` where the spool was to find out.
    pub next_hop: std::net::SocketAddr,
    /// That connection was in TLS.
    pub in_tls: bool,
    /// Reverse-path and what came with it.
    pub sender: QueuedSender,
    /// Forward-paths that the next hop, or the gateway in its place, had accepted.
    pub recipients: Vec<QueuedRecipient>,
    /// Trace fields that it would have had, with CRLF.
    pub trace: String,
    /// What was found, what was done, and why.
    pub decision: Decision,
    /// The rule on parts that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part_rule: Option<String>,
    /// Octets of the message; the store fills this in.
    pub octets: u64,
    /// Of those octets, lower-case hexadecimal; the store fills this in.
    pub sha256: String,
    /// What was found out about each part.
    pub parts: Vec<PartRecord>,
    /// What each engine said: [`SessionEvent::Engine`] only.
    pub engines: Vec<SessionEvent>,
    /// How far its release is.
    #[serde(default)]
    pub release: Release,
    /// Counts the versions of this entry; the store raises it.
    #[serde(default)]
    pub version: u64,
}

/// How far a message is with its release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Release {
    /// Nobody asked for it.
    #[default]
    Held,
    /// Somebody delivers it, or did when the process ended: then nobody knows whether it arrived.
    Releasing {
        /// Since when.
        since: u64,
        /// To whom.
        to: String,
    },
    /// It was delivered, or is in the spool.
    Released {
        /// When.
        at: u64,
        /// To whom.
        to: String,
        /// What was answered.
        reply: String,
    },
}

impl Release {
    /// The word used in records and output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Releasing { .. } => "releasing",
            Self::Released { .. } => "released",
        }
    }
}
