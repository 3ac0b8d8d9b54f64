//! What a rule does with a part of a message.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::policy::action::UnknownWord;

/// What a rule does with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartAction {
    /// It passes, whatever was found in it.
    Allow,
    /// Nothing special: what follows from its verdict follows.
    Scan,
    /// It goes on in a form that does not open, with a notice.
    Lock,
    /// A notice goes on in its place.
    Strip,
    /// A safe copy goes on in its place, or a notice if none can be made.
    Clean,
    /// The message is refused and forgotten, and the connection ends.
    Drop,
    /// The same, and the source is banned for a time.
    Block,
    /// The message is accepted and kept.
    Quarantine,
}

impl PartAction {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 8] = [
        Self::Allow,
        Self::Scan,
        Self::Lock,
        Self::Strip,
        Self::Clean,
        Self::Drop,
        Self::Block,
        Self::Quarantine,
    ];

    /// The word in configuration and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Scan => "scan",
            Self::Lock => "lock",
            Self::Strip => "strip",
            Self::Clean => "clean",
            Self::Drop => "drop",
            Self::Block => "block",
            Self::Quarantine => "quarantine",
        }
    }

    /// Whether the message goes on without the part as it is.
    pub const fn rewrites(self) -> bool {
        matches!(self, Self::Lock | Self::Strip | Self::Clean)
    }
}

impl fmt::Display for PartAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PartAction {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| {
            UnknownWord::new(text, "an action on a part", Self::ALL.map(Self::name).as_slice())
        })
    }
}
