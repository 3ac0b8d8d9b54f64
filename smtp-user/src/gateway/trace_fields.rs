//! The fields that the gateway puts before a message: `Received` (RFC 5321 §4.4), `X-Postern-Session`, and
//! `X-Postern-Rewritten` if something in it was replaced.
//!
//! They say what was, and nothing else of the message is touched. What the originator says of itself is quoted only
//! where it cannot be mistaken for something else.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::model::session_id::MessageId;
use crate::wire::date_time::date_time;

/// What is known of the originator, as far as trace fields tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OriginatorFacts {
    /// The name it gave with EHLO or HELO.
    pub(crate) name: String,
    /// It said EHLO.
    pub(crate) extended: bool,
    /// The next hop let it authenticate itself.
    pub(crate) authenticated: bool,
    /// TLS version and cipher suite on the client leg.
    pub(crate) tls: Option<(String, String)>,
}

impl OriginatorFacts {
    /// The protocol's registered name (RFC 3848).
    pub(crate) const fn protocol(&self) -> &'static str {
        match (self.extended, self.tls.is_some(), self.authenticated) {
            // TLS and authentication come with EHLO; a HELO behind it changes nothing about what the leg is.
            (_, true, true) => "ESMTPSA",
            (_, true, false) => "ESMTPS",
            (_, false, true) => "ESMTPA",
            (true, false, false) => "ESMTP",
            (false, false, false) => "SMTP",
        }
    }
}

/// The fields, with CRLF.
pub(crate) fn trace_fields(
    facts: &OriginatorFacts,
    originator: IpAddr,
    hostname: &str,
    message: MessageId,
    only_recipient: Option<&str>,
    rewritten: Option<&str>,
    unix_micros: u64,
) -> String {
    let mut text = String::with_capacity(384);
    let literal = match originator.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    let name = if is_quotable(&facts.name) { facts.name.as_str() } else { literal.as_str() };
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "Received: from {name} ({literal})\r\n\tby {hostname} (Postern) with {}",
        facts.protocol()
    );
    if let Some((version, cipher)) = &facts.tls {
        let _ = write!(text, "\r\n\t({version} {cipher})");
    }
    let _ = write!(text, "\r\n\tid {message}");
    if let Some(recipient) = only_recipient.filter(|recipient| is_plain_mailbox(recipient)) {
        let _ = write!(text, "\r\n\tfor <{recipient}>");
    }
    let _ = write!(text, "; {}\r\nX-Postern-Session: {message}\r\n", date_time(unix_micros));
    if let Some(what) = rewritten {
        let _ = write!(text, "X-Postern-Rewritten: {what}\r\n");
    }
    text
}

/// Whether a name is a domain or an address literal, and short enough for the line it comes to stand in.
fn is_quotable(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|octet| {
            octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        })
}

/// Whether a mailbox needs no quoting of any kind (RFC 5322 §3.2.3) and leaves the line within its bounds.
fn is_plain_mailbox(mailbox: &str) -> bool {
    mailbox.len() <= 512
        && mailbox.contains('@')
        && mailbox
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::{OriginatorFacts, trace_fields};
    use crate::model::session_id::{MessageId, SessionId};

    fn fields(facts: &OriginatorFacts, recipient: Option<&str>) -> String {
        let message = MessageId { session: SessionId::new(0, [0; 10]), number: 2 };
        let originator = "2001:db8::1".parse().unwrap();
        trace_fields(facts, originator, "gw.example", message, recipient, None, 1_000_000_000_000_000)
    }

    #[test]
    fn a_plaintext_session_says_so() {
        let facts =
            OriginatorFacts { name: "mx.example".to_owned(), extended: true, ..OriginatorFacts::default() };
        assert_eq!(
            fields(&facts, Some("a@b.example")),
            "Received: from mx.example ([IPv6:2001:db8::1])\r\n\tby gw.example (Postern) with ESMTP\r\n\
             \tid 00000000-0000-7000-8000-000000000000.2\r\n\tfor <a@b.example>; Sun, 9 Sep 2001 01:46:40 +0000\r\n\
             X-Postern-Session: 00000000-0000-7000-8000-000000000000.2\r\n"
        );
    }

    #[test]
    fn the_protocol_follows_the_client_leg() {
        for (extended, tls, authenticated, protocol) in [
            (false, false, false, "with SMTP\r\n"),
            (true, false, false, "with ESMTP\r\n"),
            (true, true, false, "with ESMTPS\r\n"),
            (true, false, true, "with ESMTPA\r\n"),
            (true, true, true, "with ESMTPSA\r\n"),
        ] {
            let tls = tls.then(|| ("TLSv1.3".to_owned(), "TLS_AES_128_GCM_SHA256".to_owned()));
            let facts = OriginatorFacts { name: "a".to_owned(), extended, authenticated, tls };
            assert!(fields(&facts, None).contains(protocol), "{protocol}");
        }
    }

    #[test]
    fn nothing_an_originator_says_breaks_out() {
        for name in ["", "a b", "a\r\nBcc: x", "a)(", "ä.example", &"a".repeat(256)] {
            let facts = OriginatorFacts { name: name.to_owned(), ..OriginatorFacts::default() };
            let text = fields(&facts, Some("\"a\r\n b\"@c"));
            assert!(text.starts_with("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"), "{text}");
            assert!(!text.contains("for <"), "{text}");
            assert!(text.lines().all(|line| line.len() < 900));
        }
    }
}
