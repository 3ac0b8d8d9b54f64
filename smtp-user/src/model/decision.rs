//! What was found in a message, and what is to be done with it.

use serde::{Deserialize, Serialize};

/// What a message is.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageVerdict {
    /// Every part was looked at by every configured stage, and nothing was found.
    Clean,
    /// Something was found.
    Infected,
    /// It can be read in more than one way.
    Ambiguous,
    /// A part cannot be read without a key.
    Encrypted,
    /// It is larger, deeper or longer than what is looked at.
    LimitExceeded,
    /// A part is in a form that nothing here can read.
    Unsupported,
    /// Something that should have looked at it could not.
    EngineError,
    /// It had to be kept here, and there was no room.
    NoRoom,
    /// Nobody was to look at it: its resource says so.
    NotInspected,
}

/// What is done with a message.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageAction {
    /// The next hop gets it, octet for octet behind the trace fields.
    Pass,
    /// A permanent refusal: the originator keeps it and knows why.
    Refuse,
    /// A transient refusal: the originator tries again.
    Defer,
    /// The next hop gets it with parts replaced, behind the trace fields.
    Rewrite,
    /// It is accepted and kept; nobody gets it unless it is released.
    Quarantine,
    /// A permanent refusal that ends the session.
    Drop,
    /// The same, and the source is banned for a time.
    Block,
}

impl MessageAction {
    /// The word used in configuration, records and output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refuse",
            Self::Defer => "defer",
            Self::Rewrite => "rewrite",
            Self::Quarantine => "quarantine",
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }

    /// Whether the next hop gets the message, as it is or rewritten.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Pass | Self::Rewrite)
    }
}

/// The decision on a message.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What the message is.
    pub verdict: MessageVerdict,
    /// What is done with it.
    pub action: MessageAction,
    /// A few words for the reply and the record, as in `Eicar-Test-Signature in part 2 (eicar.com)`; no line ends.
    pub why: String,
}
