//! Messages that may not pass as they are: what is known of them is gathered, and what was done is followed.

use std::time::Duration;

use super::{Context, RelayIo};
use crate::event::session_event::SessionEvent;
use crate::gateway::remedy::{Facts, Means, Remedied};
use crate::gateway::trace_fields::trace_fields;
use crate::inspect::judgement::Judgement;
use crate::model::decision::MessageAction;
use crate::model::leg::Leg;
use crate::model::session_id::MessageId;
use crate::session::acceptor::{Acceptor, Envelope};

/// How long a banned originator's connection may take to end: it cannot answer any more.
const AFTER_BAN: Duration = Duration::from_secs(1);

/// What was seen of a message's envelope.
#[derive(Debug, Default)]
pub(super) struct SeenEnvelope {
    /// MAIL and RCPT as they were passed on, with CRLF, each with the path that the originator gave if that is another.
    lines: Vec<(Vec<u8>, Option<String>)>,
    /// Forward-paths that the next hop accepted.
    pub(super) accepted: Vec<String>,
}

impl SeenEnvelope {
    /// Takes note of a command for the next hop, and of the path that the originator gave if that is another.
    pub(super) fn command(&mut self, line: &[u8], given: Option<String>) {
        let verb = line.get(..4).unwrap_or_default();
        if verb.eq_ignore_ascii_case(b"MAIL") {
            self.lines.clear();
            self.accepted.clear();
        }
        if verb.eq_ignore_ascii_case(b"MAIL") || verb.eq_ignore_ascii_case(b"RCPT") {
            self.lines.push((line.to_vec(), given));
        }
    }

    /// The one recipient, if there is no other.
    fn only(&self) -> Option<&str> {
        match self.accepted.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// With what came with its paths; of recipients only those that were accepted.
    fn read(&self) -> Envelope {
        let mut acceptor = Acceptor::new("", 0);
        for (line, given) in &self.lines {
            let reply = acceptor.answer(line.strip_suffix(b"\r\n").unwrap_or(line), |_| Ok(()));
            if let Some(given) = given.clone().filter(|_| reply.code().is_completion()) {
                acceptor.given(given);
            }
        }
        let mut envelope = acceptor.take_envelope().unwrap_or_default();
        envelope.recipients.retain(|recipient| self.accepted.contains(&recipient.path));
        envelope
    }
}

impl RelayIo {
    /// Does what a judgement asks for that is more than yes or no; gives what is to be recorded of it.
    pub(super) async fn remedy(
        &mut self,
        number: u32,
        mut judgement: Judgement,
        limit: Duration,
    ) -> (Judgement, Vec<SessionEvent>) {
        use MessageAction::{Block, Defer, Drop, Pass, Quarantine, Refuse, Rewrite};
        let is_passed_on = judgement.decision.action == Rewrite;
        let mut done = Vec::new();
        let is_changed = judgement.decision.action == Pass && !self.context.resource.header.is_empty();
        if is_changed || matches!(judgement.decision.action, Rewrite | Quarantine) {
            let trace = self.trace(number);
            let Context { ledger, setup, resource, clock, next_hop } = &self.context;
            let message = self.message.as_mut().filter(|message| message.number() == number);
            if let (Some(remedy), Some(message)) = (&setup.remedy, message) {
                let facts = Facts {
                    id: MessageId { session: ledger.session(), number },
                    peers: ledger.peers().clone(),
                    envelope: self.envelope.read(),
                    next_hop: *next_hop,
                    in_tls: self.server_in_tls,
                    trace,
                    unix_micros: clock.unix_micros(),
                };
                let means = Means {
                    inspector: &resource.inspector,
                    hold: &setup.hold,
                    limit,
                    header: &resource.header,
                };
                let remedied = remedy.apply(judgement, message, &facts, means).await;
                Remedied { judgement, events: done, rewritten: self.rewritten } = remedied;
            } else {
                judgement.decision.action = Defer;
            }
        }
        match judgement.decision.action {
            Block => self.ban_for = judgement.ban_for,
            Rewrite if is_passed_on => self.let_go(&judgement),
            Pass | Refuse | Defer | Rewrite | Quarantine | Drop => {}
        }
        (judgement, done)
    }

    /// What a taker is to keep of a message that goes on rewritten: it may be delivered as it is now.
    fn let_go(&mut self, judgement: &Judgement) {
        let now = self.context.clock.unix_micros();
        let Some(taker) = &mut self.taker else { return };
        let mut passed = judgement.clone();
        passed.decision.action = MessageAction::Pass;
        taker.judged(Some(&passed), now);
    }

    /// Sends what the originator is yet to hear, bans it, and ends its connection.
    pub(super) async fn ban(&mut self) {
        self.flush(Leg::Client).await;
        let source = self.context.ledger.peers().originator.ip();
        if let (Some(time), Some(remedy)) = (self.ban_for.take(), &self.context.setup.remedy) {
            let event = remedy.ban(source, time);
            self.context.ledger.record(None, event);
        }
        self.client.close_gently(AFTER_BAN).await;
    }

    /// The fields that stand before a message.
    pub(super) fn trace(&self, number: u32) -> String {
        let Context { ledger, setup, clock, .. } = &self.context;
        trace_fields(
            &self.facts,
            ledger.peers().originator.ip(),
            &setup.hostname,
            MessageId { session: ledger.session(), number },
            self.envelope.only(),
            self.rewritten.as_deref(),
            clock.unix_micros(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::SeenEnvelope;
    use crate::model::queued_message::BodyKind;

    #[test]
    fn an_envelope_has_what_came_with_its_paths_and_those_that_were_accepted() {
        let mut seen = SeenEnvelope::default();
        for line in ["MAIL FROM:<old@a.example>\r\n", "RCPT TO:<b@a.example>\r\n", "RSET\r\n"] {
            seen.command(line.as_bytes(), None);
        }
        seen.command(
            b"MAIL FROM:<a@a.example> BODY=8BITMIME RET=HDRS\r\n",
            Some("a@given.example".to_owned()),
        );
        seen.command(b"rcpt to:<b@b.example> NOTIFY=NEVER\r\n", Some("B@b.example".to_owned()));
        seen.command(b"RCPT TO:<refused@b.example>\r\n", None);
        seen.accepted = vec!["b@b.example".to_owned()];
        let envelope = seen.read();
        assert_eq!(
            (envelope.sender.path.as_str(), envelope.sender.body),
            ("a@a.example", BodyKind::EightBitMime)
        );
        assert_eq!(envelope.recipients.len(), 1);
        assert!(envelope.recipients[0].notify.is_some());
        assert_eq!(envelope.sender.given.as_deref(), Some("a@given.example"));
        assert_eq!(envelope.recipients[0].given.as_deref(), Some("B@b.example"));
        assert_eq!(seen.only(), Some("b@b.example"));
    }
}
