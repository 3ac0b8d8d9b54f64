//! What a scripted clamd does when it is asked, phase by phase.

use std::time::Duration;

/// What it does with something to be scanned; where nothing else is said, it takes all of it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What is true: `OK`, or `FOUND` when the octets have EICAR or [`MARK`](super::MARK) in them.
    Honest,
    /// The same after this time.
    After(Duration),
    /// The same, but it never says its version.
    Versionless,
    /// Nothing until something else is to be answered, and then that: what it does while it reads its signatures again.
    Reloading,
    /// This line.
    Line(&'static str),
    /// A line that does not end.
    Endless,
    /// Nothing; the connection is closed.
    Close,
    /// Nothing; the connection is reset, where it is one of TCP.
    Reset,
    /// Half a line; the connection is closed.
    Cut,
    /// Nothing, and the connection stays.
    Hang,
    /// It accepts, and not one octet is read.
    Deaf,
    /// It accepts and closes.
    CloseAtOnce,
    /// It reads the command and closes.
    CloseAtCommand,
    /// It reads some octets and closes.
    CloseInside,
    /// It reads some octets, and no more.
    HangInside,
}
