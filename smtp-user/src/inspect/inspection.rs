//! One message under inspection.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::inspect::config::Config;
use crate::inspect::judgement::Judgement;
use crate::model::decision::{Decision, MessageVerdict};
use crate::model::message_octets::MessageOctets;

/// One message under inspection.
#[derive(Debug)]
pub struct Inspection {
    config: Arc<Config>,
    octets: u64,
    sha256: Sha256,
}

impl Inspection {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self { config, octets: 0, sha256: Sha256::new() }
    }

    /// Takes the next octets of the message. Costs time in proportion to them, and bounded memory.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        self.sha256.update(octets);
    }

    /// Ends the message and decides. `message` holds what was pushed; engines read it there.
    pub async fn judge(self, message: &dyn MessageOctets) -> Judgement {
        debug_assert_eq!(message.len(), self.octets);
        let verdict = MessageVerdict::Clean;
        Judgement {
            decision: Decision { verdict, action: self.config.actions.of(verdict), why: "clean".to_owned() },
            parts: Vec::new(),
            engines: Vec::new(),
            sha256: self.sha256.finalize().iter().map(|octet| format!("{octet:02x}")).collect(),
            octets: self.octets,
        }
    }
}
