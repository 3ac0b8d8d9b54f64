//! DATA (RFC 5321 §4.1.1.4) and the verdict on what came with it.
//!
//! The 354 is the gateway's own: the next hop hears of the message when it was judged.

use crate::event::session_event::SessionEvent;
use crate::model::decision::{Decision, MessageAction};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::session_id::MessageId;
use crate::session::client::{Client, Owed};
use crate::session::effect::{Effect, Framing};
use crate::session::relay::Relay;
use crate::session::replies::{self, Refusal};
use crate::session::server::{Server, ehlo::Hello};
use crate::session::transaction::Transaction;
use crate::wire::smtp::command::Command;
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::extension::Extension;
use crate::wire::smtp::reply::Reply;

impl Relay {
    /// The originator is about to send mail data. All earlier replies are in.
    pub(super) fn data(&mut self, more: bool) {
        if more {
            return self.violation(Refusal::Pipelined, "pipelined_after_data");
        }
        let Some(transaction) = &self.transaction else { return self.refuse(Refusal::MailFirst) };
        if self.message.is_some() {
            // RFC 3030 §2: not both in one transaction; what state that leaves is not defined, so there is none.
            self.refuse(Refusal::ChunksBegun);
            return self.abandon();
        }
        if transaction.too_many {
            // None of them gets it: a sender who is told so knows where they stand.
            self.refuse(Refusal::TooManyForAll);
            return self.abandon();
        }
        if !transaction.has_recipients() {
            return self.refuse(Refusal::NoRecipients);
        }
        self.begin_message();
        self.out.push(Effect::Reply(replies::start_data().to_octets()));
        self.server = Server::Data { defect: None };
    }

    /// A message begins: its envelope is complete.
    pub(super) fn begin_message(&mut self) {
        self.count.messages += 1;
        let number = self.count.messages;
        if let Some(envelope) = self.transaction.as_mut().and_then(Transaction::envelope) {
            self.event(envelope, Some(number));
        }
        self.message = Some(number);
        self.out.push(Effect::BeginMessage { number });
    }

    /// The message has a defect.
    pub(in crate::session) fn data_defect(&mut self, defect: DataDefect) {
        let first = match &mut self.server {
            Server::Data { defect: known } => known.is_none().then(|| *known = Some(defect)),
            Server::Chunk(chunk) if chunk.problem.is_none() => {
                chunk.defect.is_none().then(|| chunk.defect = Some(defect))
            }
            // Found when the last octets were written, or in a line end that the last chunk began.
            Server::Judging { .. } => return self.defective(defect),
            _ => None,
        };
        if first.is_some() {
            let message = self.message;
            self.note_on(Leg::Client, defect.name(), None, message);
        }
    }

    /// The data has ended.
    pub(in crate::session) fn data_end(&mut self) {
        let Server::Data { defect } = self.server else { return };
        self.message_complete(defect, false);
    }

    /// The message has ended, in data or in chunks.
    pub(super) fn message_complete(&mut self, defect: Option<DataDefect>, chunked: bool) {
        self.server = Server::Judging { chunked };
        if let Some(defect) = defect {
            return self.defective(defect);
        }
        match (self.message, &self.client) {
            (Some(number), Client::Ready) => self.out.push(Effect::Judge { number, chunked }),
            // It went while the message came in.
            _ => self.end_with(Refusal::NextHopLost, Disposition::Failed("next_hop_lost".to_owned())),
        }
    }

    /// The final reply to a message that cannot be taken as it is.
    fn defective(&mut self, defect: DataDefect) {
        let refusal = Refusal::from(defect);
        if defect.is_framing() {
            // Nothing behind it is read.
            return self.end_with(refusal, Disposition::Refused(defect.name().to_owned()));
        }
        self.final_reply(&replies::defective(defect), false);
        if matches!(self.client, Client::Ready) {
            self.abandon();
        } else {
            self.close(Disposition::Failed("next_hop_lost".to_owned()));
        }
    }

