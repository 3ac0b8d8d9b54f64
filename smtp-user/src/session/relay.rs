//! Pairs the two sides of a session: what happened on one, and what that means for the other.

use std::collections::VecDeque;

use smtp_common::flow::FlowMarks;
use smtp_common::stage::SmtpStage;

use crate::event::session_event::SessionEvent;
use crate::limits::Timeout;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::wire::smtp::command::Command;
use crate::wire::smtp::extension::Extension;
use crate::wire::smtp::reply::Reply;

use super::client::{Client, Owed};
use super::replies::Refusal;
use super::server::{Held, Hello, Server};
use super::transaction::{Asked, Transaction};

pub use super::config::{RelayConfig, RelayLimits};
pub use super::effect::{Effect, Framing};
pub use super::input::{Input, Reading, Waiting};

/// One session.
#[derive(Debug)]
pub struct Relay {
    pub(super) config: RelayConfig,
    /// Toward the originator.
    pub(super) server: Server,
    /// Toward the next hop.
    pub(super) client: Client,
    /// Replies that the next hop owes, oldest first.
    pub(super) owed: VecDeque<Owed>,
    /// A line that was read before its turn.
    pub(super) held: Option<Held>,
    pub(super) hello: Option<Hello>,
    pub(super) transaction: Option<Transaction>,
    /// The held message: `BeginMessage` was asked for, and `DropMessage` not yet.
    pub(super) message: Option<u32>,
    /// Octets of its chunks so far.
    pub(super) chunk_octets: u64,
    pub(super) tls: TlsLegs,
    pub(super) count: Counts,
    pub(super) marks: u8,
    /// The originator says no more, and hears the answer to its last message.
    pub(super) has_ended: bool,
    pub(super) draining: bool,
    pub(super) tally: Tally,
    pub(super) end: Option<Disposition>,
    /// The caller's list, while something is handled.
    pub(super) out: Vec<Effect>,
}

/// Which legs are in TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsLegs {
    pub(super) client: bool,
    pub(super) server: bool,
}

/// What is counted against limits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Errors of the originator's.
    pub(super) errors: u32,
    /// Commands that move no mail, since the last message.
    pub(super) junk: u32,
    /// Envelopes that were recorded.
    pub(super) messages: u32,
    /// MAIL commands passed on.
    pub(super) serial: u32,
}

/// What became of the messages of a session, for its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the next hop took.
    pub delivered: u32,
    /// Messages whose final reply was 5yz.
    pub refused: u32,
    /// Messages whose final reply was 4yz.
    pub deferred: u32,
    /// Messages that were accepted and kept.
    pub quarantined: u32,
}

impl Relay {
    /// At its beginning: the next hop is being called.
    pub fn new(config: RelayConfig) -> Self {
        let tls = TlsLegs { client: config.in_tls, server: config.in_tls };
        Self {
            marks: if config.in_tls { FlowMarks::TLS } else { 0 },
            config,
            server: Server::Greeting,
            client: Client::Calling,
            owed: VecDeque::new(),
            held: None,
            hello: None,
            transaction: None,
            message: None,
            chunk_octets: 0,
            tls,
            count: Counts::default(),
            has_ended: false,
            draining: false,
            tally: Tally::default(),
            end: None,
            out: Vec::new(),
        }
    }

    /// One thing that happened; effects are appended in the order they are to be carried out. What cannot happen where the
    /// session stands is passed over.
    pub fn handle(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        if self.is_closed() {
            return;
        }
        std::mem::swap(&mut self.out, effects);
        match input {
            Input::NextHopConnected => self.connected(),
            Input::NextHopUnreachable(why) => self.unreachable(why),
            Input::Command { line, more } => self.line(line, more),
            Input::BadLine(defect) => self.bad_line(defect),
            Input::DataEnd { .. } => self.data_end(),
            Input::ChunkEnd { .. } => self.chunk_end(),
            Input::DataDefect(defect) => self.data_defect(defect),
            Input::Reply(reply) => self.reply(reply),
            Input::ReplyDefect(error) => self.misbehaved(error.name()),
            Input::MessageSent { number } => self.message_sent(number),
            Input::Extra(leg) => self.extra(leg),
            Input::Upgraded(leg) => self.upgraded(leg),
            Input::UpgradeFailed(leg) => self.upgrade_failed(leg),
            Input::Judged(decision) => self.judged(decision),
            Input::Ended => self.originator_ended(),
            Input::Closed(Leg::Client) => self.originator_closed(),
            Input::Closed(Leg::Server) => self.next_hop_closed(),
            Input::Stuck(leg) => self.stuck(leg),
            Input::Expired(timeout) => self.expired(timeout),
            Input::Drain => self.drain(),
        }
        if self.has_ended && matches!(self.server, Server::Commands) {
            // Its last message has had its answer.
            self.close(Disposition::Inspected);
        }
        std::mem::swap(&mut self.out, effects);
    }

