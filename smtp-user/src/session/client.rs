//! The side toward the next hop: its states, and what each reply does.

use crate::limits::Timeout;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::wire::smtp::reply::{Reply, ReplyCode};

use super::effect::Effect;
use super::relay::Relay;
use super::replies::{Refusal, bounded, goodbye};
use super::server::Server;

/// Where the next hop stands.
#[derive(Debug)]
pub(super) enum Client {
    /// It is being called.
    ///
    /// Entered from: the beginning. Leaves to: `Greeting`, `Closed`. The next hop sends nothing. Time-out: connect.
    Calling,
    /// Its greeting is awaited.
    ///
    /// Entered from: `Calling`. Leaves to: `Ready`, `Closed`. The next hop may send one reply. Time-out: greeting.
    Greeting,
    /// It takes commands, and answers them in order.
    ///
    /// Entered from: `Greeting`, `Upgrading`. Leaves to: `Upgrading`, `Closed`. The next hop may send as many replies
    /// as it owes. Time-out: that of the oldest.
    Ready,
    /// The handshake runs.
    ///
    /// Entered from: `Ready`. Leaves to: `Ready`, `Closed`. The next hop may send TLS. Time-out: server handshake.
    Upgrading(AfterUpgrade),
    /// The connection has ended. The originator may not know yet: while it sends a message it cannot be told.
    ///
    /// Entered from: all. Leaves to: none.
    Closed,
}

/// What is done when the server leg is in TLS.
#[derive(Debug)]
pub(super) enum AfterUpgrade {
    /// The originator, who asked for it, upgrades too.
    Originator,
    /// The next hop is asked again what it offers.
    Hello {
        /// The name that the originator gave.
        name: String,
    },
}

/// A reply that the next hop owes, by what it answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// EHLO or HELO.
    Hello {
        /// EHLO.
        extended: bool,
        /// Name given.
        name: String,
    },
    /// STARTTLS.
    Starttls {
        /// The originator did not ask for it; the name that it gave in EHLO.
        alone: Option<String>,
    },
    /// AUTH, or a line of its exchange.
    Auth {
        /// SASL mechanism.
        mechanism: String,
    },
    /// MAIL.
    Mail {
        /// Of which transaction.
        serial: u32,
    },
    /// RCPT.
    Rcpt {
        /// Of which transaction.
        serial: u32,
        /// Forward-path.
        path: String,
    },
    /// RSET.
    Rset {
        /// The gateway sent it, and the originator does not hear of the answer.
        ours: bool,
    },
    /// NOOP, VRFY, EXPN, HELP.
    Other,
    /// QUIT.
    Quit,
    /// DATA.
    Data,
    /// The message.
    Final,
}

impl Owed {
    /// How long it may take.
    pub(super) const fn timeout(&self, sent: bool) -> Timeout {
        match self {
            Self::Hello { .. }
            | Self::Starttls { .. }
            | Self::Auth { .. }
            | Self::Rset { .. }
            | Self::Other => Timeout::Reply,
            Self::Mail { .. } => Timeout::Mail,
            Self::Rcpt { .. } => Timeout::Rcpt,
            Self::Quit => Timeout::Quit,
            Self::Data => Timeout::DataStart,
            Self::Final => {
                if sent {
                    Timeout::DataEnd
                } else {
                    Timeout::DataBlock
                }
            }
        }
    }
}

impl Relay {
    /// The table: what a reply does.
    pub(super) fn reply(&mut self, reply: &Reply) {
        match self.client {
            Client::Greeting => return self.greeted(reply),
            Client::Ready => {}
            Client::Upgrading(_) => return self.extra(Leg::Server),
            Client::Calling | Client::Closed => return,
        }
        let Some(owed) = self.owed.pop_front() else { return self.unasked(reply) };
        if reply.code() == ReplyCode::UNAVAILABLE && owed != Owed::Quit {
            return self.leaving(reply);
        }
        match owed {
            Owed::Hello { extended, name } => self.ehlo_answered(extended, name, reply),
            Owed::Starttls { alone } => self.starttls_answered(alone, reply),
            Owed::Auth { mechanism } => self.auth_answered(mechanism, reply),
            Owed::Mail { serial } => self.mail_answered(serial, reply),
            Owed::Rcpt { serial, path } => self.rcpt_answered(serial, path, reply),
            Owed::Rset { ours } => self.rset_answered(ours, reply),
            Owed::Other => self.other_answered(reply),
            Owed::Quit => self.quit_answered(reply),
            Owed::Data => self.data_answered(reply),
            Owed::Final => self.finally_answered(reply),
        }
        self.resume();
    }

    /// A reply to nothing. From here on nobody can tell which reply belongs to which command.
    fn unasked(&mut self, reply: &Reply) {
        if reply.code() == ReplyCode::UNAVAILABLE {
            return self.leaving(reply);
        }
        self.misbehaved("extra_reply");
    }

    /// 421: the next hop ends the connection, in answer to something or not (RFC 5321 §3.8).
    fn leaving(&mut self, reply: &Reply) {
        let text = bounded(reply.first_line(), 200).to_owned();
        self.note(Leg::Server, "next_hop_leaves", Some(text));
        self.hang_up();
        match self.server {
            // It is told when its message has ended.
            Server::Data { .. } | Server::Chunk(_) => {
                self.end.get_or_insert(Disposition::Failed("next_hop_leaves".to_owned()));
            }
            Server::Judging { .. } | Server::Sending { .. } => {
                self.final_reply(reply, true);
                self.close(Disposition::Failed("next_hop_leaves".to_owned()));
            }
            _ => {
                self.relay(reply);
                self.close(Disposition::Failed("next_hop_leaves".to_owned()));
            }
        }
    }

    /// The connection to the next hop has ended.
    pub(super) fn next_hop_closed(&mut self) {
        if matches!(self.client, Client::Closed) {
            return;
        }
        if self.owed.front() == Some(&Owed::Quit) {
            return self.goodbye();
        }
        let idle =
            self.owed.is_empty() && self.transaction.is_none() && matches!(self.server, Server::Commands);
        self.note(Leg::Server, "next_hop_closed", None);
        let disposition =
            if idle { Disposition::Inspected } else { Disposition::Failed("next_hop_closed".to_owned()) };
        self.lost(Refusal::NextHopLost, disposition);
    }

    /// The next hop said what it could not have meant; nothing that it says from here on can be relied on.
    pub(super) fn misbehaved(&mut self, what: &'static str) {
        self.note(Leg::Server, what, None);
        self.lost(Refusal::NextHopMisbehaved, Disposition::Failed(what.to_owned()));
    }

    /// Ends a session whose next hop is of no use any more, as soon as the originator can be told.
    pub(super) fn lost(&mut self, refusal: Refusal, disposition: Disposition) {
        self.hang_up();
        match self.server {
            // It is told when its message has ended.
            Server::Data { .. } | Server::Chunk(_) => {
                self.end.get_or_insert(disposition);
            }
            _ => self.end_with(refusal, disposition),
        }
    }

    /// Answers QUIT where the next hop did not.
    pub(super) fn goodbye(&mut self) {
        let reply = goodbye(&self.config.hostname);
        self.relay(&reply);
        self.hang_up();
        self.close(Disposition::Inspected);
    }

    /// Ends the connection to the next hop without a word.
    pub(super) fn hang_up(&mut self) {
        self.owed.clear();
        if !matches!(std::mem::replace(&mut self.client, Client::Closed), Client::Closed) {
            self.out.push(Effect::Close(Leg::Server));
        }
    }
}
