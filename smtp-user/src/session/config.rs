//! What a session is given when it begins.

use crate::limits;
use crate::model::server_tls::ServerTls;
use crate::model::session_id::SessionId;
use crate::wire::smtp::data::LineEnds;

/// What a session is given when it begins; fixed until it ends.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The gateway's own name, for its replies.
    pub hostname: String,
    /// Whether the client leg can be upgraded: there is a certificate to show, or an authority to mint one.
    pub starttls: bool,
    /// Both legs are in TLS already (implicit TLS, RFC 8314).
    pub in_tls: bool,
    /// What is asked of TLS on the server leg.
    pub server_tls: ServerTls,
    /// What is done about bare CR and LF in messages.
    pub line_ends: LineEnds,
    /// Bounds.
    pub limits: RelayLimits,
    /// The session's name, for replies that refuse a message.
    pub session: SessionId,
}

/// Bounds of one session. The defaults are the constants of [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Recipients of one mail transaction that are asked for.
    pub max_recipients: u32,
    /// With more, the whole message is refused; otherwise those above are put off.
    pub refuse_above: bool,
    /// Errors of the originator's before the session is ended.
    pub max_errors: u32,
    /// Commands that move no mail, since the last message, before the session is ended.
    pub max_junk: u32,
    /// Octets of one message.
    pub max_message_octets: u64,
    /// Mail transactions with data.
    pub max_transactions: u32,
    /// Commands whose replies are outstanding at the next hop.
    pub max_pipelined: usize,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            max_recipients: limits::RECIPIENTS,
            refuse_above: false,
            max_errors: limits::ERRORS,
            max_junk: limits::JUNK,
            max_message_octets: limits::MESSAGE_OCTETS,
            max_transactions: limits::TRANSACTIONS,
            max_pipelined: limits::PIPELINED,
        }
    }
}