    /// What is read from the originator now.
    pub fn reading(&self) -> Reading {
        let reading = self.server.reading();
        if reading != Reading::Command || self.owed.is_empty() {
            return reading;
        }
        // Replies are outstanding: more is read only if the next hop takes commands in groups.
        let pipelining = self.hello.as_ref().is_some_and(Hello::has_pipelining);
        let room = self.owed.len() < self.config.limits.max_pipelined;
        if pipelining && room && self.held.is_none() { Reading::Command } else { Reading::Nothing }
    }

    /// Which waits run.
    pub fn waiting(&self) -> Waiting {
        let client = match self.reading() {
            // While the originator is owed a reply it is not waited for.
            Reading::Command if self.owed.is_empty() => self.server.waiting(),
            Reading::Command => None,
            _ if matches!(self.server, Server::Commands | Server::AuthLine { .. }) => None,
            _ => self.server.waiting(),
        };
        let sent = matches!(self.server, Server::Sending { sent: true, .. });
        let server = match self.client {
            Client::Calling => Some(Timeout::Connect),
            Client::Greeting => Some(Timeout::Greeting),
            Client::Upgrading(_) => Some(Timeout::ServerHandshake),
            Client::Ready if matches!(self.server, Server::Judging { .. }) => Some(Timeout::Judgement),
            Client::Ready => self.owed.front().map(|owed| owed.timeout(sent)),
            Client::Closed => None,
        };
        if self.is_closed() { Waiting::default() } else { Waiting { client, server } }
    }

    /// For the flow map.
    pub fn stage(&self) -> (SmtpStage, FlowMarks) {
        let starttls_owed = matches!(self.owed.front(), Some(Owed::Starttls { alone: None }));
        let offered = self.hello.as_ref().is_some_and(|hello| hello.offered.has(Extension::Starttls));
        let stage = match self.server {
            Server::Greeting => SmtpStage::NONE,
            Server::Data { .. } | Server::Chunk(_) | Server::Judging { .. } | Server::Sending { .. } => {
                SmtpStage::DATA
            }
            Server::Upgrading => SmtpStage::STARTTLS_ACCEPTED,
            _ if starttls_owed || matches!(self.client, Client::Upgrading(_)) => {
                SmtpStage::STARTTLS_REQUESTED
            }
            _ if self.transaction.is_some() => SmtpStage::MAIL,
            _ if self.tls.client => SmtpStage::TLS,
            _ if offered => SmtpStage::STARTTLS_OFFERED,
            _ if self.hello.is_some() => SmtpStage::HELO,
            _ => SmtpStage::GREETING,
        };
        (stage, FlowMarks(self.marks))
    }

    /// Whether the session has ended: nothing that happens now asks for anything.
    pub const fn is_closed(&self) -> bool {
        matches!(self.server, Server::Closed)
    }

    /// How the flow ended; before that, how it would be taken if it were cut now.
    pub fn disposition(&self) -> Disposition {
        self.end.clone().unwrap_or_else(|| Disposition::Failed("cut".to_owned()))
    }

    /// What became of its messages.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Passes a command on to the next hop, which then owes a reply.
    pub(super) fn pass_on(&mut self, command: Command<'_>, owed: Owed) {
        let mut octets = Vec::with_capacity(128);
        command.write(&mut octets);
        self.out.push(Effect::Command(octets));
        self.owed.push_back(owed);
    }

    /// Passes a reply on to the originator.
    pub(super) fn relay(&mut self, reply: &Reply) {
        self.out.push(Effect::Reply(reply.to_octets()));
    }

