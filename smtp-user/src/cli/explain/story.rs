//! A session's story, from its first record to its last.

use std::fmt::Write as _;

use serde::Serialize;

use crate::audit::timestamp;
use crate::event::sentence::{printable, sentence};
use crate::event::session_event::{PartRecord, Record, SessionEvent};
use crate::model::leg::Leg;
use crate::model::session_id::SessionId;

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Story {
    pub(super) session: SessionId,
    /// The message it is told of; null: all of them.
    pub(super) message: Option<u32>,
    /// How it ended; null: it has not.
    pub(super) disposition: Option<String>,
    /// Why it ended so.
    pub(super) reason: Option<String>,
    pub(super) records: Vec<Record>,
}

impl Story {
    /// Of a session, or of one message and what the session has to do with it.
    pub(super) fn new(session: SessionId, message: Option<u32>, mut records: Vec<Record>) -> Self {
        records.retain(|record| message.is_none() || record.message.is_none() || record.message == message);
        let end = records.iter().find_map(|record| match &record.event {
            SessionEvent::Account { disposition, .. } => Some(disposition),
            _ => None,
        });
        Self {
            session,
            message,
            disposition: end.map(|end| end.name().to_owned()),
            reason: end.and_then(|end| end.reason()).map(str::to_owned),
            records,
        }
    }

    /// For people: what holds for all of it first, then one line a step, with milliseconds since the beginning. Of a
    /// message only its own steps, under what the session has to do with it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "session {}: {}", self.session, self.outcome());
        let began = self.records.first().map(|record| record.time.as_str()).unwrap_or_default();
        let began_micros = timestamp::parse(began).unwrap_or(0);
        let opened = self.records.iter().find_map(|record| match &record.event {
            SessionEvent::Opened { peers } => Some(peers),
            _ => None,
        });
        match opened {
            Some(peers) => {
                let by = peers.interface.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
                let _ = writeln!(text, "  began       {began}");
                let _ = writeln!(
                    text,
                    "  client-leg  opened by the originator {}{}{}",
                    peers.originator,
                    printable(&by),
                    self.tls(Leg::Client)
                );
                let _ = writeln!(
                    text,
                    "  server-leg  opened by the gateway to {}{}",
                    peers.next_hop,
                    self.tls(Leg::Server)
                );
                let _ = writeln!(
                    text,
                    "  rule        \"{}\" (id {}, policy revision {}), resource \"{}\"",
                    peers.rule_name, peers.rule, peers.policy, peers.resource
                );
            }
            None => {
                let _ =
                    writeln!(text, "  its first records are no longer kept; what there is begins {began}");
            }
        }
        let mut heading = None;
        for record in self.records.iter().filter(|record| self.message.is_none() || record.message.is_some())
        {
            if record.message != heading
                && let Some(number) = record.message
            {
                let space = if self.message.is_none() { "\n" } else { "" };
                let _ = writeln!(text, "{space}message {}.{number}", self.session);
            } else if record.message != heading || record.sequence == self.first_sequence() {
                text.push_str("\nsession\n");
            }
            heading = record.message;
            let since = timestamp::parse(&record.time).unwrap_or(began_micros).saturating_sub(began_micros);
            let _ = write!(text, "{:>10}.{:03} ms  ", since / 1000, since % 1000);
            match &record.event {
                SessionEvent::Part(part) => part_text(&mut text, part),
                event => {
                    let _ = writeln!(text, "{}", sentence(event));
                }
            }
        }
        text
    }

    /// The TLS that the message came in or would leave in, where a message is told of; a session tells it in its place.
    fn tls(&self, on: Leg) -> String {
        if self.message.is_none() {
            return String::new();
        }
        let before = self.records.iter().take_while(|record| record.message.is_none());
        let facts = before.filter_map(|record| match &record.event {
            SessionEvent::Tls { leg, facts } if *leg == on => Some(facts),
            _ => None,
        });
        facts.last().map(|facts| format!(", {} {}", facts.version, facts.cipher)).unwrap_or_default()
    }

    fn first_sequence(&self) -> u64 {
        self.records.first().map_or(0, |record| record.sequence)
    }

    fn outcome(&self) -> String {
        match (&self.disposition, &self.reason) {
            (Some(word), Some(reason)) => printable(&format!("{word}({reason})")),
            (Some(word), None) => word.clone(),
            (None, _) => "open".to_owned(),
        }
    }
}

/// A part, and what each stage did with it, in lines that fit.
fn part_text(text: &mut String, part: &PartRecord) {
    let bare = PartRecord { stages: Vec::new(), ..part.clone() };
    let _ = writeln!(text, "{}", sentence(&SessionEvent::Part(bare)));
    if !part.sha256.is_empty() {
        let _ = writeln!(text, "{:18}sha256 {}", "", printable(&part.sha256));
    }
    let mut line = String::new();
    for (stage, result) in &part.stages {
        let stage = printable(&format!("{stage} {result}"));
        if line.is_empty() {
            line = stage;
        } else if line.len() + stage.len() < STAGES_OCTETS {
            line = format!("{line}, {stage}");
        } else {
            let _ = writeln!(text, "{:18}{line},", "");
            line = stage;
        }
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{:18}{line}", "");
    }
}

/// Octets of stages on one line.
const STAGES_OCTETS: usize = 140;
