//! What arrives on either leg: replies, command lines, mail data and chunks, and ends.

use tokio::time::Instant;

use super::{ChunkProgress, DataProgress, RelayIo};
use crate::gateway::message::Message;
use crate::limits::Timeout;
use crate::model::leg::Leg;
use crate::session::relay::{Input, Reading};
use crate::wire::smtp::line::LineOutcome;
use crate::wire::smtp::reply::ReplyOutcome;

impl RelayIo {
    /// Looks at one piece of what has arrived; says whether there was one.
    pub(super) async fn take_input(&mut self) -> bool {
        if !self.server.input().is_empty() {
            self.take_reply();
            return true;
        }
        if !self.client.input().is_empty() {
            match self.relay.reading() {
                Reading::Command => {
                    self.take_line();
                    return true;
                }
                Reading::Data => {
                    self.take_data().await;
                    return true;
                }
                Reading::Chunk { octets, keep } => {
                    self.take_chunk(octets, keep).await;
                    return true;
                }
                Reading::Nothing => {}
            }
        } else if self.chunk.is_none()
            && let Reading::Chunk { octets: 0, keep } = self.relay.reading()
        {
            // Nothing has to arrive for it.
            self.take_chunk(0, keep).await;
            return true;
        }
        for leg in [Leg::Server, Leg::Client] {
            if self.leg(leg).has_ended() && self.tell_closed(leg) {
                return true;
            }
        }
        false
    }

    /// Tells the relay, once, that a leg has ended.
    pub(super) fn tell_closed(&mut self, leg: Leg) -> bool {
        let told = self.mark_told(leg);
        if !told {
            let has_more_to_hear = leg == Leg::Client && !self.client.is_broken();
            self.input(if has_more_to_hear { Input::Ended } else { Input::Closed(leg) });
        }
        !told
    }

    /// Takes note that the relay knows of a leg's end; says whether it did before.
    pub(super) fn mark_told(&mut self, leg: Leg) -> bool {
        let index = usize::from(leg == Leg::Server);
        self.told_closed.get_mut(index).is_none_or(|told| std::mem::replace(told, true))
    }

    pub(super) fn take_reply(&mut self) {
        let step = self.replies.feed(self.server.input());
        self.server.consume(step.consumed);
        match step.outcome {
            ReplyOutcome::More => {}
            ReplyOutcome::Reply(reply) => {
                self.alarm.restart(Leg::Server);
                self.input(Input::Reply(&reply));
            }
            ReplyOutcome::Defect(defect) => self.input(Input::ReplyDefect(defect)),
        }
    }

    pub(super) fn take_line(&mut self) {
        let Some(mut buffer) = self.client.take_input() else { return };
        let step = self.lines.feed(buffer.octets());
        buffer.consume(step.consumed);
        let more = !buffer.octets().is_empty();
        match step.outcome {
            LineOutcome::More => {}
            LineOutcome::Line(line) => {
                self.alarm.restart(Leg::Client);
                self.relay.handle(Input::Command { line, more }, &mut self.effects);
            }
            LineOutcome::Defect(defect) => {
                self.relay.handle(Input::BadLine(defect), &mut self.effects);
            }
        }
        self.client.put_input(buffer);
    }

    pub(super) async fn take_data(&mut self) {
        let Some(mut buffer) = self.client.take_input() else { return };
        let Some(message) = &mut self.message else {
            // The relay reads data only between `BeginMessage` and the end of the data.
            self.client.abandon();
            self.tell_closed(Leg::Client);
            return;
        };
        let step = message.take_data(buffer.octets()).await;
        let octets = message.octets();
        buffer.consume(step.consumed);
        self.client.put_input(buffer);
        if let Some(defect) = step.defect {
            self.input(Input::DataDefect(defect));
        }
        if step.end {
            self.end_data(Input::DataEnd { octets });
        } else {
            self.look_at_rate();
        }
    }

    pub(super) async fn take_chunk(&mut self, octets: u64, keep: bool) {
        let progress = self.chunk.unwrap_or(ChunkProgress { left: octets, keep });
        let mut left = progress.left;
        if left > 0 {
            let Some(mut buffer) = self.client.take_input() else { return };
            let taken = buffer.octets().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let piece = buffer.octets().get(..taken).unwrap_or_default();
            let defect = match &mut self.message {
                Some(message) if progress.keep => message.take_chunk(piece).await,
                _ => None,
            };
            buffer.consume(taken);
            self.client.put_input(buffer);
            left -= taken as u64;
            if let Some(defect) = defect {
                self.input(Input::DataDefect(defect));
            }
        }
        if left > 0 {
            self.chunk = Some(ChunkProgress { left, keep: progress.keep });
            self.look_at_rate();
        } else {
            self.chunk = None;
            let octets = self.message.as_deref().map_or(0, Message::octets);
            self.end_data(Input::ChunkEnd { octets });
        }
    }

    pub(super) fn end_data(&mut self, input: Input<'_>) {
        self.data = None;
        self.data_ended = Some(Instant::now());
        self.alarm.restart(Leg::Client);
        self.input(input);
    }

    /// More of a message has come; but an originator that sends too slowly over its whole length holds a place that
    /// others need.
    pub(super) fn look_at_rate(&mut self) {
        self.alarm.restart(Leg::Client);
        let now = Instant::now();
        let [received, _] = self.client.octets();
        let progress = *self.data.get_or_insert(DataProgress { begun: now, received_before: received });
        let octets = received - progress.received_before;
        if self.context.setup.timeouts.is_too_slow(octets, now - progress.begun) {
            self.context.ledger.note(Leg::Client, "data_too_slow", None);
            self.input(Input::Expired(Timeout::Data));
        }
    }
}
