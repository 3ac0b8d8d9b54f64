//! Pairs the two sides of a session.

use smtp_common::flow::FlowMarks;
use smtp_common::stage::SmtpStage;

use crate::model::disposition::Disposition;

pub use super::config::{RelayConfig, RelayLimits};
pub use super::effect::{Effect, Framing};
pub use super::input::{Input, Reading, Waiting};

/// One session.
#[derive(Debug)]
pub struct Relay {
    config: RelayConfig,
}

/// What became of the messages of a session, for its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the next hop took.
    pub delivered: u32,
    /// Messages that were refused for what is in them.
    pub refused: u32,
    /// Messages that were put off.
    pub deferred: u32,
}

impl Relay {
    /// At its beginning: the next hop is being called.
    pub fn new(config: RelayConfig) -> Self {
        Self { config }
    }

    /// One thing that happened; effects are appended in the order they are to be carried out.
    pub fn handle(&mut self, input: Input<'_>, effects: &mut Vec<Effect>) {
        let _ = (input, effects, &self.config);
    }

    /// What is read from the originator now.
    pub fn reading(&self) -> Reading {
        Reading::Nothing
    }

    /// Which waits run.
    pub fn waiting(&self) -> Waiting {
        Waiting::default()
    }

    /// For the flow map.
    pub fn stage(&self) -> (SmtpStage, FlowMarks) {
        (SmtpStage::NONE, FlowMarks(0))
    }

    /// Whether the session has ended: nothing that happens now asks for anything.
    pub fn is_closed(&self) -> bool {
        false
    }

    /// How the flow ended; if it has not, how it would be taken if it were cut now.
    pub fn disposition(&self) -> Disposition {
        Disposition::Failed("unfinished".into())
    }

    /// What became of its messages.
    pub fn tally(&self) -> Tally {
        Tally::default()
    }
}
