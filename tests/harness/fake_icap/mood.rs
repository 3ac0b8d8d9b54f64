//! What a scripted ICAP service does with a message, phase by phase.

use std::time::Duration;

/// What it does; where nothing else is said, it takes all of a message first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// What is true, after this time.
    After(Duration),
    /// What is true after this time of the first message; of others that it has no verdict yet (503).
    ThenPending(Duration),
    /// What is true, and then the connection is closed, which it had not said.
    AndClose,
    /// What is true of messages; OPTIONS is not answered.
    NoOptions,
    /// What is true of messages; this is said to OPTIONS.
    Options(&'static [u8]),
    /// Nothing until its mood is another, and then by that: what it does while it reads its signatures again.
    Reloading,
    /// These octets, and the connection stays.
    Say(&'static [u8]),
    /// These octets, and the connection is closed.
    SayAndClose(&'static [u8]),
    /// These octets in place of the message that is given back, behind a head that announces it; the connection is closed.
    Body(&'static [u8]),
    /// Octets of a head that does not end.
    Endless,
    /// Nothing; the connection is reset.
    Reset,
    /// It accepts, and not one octet is read.
    Deaf,
    /// It accepts and closes.
    CloseAtOnce,
    /// It reads the head and closes.
    CloseAtHead,
    /// It reads some octets of the message, and no more.
    HangInside,
    /// It reads some octets of the message and closes.
    CloseInside,
}

impl Mood {
    /// How long it takes over a message.
    pub(super) fn time(self) -> Duration {
        match self {
            Self::After(time) | Self::ThenPending(time) => time,
            _ => Duration::ZERO,
        }
    }
}
