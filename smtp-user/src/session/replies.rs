//! Every text that the gateway says by itself; nothing else in `session` has reply text.
//!
//! Texts say what was refused and what would do instead. Engines, rules and versions are no business of the peer's.

use crate::limits::REPLY_LINE_WRITTEN_OCTETS;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::session_id::MessageId;
use crate::wire::smtp::command::CommandError;
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::parameter::ParameterError;
use crate::wire::smtp::reply::{Reply, ReplyCode};

/// What the gateway says no with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refusal {
    // About one command; the session goes on.
    Unknown,
    NotImplemented,
    Argument,
    ReversePath,
    ForwardPath,
    ParameterUnknown,
    ParameterValue,
    ParameterTwice,
    NotOffered,
    Utf8,
    LineTooLong,
    HelloFirst,
    MailFirst,
    MailTwice,
    ChunksBegun,
    NoRecipients,
    TlsTwice,
    AuthInTransaction,
    AuthMechanism,
    AuthInPlaintext,
    TooManyRecipients,
    TooManyForAll,
    ServerTlsMissing,
    // About one message; the session goes on.
    TooLarge,
    NoRoom,
    NotJudgedInTime,
    // The session ends.
    LineEnds,
    Nul,
    BadLine,
    ChunkSize,
    Pipelined,
    ForeignProtocol,
    TooManyErrors,
    TooMuchJunk,
    TooManyMessages,
    Draining,
    TimedOut,
    Unreachable,
    NextHopLost,
    NextHopMisbehaved,
    ServerTlsFailed,
}

impl Refusal {
    /// Code, enhanced status code (RFC 3463) and text.
    pub(super) const fn text(self) -> (u16, &'static str) {
        match self {
            Self::Unknown => (500, "5.5.2 Command not recognised"),
            Self::NotImplemented => (502, "5.5.1 Command not implemented"),
            Self::Argument => (501, "5.5.4 Syntax error in the argument"),
            Self::ReversePath => (501, "5.1.7 Syntax error in the reverse-path"),
            Self::ForwardPath => (501, "5.1.3 Syntax error in the forward-path"),
            Self::ParameterUnknown => (555, "5.5.4 Parameter not recognised"),
            Self::ParameterValue => (501, "5.5.4 Syntax error in a parameter"),
            Self::ParameterTwice => (501, "5.5.4 Parameter given twice"),
            Self::NotOffered => (555, "5.5.4 Parameter of an extension that was not offered"),
            Self::Utf8 => (553, "5.6.7 Address needs SMTPUTF8"),
            Self::LineTooLong => (500, "5.5.2 Line too long"),
            Self::HelloFirst => (503, "5.5.1 Send EHLO or HELO first"),
            Self::MailFirst => (503, "5.5.1 Send MAIL first"),
            Self::MailTwice => (503, "5.5.1 A mail transaction is in progress"),
            Self::ChunksBegun => (503, "5.5.1 The message has begun in chunks"),
            Self::NoRecipients => (554, "5.5.1 No valid recipients"),
            Self::TlsTwice => (503, "5.5.1 TLS is in use already"),
            Self::AuthInTransaction => (503, "5.5.1 No authentication during a mail transaction"),
            Self::AuthMechanism => (504, "5.5.4 Mechanism not offered"),
            Self::AuthInPlaintext => (538, "5.7.11 Encryption required for authentication"),
            Self::TooManyRecipients => (452, "4.5.3 Too many recipients"),
            Self::TooManyForAll => (554, "5.5.3 Too many recipients for one message"),
            Self::ServerTlsMissing => (451, "4.7.4 No TLS toward the next hop"),
            Self::TooLarge => (552, "5.3.4 Message too large"),
            Self::NoRoom => (452, "4.3.1 Message could not be held"),
            Self::NotJudgedInTime => (451, "4.3.0 Message could not be judged in time"),
            Self::LineEnds => (554, "5.6.0 Message has line ends that are not CRLF"),
            Self::Nul => (554, "5.6.0 Message has NUL octets"),
            Self::BadLine => (500, "5.5.2 Lines end with CRLF and have no NUL"),
            Self::ChunkSize => (501, "5.5.4 Syntax error in the chunk size"),
            Self::Pipelined => (554, "5.5.1 Octets were sent before the reply they depend on"),
            Self::ForeignProtocol => (554, "5.5.1 This is an SMTP service"),
            Self::TooManyErrors => (421, "4.7.0 Too many errors"),
            Self::TooMuchJunk => (421, "4.7.0 Too many commands without mail"),
            Self::TooManyMessages => (421, "4.7.0 Too many messages in one session"),
            Self::Draining => (421, "4.3.2 Service is about to stop"),
            Self::TimedOut => (421, "4.4.2 Timed out"),
            Self::Unreachable => (421, "4.4.1 The next hop does not answer"),
            Self::NextHopLost => (421, "4.4.2 The connection to the next hop was lost"),
            Self::NextHopMisbehaved => (421, "4.5.0 The next hop could not be understood"),
            Self::ServerTlsFailed => (421, "4.7.0 TLS toward the next hop failed"),
        }
    }

