//! The gateway in the place of the next hop: it answers what a [`Relay`](super::relay::Relay) passes on, and so takes
//! messages over (RFC 5321 §4.1, RFC 3461 §4).
//!
//! Pure: whether there is room for a message is asked for, and what becomes of it is told by whoever keeps it. It sees only
//! commands that the relay understood and let pass, so it has no limits of its own.

use crate::model::queued_message::{BodyKind, QueuedSender, ReturnPart};
use crate::model::queued_recipient::{Notify, QueuedRecipient};
use crate::model::session_id::MessageId;
use crate::wire::smtp::command::Command;
use crate::wire::smtp::parameter::{Body, value_of};
use crate::wire::smtp::reply::Reply;

use super::replies;

/// The gateway in the place of the next hop.
#[derive(Debug)]
pub struct Acceptor {
    hostname: String,
    max_octets: u64,
    envelope: Option<Envelope>,
}

/// Whom a message is from, and for whom it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Reverse-path and what came with it.
    pub sender: QueuedSender,
    /// Forward-paths and what came with them.
    pub recipients: Vec<QueuedRecipient>,
}

/// Why a message is not taken over: always for now, since it is never the message's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no room for it.
    NoRoom,
    /// It cannot be written down.
    Failed,
}

impl Acceptor {
    /// With the gateway's own name, and octets of a message at most.
    pub fn new(hostname: &str, max_octets: u64) -> Self {
        Self { hostname: hostname.to_owned(), max_octets, envelope: None }
    }

    /// The first words.
    pub fn greeting(&self) -> Reply {
        replies::greeting(&self.hostname)
    }

    /// Answers a command line without its CRLF. `has_room` is asked at MAIL, with the size that was announced.
    pub fn answer(
        &mut self,
        line: &[u8],
        has_room: impl FnOnce(Option<u64>) -> Result<(), NotTaken>,
    ) -> Reply {
        match Command::parse(line) {
            Ok(Command::Ehlo(_)) => {
                self.envelope = None;
                replies::offers(&self.hostname, self.max_octets)
            }
            Ok(Command::Helo(_)) => {
                self.envelope = None;
                replies::hello(&self.hostname)
            }
            Ok(Command::Mail { path, parameters, text }) => {
                if let Err(why) = has_room(parameters.size) {
                    return self.not_taken(why);
                }
                let body = match parameters.body {
                    Some(Body::EightBitMime) => BodyKind::EightBitMime,
                    _ => BodyKind::SevenBit,
                };
                let sender = QueuedSender {
                    path: path.as_str().to_owned(),
                    given: None,
                    ret: value_of(text, "RET").map(return_part),
                    envid: value_of(text, "ENVID").map(str::to_owned),
                    body,
                    smtputf8: parameters.smtputf8,
                    requiretls: parameters.requiretls,
                    size: parameters.size,
                };
                self.envelope = Some(Envelope { sender, recipients: Vec::new() });
                replies::sender_taken()
            }
            Ok(Command::Rcpt { path, text, .. }) => {
                let Some(envelope) = &mut self.envelope else { return replies::out_of_order() };
                envelope.recipients.push(QueuedRecipient {
                    orcpt: value_of(text, "ORCPT").map(str::to_owned),
                    notify: value_of(text, "NOTIFY").map(notify),
                    ..QueuedRecipient::new(path.as_str())
                });
                replies::recipient_taken()
            }
            Ok(Command::Data) => match &self.envelope {
                Some(envelope) if !envelope.recipients.is_empty() => replies::start_data(),
                _ => replies::out_of_order(),
            },
            Ok(Command::Rset) => {
                self.envelope = None;
                replies::done()
            }
            Ok(Command::Noop) => replies::done(),
            Ok(Command::Vrfy(_)) => replies::not_verified(),
            Ok(Command::Quit) => replies::goodbye(&self.hostname),
            Ok(
                Command::Starttls
                | Command::Auth { .. }
                | Command::Bdat(_)
                | Command::Expn(_)
                | Command::Help(_),
            )
            | Err(_) => replies::not_offered(),
        }
    }

    /// The path that was accepted last is not the one that the originator gave, which is this.
    pub fn given(&mut self, path: String) {
        let Some(envelope) = &mut self.envelope else { return };
        match envelope.recipients.last_mut() {
            Some(recipient) => recipient.given = Some(path),
            None => envelope.sender.given = Some(path),
        }
    }

    /// The envelope of the message that is being taken over; the transaction ends with it.
    pub fn take_envelope(&mut self) -> Option<Envelope> {
        self.envelope.take().filter(|envelope| !envelope.recipients.is_empty())
    }

    /// The message is in the gateway's care, under this name.
    pub fn taken(&self, id: MessageId) -> Reply {
        replies::queued(id)
    }

    /// It is not.
    pub fn not_taken(&self, why: NotTaken) -> Reply {
        match why {
            NotTaken::NoRoom => replies::no_room(),
            NotTaken::Failed => replies::cannot_keep(),
        }
    }
}

fn return_part(value: &str) -> ReturnPart {
    if value.eq_ignore_ascii_case("FULL") { ReturnPart::Full } else { ReturnPart::Headers }
}

fn notify(value: &str) -> Notify {
    let has = |word: &str| value.split(',').any(|known| known.eq_ignore_ascii_case(word));
    Notify { success: has("SUCCESS"), failure: has("FAILURE"), delay: has("DELAY") }
}

#[cfg(test)]
mod tests;