    /// Says no to a command; the session goes on, unless that was once too often.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if refusal.is_error() {
            self.count.errors += 1;
            self.note(Leg::Client, refusal.name(), None);
            if self.count.errors > self.config.limits.max_errors {
                let many = Refusal::TooManyErrors;
                return self.end_with(many, Disposition::Refused(many.name().to_owned()));
            }
        }
        self.out.push(Effect::Reply(refusal.reply().to_octets()));
    }

    /// The originator did what makes everything behind it doubtful.
    pub(super) fn violation(&mut self, refusal: Refusal, what: &'static str) {
        self.note(Leg::Client, what, None);
        self.end_with(refusal, Disposition::Refused(what.to_owned()));
    }

    /// Says a last word to the originator and ends the session.
    pub(super) fn end_with(&mut self, refusal: Refusal, disposition: Disposition) {
        let reply = refusal.reply();
        match self.server {
            // It is the message's final reply as well.
            _ if self.server.owes_final() => self.final_reply(&reply, false),
            // Nothing can be said in the middle of a handshake, nor to nobody.
            Server::Upgrading | Server::Sending { .. } | Server::Closed => {}
            _ => self.relay(&reply),
        }
        self.close(disposition);
    }

    /// Ends the session.
    pub(super) fn close(&mut self, disposition: Disposition) {
        self.drop_transaction();
        self.end.get_or_insert(disposition);
        if !matches!(self.client, Client::Closed) {
            if matches!(self.client, Client::Ready) && self.owed.is_empty() {
                // So that it does not take the end for an accident.
                self.out.push(Effect::Command(b"QUIT\r\n".to_vec()));
            }
            self.out.push(Effect::Close(Leg::Server));
        }
        self.out.push(Effect::Close(Leg::Client));
        self.client = Client::Closed;
        self.server = Server::Closed;
        self.owed.clear();
        self.held = None;
        self.hello = None;
    }

    /// Forgets the transaction on this side of the next hop, and its message.
    pub(super) fn drop_transaction(&mut self) {
        self.drop_message();
        if let Some(envelope) = self.transaction.take().and_then(Transaction::unfinished) {
            self.count.messages += 1;
            let number = self.count.messages;
            self.event(envelope, Some(number));
        }
    }

    /// Ends a transaction that the next hop has not ended, if there is one.
    pub(super) fn abandon(&mut self) {
        if self.transaction.is_some() && matches!(self.client, Client::Ready) {
            self.drop_transaction();
            self.pass_on(Command::Rset, Owed::Rset { ours: true });
        }
        self.drop_transaction();
    }

    pub(super) fn drop_message(&mut self) {
        if let Some(number) = self.message.take() {
            self.out.push(Effect::DropMessage { number });
        }
    }

    /// Forgets a transaction that the next hop never began.
    pub(super) fn settle(&mut self) {
        if self.owed.is_empty() && self.transaction.as_ref().is_some_and(|it| it.mail == Asked::Refused) {
            self.drop_transaction();
        }
    }

    pub(super) const fn mark_offered(&mut self) {
        self.marks |= FlowMarks::STARTTLS_OFFERED;
    }

    pub(super) fn event(&mut self, event: SessionEvent, message: Option<u32>) {
        self.out.push(Effect::Event(event, message));
    }

    pub(super) fn note(&mut self, leg: Leg, what: &'static str, detail: Option<String>) {
        self.note_on(leg, what, detail, None);
    }

    pub(super) fn note_on(
        &mut self,
        leg: Leg,
        what: &'static str,
        detail: Option<String>,
        message: Option<u32>,
    ) {
        self.event(SessionEvent::Note { leg, what: what.to_owned(), detail }, message);
    }

    /// The originator will say no more. The end of the mail data obliges to deal with what came before it (RFC 5321
    /// §4.1.1.4), whoever waits for the answer.
    fn originator_ended(&mut self) {
        if matches!(self.server, Server::Judging { .. } | Server::Sending { .. }) {
            self.has_ended = true;
            let message = self.message;
            self.note_on(Leg::Client, "originator_ended", None, message);
        } else {
            self.originator_closed();
        }
    }

    /// The originator's connection broke: nobody hears an answer, and whoever wants the message delivered sends it again.
    fn originator_closed(&mut self) {
        match &mut self.server {
            // The next hop may have the whole message already, and its answer decides (RFC 5321 §4.5.3.2.6).
            Server::Sending { gone, .. } if self.owed.front() == Some(&Owed::Final) => *gone = true,
            Server::Commands if self.transaction.is_none() => self.close(Disposition::Inspected),
            Server::Answer if self.owed.front() == Some(&Owed::Quit) => self.close(Disposition::Inspected),
            Server::Greeting => self.close(Disposition::Failed("originator_closed_early".to_owned())),
            _ => {
                let message = self.message;
                self.note_on(Leg::Client, "originator_closed", None, message);
                self.close(Disposition::Failed("originator_closed".to_owned()));
            }
        }
    }

    /// A peer does not read what it is told.
    fn stuck(&mut self, leg: Leg) {
        const WHAT: &str = "time_out_write";
        if leg == Leg::Server && matches!(self.client, Client::Closed) {
            return;
        }
        self.note(leg, WHAT, None);
        match (leg, &mut self.server) {
            (Leg::Client, Server::Sending { gone, .. }) if self.owed.front() == Some(&Owed::Final) => {
                *gone = true;
            }
            (Leg::Client, _) => self.close(Disposition::Refused(WHAT.to_owned())),
            (Leg::Server, _) => self.lost(Refusal::NextHopLost, Disposition::Failed(WHAT.to_owned())),
        }
    }

    fn expired(&mut self, timeout: Timeout) {
        let Waiting { client, server } = self.waiting();
        if client != Some(timeout) && server != Some(timeout) {
            // It ran while something happened.
            return;
        }
        let leg = if client == Some(timeout) { Leg::Client } else { Leg::Server };
        let what = format!("time_out_{}", timeout.name());
        self.event(SessionEvent::Note { leg, what: what.clone(), detail: None }, self.message);
        match (timeout, leg) {
            (Timeout::Judgement, _) => self.not_judged(),
            (Timeout::Quit, _) => self.goodbye(),
            (_, Leg::Client) => self.end_with(Refusal::TimedOut, Disposition::Refused(what)),
            (_, Leg::Server) => self.end_with(Refusal::TimedOut, Disposition::Failed(what)),
        }
    }

    fn drain(&mut self) {
        self.draining = true;
        let idle = self.owed.is_empty() && self.held.is_none() && self.transaction.is_none();
        if idle && matches!(self.server, Server::Commands) {
            self.shut_down();
        }
    }
}

#[cfg(test)]
mod chaos;
#[cfg(test)]
pub(super) mod tests;
