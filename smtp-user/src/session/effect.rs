//! What a session asks for. Effects are carried out one after the other, in order.

use crate::event::session_event::SessionEvent;
use crate::model::leg::Leg;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time, in a list that is used again")]
pub enum Effect {
    /// To the originator: whole replies, with CRLF.
    Reply(Vec<u8>),
    /// To the next hop: a line, with CRLF. May carry a credential: never to be logged.
    Command(Vec<u8>),
    /// Start TLS on a leg, once all that was written to it before is sent. Anything that was received and not
    /// read is [`Input::Extra`](super::input::Input::Extra).
    StartTls(Leg),
    /// Open a place to hold a message; what is read as data goes there.
    BeginMessage {
        /// Its number in the session, from 1.
        number: u32,
    },
    /// The message is complete; judge it.
    Judge {
        /// Which.
        number: u32,
        /// It came in chunks.
        chunked: bool,
    },
    /// Send trace fields and the held message to the next hop, with its end; then give `MessageSent`.
    SendMessage {
        /// Which.
        number: u32,
        /// How.
        framing: Framing,
    },
    /// Forget the held message. Asked for exactly once for each `BeginMessage`, whatever became of it.
    DropMessage {
        /// Which.
        number: u32,
    },
    /// Record a fact, about a message if there is a number. `Replied::micros` is 0 here: the session has no
    /// clock, and whoever records fills it in.
    Event(SessionEvent, Option<u32>),
    /// Close a leg, once all that was written to it before is sent.
    Close(Leg),
}

/// How a message is sent to the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Behind 354: dots stuffed, ended by a dot.
    Data,
    /// As one chunk: `BDAT n LAST` with the number of octets, then those octets as they are.
    Chunk,
}