    /// The word used in records.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "command_unknown",
            Self::NotImplemented => "command_not_implemented",
            Self::Argument => "argument",
            Self::ReversePath => "reverse_path",
            Self::ForwardPath => "forward_path",
            Self::ParameterUnknown => "parameter_unknown",
            Self::ParameterValue => "parameter_value",
            Self::ParameterTwice => "parameter_twice",
            Self::NotOffered => "parameter_not_offered",
            Self::Utf8 => "smtputf8_missing",
            Self::LineTooLong => "line_too_long",
            Self::HelloFirst => "hello_missing",
            Self::MailFirst => "mail_missing",
            Self::MailTwice => "mail_twice",
            Self::ChunksBegun => "chunks_begun",
            Self::NoRecipients => "no_recipients",
            Self::TlsTwice => "tls_twice",
            Self::AuthInTransaction => "auth_in_transaction",
            Self::AuthMechanism => "auth_mechanism_not_offered",
            Self::AuthInPlaintext => "auth_in_plaintext",
            Self::TooManyRecipients => "too_many_recipients",
            Self::TooManyForAll => "too_many_recipients_for_one_message",
            Self::ServerTlsMissing => "server_tls_missing",
            Self::TooLarge => "message_too_large",
            Self::NoRoom => "no_room",
            Self::NotJudgedInTime => "not_judged_in_time",
            Self::LineEnds => "line_ends_in_data",
            Self::Nul => "nul_in_data",
            Self::BadLine => "bad_line",
            Self::ChunkSize => "chunk_size",
            Self::Pipelined => "pipelined",
            Self::ForeignProtocol => "foreign_protocol",
            Self::TooManyErrors => "too_many_errors",
            Self::TooMuchJunk => "too_much_junk",
            Self::TooManyMessages => "too_many_messages",
            Self::Draining => "draining",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "next_hop_unreachable",
            Self::NextHopLost => "next_hop_lost",
            Self::NextHopMisbehaved => "next_hop_misbehaved",
            Self::ServerTlsFailed => "server_tls_failed",
        }
    }

    /// Whether it counts as an error of the originator's.
    pub(super) const fn is_error(self) -> bool {
        !matches!(
            self,
            Self::TooManyRecipients
                | Self::TooManyForAll
                | Self::NoRecipients
                | Self::ServerTlsMissing
                | Self::TooLarge
                | Self::NoRoom
                | Self::NotJudgedInTime
        )
    }

    /// As a reply.
    pub(super) fn reply(self) -> Reply {
        let (code, text) = self.text();
        say(code, text)
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Unknown => Self::Unknown,
            CommandError::NotImplemented => Self::NotImplemented,
            CommandError::ForeignProtocol => Self::ForeignProtocol,
            CommandError::Argument => Self::Argument,
            CommandError::ChunkSize => Self::ChunkSize,
            CommandError::ReversePath => Self::ReversePath,
            CommandError::ForwardPath => Self::ForwardPath,
            CommandError::Parameter(ParameterError::Unknown) => Self::ParameterUnknown,
            CommandError::Parameter(ParameterError::Value) => Self::ParameterValue,
            CommandError::Parameter(ParameterError::Twice) => Self::ParameterTwice,
        }
    }
}

impl From<DataDefect> for Refusal {
    fn from(defect: DataDefect) -> Self {
        match defect {
            DataDefect::BareCr | DataDefect::BareLf => Self::LineEnds,
            DataDefect::Nul => Self::Nul,
            DataDefect::TooLarge => Self::TooLarge,
            DataDefect::NoRoom => Self::NoRoom,
        }
    }
}

/// Send the mail data.
pub(super) fn start_data() -> Reply {
    say(354, "End data with <CR><LF>.<CR><LF>")
}

