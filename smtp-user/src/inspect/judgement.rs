//! What an inspection comes to.

use std::time::Duration;

use crate::event::session_event::{PartRecord, SessionEvent};
use crate::inspect::message_digest::message_digest;
use crate::inspect::ruled::Change;
use crate::model::decision::Decision;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::KeptJudgement;

/// What an inspection comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Verdict, action, and why.
    pub decision: Decision,
    /// The rule on parts that decided, if one did.
    pub rule: Option<String>,
    /// How long the source is to be banned.
    pub ban_for: Option<Duration>,
    /// The parts that are to be replaced, if the action is to rewrite.
    pub changes: Vec<Change>,
    /// Every part that was found, in the order of the message.
    pub parts: Vec<PartRecord>,
    /// What each engine said: [`SessionEvent::Engine`] only.
    pub engines: Vec<SessionEvent>,
    /// The lists that were looked into, and what tells them from others.
    pub lists: Vec<(String, String)>,
    /// Of the message as received, hexadecimal; empty if it goes on as it came.
    pub sha256: String,
    /// Octets of the message as received.
    pub octets: u64,
}

impl Judgement {
    /// Of a message that was not looked at, or not to the end.
    pub(crate) const fn unlooked(decision: Decision, octets: u64) -> Self {
        Self {
            decision,
            rule: None,
            ban_for: None,
            changes: Vec::new(),
            parts: Vec::new(),
            engines: Vec::new(),
            lists: Vec::new(),
            sha256: String::new(),
            octets,
        }
    }

    /// Enters the digest of the message as received, unless it has one.
    pub(crate) async fn with_digest(mut self, message: &dyn MessageOctets) -> Self {
        if self.sha256.is_empty() {
            self.sha256 = message_digest(message).await;
        }
        self
    }

    /// As it is kept with a message that is judged once and may be delivered much later.
    pub fn to_be_kept(&self, unix_micros: u64, in_dialogue: bool) -> KeptJudgement {
        let engines = self.engines.iter().filter_map(|event| match event {
            SessionEvent::Engine { engine, version, .. } => {
                Some((engine.clone(), version.clone().unwrap_or_default()))
            }
            _ => None,
        });
        KeptJudgement {
            decision: self.decision.clone(),
            at: unix_micros,
            in_dialogue,
            engines: engines.chain(self.lists.iter().cloned()).collect(),
            by_hand: false,
        }
    }

    /// The record of the decision.
    pub fn event(&self) -> SessionEvent {
        SessionEvent::Judged {
            verdict: self.decision.verdict,
            action: self.decision.action.clone(),
            why: self.decision.why.clone(),
            part_rule: self.rule.clone(),
            octets: self.octets,
            sha256: self.sha256.clone(),
        }
    }
}
