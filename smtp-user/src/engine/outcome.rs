//! What an engine says.

use crate::event::session_event::SessionEvent;

/// What an engine says about a message.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineOutcome {
    /// It looked at all of it and found nothing.
    Clean,
    /// It found something of this name.
    Infected(String),
    /// It did not look at all of it, because of this limit.
    LimitExceeded(String),
    /// It met something that needs a key.
    Encrypted(String),
    /// It could not be asked, or its answer was none.
    Error(EngineError),
}

impl EngineOutcome {
    /// A word for records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Infected(_) => "infected",
            Self::LimitExceeded(_) => "limit_exceeded",
            Self::Encrypted(_) => "encrypted",
            Self::Error(_) => "error",
        }
    }

    /// What the word alone does not say.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Clean => None,
            Self::Infected(text) | Self::LimitExceeded(text) | Self::Encrypted(text) => Some(text.clone()),
            Self::Error(error) => Some(error.to_string()),
        }
    }
}

/// Why an engine could not be asked. None of it is the message's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Nobody listens, or nobody may call.
    #[error("cannot be reached: {cause}")]
    Unreachable {
        /// What the system says.
        cause: String,
    },
    /// It had no time for it.
    #[error("no answer in time")]
    TimedOut,
    /// Too many messages wait for it.
    #[error("too many messages wait for it")]
    Busy,
    /// The connection ended before the answer did.
    #[error("the answer was cut: {cause}")]
    Cut {
        /// What the system says.
        cause: String,
    },
    /// It says that it could not do it.
    #[error("it says: {text}")]
    Refused {
        /// What it says.
        text: String,
    },
    /// Its answer is none of those it may give.
    #[error("an answer that is not understood: {text}")]
    Unknown {
        /// What it says.
        text: String,
    },
    /// It was content before it had the whole message.
    #[error("an answer before the end of the message")]
    TooEarly,
    /// It does not know the test string: whatever it says of other octets means nothing.
    #[error("it finds nothing in the test file: has it no signatures?")]
    Blind,
    /// The message could not be read for it.
    #[error("the message cannot be read: {cause}")]
    Unreadable {
        /// What the system says.
        cause: String,
    },
}

/// What an engine said, and how it came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineReport {
    /// Its name.
    pub engine: String,
    /// Of engine and signatures.
    pub version: Option<String>,
    /// What it said.
    pub outcome: EngineOutcome,
    /// How long it took, microseconds.
    pub micros: u64,
}

impl EngineReport {
    /// As a record.
    pub fn event(&self) -> SessionEvent {
        SessionEvent::Engine {
            engine: self.engine.clone(),
            version: self.version.clone(),
            result: self.outcome.name().to_owned(),
            detail: self.outcome.detail(),
            micros: self.micros,
        }
    }
}
