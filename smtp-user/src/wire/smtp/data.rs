//! Mail data (RFC 5321 §4.1.1.4, §4.5.2): its end, and dots at the beginning of lines, both ways.
//!
//! The only end of the data is CRLF, a dot, CRLF. A CR without LF, an LF without CR and a NUL never end a line
//! and never leave the gateway: the message is refused, or its line ends are made CRLF, as configured.

mod receiver;
mod stuffer;

pub use receiver::DataReceiver;
pub use stuffer::DotStuffer;

/// What is done about a CR without LF and an LF without CR in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnds {
    /// The message is refused.
    #[default]
    Refuse,
    /// Each becomes CRLF. It still ends no data, and a dot behind it is no more than a dot.
    Normalise,
}

/// Why a message cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DataDefect {
    /// CR without LF.
    #[error("bare CR in the message")]
    BareCr,
    /// LF without CR.
    #[error("bare LF in the message")]
    BareLf,
    /// A zero octet.
    #[error("NUL in the message")]
    Nul,
    /// More octets than the limit.
    #[error("message too large")]
    TooLarge,
    /// The gateway could not hold it: no room in the file system, or an error in writing.
    #[error("message could not be held")]
    NoRoom,
}

impl DataDefect {
    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BareCr => "bare_cr_in_data",
            Self::BareLf => "bare_lf_in_data",
            Self::Nul => "nul_in_data",
            Self::TooLarge => "message_too_large",
            Self::NoRoom => "no_room",
        }
    }

    /// Whether it makes the end of the data doubtful.
    pub const fn is_framing(self) -> bool {
        matches!(self, Self::BareCr | Self::BareLf | Self::Nul)
    }
}

/// What came of feeding mail data.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataStep {
    /// Octets taken from the front of the input.
    pub consumed: usize,
    /// The data has ended; what follows is a command.
    pub end: bool,
    /// The first defect of this message, in the step that met it. Octets are thrown away from here on.
    pub defect: Option<DataDefect>,
}

#[cfg(test)]
mod tests;
