//! What would become of a message if it came now. It is received, held, judged and remedied by the code that sessions go by,
//! and nothing is kept, sent, answered or written down.

use std::time::Duration;

use crate::action::clk::LockKey;
use crate::action::header::HeaderRule;
use crate::event::session_event::SessionEvent;
use crate::gateway::message::Message;
use crate::gateway::remedy::planning::{Planned, plan};
use crate::gateway::remedy::{Means, keeps_original};
use crate::inspect::inspector::Inspector;
use crate::inspect::judgement::Judgement;
use crate::model::session_id::{MessageId, SessionId};
use crate::session::replies;
use crate::transport::held_message::{HeldMessage, HoldLimits};
use crate::wire::smtp::data::{DataDefect, LineEnds};
use crate::wire::smtp::reply::Reply;

/// Stands for the name that a message would get.
pub const NAME: MessageId = MessageId { session: SessionId::new(0, [0; 10]), number: 1 };

/// What messages would be received, judged and remedied with.
#[derive(Clone, Debug)]
pub struct Forecaster {
    /// What looks at messages.
    pub inspector: Inspector,
    /// Locks files; `None` where no rule does.
    pub lock_key: Option<LockKey>,
    /// What is done about header fields.
    pub header: Vec<HeaderRule>,
    /// Where and how messages are held.
    pub hold: HoldLimits,
    /// What is done about bare CR and LF in messages.
    pub line_ends: LineEnds,
    /// Octets of a message at most.
    pub max_octets: u64,
    /// How long a judgement is waited for.
    pub patience: Duration,
    /// The gateway takes messages over, and so the final reply is its own.
    pub takes_over: bool,
    /// The original is kept as well where nothing but fields of its header are others.
    pub keeps_for_header: bool,
}

/// A message that comes in.
pub struct Coming<'f> {
    forecaster: &'f Forecaster,
    message: Message,
    defect: Option<DataDefect>,
}

/// What would become of it.
#[derive(Debug)]
pub struct Forecast {
    /// Why it is not even judged.
    pub defect: Option<DataDefect>,
    /// What the record would say, with the action that is taken.
    pub judgement: Judgement,
    /// What the record would say besides.
    pub events: Vec<SessionEvent>,
    /// What the originator would hear; `None`: what the next hop says.
    pub reply: Option<Reply>,
    /// What goes on, without trace fields.
    pub goes_on: Option<HeldMessage>,
    /// What trace fields would say of what was replaced.
    pub trace: Option<String>,
    /// It goes on in another form, and the original is kept.
    pub keeps_original: bool,
}

impl Forecaster {
    /// Begins a message.
    pub fn begin(&self) -> Coming<'_> {
        let Self { inspector, hold, line_ends, max_octets, .. } = self;
        let message = Message::begin(NAME.number, hold, *line_ends, *max_octets, inspector);
        Coming { forecaster: self, message, defect: None }
    }
}

impl Coming<'_> {
    /// Takes the next octets.
    pub async fn push(&mut self, octets: &[u8]) {
        let defect = self.message.take_chunk(octets).await;
        self.defect = self.defect.or(defect);
    }

    /// There are no more.
    pub async fn end(mut self) -> Forecast {
        let Forecaster { inspector, hold, patience, takes_over, lock_key, header, .. } = self.forecaster;
        let defect = self.message.finish_chunks().await;
        let judgement = Box::pin(self.message.judge(*patience)).await;
        if let Some(defect) = self.defect.or(defect) {
            return Forecast {
                defect: Some(defect),
                judgement,
                events: Vec::new(),
                reply: Some(replies::defective(defect)),
                goes_on: None,
                trace: None,
                keeps_original: false,
            };
        }
        let means = Means { inspector, hold, limit: *patience, header };
        let planned = Box::pin(plan(judgement, self.message.held(), NAME, lock_key.as_ref(), means)).await;
        let Planned { judgement, new, mut events } = planned;
        let judgement = judgement.with_digest(self.message.held()).await;
        let passes = judgement.decision.action.passes();
        let reply = match (passes, takes_over) {
            (false, _) => Some(replies::judged(&judgement.decision, NAME)),
            (true, true) => Some(replies::queued(NAME)),
            (true, false) => None,
        };
        let mut trace = None;
        let mut goes_on = passes.then(|| self.message.into_held());
        let keeps_original = new.is_some() && keeps_original(&judgement, self.forecaster.keeps_for_header);
        if let Some(new) = new {
            trace = Some(new.trace());
            events.push(new.event());
            goes_on = Some(new.held);
        }
        Forecast { defect: None, judgement, events, reply, goes_on, trace, keeps_original }
    }
}
