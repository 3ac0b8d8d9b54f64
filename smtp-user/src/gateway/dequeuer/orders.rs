//! What an operator wants done about messages in the spool: one at a time, written down before it is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Shared;
use crate::delivery::failure::{Failure, one_line};
use crate::event::session_event::SessionEvent;
use crate::model::decision::MessageAction;
use crate::model::queued_message::{Hold, QueuedMessage};
use crate::model::queued_recipient::{RecipientState, RemoteStage};
use crate::model::session_id::MessageId;
use crate::model::tls_demand::TlsDecider;
use crate::model::tracking::Tracking;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;
use crate::spool::store::Spool;

/// What is to be done about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It is tried at once.
    Flush,
    /// It is not tried until it is released.
    Hold,
    /// It is tried again, out of quarantine too.
    Release,
    /// It goes to this address in place of all that is configured, and is tried at once; none is what is configured.
    Reroute {
        /// Where to.
        to: Option<SocketAddr>,
    },
    /// It is tried at once, and everything that went wrong before is forgotten.
    Requeue,
    /// It is given up, and its sender is told as if it could not be delivered.
    Bounce,
    /// It is removed, and nobody is told.
    Delete,
}

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub order: Order,
    /// About which messages; with none, `flush` is about all.
    pub ids: Vec<MessageId>,
    /// `flush` is about what goes there: a domain, or a server with or without its port.
    #[serde(default)]
    pub to: Option<String>,
    /// Who asks, for the record.
    pub who: String,
}

impl Request {
    /// Whether it is about all messages. Only a `flush` can be, and only one that names nothing: an order about ids is about
    /// no message where there are none.
    pub fn is_about_all(&self) -> bool {
        self.order == Order::Flush && self.ids.is_empty() && self.to.is_none()
    }
}

/// What became of it, for one message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Which; none if it is about all.
    pub id: Option<MessageId>,
    /// Why it was not done.
    pub error: Option<String>,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The spool cannot do it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Its sender may be forged, and what was found in it is neither to be returned to anybody nor to be overlooked unsaid.
    #[error("it is in quarantine: release or delete it")]
    InQuarantine,
    /// It is not tried, whatever is said of when.
    #[error("it is held: release it")]
    Held,
}

impl Order {
    /// The word used in records.
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Flush => "flushed",
            Self::Hold => "held",
            Self::Release => "released",
            Self::Reroute { .. } => "rerouted",
            Self::Requeue => "requeued",
            Self::Bounce => "bounced",
            Self::Delete => "removed",
        }
    }
}

/// Puts an order into a message; gives where it stands then, none if it is to be removed.
pub fn change(
    order: Order,
    place: Place,
    message: &mut QueuedMessage,
    who: &str,
    now: u64,
) -> Result<Option<Place>, OrderError> {
    let at_once = |message: &mut QueuedMessage, forget: bool| {
        for recipient in &mut message.recipients {
            if let RecipientState::Pending { attempts, next_attempt, .. } = &mut recipient.state {
                *next_attempt = 0;
                if forget {
                    *attempts = 0;
                }
            }
        }
    };
    let out_of = if place == Place::Quarantine { Place::Active } else { place };
    if matches!(order, Order::Flush | Order::Requeue) {
        let is_stopped =
            message.judgement.as_ref().is_some_and(|kept| kept.decision.action != MessageAction::Pass);
        // Whoever is told that it is done waits for a delivery that does not come.
        if place == Place::Quarantine && (order == Order::Flush || is_stopped) {
            return Err(OrderError::InQuarantine);
        }
        if message.hold.is_some() {
            return Err(OrderError::Held);
        }
    }
    Ok(match order {
        Order::Flush => {
            at_once(message, false);
            Some(place)
        }
        Order::Hold => {
            message.hold = Some(Hold { since: now, why: who.to_owned() });
            Some(place)
        }
        Order::Release => {
            message.hold = None;
            if place == Place::Quarantine
                && let Some(kept) = &mut message.judgement
            {
                kept.decision.action = MessageAction::Pass;
                kept.by_hand = true;
                kept.decision.why = format!("released by {who}: {}", kept.decision.why);
            }
            at_once(message, false);
            Some(out_of)
        }
        Order::Reroute { to } => {
            message.reroute = to;
            at_once(message, false);
            Some(place)
        }
        Order::Bounce if place == Place::Quarantine => return Err(OrderError::InQuarantine),
        Order::Bounce => {
            message.hold = None;
            let reply =
                Failure::permanent(RemoteStage::None, "5.0.0", "it was given up by an operator").reply;
            for recipient in message.recipients.iter_mut().filter(|recipient| recipient.state.is_pending()) {
                recipient.state = RecipientState::Failed { at: now, reply: reply.clone() };
            }
            Some(place)
        }
        Order::Requeue => {
            for recipient in &mut message.recipients {
                let is_open = !recipient.state.is_pending() && !recipient.report.ended;
                // Those of whom nobody has heard yet that they did not get it.
                if is_open && !matches!(recipient.state, RecipientState::Delivered { .. }) {
                    recipient.state = RecipientState::default();
                }
            }
            at_once(message, true);
            message.attempts = 0;
            Some(out_of)
        }
        Order::Delete => None,
    })
}

