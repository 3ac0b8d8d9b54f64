//! What is done with a message that may not pass as it is: it is rewritten and judged again, or kept, and its source is
//! banned. Whatever goes wrong on the way makes the outcome stricter, never milder.

mod headers;
pub(crate) mod planning;
mod rewriting;
mod signatures;
mod structure;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::action::clk::LockKey;
use crate::action::header::HeaderRule;
use crate::event::session_event::SessionEvent;
use crate::gateway::message::Message;
use crate::gateway::remedy::planning::Planned;
use crate::inspect::inspector::Inspector;
use crate::inspect::judgement::Judgement;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::session_id::MessageId;
use crate::model::source_bans::SourceBans;
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::error::QuarantineError;
use crate::quarantine::store::Store;
use crate::session::acceptor::Envelope;
use crate::transport::held_message::HoldLimits;

/// What is done with messages that may not pass as they are.
#[derive(Debug)]
pub struct Remedy {
    /// Where messages are kept.
    pub quarantine: Store,
    /// How long.
    pub keep_for: Duration,
    /// How long the original of a message is kept that was rewritten.
    pub keep_originals_for: Duration,
    /// Whether it is kept as well where nothing but fields of its header are others.
    pub keeps_for_header: bool,
    /// Locks files; `None` where no rule does.
    pub lock_key: Option<LockKey>,
    /// Where sources are banned.
    pub bans: Arc<dyn SourceBans>,
}

/// What is known of the message beside its octets.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) id: MessageId,
    pub(crate) peers: Peers,
    pub(crate) envelope: Envelope,
    pub(crate) next_hop: std::net::SocketAddr,
    pub(crate) in_tls: bool,
    pub(crate) trace: String,
    pub(crate) unix_micros: u64,
}

/// With what a rewritten message is held and judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'m> {
    pub(crate) inspector: &'m Inspector,
    pub(crate) hold: &'m HoldLimits,
    pub(crate) limit: Duration,
    /// What is done about header fields.
    pub(crate) header: &'m [HeaderRule],
}

/// What became of a judgement.
#[derive(Debug)]
pub(crate) struct Remedied {
    /// With the action that is taken.
    pub(crate) judgement: Judgement,
    /// What was done for it.
    pub(crate) events: Vec<SessionEvent>,
    /// For the trace fields, if the message was rewritten.
    pub(crate) rewritten: Option<String>,
}

impl Remedy {
    /// Does what the judgement asks for.
    pub(crate) async fn apply(
        &self,
        judgement: Judgement,
        message: &mut Message,
        facts: &Facts,
        means: Means<'_>,
    ) -> Remedied {
        let lock_key = self.lock_key.as_ref();
        let planned = planning::plan(judgement, message.held(), facts.id, lock_key, means).await;
        let Planned { mut judgement, new, mut events } = planned;
        let mut trace = None;
        if let Some(new) = new {
            let is_wanted = keeps_original(&judgement, self.keeps_for_header);
            let kept = if is_wanted {
                self.keep(&judgement, message, facts, true, &mut events).await
            } else {
                Ok(())
            };
            match kept {
                Ok(()) => {
                    trace = Some(new.trace());
                    events.push(new.event());
                    message.replace(new.held);
                }
                Err(error) => cannot_keep(&mut judgement, &error),
            }
        }
        if judgement.decision.action == MessageAction::Quarantine
            && let Err(error) = self.keep(&judgement, message, facts, false, &mut events).await
        {
            cannot_keep(&mut judgement, &error);
        }
        Remedied { judgement, events, rewritten: trace }
    }

    /// Puts a message into quarantine.
    async fn keep(
        &self,
        judgement: &Judgement,
        message: &Message,
        facts: &Facts,
        original: bool,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), QuarantineError> {
        let Facts { id, peers, envelope, next_hop, in_tls, trace, unix_micros } = facts.clone();
        let time = if original { self.keep_originals_for } else { self.keep_for };
        let expires = unix_micros.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let entry = Entry {
            id,
            original,
            kept: unix_micros,
            expires,
            peers,
            next_hop,
            in_tls,
            sender: envelope.sender,
            recipients: envelope.recipients,
            trace,
            decision: judgement.decision.clone(),
            part_rule: judgement.rule.clone(),
            octets: 0,
            sha256: String::new(),
            parts: judgement.parts.clone(),
            engines: judgement.engines.clone(),
            release: Release::Held,
            version: 0,
        };
        match self.quarantine.keep(entry, message.held()).await {
            Ok(_) => {
                events.push(SessionEvent::Quarantined { original, expires });
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, message = %id, "a message cannot be put into quarantine");
                events.push(note(error.name(), &error.to_string()));
                Err(error)
            }
        }
    }

    /// Bans a source; gives what to record of it.
    pub(crate) fn ban(&self, source: IpAddr, time: Duration) -> SessionEvent {
        match self.bans.ban(source, time) {
            Ok(()) => SessionEvent::Banned { source, seconds: time.as_secs() },
            Err(error) => {
                tracing::error!(error, %source, "a source cannot be banned");
                note("not_banned", &error)
            }
        }
    }
}

/// Whether the original is kept of a message that goes on in another form.
pub(crate) fn keeps_original(judgement: &Judgement, for_header: bool) -> bool {
    judgement.decision.action == MessageAction::Rewrite || for_header
}

/// It is the gateway's own trouble, and so no reason to refuse a message for good.
fn cannot_keep(judgement: &mut Judgement, error: &QuarantineError) {
    let (verdict, why) = match error {
        QuarantineError::NoSpace => (MessageVerdict::NoRoom, "there is no room to keep it"),
        _ => (MessageVerdict::EngineError, "it could not be kept"),
    };
    judgement.decision = Decision { verdict, action: MessageAction::Defer, why: why.to_owned() };
}

fn note(what: &str, detail: &str) -> SessionEvent {
    SessionEvent::Note { leg: Leg::Client, what: what.to_owned(), detail: Some(detail.to_owned()) }
}
