//! What an inspection comes to.

use crate::event::session_event::{PartRecord, SessionEvent};
use crate::model::decision::Decision;

/// What an inspection comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Verdict, action, and why.
    pub decision: Decision,
    /// Every part that was found, in the order of the message.
    pub parts: Vec<PartRecord>,
    /// What each engine said: [`SessionEvent::Engine`] only.
    pub engines: Vec<SessionEvent>,
    /// Of the message as received, hexadecimal.
    pub sha256: String,
    /// Octets of the message as received.
    pub octets: u64,
}

impl Judgement {
    /// The record of the decision.
    pub fn event(&self) -> SessionEvent {
        SessionEvent::Judged {
            verdict: self.decision.verdict,
            action: self.decision.action.clone(),
            why: self.decision.why.clone(),
            octets: self.octets,
            sha256: self.sha256.clone(),
        }
    }
}
