//! Every bound, with its unit and its source. Nothing in a dialogue grows without one of these.

use std::time::Duration;

/// Octets of a command line without its CRLF. RFC 5321 §4.5.3.1.4 asks for 512 with CRLF; extensions raise it
/// (RFC 1870, RFC 3461, RFC 6531 …), for MAIL and RCPT to well under this.
pub const COMMAND_OCTETS: usize = 2048;

/// Octets of a line in an authentication exchange, without its CRLF (RFC 4954 §4). Also what a line receiver holds
/// at most.
pub const AUTH_LINE_OCTETS: usize = 12_288;

/// Octets that are thrown away behind an overlong line while its end is looked for; with more, the connection ends.
pub const OVERLONG_LINE_OCTETS: usize = 65_536;

/// Octets of one line of a reply, without its CRLF. RFC 5321 §4.5.3.1.5 says 512 with CRLF; servers exceed it.
pub const REPLY_LINE_OCTETS: usize = 2048;

/// Lines of one reply. The longest in use are answers to EHLO and HELP.
pub const REPLY_LINES: usize = 256;

/// Octets of a reply line as the gateway writes it, CRLF included (RFC 5321 §4.5.3.1.5).
pub const REPLY_LINE_WRITTEN_OCTETS: usize = 512;

/// Octets of a local-part. RFC 5321 §4.5.3.1.1 says 64; longer ones are in use (VERP), and the next hop decides.
pub const LOCAL_PART_OCTETS: usize = 256;

/// Octets of a domain name or number (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_OCTETS: usize = 255;

/// Octets of a path with its angle brackets. RFC 5321 §4.5.3.1.3 says 256; see [`LOCAL_PART_OCTETS`]. A source
/// route counts.
pub const PATH_OCTETS: usize = 1024;

/// `Received:` fields of a message that is going round in circles. RFC 5321 §6.3 suggests 100; mail passes ten hosts
/// in practice, and 50 is what others use.
pub const HOPS: u32 = 50;

/// Octets of ENVID (RFC 3461 §5.4).
pub const ENVID_OCTETS: usize = 100;

/// Octets of ORCPT (RFC 3461 §5.4 with the margin for UTF-8 of RFC 6533 §3).
pub const ORCPT_OCTETS: usize = 500;

/// Recipients of one mail transaction that are asked for, accepted or not. RFC 5321 §4.5.3.1.8 asks for 100 at least.
pub const RECIPIENTS: u32 = 1000;

/// Errors of the originator's (syntax, order, unknown commands) before the session is ended.
pub const ERRORS: u32 = 20;

/// Commands that move no mail (EHLO, AUTH, NOOP, RSET, VRFY, HELP …) since the last message before the session is ended.
pub const JUNK: u32 = 100;

/// Mail transactions with data in one session.
pub const TRANSACTIONS: u32 = 1000;

/// Octets of one message. RFC 5321 §4.5.3.1.7 asks for 64 Ki at least.
pub const MESSAGE_OCTETS: u64 = 100 * 1024 * 1024;

/// Commands whose replies are outstanding at the next hop (RFC 2920 names no bound).
pub const PIPELINED: usize = 100;

/// A wait that ends. Which of them run at a moment is for the session to say, how long they are for whoever runs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// Originator: until the next command (RFC 5321 §4.5.3.2.7).
    Command,
    /// Originator: until more mail data (§4.5.3.2.5 is the sender's; this is the receiver's half).
    Data,
    /// Originator: TLS handshake.
    ClientHandshake,
    /// Next hop: until it answers the call.
    Connect,
    /// Next hop: until its greeting (§4.5.3.2.1).
    Greeting,
    /// Next hop: until the reply to EHLO, HELO, STARTTLS, AUTH, RSET, NOOP and the like.
    Reply,
    /// Next hop: until the reply to MAIL (§4.5.3.2.2).
    Mail,
    /// Next hop: until the reply to RCPT (§4.5.3.2.3).
    Rcpt,
    /// Next hop: until the reply to DATA (§4.5.3.2.4).
    DataStart,
    /// Next hop: until more of the message could be written (§4.5.3.2.5).
    DataBlock,
    /// Next hop: until the final reply (§4.5.3.2.6).
    DataEnd,
    /// Next hop: until the reply to QUIT.
    Quit,
    /// Next hop: TLS handshake.
    ServerHandshake,
    /// The gateway: until the message is judged.
    Judgement,
}

impl Timeout {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Command,
        Self::Data,
        Self::ClientHandshake,
        Self::Connect,
        Self::Greeting,
        Self::Reply,
        Self::Mail,
        Self::Rcpt,
        Self::DataStart,
        Self::DataBlock,
        Self::DataEnd,
        Self::Quit,
        Self::ServerHandshake,
        Self::Judgement,
    ];

    /// How long by default.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Command | Self::Greeting | Self::Reply | Self::Mail | Self::Rcpt => 300,
            Self::Data | Self::DataBlock => 180,
            Self::DataStart | Self::Judgement => 120,
            Self::DataEnd => 600,
            Self::ClientHandshake | Self::ServerHandshake | Self::Connect => 30,
            Self::Quit => 10,
        })
    }

    /// The word used in records and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Data => "data",
            Self::ClientHandshake => "client_handshake",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Reply => "reply",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::DataStart => "data_start",
            Self::DataBlock => "data_block",
            Self::DataEnd => "data_end",
            Self::Quit => "quit",
            Self::ServerHandshake => "server_handshake",
            Self::Judgement => "judgement",
        }
    }
}
