//! Sessions without a next hop: the gateway answers in its place, and puts messages into the spool.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use super::{Context, RelayIo};
use crate::event::session_event::SessionEvent;
use crate::gateway::leg_io::LegIo;
use crate::gateway::message::Message;
use crate::gateway::taker::{Facts, Reception, Taker};
use crate::inspect::judgement::Judgement;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::session_id::MessageId;
use crate::session::relay::Input;

impl RelayIo {
    /// There is no next hop but the gateway itself, which takes messages over. In implicit TLS the originator's leg is
    /// upgraded before a word is said; gives why there is no session then.
    pub(crate) async fn take_over_with(
        &mut self,
        reception: Reception,
        in_tls: bool,
    ) -> Result<(), Disposition> {
        let taker = Taker::new(&self.context.setup.hostname, reception);
        let greeting = taker.greeting();
        self.taker = Some(Box::new(taker));
        if in_tls && let Err(why) = self.handshake(Leg::Client).await {
            self.context.ledger.record(None, SessionEvent::TlsFailed { leg: Leg::Client, why });
            self.client.abandon();
            return Err(Disposition::Failed("client_tls_failed".to_owned()));
        }
        self.input(Input::NextHopConnected);
        self.input(Input::Reply(&greeting));
        Ok(())
    }

    /// Answers a command in the next hop's place.
    pub(super) fn answer_here(&mut self, octets: &[u8], given: Option<String>) {
        let Some(taker) = &mut self.taker else { return };
        let (reply, refusal) = taker.answer(octets.strip_suffix(b"\r\n").unwrap_or(octets), given);
        if let Some(error) = refusal {
            self.context.ledger.note(Leg::Client, error.name(), Some(error.to_string()));
        }
        self.input(Input::Reply(&reply));
    }

    /// Puts a message into the spool, and answers in the next hop's place.
    pub(super) async fn take_over(&mut self, number: u32) {
        let trace = self.trace(number);
        let Context { ledger, clock, .. } = &self.context;
        let Some(taker) = &mut self.taker else { return };
        let Some(message) = self.message.as_ref().filter(|message| message.number() == number) else {
            return;
        };
        let id = MessageId { session: ledger.session(), number };
        let unix_micros = clock.unix_micros();
        // Whatever becomes of this process, there is a record of each message that was taken.
        ledger.settle_with_others().await;
        let facts = Facts { id, peers: ledger.peers().clone(), trace, unix_micros };
        let (reply, outcome) = taker.take_over(message, facts).await;
        match outcome {
            Ok(event) => ledger.record(Some(number), event),
            Err(error) => {
                ledger.note(Leg::Client, error.name(), Some(error.to_string()));
            }
        }
        self.input(Input::MessageSent { number });
        self.input(Input::Reply(&reply));
    }

    /// Judges a message within the time that the final reply waits for it; `None` if that did not do, and the relay knows
    /// what then.
    pub(super) async fn judge_or_take(&mut self, number: u32, limit: Duration) -> Option<Judgement> {
        let message = self.message.as_mut()?;
        message.call(MessageId { session: self.context.ledger.session(), number });
        let Some(taker) = &mut self.taker else {
            let judged = judge_for(message.judge(limit), &mut self.client).await;
            if judged.is_none() {
                self.tell_closed(Leg::Client);
            }
            return judged;
        };
        let hold = taker.hold().min(limit);
        let Some(judged) = judge_for(message.judge_within(hold), &mut self.client).await else {
            self.tell_closed(Leg::Client);
            return None;
        };
        taker.judged(judged.as_ref(), self.context.clock.unix_micros());
        if judged.is_none() {
            let what = "hold_elapsed".to_owned();
            let note = SessionEvent::Note { leg: Leg::Client, what, detail: None };
            self.context.ledger.record(Some(number), note);
            // It is taken now, and judged before it is delivered. Its header is what it is whatever that says.
            let octets = self.message.as_deref().map_or(0, Message::octets);
            let (later, events) = Box::pin(self.remedy(number, judged_later(octets), limit)).await;
            for event in events {
                self.context.ledger.record(Some(number), event);
            }
            self.input(Input::Judged(&later.decision));
        }
        judged
    }
}

/// Judges a message, unless nobody is left who could be told: engines have better things to do.
async fn judge_for<T>(judging: impl Future<Output = T>, originator: &mut LegIo) -> Option<T> {
    let mut judging = std::pin::pin!(judging);
    poll_fn(|cx| {
        if let Poll::Ready(judgement) = judging.as_mut().poll(cx) {
            return Poll::Ready(Some(judgement));
        }
        while originator.poll_input(cx).is_ready() {
            if originator.has_ended() && originator.is_broken() {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}

/// What a message is let into the spool with that nobody has judged yet.
fn judged_later(octets: u64) -> Judgement {
    let decision = Decision {
        verdict: MessageVerdict::EngineError,
        action: MessageAction::Pass,
        why: "judged before delivery".to_owned(),
    };
    Judgement::unlooked(decision, octets)
}
