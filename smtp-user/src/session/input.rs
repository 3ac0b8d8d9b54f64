//! What can happen to a session.

use crate::limits::Timeout;
use crate::model::decision::Decision;
use crate::model::leg::Leg;
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::line::LineDefect;
use crate::wire::smtp::reply::{Reply, ReplyError};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The next hop answered the call.
    NextHopConnected,
    /// It did not; a word why, as in `connection_refused`.
    NextHopUnreachable(&'static str),
    /// The originator sent a line. Only while [`Reading::Command`].
    Command {
        /// Without CRLF.
        line: &'a [u8],
        /// Octets of further input have been received already.
        more: bool,
    },
    /// The originator sent what is no line.
    BadLine(LineDefect),
    /// The originator sent the end of the mail data, or as many octets as the chunk has.
    DataEnd {
        /// Octets of the message as received so far, dots taken off.
        octets: u64,
    },
    /// The same for a chunk; `octets` counts all chunks of the message so far.
    ChunkEnd {
        /// Octets of the message so far.
        octets: u64,
    },
    /// The message has a defect. Its data goes on to its end and is thrown away by the receiver.
    DataDefect(DataDefect),
    /// A reply from the next hop.
    Reply(&'a Reply),
    /// What came from the next hop is no reply.
    ReplyDefect(ReplyError),
    /// The whole message, with its end, was written to the next hop.
    MessageSent {
        /// Which.
        number: u32,
    },
    /// Octets arrived in plaintext behind what was to be the last of it before TLS.
    Extra(Leg),
    /// The handshake on a leg is complete.
    Upgraded(Leg),
    /// The handshake on a leg failed.
    UpgradeFailed(Leg),
    /// The message was judged.
    Judged(&'a Decision),
    /// The originator said its last, and may still listen.
    Ended,
    /// The next hop sent the end of its octets, or a leg's connection broke.
    Closed(Leg),
    /// A leg's peer did not take in time what it was sent; the connection is given up.
    Stuck(Leg),
    /// A wait that [`Relay::waiting`](super::relay::Relay::waiting) named came to its end.
    Expired(Timeout),
    /// The gateway is to stop: no new mail transactions.
    Drain,
}

/// What is read from the originator now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A line.
    Command,
    /// Mail data, up to its end.
    Data,
    /// So many octets of a chunk.
    Chunk {
        /// How many.
        octets: u64,
        /// Whether they belong to the open message; otherwise they are thrown away, and
        /// [`Input::ChunkEnd`] is given all the same.
        keep: bool,
    },
    /// Nothing: it is the next hop's turn, or the gateway's. Whether the originator hung up is still noticed.
    Nothing,
}

/// Which waits run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// For the originator.
    pub client: Option<Timeout>,
    /// For the next hop, or for the verdict.
    pub server: Option<Timeout>,
}