    /// The message was judged.
    pub(in crate::session) fn judged(&mut self, decision: &Decision) {
        let Server::Judging { chunked } = self.server else { return };
        let Some(number) = self.message else { return };
        match decision.action {
            MessageAction::Pass | MessageAction::Rewrite => {
                self.server = Server::Sending { sent: false, gone: false };
                // One turn less than DATA takes, and no end of data that could be read in two ways (RFC 3030).
                let takes_chunks = |hello: &Hello| hello.offered.has(Extension::Chunking);
                if chunked || self.hello.as_ref().is_some_and(takes_chunks) {
                    self.owed.push_back(Owed::Final);
                    self.out.push(Effect::SendMessage { number, framing: Framing::Chunk });
                } else {
                    self.pass_on(Command::Data, Owed::Data);
                }
            }
            MessageAction::Refuse | MessageAction::Defer | MessageAction::Quarantine => {
                self.final_reply(&replies::judged(decision, self.message_id(number)), false);
                self.abandon();
            }
            MessageAction::Drop | MessageAction::Block => {
                self.final_reply(&replies::judged(decision, self.message_id(number)), false);
                self.close(Disposition::Refused("part_rule".to_owned()));
            }
        }
    }

    const fn message_id(&self, number: u32) -> MessageId {
        MessageId { session: self.config.session, number }
    }

    /// Nobody judged it in time.
    pub(in crate::session) fn not_judged(&mut self) {
        self.final_reply(&Refusal::NotJudgedInTime.reply(), false);
        self.abandon();
    }

    /// The next hop answered DATA.
    pub(in crate::session) fn data_answered(&mut self, reply: &Reply) {
        let code = reply.code();
        match self.message {
            Some(number) if code.is_intermediate() => {
                self.owed.push_back(Owed::Final);
                self.out.push(Effect::SendMessage { number, framing: Framing::Data });
            }
            Some(_) if code.is_negative() => {
                self.final_reply(reply, true);
                self.abandon();
            }
            _ => self.misbehaved("data_answer"),
        }
    }

    /// The next hop has the whole message.
    pub(in crate::session) fn message_sent(&mut self, number: u32) {
        if let Server::Sending { sent, .. } = &mut self.server {
            *sent |= self.message == Some(number) && self.owed.front() == Some(&Owed::Final);
        }
    }

    /// The next hop's final reply to the message.
    pub(in crate::session) fn finally_answered(&mut self, reply: &Reply) {
        let Server::Sending { sent, gone } = self.server else { return };
        let code = reply.code();
        if code.is_intermediate() || (code.is_completion() && !sent) {
            return self.misbehaved(if sent { "final_answer" } else { "answer_before_the_end" });
        }
        self.final_reply(reply, true);
        self.drop_transaction();
        if gone {
            self.close(Disposition::Inspected);
        } else if !sent {
            // The rest of the message would be taken for commands.
            self.hang_up();
            self.close(Disposition::Failed("refused_before_the_end".to_owned()));
        } else {
            self.count.junk = 0;
        }
    }

    /// Says what became of a message, once: to the originator, if it is there, and for the record.
    pub(in crate::session) fn final_reply(&mut self, reply: &Reply, from_next_hop: bool) {
        let gone = matches!(self.server, Server::Sending { gone: true, .. });
        let code = reply.code();
        match () {
            () if code.is_completion() && from_next_hop => self.tally.delivered += 1,
            // Ours to keep: nobody has got it, and nobody need send it again.
            () if code.is_completion() => self.tally.quarantined += 1,
            () if code.is_permanent() => self.tally.refused += 1,
            () => self.tally.deferred += 1,
        }
        let text = reply.first_line().to_owned();
        let event = SessionEvent::Replied { code: code.number(), text, from_next_hop, micros: 0 };
        let message = self.message;
        self.event(event, message);
        if !gone {
            self.out.push(Effect::Reply(reply.to_octets()));
        }
        self.drop_message();
        self.server = Server::Commands;
    }
}