/// A chunk that is not the last was taken.
pub(super) fn chunk_taken(octets: u64) -> Reply {
    say(250, &format!("2.0.0 {octets} octets taken"))
}

/// Begin the TLS handshake.
pub(super) fn start_tls() -> Reply {
    say(220, "2.0.0 Ready to start TLS")
}

/// QUIT was read, and there is no next hop to answer it.
pub(super) fn goodbye(hostname: &str) -> Reply {
    say(221, &format!("2.0.0 {hostname} closing the connection"))
}

/// The gateway's own greeting, where it is the next hop itself.
pub(super) fn greeting(hostname: &str) -> Reply {
    say(220, &format!("{hostname} ESMTP"))
}

/// The gateway's own answer to HELO.
pub(super) fn hello(hostname: &str) -> Reply {
    say(250, hostname)
}

/// The gateway's own answer to EHLO. STARTTLS is for the session to offer.
pub(super) fn offers(hostname: &str, max_octets: u64) -> Reply {
    let extensions = "PIPELINING\n8BITMIME\nSMTPUTF8\nDSN\nENHANCEDSTATUSCODES\nCHUNKING";
    say(250, &format!("{hostname}\nSIZE {max_octets}\n{extensions}"))
}

/// MAIL.
pub(super) fn sender_taken() -> Reply {
    say(250, "2.1.0 Sender taken")
}

/// RCPT.
pub(super) fn recipient_taken() -> Reply {
    say(250, "2.1.5 Recipient taken")
}

/// NOOP and RSET.
pub(super) fn done() -> Reply {
    say(250, "2.0.0 Done")
}

/// VRFY.
pub(super) fn not_verified() -> Reply {
    say(252, "2.5.0 Send some mail, and it will be tried")
}

/// A command for which something else has to come first.
pub(super) fn out_of_order() -> Reply {
    say(503, "5.5.1 Something else comes first")
}

/// A command that was not offered.
pub(super) fn not_offered() -> Reply {
    say(502, "5.5.1 Command not offered")
}

/// A message is in the gateway's care.
pub fn queued(id: MessageId) -> Reply {
    say(250, &format!("2.0.0 queued as {id}"))
}

/// No more messages are taken over for now.
pub(super) fn no_room() -> Reply {
    say(452, "4.3.1 Too much mail is waiting here; try again later")
}

/// A message could not be kept.
pub(super) fn cannot_keep() -> Reply {
    say(451, "4.3.0 The message could not be kept; try again later")
}

/// A connection is not taken: there are too many, or nobody is expected here. The first words of all.
pub fn turned_away(hostname: &str) -> Reply {
    say(421, &format!("4.7.0 {hostname} takes no connection now"))
}

/// A message cannot be taken, whatever is in it.
pub fn defective(defect: DataDefect) -> Reply {
    Refusal::from(defect).reply()
}

/// A message does not go on: what is done with it, why, and the name under which the record has more.
pub fn judged(decision: &Decision, message: MessageId) -> Reply {
    let (code, what) = match decision.action {
        MessageAction::Defer if decision.verdict == MessageVerdict::NoRoom => (452, "4.3.1 Message deferred"),
        MessageAction::Defer => (451, "4.7.1 Message deferred"),
        // The last two never come here; if they did, refusing is the safe thing to say.
        MessageAction::Refuse
        | MessageAction::Drop
        | MessageAction::Block
        | MessageAction::Pass
        | MessageAction::Rewrite => (554, "5.7.1 Message refused"),
        MessageAction::Quarantine => return say(250, &format!("2.0.0 Accepted, quarantined as {message}")),
    };
    let tail = format!(" (session {})", message.session);
    let room = REPLY_LINE_WRITTEN_OCTETS.saturating_sub("554 \r\n: ".len() + what.len() + tail.len());
    let why = bounded(&decision.why, room);
    let colon = if why.is_empty() { "" } else { ": " };
    say(code, &format!("{what}{colon}{why}{tail}"))
}

/// The front of `text`, in one line, at most so many octets.
pub(super) fn bounded(text: &str, octets: usize) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let end = (0..=octets.min(line.len())).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
    line.get(..end).unwrap_or_default()
}

fn say(code: u16, text: &str) -> Reply {
    // Every number above is a reply code; the fallback is what a peer can least misunderstand.
    let code = ReplyCode::new(code).unwrap_or(ReplyCode::UNAVAILABLE);
    Reply::new(code, text)
}

#[cfg(test)]
mod tests;
