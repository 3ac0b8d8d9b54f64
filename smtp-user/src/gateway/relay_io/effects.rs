//! What the session's state machine asks for, done: octets, messages, judgements and records.

use std::time::Duration;

use super::{Context, RelayIo};
use crate::event::session_event::SessionEvent;
use crate::gateway::leg_io::WriteFailure;
use crate::gateway::message::{Message, SendError};
use crate::limits::Timeout;
use crate::model::leg::Leg;
use crate::session::relay::{Effect, Framing, Input};

impl RelayIo {
    /// Does what the relay asks for.
    pub(super) async fn perform(&mut self) {
        while !self.effects.is_empty() {
            let mut batch = std::mem::replace(&mut self.effects, std::mem::take(&mut self.spare));
            for effect in batch.drain(..) {
                self.perform_one(effect).await;
            }
            self.spare = batch;
        }
    }

    pub(super) async fn perform_one(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(octets) => {
                self.client.gather(octets);
                if self.client.is_full() {
                    self.flush(Leg::Client).await;
                }
            }
            Effect::Command(octets) if self.taker.is_some() => {
                let (octets, given) = self.readdressed(octets);
                self.envelope.command(&octets, given.clone());
                self.answer_here(&octets, given);
            }
            Effect::Command(octets) => {
                let (octets, given) = self.readdressed(octets);
                self.envelope.command(&octets, given);
                self.server.gather(octets);
                if self.server.is_full() {
                    self.flush(Leg::Server).await;
                }
            }
            Effect::StartTls(leg) => self.start_tls(leg).await,
            Effect::BeginMessage { number } => {
                let Context { setup, resource, .. } = &self.context;
                let limits = self.taker.as_ref().map_or(&setup.limits, |taker| taker.limits());
                self.message = Some(Box::new(Message::begin(
                    number,
                    &setup.hold,
                    setup.line_ends,
                    limits.max_message_octets,
                    &resource.inspector,
                )));
            }
            Effect::Judge { number, chunked } => self.judge(number, chunked).await,
            Effect::SendMessage { number, .. } if self.taker.is_some() => {
                // On its own, so that other sessions need no room for it.
                Box::pin(self.take_over(number)).await;
            }
            Effect::SendMessage { number, framing } => self.send_message(number, framing).await,
            Effect::DropMessage { number } => {
                self.message.take_if(|message| message.number() == number);
                (self.data, self.rewritten) = (None, None);
            }
            Effect::Event(event, message) => self.record(event, message),
            Effect::Close(leg) => {
                let limit = self.context.setup.timeouts.of(Timeout::Quit);
                match leg {
                    Leg::Client if self.ban_for.is_some() => self.ban().await,
                    Leg::Client => self.client.close_gently(limit).await,
                    Leg::Server => self.server.close(limit).await,
                }
                // Whoever asked for it need not be told.
                self.mark_told(leg);
            }
        }
    }

    /// Records a fact, after taking from it what trace fields tell.
    pub(super) fn record(&mut self, mut event: SessionEvent, message: Option<u32>) {
        match &mut event {
            SessionEvent::Hello { verb, name, .. } => {
                self.facts.name.clone_from(name);
                self.facts.extended = verb == "EHLO";
            }
            SessionEvent::Auth { code: 235, .. } => self.facts.authenticated = true,
            SessionEvent::Envelope { to, .. } => {
                self.envelope.accepted = self.readdressed_paths(to);
            }
            SessionEvent::NextHop { outcome, greeting } if self.taker.is_some() => {
                "spool".clone_into(outcome);
                *greeting = None;
            }
            SessionEvent::Replied { micros, from_next_hop, .. } => {
                *from_next_hop &= self.taker.is_none();
                let since = self.data_ended.take().map_or(Duration::ZERO, |ended| ended.elapsed());
                *micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
            }
            _ => {}
        }
        self.context.ledger.record(message, event);
    }

    pub(super) async fn judge(&mut self, number: u32, chunked: bool) {
        let limit = self.context.setup.timeouts.of(Timeout::Judgement);
        let Some(message) = self.message.as_mut().filter(|message| message.number() == number) else {
            return;
        };
        if chunked && let Some(defect) = message.finish_chunks().await {
            self.input(Input::DataDefect(defect));
            return;
        }
        let Some(judgement) = Box::pin(self.judge_or_take(number, limit)).await else { return };
        let (judgement, done) = Box::pin(self.remedy(number, judgement, limit)).await;
        let number = Some(number);
        let ledger = &self.context.ledger;
        let event = judgement.event();
        for part in judgement.parts {
            ledger.record(number, SessionEvent::Part(part));
        }
        for engine in judgement.engines {
            ledger.record(number, engine);
        }
        for event in done {
            ledger.record(number, event);
        }
        ledger.record(number, event);
        self.input(Input::Judged(&judgement.decision));
    }

    pub(super) async fn send_message(&mut self, number: u32, framing: Framing) {
        let trace = self.trace(number);
        let Context { ledger, setup, .. } = &self.context;
        let Some(message) = self.message.as_ref().filter(|message| message.number() == number) else {
            return;
        };
        // Whatever becomes of this process, there is a record of each message that the next hop has.
        ledger.settle().await;
        let limit = setup.timeouts.of(Timeout::DataBlock);
        match message.send(&trace, framing, &mut self.server, limit).await {
            Ok(()) => self.input(Input::MessageSent { number }),
            Err(SendError::Write(failure)) => {
                let what = match failure {
                    WriteFailure::TimedOut => "time_out_data_block",
                    WriteFailure::Broken => "connection_broken_in_data",
                    WriteFailure::Answered => "answered_in_data",
                };
                ledger.note(Leg::Server, what, None);
                // It may have said why, and that is the originator's to know.
                self.server.last_input().await;
                while !self.server.input().is_empty() && !self.relay.is_closed() {
                    self.take_reply();
                    self.server.last_input().await;
                }
                self.abandon(Leg::Server);
            }
            Err(SendError::Hold(error)) => {
                // Half of it is on its way: only a broken connection keeps the next hop from taking that for all.
                ledger.note(Leg::Server, error.name(), None);
                self.abandon(Leg::Server);
            }
        }
    }
}
