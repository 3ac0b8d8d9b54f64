//! What is given to a next hop in one mail transaction: envelope and octets.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::delivery::failure::Failure;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::{BodyKind, QueuedMessage, QueuedSender, ReturnPart};
use crate::model::queued_recipient::{Notify, QueuedRecipient, RemoteReply, RemoteStage};
use crate::wire::smtp::extension::{Extension, ExtensionSet};

/// One message for some of its recipients.
#[derive(Clone)]
pub struct Letter {
    /// Reverse-path and what came with it.
    pub sender: QueuedSender,
    /// Forward-paths.
    pub recipients: Vec<QueuedRecipient>,
    /// Stands before the octets.
    pub trace: String,
    /// The message as it was received.
    pub octets: Arc<dyn MessageOctets>,
    /// Whether its header has octets above 127 in it, if SMTPUTF8 was asked for.
    pub utf8_header: bool,
}

/// What became of one recipient.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop took the message.
    Delivered {
        /// What it said.
        reply: RemoteReply,
        /// Whether it was given the DSN parameters and reports itself.
        relayed_dsn: bool,
    },
    /// It did not, or not yet.
    NotDelivered(Failure),
    /// It had taken as many as it takes at a time: the rest may be sent at once.
    TooMany(Failure),
}

impl Letter {
    /// Of a message, for these of its recipients.
    pub fn new(message: &QueuedMessage, indices: &[usize], octets: Arc<dyn MessageOctets>) -> Self {
        let recipients = indices.iter().filter_map(|index| message.recipients.get(*index)).cloned().collect();
        // Nobody else asks for it.
        let utf8_header = message.sender.smtputf8 && !has_ascii_header(octets.as_ref());
        Self { sender: message.sender.clone(), recipients, trace: message.trace.clone(), octets, utf8_header }
    }

    /// Octets of trace fields and message.
    pub fn len(&self) -> u64 {
        self.octets.len() + self.trace.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether SMTPUTF8 is needed to send it: the sender asked for it, and something in it is not ASCII.
    pub fn needs_utf8(&self) -> bool {
        let ascii_paths =
            self.sender.path.is_ascii() && self.recipients.iter().all(|recipient| recipient.path.is_ascii());
        self.sender.smtputf8 && (!ascii_paths || self.utf8_header)
    }

    /// What this next hop cannot take, for whoever asks it. Nothing is converted: no octet changes on the way.
    pub fn hindrance(&self, offer: &Offer) -> Option<Failure> {
        let stage = RemoteStage::Hello;
        if self.sender.requiretls && !(offer.has(Extension::RequireTls) && offer.verified_tls) {
            let text = "the sender asks for TLS all the way, and the next hop does not promise it";
            return Some(Failure::permanent(stage, "5.7.30", text));
        }
        if self.needs_utf8() && !offer.has(Extension::SmtpUtf8) {
            let text = "an address or the header is not ASCII, and the next hop takes nothing else";
            return Some(Failure::permanent(stage, "5.6.7", text));
        }
        let is_eight_bit = self.sender.body == BodyKind::EightBitMime;
        // Many senders say so of every message, whatever is in it (RFC 6152 §3 asks for octets of 8 bits only).
        if is_eight_bit && !offer.has(Extension::EightBitMime) && !is_ascii(self.octets.as_ref()) {
            let text = "the message has octets of 8 bits, and the next hop takes only 7";
            return Some(Failure::permanent(stage, "5.6.3", text));
        }
        if offer.size.is_some_and(|size| size > 0 && self.len() > size) {
            let text = format!(
                "the message is {} octets long, and the next hop takes {} at most",
                self.len(),
                offer.size.unwrap_or_default()
            );
            return Some(Failure::permanent(stage, "5.3.4", text));
        }
        None
    }

    /// The MAIL command, with CRLF.
    pub fn mail(&self, offer: &Offer) -> String {
        let mut line = format!("MAIL FROM:<{}>", self.sender.path);
        // Writing to a string does not fail.
        if offer.has(Extension::Size) {
            let _ = write!(line, " SIZE={}", self.len());
        }
        if self.sender.body == BodyKind::EightBitMime && offer.has(Extension::EightBitMime) {
            line.push_str(" BODY=8BITMIME");
        }
        if self.needs_utf8() {
            line.push_str(" SMTPUTF8");
        }
        if self.sender.requiretls {
            line.push_str(" REQUIRETLS");
        }
        if offer.has(Extension::Dsn) {
            match self.sender.ret {
                Some(ReturnPart::Full) => line.push_str(" RET=FULL"),
                Some(ReturnPart::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            if let Some(envid) = &self.sender.envid {
                let _ = write!(line, " ENVID={envid}");
            }
        }
        line.push_str("\r\n");
        line
    }

    /// A RCPT command, with CRLF.
    pub fn rcpt(recipient: &QueuedRecipient, offer: &Offer) -> String {
        let mut line = format!("RCPT TO:<{}>", recipient.path);
        if offer.has(Extension::Dsn) {
            if let Some(notify) = recipient.notify {
                let _ = write!(line, " NOTIFY={}", notify_words(notify));
            }
            if let Some(orcpt) = &recipient.orcpt {
                let _ = write!(line, " ORCPT={orcpt}");
            }
        }
        line.push_str("\r\n");
        line
    }
}

/// What a next hop offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Keywords of its reply to EHLO.
    pub extensions: ExtensionSet,
    /// Octets of a message it takes; 0 is no fixed limit (RFC 1870 §4).
    pub size: Option<u64>,
    /// The connection is in TLS, and its certificate proves its name.
    pub verified_tls: bool,
}

impl Offer {
    /// Whether it offers an extension.
    pub const fn has(&self, extension: Extension) -> bool {
        self.extensions.has(extension)
    }
}

/// NOTIFY as it is sent.
pub fn notify_words(notify: Notify) -> String {
    let words: Vec<&str> =
        [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")]
            .into_iter()
            .filter_map(|(is_set, word)| is_set.then_some(word))
            .collect();
    if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
}

/// Whether every octet is ASCII. What cannot be read may not be.
fn is_ascii(octets: &dyn MessageOctets) -> bool {
    let mut room = [0; 16 << 10];
    let mut at = 0;
    loop {
        match octets.read_at(at, &mut room) {
            Ok(0) => return true,
            Ok(count) if room.get(..count).unwrap_or_default().is_ascii() => at += count as u64,
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Octets of a header that are looked at.
const LOOK: usize = 256 << 10;

/// Whether everything up to the first empty line is ASCII. What is longer than what is looked at, or cannot be read, may
/// not be.
fn has_ascii_header(octets: &dyn MessageOctets) -> bool {
    let mut room = [0; 4096];
    let (mut at, mut tail) = (0_u64, [0_u8; 3]);
    while (at as usize) < LOOK {
        let Ok(count) = octets.read_at(at, &mut room) else { return false };
        if count == 0 {
            return true;
        }
        for &octet in room.get(..count).unwrap_or_default() {
            if octet >= 0x80 {
                return false;
            }
            if octet == b'\n' && tail == *b"\r\n\r" {
                return true;
            }
            tail = [tail[1], tail[2], octet];
        }
        at += count as u64;
    }
    false
}