/// Carries an order out on a spool, whoever works on it.
pub async fn carry_out(
    spool: &Spool,
    order: Order,
    id: MessageId,
    who: &str,
    now: u64,
) -> Result<(QueuedMessage, Option<Place>), OrderError> {
    let reading = spool.clone();
    let (place, mut message) =
        tokio::task::spawn_blocking(move || reading.load(id)).await.unwrap_or(Err(SpoolError::Closed))?;
    let to = change(order, place, &mut message, who, now)?;
    match to {
        Some(to) => spool.update(&mut message, to).await?,
        None => spool.remove(id).await?,
    }
    Ok((message, to))
}

/// Why a destination was not flushed.
pub fn nothing_for(name: &str) -> String {
    format!("nothing waits for {}", one_line(name))
}

/// What is recorded of an order that was carried out.
pub fn event(order: Order, message: &QueuedMessage, who: &str) -> SessionEvent {
    let why = match order {
        Order::Reroute { to: Some(to) } => format!("by {who}, to {to}"),
        Order::Reroute { to: None } => format!("by {who}, to where it is configured to go"),
        _ => format!("by {who}"),
    };
    SessionEvent::Dequeued {
        outcome: order.outcome().to_owned(),
        recipients: Vec::new(),
        why,
        rule_name: message.rule_name.clone(),
        policy: message.policy,
        tls_by: TlsDecider::None,
        track: Tracking::None,
    }
}

/// Carries orders out while messages are being delivered.
#[derive(Clone, Debug)]
pub struct Orders {
    shared: Arc<Shared>,
}

impl Orders {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Carries one out.
    pub async fn carry_out(&self, order: Order, id: MessageId, who: &str) -> Result<(), OrderError> {
        let shared = &self.shared;
        let changing = shared.changing(id).await;
        let now = shared.clock.unix_micros();
        let (message, to) = carry_out(&shared.spool, order, id, who, now).await?;
        shared.recorder.emit(id.session, Some(id.number), event(order, &message, who));
        drop(changing);
        shared.schedule().forget(id);
        if let Some(place) = to {
            // Nothing else that waits for the same destinations is meant.
            let setup = shared.setup();
            let is_for_now = matches!(order, Order::Flush | Order::Requeue | Order::Reroute { .. });
            let called: Vec<_> = message
                .pending()
                .filter(|_| is_for_now)
                .map(|recipient| setup.destination(&message, &recipient.path))
                .collect();
            let now = shared.now();
            shared.plan_after(place, &message, |schedule| {
                for destination in &called {
                    schedule.call(destination, now);
                }
            });
        }
        Ok(())
    }

    /// Lets what goes to destinations of a name be tried at once; gives how many destinations there are.
    pub fn flush_to(&self, name: &str) -> usize {
        let all = self.shared.schedule().destinations();
        let meant: Vec<_> = all.into_iter().filter(|destination| destination.is_named(name)).collect();
        for destination in &meant {
            self.shared.flush(Some(destination));
        }
        meant.len()
    }

    /// Lets everything be tried at once.
    pub fn flush_all(&self) {
        self.shared.flush(None);
    }
}

#[cfg(test)]
mod tests;
